"""A catalog in PostgreSQL, which may be far away, slow, or gone without a word.

Nothing here waits for it without an end: to connect, for a connection of the pool, for
an answer of a machine that is no longer there (TCP), and for a statement, whose lock
somebody may have who hangs. Options that the URL gives count instead (libpq, "Parameter
Key Words").

How a process notices that another wrote: a row is read, at most each half second. One
thread asks, the others wait for what it finds. When it found nothing, all are told so at
once, until one that tries again has an answer: a database that hangs holds one thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from gateway.catalog.database import Database, reason, translated, upgraded
from gateway.catalog.errors import CatalogError
from gateway.catalog.schema import REVISION
from gateway.storage import Secret, Unavailable

_CONNECT = 5
"""Seconds to connect to one address, and that others wait for a connection of the pool."""

_LOST = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""When a machine that says nothing is gone: seconds, and milliseconds for what was sent."""

_STATEMENT = 30
"""Seconds, as for SQLite: what waits for somebody's lock gives up."""

_POLL = 0.5
_LOCK = 0x67617465
"""Of PostgreSQL's advisory locks, ours: held while tables are made."""
_COUNT_UP = "UPDATE revision SET number = number + 1"
"""How a writer begins: its row lock also makes writers take turns."""


class Polled:
    """The number that every writer counts up. `clock` is of seconds, and so is `patience`,
    with an answer that another thread waits for."""

    def __init__(
        self,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        patience: float = _CONNECT,
    ) -> None:
        self._engine, self._clock, self._patience = engine, clock, patience
        self._lock = threading.Lock()
        self._number, self._next = 0, 0.0
        self._failed = False

    def version(self) -> int:
        """Raises `Unavailable`."""
        if self._clock() >= self._next:
            if not self._lock.acquire(timeout=0 if self._failed else self._patience):
                self._failed = True  # until who asks has an answer
                raise _unavailable()
            try:
                if self._clock() >= self._next:
                    self._look()
            finally:
                self._lock.release()
        if self._failed:
            raise _unavailable()
        return self._number

    def _look(self) -> None:
        failed = True
        try:
            with translated(), self._engine.connect() as connection:
                self._number = connection.scalar(select(REVISION.c.number)) or 0
            failed = False
        finally:
            self._failed, self._next = failed, self._clock() + _POLL

    def wrote(self) -> None:
        with self._lock:
            self._next = 0.0

    def close(self) -> None:
        """The engine's connections are the database's to close."""


def _unavailable() -> Unavailable:
    return Unavailable("The catalog cannot be reached now.", retry_after=1)


def open_postgres(url: Secret) -> Database:
    """The catalog that several machines share. Raises `CatalogError`."""
    try:
        engine = _engine(url)
        upgraded(engine, f"SELECT pg_advisory_xact_lock({_LOCK})")
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise CatalogError(
            "A catalog in PostgreSQL needs psycopg: pip install 'storage-gateway[postgres]'"
        ) from error
    except (DBAPIError, ArgumentError) as error:
        raise CatalogError(f"catalog.url: PostgreSQL cannot be used: {reason(error)}") from error
    return Database(engine, Polled(engine), begin=_COUNT_UP)


def _engine(url: Secret) -> Engine:
    given = make_url(url.reveal()).query
    wanted: dict[str, Any] = {"connect_timeout": _CONNECT, **_LOST}
    engine = create_engine(
        url.reveal(),
        pool_pre_ping=True,
        pool_timeout=_CONNECT,
        connect_args={name: value for name, value in wanted.items() if name not in given},
    )
    event.listen(engine, "connect", _bound)
    return engine


def _bound(connection: Any, _record: object) -> None:
    """Not as an option of the connection: poolers in between refuse those."""
    connection.execute(f"SET statement_timeout = '{_STATEMENT}s'")
    connection.commit()
