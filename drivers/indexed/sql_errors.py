"""SQLite's errors, as the contract's."""

from __future__ import annotations

import os
import sqlite3

from gateway.common import system
from gateway.storage import Full, StorageError, Unavailable


class Uncertain(Unavailable):
    """The commit failed in a way that may yet turn out to have worked."""


class NoSpace(Full):
    """Of which removals may be given some."""


def translate(error: sqlite3.Error) -> StorageError:
    """Those that are not programming errors."""
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return NoSpace()
    if code == sqlite3.SQLITE_CANTOPEN and (short := _short_of_files()) is not None:
        return short
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return Unavailable("The index is locked by another process.", retry_after=1)
    return Unavailable(f"The index cannot be written or read: {error}.")


def _short_of_files() -> StorageError | None:
    """SQLite does not tell why it cannot open a file: whether any can be opened now."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return system.translate(error)
    return None
