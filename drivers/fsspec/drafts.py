"""Files of this machine that are being written, and how they get into their places."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from drivers.fsspec import files
from drivers.fsspec.failures import translated
from drivers.fsspec.tree import Draft, Found
from gateway.common import open_files


class LocalDraft(Draft):
    """What `path` will be, in a new file `at`, synced when it is finished; `move` puts that
    into the path's place."""

    def __init__(self, at: str, path: str, move: Callable[[str, str], None]) -> None:
        self._at, self._path, self._move = at, path, move
        self._found: Found | None = None
        self._step, self._placed = 0, False
        self._file: IO[bytes] = open(at, "xb", buffering=0)

    def write(self, piece: bytes) -> None:
        with translated(self._path):
            left = memoryview(piece)
            while left:
                left = left[self._file.write(left) :]

    def finish(self) -> Found:
        with translated(self._path):
            if self._file.closed:
                self._file = open(self._at, "r+b", buffering=0)
            self._found = files.finish(self._file, self._at, self._step)
            self._file.close()
        self._step += 1
        return self._found

    def commit(self) -> Found:
        assert self._found is not None, "finish comes first"
        with translated(self._path):
            self._move(self._at, self._path)
        self._placed = True
        return self._found

    def __exit__(self, *exc: object) -> None:
        self._file.close()
        if not self._placed:
            with suppress(OSError):  # it was moved, and not more; else `sweep` finds it
                open_files.remove(self._at)


def replace(draft: str, at: str) -> None:
    """Put it there, with the rights of the file that was there, over an empty folder too."""
    try:
        before = os.stat(at, follow_symlinks=False)
    except FileNotFoundError:
        before = None
    if before is not None and modes.S_ISREG(before.st_mode):
        with suppress(PermissionError):
            os.chmod(draft, modes.S_IMODE(before.st_mode))
    elif before is not None and modes.S_ISDIR(before.st_mode):
        try:
            os.rmdir(at)
        except OSError as error:
            raise IsADirectoryError(at) from error
    open_files.replace(draft, at)
