"""Lines that wait to be delivered somewhere, by queue: what access logs of buckets go through.

Each worker adds its own behind the requests, in batches by a thread of its own, to one SQLite
file of the data folder, or to one in memory when nothing is kept on disk; a job of one worker
takes them out. Nobody waits: under overload, when the disk does not take them, and beyond
`rows` waiting ones, lines are shed and counted. A process that is killed loses what it added
in the last `_BATCH` seconds; a power cut may take some more.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from gateway.common import looking, sqlite
from gateway.common.steady import Steady
from gateway.common.writing_thread import WritingThread

log = logging.getLogger("gateway")

FILE = "access-lines.db"
ROWS, ROWS_IN_MEMORY = 1_000_000, 50_000
CAPACITY = 20_000
"""Lines that a worker holds in memory, at most."""

_BATCH = 0.5
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT, time INTEGER, line TEXT)""",
    "CREATE INDEX lines_by_queue ON lines (queue, id)",
)


class SpooledLine(NamedTuple):
    """`time` is milliseconds since the epoch; ids grow."""

    id: int
    time: int
    line: str


class LineSpool:
    """`folder` None: in memory, for this process alone. `shed` counts lines that are lost."""

    def __init__(
        self, folder: Path | None = None, *, rows: int | None = None, capacity: int = CAPACITY
    ) -> None:
        usual = ROWS_IN_MEMORY if folder is None else ROWS
        self._path = None if folder is None else folder / FILE
        self._rows, self._capacity = usual if rows is None else rows, capacity
        self._waiting: list[tuple[str, int, str]] = []
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._thread = WritingThread("line-spool", _BATCH, self.flush)
        self._steady = Steady(log, "lines of access logs are lost", foreseen=(OSError,))
        self.shed = 0

    # adding

    def add(self, queue: str, time: int, line: str) -> None:
        """Never raises, and waits for nothing."""
        if len(self._waiting) >= self._capacity:
            self.shed += 1
            return
        self._waiting.append((queue, time, line))
        self._thread.wake.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end. May be called twice."""
        self._thread.stop()
        self.flush()
        with self._lock:
            self._give_up()

    def flush(self) -> None:
        """Write what waits in this process."""
        with self._writing:
            self._steady(self._write)

    def _write(self) -> None:
        waiting = self._waiting
        lines = waiting[:]
        del waiting[: len(lines)]  # others may have been added behind them
        if not lines:
            return
        try:
            with self._opened() as connection:
                room = max(self._rows - _waiting(connection, self._rows - len(lines)), 0)
                connection.executemany(
                    "INSERT INTO lines (queue, time, line) VALUES (?, ?, ?)", lines[:room]
                )
        except OSError:
            room = 0
            raise
        finally:
            self.shed += max(len(lines) - room, 0)

    # taking; all of it raises `OSError`

    def queues(self) -> list[str]:
        """Those in which lines wait."""
        self.flush()
        if not self._exists():
            return []
        with self._opened() as connection:
            rows = connection.execute("SELECT DISTINCT queue FROM lines ORDER BY queue").fetchall()
        return [name for (name,) in rows]

    def page(self, queue: str, limit: int) -> Sequence[SpooledLine]:
        """The oldest."""
        with self._opened() as connection:
            rows = connection.execute(
                "SELECT id, time, line FROM lines WHERE queue = ? ORDER BY id LIMIT ?",
                (queue, limit),
            ).fetchall()
        return [*map(SpooledLine._make, rows)]

    def drop(self, queue: str, last: int) -> None:
        """All of it up to that id."""
        with self._opened() as connection:
            connection.execute("DELETE FROM lines WHERE queue = ? AND id <= ?", (queue, last))

    def _exists(self) -> bool:
        """Whether anybody has ever added a line: else there is no file."""
        if self._connection is not None:
            return True
        return self._path is not None and looking.is_there(self._path)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """In a transaction."""
        with self._lock:
            try:
                if self._connection is None:
                    prepare = sqlite.anew(("lines",), _VERSION, _SCHEMA)
                    self._connection = sqlite.connect_with_tables(self._path, "NORMAL", prepare)
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:  # the next that asks opens it anew
                self._give_up()
                if isinstance(error, sqlite3.Error):
                    raise OSError(f"{self._path or FILE}: {error}") from error
                raise

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _waiting(connection: sqlite3.Connection, enough: int) -> int:
    """How many lines wait, at most. They are counted when it may be more than `enough`: one old
    line of a queue that nobody takes makes a long span, and must not cost others their lines."""
    (span,) = connection.execute("SELECT coalesce(max(id) - min(id) + 1, 0) FROM lines").fetchone()
    if span <= enough:
        return int(span)
    (count,) = connection.execute("SELECT count(*) FROM lines").fetchone()
    return int(count)
