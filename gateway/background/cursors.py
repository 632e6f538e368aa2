"""How far followers are, in a small SQLite file of the data folder; in memory when nothing is
kept.

What is begun is written, and synced, before anything is handed to a follower: so a
crash or a power cut cannot make a repetition look like the first time. The file is made by
the first follower. Beside it are marks, which tell a cursor of a backup (see `marks`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gateway.background.marks import SaveCounts
from gateway.common import sqlite
from gateway.storage import StorageError

FILE = "followers.db"
_VERSION = 2
"""1 did not count how often a cursor was saved."""


class Cursor(NamedTuple):
    """Where a follower is in `feed`. All up to sync id `done` is handled; what comes up to
    `begun` was handed to it, at least in part. `reset`: the one that was begun. `last`: the
    newest change when the feed was last read, `waiting` when the oldest was made that is not
    done, `retry` when it is tried again (milliseconds since the epoch). `error`: what it failed
    by, `failures` times in a row. `saves`: how often it was written."""

    feed: str = ""
    done: int = 0
    begun: int = 0
    reset: str = ""
    last: int = 0
    waiting: int | None = None
    failures: int = 0
    error: str = ""
    retry: int | None = None
    saves: int = 0


_COLUMNS = ", ".join(Cursor._fields)
_SCHEMA = (
    f"CREATE TABLE followers (name TEXT PRIMARY KEY, {_COLUMNS}) WITHOUT ROWID",
    f"PRAGMA user_version = {_VERSION}",
)
_UPGRADE = (
    "ALTER TABLE followers ADD COLUMN saves DEFAULT 0",
    f"PRAGMA user_version = {_VERSION}",
)
_MARKS = ", ".join("?" * (1 + len(Cursor._fields)))
_SAVE = f"INSERT OR REPLACE INTO followers VALUES ({_MARKS})"  # noqa: S608 — constants only
_BEGIN = f"INSERT OR IGNORE INTO followers VALUES ({_MARKS})"  # noqa: S608 — constants only
_LOAD = f"SELECT {_COLUMNS} FROM followers WHERE name = ?"  # noqa: S608 — constants only
_ALL = f"SELECT name, {_COLUMNS} FROM followers ORDER BY name"  # noqa: S608 — constants only


class Cursors:
    """All methods raise `StorageError` where the file cannot be read or written."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / FILE
        self._marks = None if folder is None else SaveCounts(folder)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def begin(self, name: str, after: int) -> None:
        """Have one of that name: a new one has handled all up to `after`."""
        with self._opened() as connection:
            if connection.execute(_LOAD, (name,)).fetchone() is None:
                cursor = Cursor(done=after, begun=after, last=after)
                connection.execute(_BEGIN, (name, *cursor))

    def load(self, name: str) -> Cursor | None:
        with self._opened() as connection:
            row = connection.execute(_LOAD, (name,)).fetchone()
        return None if row is None else Cursor(*row)

    def save(self, name: str, cursor: Cursor) -> None:
        """It is durable when this returns."""
        with self._opened() as connection:
            connection.execute(_SAVE, (name, *cursor))

    def forget(self, name: str) -> None:
        with self._opened() as connection:
            connection.execute("DELETE FROM followers WHERE name = ?", (name,))
        with self._marked() as marks:
            if marks is not None:
                marks.forget(name)

    def is_older(self, name: str, cursor: Cursor) -> bool:
        """Whether it was brought back: one of that name was written later, or may have been."""
        with self._marked() as marks:
            newest = cursor.saves if marks is None else marks.read(name)
        return newest > cursor.saves or (cursor.saves > 0 and not newest)

    def newest(self, name: str) -> int:
        """How often that of the name was written, as far as it is known outside of the file."""
        with self._marked() as marks:
            return 0 if marks is None else marks.read(name)

    def mark(self, name: str, cursor: Cursor) -> None:
        """Once it is saved: one that was saved before is told from it, from now on."""
        with self._marked() as marks:
            if marks is not None:
                marks.write(name, cursor.saves)

    def all(self) -> dict[str, Cursor]:
        with self._opened() as connection:
            rows = connection.execute(_ALL).fetchall()
        return {name: Cursor(*row) for name, *row in rows}

    def close(self) -> None:
        """It opens again when it is used again."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    @contextmanager
    def _marked(self) -> Iterator[SaveCounts | None]:
        try:
            yield self._marks
        except OSError as error:
            raise StorageError(f"the marks of {self._path}: {error}") from error

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = sqlite.connect_with_tables(self._path, "FULL", self._prepare)
                yield self._connection
            except (sqlite3.Error, OSError) as error:
                raise StorageError(f"{self._path or FILE}: {error}") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        found = sqlite.version_of(connection)
        if found > _VERSION:
            raise StorageError(
                f"{self._path} was written by a newer release ({found}; this one knows"
                f" {_VERSION}). Install that release."
            )
        for statement in _SCHEMA if not found else _UPGRADE if found < _VERSION else ():
            connection.execute(statement)
