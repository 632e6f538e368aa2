"""Which changes of services and bindings every worker serves by now.

They have a number (`Catalog.stores_number`). Each worker writes down which one it serves, in a
file of its own in the data folder, which it holds locked as long as it lives: a worker that died
keeps nobody waiting. It costs a small write for each change, and requests nothing.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path

from gateway.common import open_files, private
from gateway.common.locks import FileLock

FOLDER = "serving"
_DIGITS = 20


class Serving:
    """`data`: the gateway's folder; None where it keeps nothing, and is one process. A worker is
    one from its first `note` on."""

    def __init__(self, data: Path | None) -> None:
        self._folder = None if data is None else data / FOLDER
        self._number = 0
        self._lock: FileLock | None = None
        self._path: Path | None = None

    def note(self, number: int) -> bool:
        """This worker serves that. Whether it could be written down."""
        self._number = number
        if self._folder is None:
            return True
        try:
            if self._path is None:
                self._path = self._begin(self._folder)
            with open(self._path, "r+b", opener=private.opener) as file:
                file.write(b"%0*d" % (_DIGITS, number))  # at once, in place: nobody reads a half
        except OSError:
            return False
        return True

    def _begin(self, folder: Path) -> Path:
        private.own_folder(folder)
        gate = FileLock(folder / "gate.lock")
        try:
            gate.acquire()
            for path in folder.glob("*.worker"):
                if not _held(path):
                    with suppress(OSError):  # somebody looks at it, on Windows
                        open_files.remove(path)
            path = folder / f"{secrets.token_hex(8)}.worker"
            self._lock = FileLock(path)
            self._lock.acquire()
            return path
        finally:
            gate.close()

    def everywhere(self) -> int:
        """The highest that all workers serve; 0 where none does."""
        if self._folder is None:
            return self._number
        numbers = [_number(path) for path in self._folder.glob("*.worker") if _held(path)]
        return min(numbers, default=0)

    def close(self) -> None:
        """It is no worker any more. May be called twice."""
        path, self._path = self._path, None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if path is not None:
            with suppress(OSError):
                open_files.remove(path)


def _number(path: Path) -> int:
    """0 of a worker that has just begun."""
    try:
        return int(open_files.read(path) or 0)
    except OSError:  # it has just gone, and nobody waits for it
        return 0


def _held(path: Path) -> bool:
    try:
        lock = FileLock(path)
    except OSError:
        return False
    try:
        return not lock.try_acquire()
    finally:
        lock.close()
