"""Space that is set aside, so that things can be removed when there is none left.

A removal is a write, too: a log grows before a database shrinks. So a file of no meaning
takes up what a removal may need; who finds no space for one lets it go, and makes it again
when there is room. Until then nothing may be added, or the last of it would go for that.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from gateway.common import open_files, private
from gateway.common.system import translate
from gateway.storage import Full

log = logging.getLogger("gateway")
_BINARY = getattr(os, "O_BINARY", 0)
_STEP = 256 << 10


def no_room(error: BaseException | None) -> bool:
    """Whether SQLite may have no room for its own files. It does not always say why."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


class Reserve:
    """Whoever uses the same file takes turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = self._told = False

    def keep(self, size: int) -> bool:
        """Set at least so many bytes aside; False when there is no room for them: then it
        is what there is room for."""
        try:
            held = self._held()
            if held < size:
                self._fill(held, size)
        except OSError as error:
            if isinstance(translate(error), Full):
                return False
            if not self._told:  # it is not room that is missing, and adding goes on
                self._told = True
                log.warning("%s cannot be made: %s", self._path, error.strerror or error)
        return True

    def give(self) -> bool:
        """Let all of it go; whether there was any."""
        try:
            open_files.patiently(open_files.HELD, os.unlink, self._path)
        except OSError:
            return False
        return True

    def _held(self) -> int:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0
        if not self._looked:
            self._looked = True
            if _taken(found) < found.st_size:  # it was restored from a backup, without its holes
                self._path.unlink()
                return 0
        return found.st_size

    def _fill(self, held: int, size: int) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | _BINARY, private.FILE)
        try:
            while held < size:  # in steps: what a step that fails has got is given back
                longer = min(size, held + _STEP)
                try:
                    _lengthen(handle, held, longer)
                except OSError:
                    with suppress(OSError):
                        os.ftruncate(handle, held)
                    raise
                held = longer
        finally:
            os.close(handle)


def _lengthen(handle: int, held: int, size: int) -> None:
    """Make a file longer, by blocks that are its own. Where the file system cannot do that,
    or makes nothing of zeros, bytes are written that cannot be compressed."""
    allocate = getattr(os, "posix_fallocate", None)
    if allocate is not None:
        allocate(handle, held, size - held)
        if _taken(os.fstat(handle)) >= size:
            return
    os.lseek(handle, held, os.SEEK_SET)
    while held < size:
        held += os.write(handle, os.urandom(size - held))


def _taken(found: os.stat_result) -> int:
    """Bytes of the disk that a file takes, where that is told."""
    return found.st_blocks * 512 if hasattr(found, "st_blocks") else found.st_size
