"""A file that the log of all processes of a gateway goes to, and that turns over.

When it would become larger than `max_size`, it is renamed to `gateway.log.1`, what had that name
to `.2`, and so on up to `keep`, and another begins with the rights that it had. No line is lost
by that: each process looks before it writes whether the file is still the one that has the name,
and what another writes meanwhile is in the one before. So whoever else turns it over (logrotate,
say) renames it, and need tell nobody.

What cannot be written, on a full disk say, is lost, and nobody waits for it: that is said on
stderr once, until it can be written again. What cannot be renamed (Windows: somebody has it open)
grows on, and is tried again a minute later.
"""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.common import looking, private
from gateway.common.appending import open_to_append
from gateway.common.locks import FileLock

LOCK = ".lock"
"""Behind the file's name: held by who renames."""

_AGAIN = 60.0


class LogFile:
    """Of one process; all methods may be called in any thread. It is made, and its folder, by the
    first that is written."""

    def __init__(
        self, path: Path, max_size: int, keep: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._path, self._max_size, self._keep, self._now = path, max_size, keep, now
        self._turn = threading.Lock()
        self._file: int | None = None
        self._torn = self._told = False
        self._turn_from = 0.0

    def open(self) -> None:
        """Raises `OSError` where it cannot be."""
        with self._turn:
            self._current()

    def write(self, text: str) -> None:
        """Whole lines. Raises `OSError` when they are lost."""
        data = text.encode("utf-8", "backslashreplace")
        with self._turn:
            try:
                self._append(data)
            except OSError as error:
                self._let_go()
                if not self._told:
                    _complain(f"the log file {self._path} cannot be written: {_why(error)}")
                self._told = True
                raise
            self._told = False

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        """What is written after that opens it again."""
        if self._turn.acquire(timeout=1):  # after a fork, who held it may not be here
            self._let_go()
            self._turn.release()

    def _let_go(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            with suppress(OSError):
                os.close(file)

    def _append(self, data: bytes) -> None:
        file = self._current()
        size = os.fstat(file).st_size
        if self._max_size and size and size + len(data) > self._max_size:
            file = self._turned(file)
        if self._torn:  # by a disk that was full
            data = b"\n" + data
        while data:
            done = os.write(file, data)
            self._torn = data[done - 1 : done] != b"\n"
            data = data[done:]

    def _current(self) -> int:
        """The file that has the name now."""
        if self._file is not None and not self._has_the_name(self._file):
            self._let_go()
        if self._file is None:
            private.make_folder(self._path.parent)
            self._file = open_to_append(self._path)
        return self._file

    def _has_the_name(self, file: int) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(file))
        except OSError:  # it is gone; on Windows it may be going, until it is closed here
            return False

    def _turned(self, file: int) -> int:
        """Another one, or the same where this cannot be done now."""
        if self._now() < self._turn_from:
            return file
        try:
            lock = FileLock(self._path.with_name(self._path.name + LOCK))
            try:
                lock.acquire()
                if self._has_the_name(file):  # else another process was as quick
                    self._rename(file)
            finally:
                lock.close()
            return self._current()
        except OSError as error:
            self._turn_from = self._now() + _AGAIN
            _complain(f"the log file {self._path} cannot be turned over: {_why(error)}")
            return self._current()

    def _rename(self, file: int) -> None:
        rights = stat.S_IMODE(os.fstat(file).st_mode)
        last = next(
            (one for one in range(1, self._keep) if not looking.is_there(self._before(one))), None
        )
        for number in range(last or self._keep, 1, -1):
            self._before(number - 1).replace(self._before(number))
        beyond = self._keep + 1  # more were kept once
        while looking.is_there(self._before(beyond)):
            self._before(beyond).unlink()
            beyond += 1
        self._path.replace(self._before(1))
        made = open_to_append(self._path)
        try:
            if rights != stat.S_IMODE(os.fstat(made).st_mode):
                self._path.chmod(rights)
        finally:
            os.close(made)

    def _before(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _complain(text: str) -> None:
    with suppress(OSError, ValueError):  # there is no stderr any more
        print(f"gateway: {text}", file=sys.stderr, flush=True)
