"""Open files of this machine, being read and being written, and the calls that make them durable.

Names are the operating system's, whole; `local` made and checked them.
"""

from __future__ import annotations

import os
import stat as modes
import sys
import time
from typing import IO

from drivers.fsspec.tree import Found, Handle, Moved
from gateway.common import open_files
from gateway.common.system import translating
from gateway.storage import PIECE, BytesBody, Readable, Stretch

SMALL = 64 * 1024
"""Bodies up to here are read at once, and their files closed."""

_READ = os.O_RDONLY
for _flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC", "O_NOINHERIT"):
    _READ |= getattr(os, _flag, 0)


def found_of(status: os.stat_result) -> Found | None:
    """None for what is no regular file."""
    if not modes.S_ISREG(status.st_mode):
        return None
    token = f"{status.st_mtime_ns:x}-{status.st_size:x}"
    return Found(status.st_size, status.st_mtime_ns // 1_000_000, token, token)


def stat(at: str) -> Found | None:
    try:
        return found_of(os.stat(at, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return None


def open_file(at: str) -> OpenFile | None:
    """None for what is not there, or is no regular file."""
    try:
        descriptor = open_files.opened(at, _READ)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except PermissionError:
        if os.path.isdir(at):  # Windows says so of a folder
            return None
        raise
    try:
        found = found_of(os.fstat(descriptor))
        if found is not None:
            return OpenFile(open(descriptor, "rb", buffering=0), found)
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


class OpenFile(Handle):
    """The file as it was opened: what replaces it does not change it."""

    def __init__(self, file: IO[bytes], found: Found) -> None:
        self._file, self.found = file, found

    def close(self) -> None:
        self._file.close()

    def body(self, start: int, length: int) -> Readable:
        body = Steady(self._file, self.found, length)
        try:
            if start:
                with translating():
                    self._file.seek(start)
            if length > SMALL:
                return body
            data = b"".join(iter(body.read, b""))
        except BaseException:
            self._file.close()
            raise
        self._file.close()
        return BytesBody(data)


class Steady:
    """`length` bytes of a file that nobody writes to meanwhile: raises `Moved` before
    its last bytes are given, when somebody did. So these are read, and not lent."""

    __slots__ = ("_file", "_found", "_left")

    def __init__(self, file: IO[bytes], found: Found, length: int) -> None:
        self._file, self._found, self._left = file, found, length

    def read(self, size: int = PIECE, /) -> bytes:
        if self._left <= 0:
            return b""
        with translating():
            piece = self._file.read(min(size, self._left))
            self._left -= len(piece)
            moved = not self._left and found_of(os.fstat(self._file.fileno())) != self._found
        if moved or not piece:
            raise Moved
        return piece

    def stretch(self, most: int, /) -> Stretch | None:
        length = min(most, self._left - SMALL)
        if length <= 0:
            return None
        with translating():
            start = self._file.tell()
            if found_of(os.fstat(self._file.fileno())) != self._found:
                raise Moved
            self._file.seek(length, os.SEEK_CUR)
        self._left -= length
        return Stretch(self._file.fileno(), start, length)

    def close(self) -> None:
        self._left = 0
        self._file.close()


# writing

_TIMES_BY_DESCRIPTOR = os.utime in os.supports_fd
_COARSE = 2_000_000_000
"""The coarsest file times there are: FAT's, two seconds."""


def finish(file: IO[bytes], at: str, step: int) -> Found:
    """Sync a file that was written, with a time of its own. `step` 0 is now; each further
    one is later than the one before, in the end by more than any file system rounds."""
    moment = time.time_ns()
    if step:
        moment = os.stat(at).st_mtime_ns + min(1000 << step, _COARSE)
    if _TIMES_BY_DESCRIPTOR:
        os.utime(file.fileno(), ns=(moment, moment))
        os.fsync(file.fileno())
    else:
        os.fsync(file.fileno())
        os.utime(at, ns=(moment, moment))
    found = stat(at)
    assert found is not None, "it is ours, and a regular file"
    return found


def write_new(at: str, data: bytes) -> bool:
    """Write and sync a small file; False when there is one."""
    try:
        with open(at, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    return True


def make_folders(folder: str, mode: int = 0o777) -> None:
    """Make a folder and those above it, and make that durable."""
    missing = []
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for one in reversed(missing):
        try:
            os.mkdir(one, mode)
        except FileExistsError:
            if not os.path.isdir(one):
                raise
        sync_folder(os.path.dirname(one))


def sync_folder(folder: str) -> None:
    """Make the names in it durable. Windows has no such call, and needs none on NTFS."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
