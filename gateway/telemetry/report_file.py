"""What reports are read from: the counts of slots of all workers, in one SQLite file of the data
folder, or in memory when nothing is kept on disk.

What a worker has counted is one transaction, which adds to slots of each length at once, so that
a report of months reads no slots of minutes. It has a number: what is written twice counts
once. Commits wait for no disk: a process that is killed loses none, a power cut may take the last
seconds. How much is told apart is bounded by what is asked: status, TLS and version of HTTP are
in one table, countries in another, because nobody asks for both.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.common import sqlite
from gateway.telemetry.reports import (
    LENGTHS,
    Asked,
    Completeness,
    Period,
    Size,
    Split,
    Sum,
    pieces,
)
from gateway.telemetry.slot_counts import Rows

FILE = "reports.db"

_SCHEMA = (
    "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT, door TEXT, UNIQUE (name, door))",
    """CREATE TABLE requests (
    name INTEGER, length INTEGER, slot INTEGER, status INTEGER, tls TEXT, http TEXT,
    hits INTEGER, bytes INTEGER,
    PRIMARY KEY (name, length, slot, status, tls, http)) WITHOUT ROWID""",
    """CREATE TABLE countries (
    name INTEGER, length INTEGER, slot INTEGER, country TEXT, hits INTEGER, bytes INTEGER,
    PRIMARY KEY (name, length, slot, country)) WITHOUT ROWID""",
    """CREATE TABLE sizes (
    service TEXT, slot INTEGER, bytes INTEGER, objects INTEGER,
    PRIMARY KEY (service, slot)) WITHOUT ROWID""",
    """CREATE TABLE workers (
    id TEXT PRIMARY KEY, batch INTEGER, time REAL, pause REAL, ended INTEGER) WITHOUT ROWID""",
)
_VERSION = 1
_ADDED = "DO UPDATE SET hits = hits + excluded.hits, bytes = bytes + excluded.bytes"
_ADD_REQUESTS = f"INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT {_ADDED}"  # noqa: S608 — constants only
_ADD_COUNTRIES = f"INSERT INTO countries VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT {_ADDED}"  # noqa: S608 — constants only

_SPLITS: Mapping[Split, tuple[str, str]] = {
    "": ("requests", ""),
    "status": ("requests", "status"),
    "country": ("countries", "country"),
    "tls": ("requests", "tls"),
    "http": ("requests", "http"),
}
"""The table, and the column that is told apart."""
_TLS = ("plain", "tls")

_DEAD = 4
"""Pauses after which a worker that says nothing is taken to have been killed."""
_ENDED = 86_400
"""Seconds that one is remembered which has ended: nobody writes its last batch again then."""


class Batch(NamedTuple):
    """What a worker counted up to `time`. `pause`: seconds until it writes the next; `ended`:
    there is none."""

    worker: str
    number: int
    time: float
    pause: float
    rows: Rows
    ended: bool = False


def _prepare(connection: sqlite3.Connection) -> None:
    found = sqlite.version_of(connection)
    if found > _VERSION:
        raise OSError(f"it was written by a newer release ({found}; this one knows {_VERSION})")
    for statement in () if found else (*_SCHEMA, f"PRAGMA user_version = {_VERSION}"):
        connection.execute(statement)


def _add_rows(connection: sqlite3.Connection, rows: Rows) -> None:
    requests, countries = dict[Any, list[int]](), dict[Any, list[int]]()
    ids = {pair: _id(connection, *pair) for pair in {(one.name, one.door) for one in rows}}
    for kind, (hits, _, sent) in rows.items():
        id = ids[kind.name, kind.door]
        for length in LENGTHS.values():
            place = (id, length, kind.slot // length * length)
            for sums in (
                requests.setdefault((*place, kind.status, _TLS[kind.tls], kind.http), [0, 0]),
                countries.setdefault((*place, kind.country), [0, 0]),
            ):
                sums[0] += hits
                sums[1] += sent
    connection.executemany(_ADD_REQUESTS, [(*key, *sums) for key, sums in requests.items()])
    connection.executemany(_ADD_COUNTRIES, [(*key, *sums) for key, sums in countries.items()])


def _id(connection: sqlite3.Connection, name: str, door: str) -> int:
    pair = (name, door)
    connection.execute("INSERT OR IGNORE INTO names (name, door) VALUES (?, ?)", pair)
    query = "SELECT id FROM names WHERE name = ? AND door = ?"
    return int(connection.execute(query, pair).fetchone()[0])


def _query(asked: Asked) -> tuple[str, Sequence[str]]:
    """With what it is given behind name, length and slots. Rows are in the order of their slots:
    what is not told apart is not grouped by, which would sort them."""
    table, column = _SPLITS[asked.split]
    only = [] if asked.only is None else list(asked.only)
    one = not column or len(only) == 1
    apart = "''" if not column else f"min({column})" if one else column
    where = f" AND {column} IN ({', '.join('?' * len(only))})" if asked.only is not None else ""
    group = "slot" if one else f"slot, {column}"
    return (
        f"SELECT slot, {apart}, sum(hits), sum(bytes) FROM {table}"  # noqa: S608 — constants only
        f" WHERE name = ? AND length = ? AND slot >= ? AND slot < ?{where} GROUP BY {group}"
    ), only


_ALWAYS: Mapping[str, int] = MappingProxyType({})


def _slot(time: int, length: int) -> int:
    return time // length * length


def _ids(
    connection: sqlite3.Connection, names: Iterable[str], door: str | None
) -> Iterator[tuple[str, int]]:
    for name in names:
        for id, of_door in connection.execute(
            "SELECT id, door FROM names WHERE name = ?", (name,)
        ).fetchall():
            if door is None or door == of_door:
                yield name, id


class ReportFile:
    """For any thread, one at a time. `folder` None: in memory. All methods raise `OSError`."""

    def __init__(self, folder: Path | None = None) -> None:
        path = None if folder is None else folder / FILE
        self._turns = sqlite.Turns(path, "NORMAL", _prepare, FILE)

    # writing

    def add(self, batch: Batch) -> None:
        with self._turns.transaction() as connection:
            known = connection.execute(
                "SELECT batch FROM workers WHERE id = ?", (batch.worker,)
            ).fetchone()
            if known is not None and known[0] >= batch.number:
                return  # it was written, and nobody heard of it
            connection.execute(
                "INSERT OR REPLACE INTO workers VALUES (?, ?, ?, ?, ?)",
                (batch.worker, batch.number, batch.time, batch.pause, batch.ended),
            )
            if batch.rows:
                _add_rows(connection, batch.rows)

    def measure(self, slot: int, sizes: Mapping[str, Size]) -> None:
        """How much is in each service, in that slot of an hour."""
        with self._turns.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO sizes VALUES (?, ?, ?, ?)",
                [(sid, slot, *size) for sid, size in sizes.items()],
            )

    def expire(self, before: int, now: float) -> Iterator[int]:
        """Forget slots that began before that; step by step, for others write meanwhile."""
        with self._turns.transaction() as connection:
            connection.execute("DELETE FROM workers WHERE ended AND time < ?", (now - _ENDED,))
            connection.execute("DELETE FROM workers WHERE time < ?", (before,))
            ids = [id for (id,) in connection.execute("SELECT id FROM names")]
        removed = 0
        for id in ids:
            removed += self._expire_one(id, before)
            yield removed
        with self._turns.transaction() as connection:
            for (service,) in connection.execute("SELECT DISTINCT service FROM sizes").fetchall():
                removed += connection.execute(
                    "DELETE FROM sizes WHERE service = ? AND slot < ?", (service, before)
                ).rowcount
        yield removed

    def _expire_one(self, id: int, before: int) -> int:
        removed = 0
        with self._turns.transaction() as connection:
            for length in LENGTHS.values():
                for table in ("requests", "countries"):
                    removed += connection.execute(
                        f"DELETE FROM {table} WHERE name = ? AND length = ? AND slot < ?",  # noqa: S608 — constants
                        (id, length, before - length + 1),
                    ).rowcount
            connection.execute(
                "DELETE FROM names WHERE id = ?"
                " AND NOT EXISTS (SELECT * FROM requests WHERE name = names.id)",
                (id,),
            )
        return removed

    # reading

    def read(
        self, asked: Asked, period: Period, begun: Mapping[str, int] = _ALWAYS
    ) -> Generator[tuple[int, str, int, int], None, None]:
        """Slot, what is told apart, hits and bytes: several of one slot where there are several
        names. `begun`: by name, the second in whose slot it begins. Close it: nobody else reads
        until then."""
        slots = period.slots
        query, only = _query(asked)
        with self._turns.transaction("DEFERRED") as connection:
            for name, id in _ids(connection, asked.names, asked.door):
                first = max(slots.start, _slot(begun.get(name, 0), slots.step))
                bounds = (id, slots.step, first, slots.stop)
                for slot, what, hits, size in connection.execute(query, (*bounds, *only)):
                    yield slot, str(what), hits, size

    def total(
        self,
        names: Collection[str],
        since: int,
        until: int,
        door: str | None = None,
        begun: Mapping[str, int] = _ALWAYS,
    ) -> Sum:
        """Of the slots of five minutes in this time. `begun` as for `read`."""
        hits = size = 0
        with self._turns.transaction("DEFERRED") as connection:
            for name, id in _ids(connection, names, door):
                begin = min(max(since, begun.get(name, 0)), until)
                for length, first, end in pieces(begin, until):
                    found = connection.execute(
                        "SELECT coalesce(sum(hits), 0), coalesce(sum(bytes), 0) FROM requests"
                        " WHERE name = ? AND length = ? AND slot >= ? AND slot < ?",
                        (id, length, first, end),
                    ).fetchone()
                    hits, size = hits + found[0], size + found[1]
        return Sum(hits, size)

    def sizes(
        self, services: Collection[str], slots: range, begun: Mapping[str, int] = _ALWAYS
    ) -> Iterator[tuple[str, int, Size]]:
        """Service, hour and size, in the order of time for each. `begun` as for `read`."""
        with self._turns.transaction("DEFERRED") as connection:
            for sid in services:
                for slot, size, objects in connection.execute(
                    "SELECT slot, bytes, objects FROM sizes"
                    " WHERE service = ? AND slot >= ? AND slot < ? ORDER BY slot",
                    (sid, max(slots.start, _slot(begun.get(sid, 0), slots.step)), slots.stop),
                ):
                    yield sid, slot, Size(size, objects)

    def complete(self, now: float, since: int = 0, until: int = 1 << 62) -> Completeness:
        """What is `lost` of that time."""
        with self._turns.transaction("DEFERRED") as connection:
            found = connection.execute(
                "SELECT time, pause FROM workers WHERE NOT ended ORDER BY time"
            ).fetchall()
        alive = [time for time, pause in found if time >= now - _DEAD * pause]
        dead = [int(time) for time, pause in found if time < now - _DEAD * pause]
        return Completeness(
            until=int(min([*alive, now])), lost=tuple(one for one in dead if since <= one < until)
        )

    def names(self) -> Sequence[str]:
        """All of which there is something."""
        with self._turns.transaction("DEFERRED") as connection:
            found = connection.execute("SELECT DISTINCT name FROM names ORDER BY name")
            return [name for (name,) in found]

    def close(self) -> None:
        """May be called twice."""
        self._turns.close()
