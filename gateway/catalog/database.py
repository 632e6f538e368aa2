"""The database below the catalog: SQLite in a file or in memory, or PostgreSQL (`postgres`).

Three things differ, and only there and here: how to connect, how writers take turns, and
how a process notices at once that another one wrote. `version()` is that
notice: it changes when anything was committed. With SQLite it is read from
shared memory (`commit_watch`; on Windows by `PRAGMA data_version`, some 3 µs);
with PostgreSQL a row is read, at most every half second.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, text
from sqlalchemy.exc import DataError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gateway.catalog.errors import CatalogError
from gateway.catalog.schema import MIGRATIONS, upgrade, version_of
from gateway.common import private, sqlite
from gateway.common.commit_watch import Watch, watch
from gateway.common.reserve import Reserve, no_room
from gateway.storage import Busy, Full, InvalidRequest, Unavailable

T = TypeVar("T")

FILE = "catalog.db"
_RESERVE = 2 << 20
"""Bytes that are set aside for removals: more than a log of `_LOG` pages and one removal."""
_LOG = 256
_BUSY = 30.0


class Database:
    """`reading` and `writing` give connections; writers wait for each other.

    Both raise `Unavailable` when the database cannot be reached or stays busy, `Busy` when
    too many ask it, `Full` when its disk is, and `InvalidRequest` for what it has no place for
    (a text with a NUL in PostgreSQL).
    """

    def __init__(
        self,
        engine: Engine,
        watch: Watch,
        *,
        begin: str,
        gate: bool = False,
        reserve: Reserve | None = None,
    ) -> None:
        self._engine, self._watch, self._begin, self._reserve = engine, watch, begin, reserve
        self._gate = threading.RLock() if gate else None
        self._users, self._counting = 1, threading.Lock()
        self.version = watch.version

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self._turn(), translated(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end unless an exception leaves. Raises `Full`, too,
        where nothing is set aside for `removing`."""
        if self._reserve is not None and not self._reserve.keep(_RESERVE):
            raise Full
        with self._committing() as connection:
            yield connection

    def removing(self, work: Callable[[Connection], T]) -> T:
        """What `work` gives, in one transaction, which a full disk must not keep from being
        done: there is less afterwards, or somebody may less. It may run twice."""
        try:
            with self._committing() as connection:
                return work(connection)
        except Full:
            if self._reserve is None:
                raise
            self._reserve.give()
        with suppress(Full, Unavailable), self.reading() as connection:
            # What the log holds goes where it belongs: then the log begins anew, in its place.
            connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        with self._committing() as connection:
            done = work(connection)
        self._reserve.keep(_RESERVE)
        return done

    @contextmanager
    def _committing(self) -> Iterator[Connection]:
        with self._turn(), translated():
            with self._engine.connect() as connection:
                connection.execute(text(self._begin))
                yield connection
                connection.commit()
            self._watch.wrote()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """In memory there is one connection, which one thread uses at a time."""
        if self._gate is None:
            yield
            return
        with self._gate:
            yield

    def share(self) -> None:
        """For another user, who closes it too."""
        with self._counting:
            self._users += 1

    def close(self) -> None:
        """The last of its users ends it."""
        with self._counting:
            self._users -= 1
            if self._users:
                return
        self._engine.dispose()
        self._watch.close()
        if self._reserve is not None:
            self._reserve.keep(_RESERVE)  # for whoever starts on a full disk


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, DataError):
            raise InvalidRequest("The catalog cannot keep a text or number of it.") from error
        if _says_full(error.orig):
            raise Full from error
        if isinstance(error, OperationalError) or _says_standby(error.orig):
            raise Unavailable("The catalog cannot be reached now.", retry_after=1) from error
        raise
    except PoolTimeout as error:
        raise Busy("Too many requests ask the catalog.", retry_after=1) from error


def _says_full(error: BaseException | None) -> bool:
    """SQLite's primary result code, or PostgreSQL's SQLSTATE `disk_full`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code == sqlite3.SQLITE_FULL or getattr(error, "sqlstate", "") == "53100"


def _says_standby(error: BaseException | None) -> bool:
    """PostgreSQL's SQLSTATE `read_only_sql_transaction`: another machine writes now."""
    return getattr(error, "sqlstate", "") == "25006"


class _Counter:
    """In memory nobody else writes."""

    def __init__(self) -> None:
        self.number = 0
        self.version: Callable[[], int] = partial(getattr, self, "number")

    def wrote(self) -> None:
        self.number += 1  # within the gate

    def close(self) -> None:
        """Nothing is open."""


def open_memory() -> Database:
    engine = create_engine(
        "sqlite://",
        poolclass=StaticPool,
        connect_args={"check_same_thread": False, "isolation_level": None},
    )
    database = Database(engine, _Counter(), begin="BEGIN", gate=True)
    with database.writing() as connection:
        upgrade(connection)
    return database


def open_file(folder: Path) -> Database:
    """`catalog.db` in that folder, made or upgraded when needed. Raises `CatalogError`."""
    path = folder / FILE
    try:
        private.database(path)
    except OSError as error:
        raise CatalogError(
            f"The catalog {path} cannot be opened: {error.strerror or error}"
        ) from error
    engine = create_engine(
        f"sqlite:///{path}",
        connect_args={"isolation_level": None, "timeout": _BUSY},
    )
    event.listen(engine, "connect", _durable)
    reserve = Reserve(path.with_suffix(".reserve"))
    try:
        try:
            upgraded(engine, "BEGIN IMMEDIATE")
        except DBAPIError as error:  # who cannot start, can remove nothing
            if not (no_room(error.orig) and reserve.give()):
                raise
            upgraded(engine, "BEGIN IMMEDIATE")
            reserve.keep(_RESERVE)  # what is left of it, before somebody else takes that
        return Database(engine, watch(path), begin="BEGIN IMMEDIATE", reserve=reserve)
    except (DBAPIError, sqlite3.Error) as error:
        engine.dispose()
        raise CatalogError(f"The catalog {path} cannot be opened: {reason(error)}") from error


def _durable(connection: sqlite3.Connection, _record: object) -> None:
    sqlite.write_ahead(connection)
    for pragma in ("synchronous = FULL", f"wal_autocheckpoint = {_LOG}"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def upgraded(engine: Engine, begin: str) -> None:
    try:
        with engine.connect() as connection:
            current = version_of(connection) == len(MIGRATIONS)
            connection.rollback()
            if not current:
                connection.execute(text(begin))
                upgrade(connection)
                connection.commit()
    except BaseException:  # what cannot be used must not keep a file open
        engine.dispose()
        raise


def reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]
