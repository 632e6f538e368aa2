"""Windows' own calls for files that are shared while they go (see `open_files`): what Python's
`open`, `os.unlink` and `os.replace` do not say to the system.

Functions of `kernel32` are called twice at most: what Python has is asked first, as it lets other
threads run meanwhile. `_winapi.CreateFile` is CPython's own, for its `subprocess` and `asyncio`.
"""

from __future__ import annotations

import _winapi
import ctypes
import errno
import msvcrt
import os
import sys
from ctypes import wintypes

assert sys.platform == "win32"

_SHARE = 0x1 | 0x2 | 0x4
"""FILE_SHARE_READ, _WRITE and _DELETE."""
_READ, _WRITE, _DELETE, _ATTRIBUTES = 0x80000000, 0x40000000, 0x00010000, 0x80
_ACCESS = {os.O_RDONLY: _READ, os.O_WRONLY: _WRITE, os.O_RDWR: _READ | _WRITE}
_MADE = os.O_CREAT | os.O_EXCL | os.O_TRUNC
_DISPOSITIONS = {
    0: 3,  # OPEN_EXISTING
    os.O_EXCL: 3,
    os.O_TRUNC: 5,  # TRUNCATE_EXISTING
    os.O_EXCL | os.O_TRUNC: 5,
    os.O_CREAT: 4,  # OPEN_ALWAYS
    os.O_CREAT | os.O_TRUNC: 2,  # CREATE_ALWAYS
    os.O_CREAT | os.O_EXCL: 1,  # CREATE_NEW
    os.O_CREAT | os.O_EXCL | os.O_TRUNC: 1,
}
_NORMAL, _OF_FOLDERS, _LINK_ITSELF = 0x80, 0x02000000, 0x00200000
_NO_HANDLE = ctypes.c_void_p(-1).value

_DENIED, _IN_USE = 5, 32
_DELETE_PENDING = 0xC0000056
_RENAME, _OVER_OPEN_FILES = 22, 0x1 | 0x2
"""FileRenameInfoEx; FILE_RENAME_FLAG_REPLACE_IF_EXISTS and _POSIX_SEMANTICS."""

# Of `PyDLL`: the GIL is kept, so that nothing else of this thread comes between a call and what
# the system notes of it.
_kernel, _nt = ctypes.PyDLL("kernel32"), ctypes.PyDLL("ntdll")
_kernel.CreateFileW.restype = wintypes.HANDLE
_kernel.CreateFileW.argtypes = (
    wintypes.LPCWSTR, wintypes.DWORD, wintypes.DWORD, ctypes.c_void_p, wintypes.DWORD,
    wintypes.DWORD, wintypes.HANDLE,
)  # fmt: skip
_kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
_kernel.SetFileInformationByHandle.argtypes = (
    wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD,
)  # fmt: skip
_nt.RtlGetLastNtStatus.restype = wintypes.ULONG


class _NewName(ctypes.Structure):
    """FILE_RENAME_INFO, before its name."""

    _fields_ = (
        ("flags", wintypes.DWORD),
        ("root", wintypes.HANDLE),
        ("length", wintypes.DWORD),
    )


def opened(path: str | os.PathLike[str], flags: int) -> int:
    """As `os.open`, shared. Who would make a file where one is going is told that it is in use,
    and who would open it that it is not there."""
    name = os.fspath(path)
    try:
        handle = _winapi.CreateFile(
            name, _ACCESS[flags & 3], _SHARE, 0, _DISPOSITIONS[flags & _MADE], _NORMAL, 0
        )
    except OSError as error:
        if error.winerror == _DENIED and is_going(name):
            if flags & os.O_CREAT:
                raise PermissionError(0, error.strerror, name, _IN_USE) from error
            missing = errno.ENOENT
            raise FileNotFoundError(missing, os.strerror(missing), name) from error
        error.filename = name
        raise
    try:
        return msvcrt.open_osfhandle(handle, flags & (os.O_APPEND | os.O_BINARY) | os.O_NOINHERIT)
    except BaseException:
        _winapi.CloseHandle(handle)
        raise


def is_going(path: str | os.PathLike[str]) -> bool:
    """Whether it was removed, and is kept by those alone who have it open."""
    handle = _kernel.CreateFileW(
        os.fspath(path), _ATTRIBUTES, _SHARE, None, _DISPOSITIONS[0], _NORMAL, None
    )
    if handle == _NO_HANDLE:
        return bool(_nt.RtlGetLastNtStatus() == _DELETE_PENDING)
    _kernel.CloseHandle(handle)
    return False


def replace(path: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """`os.replace`; where the target is open and shared, as POSIX does it (Windows 10 1607 and
    later, on NTFS)."""
    try:
        os.replace(path, target)
    except PermissionError as error:
        if error.winerror != _DENIED or not _moved(os.fspath(path), os.fspath(target)):
            raise


def _moved(path: str, target: str) -> bool:
    name = os.path.abspath(target).encode("utf-16-le")
    new = _NewName(flags=_OVER_OPEN_FILES, root=None, length=len(name))
    info = bytes(new)[: _NewName.length.offset + 4] + name + bytes(2)
    handle = _kernel.CreateFileW(
        path, _DELETE, _SHARE, None, _DISPOSITIONS[0], _OF_FOLDERS | _LINK_ITSELF, None
    )
    if handle == _NO_HANDLE:
        return False
    done = _kernel.SetFileInformationByHandle(handle, _RENAME, info, len(info))
    _kernel.CloseHandle(handle)
    return bool(done)
