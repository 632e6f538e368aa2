"""The most recent requests of all workers: what `reqlist` shows.

Each worker adds its own behind the requests, in batches (see `access_log`), to
one SQLite file of the data folder, or to one in memory when nothing is kept on
disk. It holds `rows` requests at most. It is chatter: nothing is synced, a table
of another release is dropped, and of a batch larger than `batch` only the newest
are kept: no request waits for it, and a busy gateway spends a bounded time on it.
A batch is one statement: row by row the GIL would change hands
for each, which costs the requests more than the rows do.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from gateway.common import sqlite
from gateway.telemetry.record import Record

FILE = "requests.db"
ROWS = 20_000
SERVICES = 1000
"""Services of which requests are told to who may know of some services alone."""
BATCH = 100
"""Requests kept of those that end within a twentieth of a second in one worker."""

_VERSION = 1
_TEXT = 2048
"""Characters that are kept of a text that a client chose."""


class RequestEntry(NamedTuple):
    """`time` is in microseconds since the epoch, `duration` in milliseconds; `path` is the
    object's key, or the path asked for where no service was."""

    time: int
    id: str
    mode: str
    operation: str
    method: str
    sid: str
    path: str
    status: int
    received: int
    sent: int
    duration: float
    client: str
    key_id: str
    cache: str


Place = tuple[int, str]
"""Where a page begins: `time` and `id` of the last request of the page before."""

NEWEST: Place = (1 << 62, "")

_COLUMNS = ", ".join(RequestEntry._fields)
_SCHEMA = (f"CREATE TABLE requests ({_COLUMNS}, PRIMARY KEY (time, id)) WITHOUT ROWID",)
_ADD = "INSERT OR REPLACE INTO requests VALUES "
_ROW = f"({', '.join('?' * len(RequestEntry._fields))})"
_TRIM = (
    "DELETE FROM requests WHERE time < "
    "(SELECT time FROM requests ORDER BY time DESC, id DESC LIMIT 1 OFFSET ?)"
)
_SERVICES = "SELECT sid FROM requests WHERE sid != '' GROUP BY sid ORDER BY max(time) DESC LIMIT ?"
_PAGE = (
    f"SELECT {_COLUMNS} FROM requests WHERE (time, id) < (?, ?) {{}}"  # noqa: S608 — constants only
    " ORDER BY time DESC, id DESC LIMIT ?"
)


def request(record: Record) -> RequestEntry:
    path = record.key if record.sid else _path(record.path)
    return RequestEntry(
        int(record.started * 1_000_000),
        record.request_id,
        record.mode,
        record.operation,
        record.method[:_TEXT],
        record.sid[:_TEXT],
        path[:_TEXT],
        record.status,
        record.received,
        record.sent,
        round(record.duration * 1000, 3),
        record.client,
        record.key_id,
        record.cache,
    )


def _path(path: str) -> str:
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


class RequestList:
    """`folder` None: in memory, for this process alone. `shed` counts requests that were
    not kept."""

    def __init__(self, folder: Path | None = None, *, rows: int = ROWS, batch: int = BATCH) -> None:
        self._place: Path | None = None if folder is None else folder / FILE
        self._rows, self.batch = rows, batch
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._added = 0
        self.shed = 0

    def add(self, records: Sequence[Record], *, of: int = 0) -> None:
        """Keep the newest of these, which are the newest `of` so many. Never raises: what
        cannot be kept is shed."""
        kept = records[-self.batch :]
        self.shed += max(of, len(records)) - len(kept)
        with self._lock:
            if self._closed or not kept:
                return
            try:
                connection = self._opened()
                connection.execute("BEGIN IMMEDIATE")
                values = chain.from_iterable(map(request, kept))
                connection.execute(_ADD + ", ".join([_ROW] * len(kept)), tuple(values))
                self._added += len(kept)
                if self._added * 20 >= self._rows:
                    connection.execute(_TRIM, (self._rows - 1,))
                    self._added = 0
                connection.execute("COMMIT")
            except (sqlite3.Error, OSError):
                self.shed += len(kept)
                self._give_up()

    def page(
        self, before: Place = NEWEST, limit: int = 1000, sids: Collection[str] | None = None
    ) -> list[RequestEntry]:
        """Requests older than `before`, newest first; with `sids`, of which there are `SERVICES`
        at most, those of these services."""
        only, values = "", tuple(sids or ())
        if sids is not None:
            only = f"AND sid IN ({', '.join('?' * len(values))})"
        rows = self._asked(_PAGE.format(only), (*before, *values, limit))
        return [*map(RequestEntry._make, rows)]

    def services(self) -> list[str]:
        """Those that were asked for something, the last ones first, `SERVICES` at most: who makes
        up names may not make this long."""
        return [sid for (sid,) in self._asked(_SERVICES, (SERVICES,))]

    def _asked(self, query: str, values: Sequence[object]) -> list[Any]:
        with self._lock:
            if self._closed:
                return []
            try:
                return self._opened().execute(query, values).fetchall()
            except (sqlite3.Error, OSError):
                self._give_up()
                return []

    def close(self) -> None:
        """May be called twice."""
        with self._lock:
            self._give_up()
            self._closed = True

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            prepare = sqlite.anew(("requests",), _VERSION, _SCHEMA)
            self._connection = sqlite.connect_with_tables(self._place, "OFF", prepare, timeout=1)
        return self._connection

    def _give_up(self) -> None:
        """Close what does not work; the next batch opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()
