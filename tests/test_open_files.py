"""Files go, and are replaced, while they are open: on Windows as elsewhere."""

from __future__ import annotations

import errno
import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def test_what_another_holds_cannot_be_removed_yet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"bytes")
    with held(path), pytest.raises(PermissionError):
        open_files.remove(path)
    open_files.remove(path)
    assert list(tmp_path.iterdir()) == []
