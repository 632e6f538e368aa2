"""SQLite files of the gateway: how they are opened, by several threads and processes at once.

All are in WAL mode. To change into it, and to read a file that somebody just changes, SQLite
needs locks for which it does not wait: the pragma fails at once ("database is locked"), whatever
the busy timeout says. Here it is tried again for as long as that says.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from gateway.common import private

Synchronous = Literal["OFF", "NORMAL", "FULL"]
"""What of a commit survives a power cut: nothing is waited for, all but the last, all."""

_PAUSE = 0.01
_PRIMARY = 0xFF
"""Of an error's code; the rest says which kind of it."""


def connect(
    path: Path | None, synchronous: Synchronous, *, timeout: float = 10
) -> sqlite3.Connection:
    """In WAL mode, without transactions of its own, for threads that take turns. `path` None:
    in memory. Others' locks are waited for `timeout` seconds. Raises `sqlite3.Error`; what
    cannot be used does not stay open."""
    connection = sqlite3.connect(
        path or ":memory:", timeout=timeout, isolation_level=None, check_same_thread=False
    )
    try:
        write_ahead(connection)
        connection.execute(f"PRAGMA synchronous = {synchronous}")
    except BaseException:
        connection.close()
        raise
    return connection


def write_ahead(connection: sqlite3.Connection) -> None:
    """Have it in WAL mode, within its busy timeout."""
    (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
    until = time.monotonic() + milliseconds / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def connect_with_tables(
    path: Path | None,
    synchronous: Synchronous,
    prepare: Callable[[sqlite3.Connection], object],
    *,
    timeout: float = 10,
) -> sqlite3.Connection:
    """The same with a file for the gateway's user alone, of which `prepare` makes or upgrades the
    tables: one process does, the others see them. Raises `OSError`, too, and what that raises."""
    if path is not None:
        private.database(path)
    connection = connect(path, synchronous, timeout=timeout)
    try:
        connection.execute("BEGIN IMMEDIATE")
        prepare(connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """That of the tables; 0: there are none."""
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    return int(found)


def anew(
    tables: Sequence[str], version: int, schema: Sequence[str]
) -> Callable[[sqlite3.Connection], None]:
    """A `prepare` for what may be lost: tables of another release are dropped."""

    def prepare(connection: sqlite3.Connection) -> None:
        if version_of(connection) == version:
            return
        dropped = (f"DROP TABLE IF EXISTS {name}" for name in tables)
        for statement in (*dropped, *schema, f"PRAGMA user_version = {version}"):
            connection.execute(statement)

    return prepare


class Turns:
    """One connection to such a file, for threads that take turns: made when it is first needed,
    and anew when a file has failed; what is in memory stays. `name` is for people, of what has no
    path. All raise `OSError`."""

    def __init__(
        self,
        path: Path | None,
        synchronous: Synchronous,
        prepare: Callable[[sqlite3.Connection], object],
        name: str,
    ) -> None:
        self._path, self._synchronous, self._prepare = path, synchronous, prepare
        self._name, self._lock = str(path or name), threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    @property
    def begun(self) -> bool:
        """Whether it is open: else there may be no file."""
        return self._connection is not None

    @contextmanager
    def transaction(
        self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE"
    ) -> Iterator[sqlite3.Connection]:
        """ "DEFERRED" is for who only reads: all of it as it was at one moment."""
        with self._lock:
            if self._closed:
                raise OSError(f"{self._name}: closed")  # who comes late would leave it open
            try:
                if self._connection is None:
                    self._connection = connect_with_tables(
                        self._path, self._synchronous, self._prepare
                    )
                self._connection.execute(f"BEGIN {kind}")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                if self._path is None:
                    self._undo()
                else:
                    self._give_up()
                raise OSError(f"{self._name}: {error}") from error
            except BaseException:  # of who is within it, who may just have read enough
                self._undo()
                raise

    def close(self) -> None:
        """For good. May be called twice."""
        with self._lock:
            self._closed = True
            self._give_up()

    def _undo(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
