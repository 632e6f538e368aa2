"""Files go, and are replaced, while they are open: on Windows as elsewhere."""

from __future__ import annotations

import ctypes
import errno
import importlib.util
import itertools
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Timer
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from gateway.common import open_files
from gateway.common.open_files import HELD
from tests.held_files import held, violation
from tests.under_wine import UNDER_WINE

_FLAGS = (os.O_CREAT, os.O_EXCL, os.O_TRUNC, os.O_APPEND)


@contextmanager
def reading(path: Path) -> Iterator[int]:
    handle = open_files.opened(path)
    try:
        yield handle
    finally:
        os.close(handle)


def outcome(path: Path, flags: int, *, theirs: bool) -> object:
    """What comes of opening, and of writing and reading where it is open."""
    flags |= open_files.BINARY
    try:
        handle = os.open(path, flags) if theirs else open_files.opened(path, flags)
    except OSError as error:
        return error.errno, error.filename == str(path)
    done: list[object] = [os.get_inheritable(handle)]
    for step in (lambda: os.write(handle, b"a\nb"), lambda: os.read(handle, 9)):
        try:
            done.append(step())
        except OSError as error:
            done.append(error.errno)
    os.close(handle)
    return done, path.read_bytes()


def test_it_opens_as_the_system_does(tmp_path: Path) -> None:
    """Whatever the flags, with a file there and without one."""
    chosen = itertools.chain.from_iterable(itertools.combinations(_FLAGS, n) for n in range(5))
    for access, flags, there in itertools.product(
        (os.O_RDONLY, os.O_WRONLY, os.O_RDWR), list(map(sum, chosen)), (True, False)
    ):
        if access == os.O_RDONLY and flags & os.O_TRUNC:
            continue  # nobody says what that is
        outcomes = []
        for theirs in (True, False):
            path = tmp_path / "file"
            path.unlink(missing_ok=True)
            if there:
                path.write_bytes(b"1234567")
            outcomes.append(outcome(path, access | flags, theirs=theirs))
        assert outcomes[0] == outcomes[1], (access, flags, there)
    missing = tmp_path / "no" / "file"
    assert outcome(missing, os.O_CREAT | os.O_WRONLY, theirs=False) == (errno.ENOENT, True)
    with pytest.raises(ValueError, match="null"):
        open_files.opened("a\0b")


def test_what_is_read_can_be_removed_and_is_not_there_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    with reading(path) as handle, reading(path):
        open_files.remove(path)
        if not UNDER_WINE:  # Wine 8 opens what is going, until it is gone
            with pytest.raises(FileNotFoundError) as raised:
                open_files.opened(path)
            assert raised.value.errno == errno.ENOENT
        open_files.remove(path)
        assert os.read(handle, 9) == b"bytes"
    assert list(tmp_path.iterdir()) == []
    open_files.remove(path)


def test_what_is_written_can_be_removed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with open(path, "wb", opener=open_files.opener) as file:
        file.write(b"some")
        open_files.remove(path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(UNDER_WINE, reason="Wine 8 has no FileRenameInfoEx")
def test_what_is_read_can_be_replaced(tmp_path: Path) -> None:
    path, new = tmp_path / "file", tmp_path / "new"
    path.write_bytes(b"before")
    new.write_bytes(b"after")
    with reading(path) as handle:
        open_files.replace(new, path)
        assert open_files.read(path) == b"after"
        assert os.read(handle, 9) == b"before"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(sys.platform != "win32", reason="POSIX opens folders")
def test_missing_rights_are_no_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        open_files.opened(tmp_path)


@pytest.mark.skipif(sys.platform != "win32", reason="POSIX gives its name to another at once")
def test_a_name_that_is_going_is_given_to_another_when_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"before")
    with reading(path):
        open_files.remove(path)
        try:
            os.close(open_files.opened(path, os.O_CREAT | os.O_WRONLY))
        except PermissionError as error:
            assert getattr(error, "winerror", None) in HELD  # NTFS may give it at once
    os.close(open_files.opened(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))


def test_what_another_holds_is_waited_for_and_nothing_else(tmp_path: Path) -> None:
    slept: list[float] = []
    tries = iter((violation("a"), violation("a"), None))

    def call() -> str:
        if (error := next(tries)) is not None:
            raise error
        return "done"

    assert open_files._tried((0.1, 0.2, 0.3), HELD, call, slept.append) == "done"
    assert slept == [0.1, 0.2]
    for error, waited in ((violation("a"), 1), (PermissionError(errno.EACCES, "no"), 0)):
        slept.clear()

        def fail(error: OSError = error) -> None:
            raise error

        with pytest.raises(PermissionError):
            open_files._tried((0.1,), HELD, fail, slept.append)
        assert len(slept) == waited
    assert sum(open_files._WAITS) == pytest.approx(1, abs=0.1)


