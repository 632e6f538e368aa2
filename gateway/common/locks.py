"""A lock between processes, on a file that stays: `flock` on POSIX, `locking` on Windows.

It belongs to the process that took it and goes with it, however it ends. What is in the file
can be read and written by all: on Windows the lock is on a byte far behind it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import IO

from gateway.common import open_files

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock(file: IO[bytes]) -> None:
        while not _try_lock(file):
            time.sleep(0.001)

    def _unlock(file: IO[bytes]) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _lock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)


def _own(path: str, flags: int) -> int:
    """For this user alone: who may open it may take it, and keep everybody waiting."""
    return open_files.opened(path, flags, 0o600)


class FileLock:
    """Not for several threads of a process: they share the file, and so the lock."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = open(path, "ab", opener=_own)  # noqa: SIM115 - it stays

    def acquire(self) -> None:
        _lock(self._file)

    def try_acquire(self) -> bool:
        return _try_lock(self._file)

    def release(self) -> None:
        _unlock(self._file)

    def close(self) -> None:
        self._file.close()
