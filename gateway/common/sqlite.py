"""SQLite files of the gateway: how they are opened, by several threads and processes at once.

All are in WAL mode. To change into it, and to read a file that somebody just changes, SQLite
needs locks for which it does not wait: the pragma fails at once ("database is locked"), whatever
the busy timeout says. Here it is tried again for as long as that says.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
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