@pytest.mark.skipif(sys.platform != "win32", reason="POSIX has nobody wait")
def test_what_a_scanner_holds_for_a_moment_is_read_and_replaced(tmp_path: Path) -> None:
    """It shares nothing."""
    winapi: Any = importlib.import_module("_winapi")
    path, new = tmp_path / "file", tmp_path / "new"
    for scanned in (path, new):
        path.write_bytes(b"before")
        new.write_bytes(b"after")
        handle = winapi.CreateFile(str(scanned), winapi.GENERIC_READ, 0, 0, 3, 0, 0)
        letting_go = Timer(0.2, winapi.CloseHandle, (handle,))
        letting_go.start()
        if scanned == path:
            assert open_files.read(path) == b"before"
        open_files.replace(new, path)
        letting_go.join()
        assert open_files.read(path) == b"after"


def test_what_another_holds_cannot_be_removed_yet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    with held(path), pytest.raises(PermissionError):
        open_files.remove(path)
    open_files.remove(path)
    assert list(tmp_path.iterdir()) == []


# the calls of Windows, on a stand-in: Wine has no name that is going


class System:
    """Windows, where a file is refused by `winerror`, and the system notes `status`."""

    def __init__(self, winerror: int, status: int = 0, *, renames: bool = False) -> None:
        self._winerror, self.closed, self.renamed = winerror, list[int](), b""

        def refused(*_: object) -> int:
            return 7 if renames else ctypes.c_void_p(-1).value or 0

        def rename(handle: int, kind: int, info: bytes, size: int) -> int:
            assert (handle, kind, size) == (7, 22, len(info))
            self.renamed = info
            return 1

        self.libraries = {
            "kernel32": SimpleNamespace(
                CreateFileW=refused,
                CloseHandle=self._close,
                SetFileInformationByHandle=rename,
            ),
            "ntdll": SimpleNamespace(RtlGetLastNtStatus=lambda: status),
        }
        self.winapi: Any = ModuleType("_winapi")
        vars(self.winapi).update(CreateFile=self.refuse, CloseHandle=self._close)

    def _close(self, handle: int) -> None:
        self.closed.append(handle)

    def refuse(self, *_: object) -> int:
        error = PermissionError(errno.EACCES, "Access is denied")
        setattr(error, "winerror", self._winerror)  # noqa: B010 - POSIX has none
        raise error

    @property
    def files(self) -> Any:
        """`gateway.common.windows_files` there."""
        with pytest.MonkeyPatch.context() as patch:
            for method in list(vars(self.libraries["kernel32"])):  # as ctypes has them
                real = getattr(self.libraries["kernel32"], method)
                setattr(self.libraries["kernel32"], method, partial(real))
            real = self.libraries["ntdll"].RtlGetLastNtStatus
            self.libraries["ntdll"].RtlGetLastNtStatus = partial(real)
            patch.setattr(sys, "platform", "win32")
            patch.setattr(ctypes, "PyDLL", self.libraries.__getitem__)
            patch.setitem(sys.modules, "_winapi", self.winapi)
            patch.setitem(sys.modules, "msvcrt", ModuleType("msvcrt"))
            place = Path(open_files.__file__).with_name("windows_files.py")
            spec = importlib.util.spec_from_file_location("files_of_windows", place)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module


DENIED, SHARED, PENDING, NO_RIGHTS = 5, 32, 0xC0000056, 0xC0000022


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the real one")
@pytest.mark.parametrize(
    ("winerror", "status", "flags", "raised"),
    [
        (DENIED, PENDING, os.O_RDONLY, FileNotFoundError),
        (DENIED, NO_RIGHTS, os.O_RDONLY, PermissionError),
        (SHARED, 0, os.O_RDONLY, PermissionError),
        (DENIED, PENDING, os.O_WRONLY | os.O_CREAT, PermissionError),
        (DENIED, NO_RIGHTS, os.O_WRONLY | os.O_CREAT, PermissionError),
    ],
)
def test_what_windows_refuses_is_missing_where_it_is_going(
    winerror: int, status: int, flags: int, raised: type[OSError]
) -> None:
    with pytest.raises(raised) as found:
        System(winerror, status).files.opened("name", flags)
    assert type(found.value) is raised
    assert found.value.filename == "name"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the real one")
def test_a_descriptor_that_cannot_be_had_leaves_no_handle() -> None:
    system = System(0)
    files = system.files
    system.winapi.CreateFile = lambda *_: 9
    with pytest.raises(AttributeError):  # the stand-in makes none
        files.opened("name", os.O_RDONLY)
    assert system.closed == [9]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has the real one")
@pytest.mark.parametrize("renames", [True, False])
def test_an_open_target_is_replaced_as_posix_does_where_that_can_be(
    monkeypatch: pytest.MonkeyPatch, renames: bool
) -> None:
    system = System(DENIED, renames=renames)
    files = system.files
    monkeypatch.setattr(os, "replace", system.refuse)
    if not renames:
        with pytest.raises(PermissionError):
            files.replace("draft", "/folder/t\u00e4")
        return
    files.replace("draft", "/folder/t\u00e4")
    name = "/folder/t\u00e4".encode("utf-16-le")
    flags, _, length = struct.unpack_from("<I4xQI", system.renamed)
    assert (flags, length, system.renamed[20:]) == (3, len(name), name + b"\0\0")
    assert system.closed == [7]
