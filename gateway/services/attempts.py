"""How often somebody may try a key's secret, in all workers.

So many attempts that failed are allowed in a time, from an address and for a key, whether there
is one of that id or not; then nothing is compared any more until the first of them is so old. They
are in one SQLite file of the data folder, or in memory when nothing is kept on disk. It is chatter
as the list of requests is: nothing is synced, and what cannot be kept is not counted. Of what was
typed where an id is asked for only a digest is kept: it may be a secret.

An address from which a key was proved is not kept from that key by what others try: else whoever
knows a key's id keeps out whose it is. It has its own bound still.

Those that succeed have a bound for each key, too: each is an entry of the audit, for good.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from gateway.common import sqlite

log = logging.getLogger("gateway.services")

FILE = "attempts.db"
WINDOW = 300_000
"""Milliseconds."""
FROM_ADDRESS = 10
FOR_KEY = 50
"""Where a mode has no other bound."""
SESSIONS = 100
"""That a key may begin in that time."""
ROWS = 20_000
"""Attempts that are kept at most; the oldest go."""
PROVED = 30 * 86_400_000
"""Milliseconds for which an address is known to have proved a key."""
ADDRESSES = 20
"""That are known so of a key; the oldest go."""

_VERSION = 2
_SCHEMA = (
    "CREATE TABLE attempts (place TEXT NOT NULL, time INTEGER NOT NULL)",
    "CREATE INDEX attempts_by_place ON attempts (place, time)",
    "CREATE TABLE proved (key TEXT NOT NULL, address TEXT NOT NULL, time INTEGER NOT NULL,"
    " PRIMARY KEY (key, address)) WITHOUT ROWID",
)
_NTH = "SELECT time FROM attempts WHERE place = ? AND time > ? ORDER BY time DESC LIMIT 1 OFFSET ?"
_ADD = "INSERT INTO attempts VALUES (?, ?)"
_OVER = "DELETE FROM attempts WHERE time <= ?"
_TRIM = "DELETE FROM attempts WHERE rowid <= (SELECT max(rowid) FROM attempts) - ?"
_PROVED = "SELECT 1 FROM proved WHERE key = ? AND address = ? AND time > ?"
_PROVE = "INSERT OR REPLACE INTO proved VALUES (?, ?, ?)"
_LONG_AGO = "DELETE FROM proved WHERE time <= ?"
_OLDEST = (
    "DELETE FROM proved WHERE key = ? AND address NOT IN"
    " (SELECT address FROM proved WHERE key = ? ORDER BY time DESC LIMIT ?)"
)


class KeptAttempts:
    """Implements `gateway.modes.Attempts`. `clock` gives milliseconds."""

    def __init__(self, folder: Path | None, clock: Callable[[], int]) -> None:
        self._place: Path | None = None if folder is None else folder / FILE
        self._clock, self._lock = clock, threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._closed = False

    def wait(self, address: str, key: str, *, most: int = FOR_KEY) -> int:
        now, by, of = self._clock(), _of_address(address), _of_key(key)

        def look(connection: sqlite3.Connection) -> int:
            wait = _wait(connection, now, by, FROM_ADDRESS)
            if connection.execute(_PROVED, (of, by, now - PROVED)).fetchone():
                return wait
            return max(wait, _wait(connection, now, of, most))

        return self._done(look) or 0

    def failed(self, address: str, key: str) -> None:
        now = self._clock()
        self._done(lambda connection: _add(connection, now, _of_address(address), _of_key(key)))

    def proved(self, address: str, key: str) -> None:
        now = self._clock()
        self._done(lambda connection: _prove(connection, now, _of_key(key), _of_address(address)))

    def begun(self, address: str, key: str) -> int:
        place, now = f"by {_digest(key)}", self._clock()

        def begin(connection: sqlite3.Connection) -> int:
            if wait := _wait(connection, now, place, SESSIONS):
                return wait
            _prove(connection, now, _of_key(key), _of_address(address))
            return _add(connection, now, place)

        return self._done(begin) or 0

    def knows(self, address: str, key: str) -> bool:
        since, by, of = self._clock() - PROVED, _of_address(address), _of_key(key)

        def look(connection: sqlite3.Connection) -> int:
            return len(connection.execute(_PROVED, (of, by, since)).fetchall())

        return bool(self._done(look))

    def close(self) -> None:
        """May be called twice."""
        with self._lock:
            self._give_up()
            self._closed = True

    def _done(self, action: Callable[[sqlite3.Connection], int]) -> int | None:
        with self._lock:
            if self._closed:
                return None
            try:
                if self._connection is None:
                    prepare = sqlite.anew(("attempts", "proved"), _VERSION, _SCHEMA)
                    self._connection = sqlite.connect_with_tables(
                        self._place, "OFF", prepare, timeout=1
                    )
                return action(self._connection)
            except (sqlite3.Error, OSError) as error:
                log.warning("attempts to sign in are not counted: %s", error)
                self._give_up()
                return None

    def _give_up(self) -> None:
        """Close what does not work; the next attempt opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()


def _wait(connection: sqlite3.Connection, now: int, place: str, most: int) -> int:
    """Seconds until there may be another."""
    row = connection.execute(_NTH, (place, now - WINDOW, most - 1)).fetchone()
    return 0 if row is None else -(-(row[0] + WINDOW - now) // 1000)


def _add(connection: sqlite3.Connection, now: int, *places: str) -> int:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_OVER, (now - WINDOW,))
    connection.executemany(_ADD, [(place, now) for place in places])
    connection.execute(_TRIM, (ROWS,))
    connection.execute("COMMIT")
    return 0


def _prove(connection: sqlite3.Connection, now: int, key: str, address: str) -> int:
    connection.execute(_PROVE, (key, address, now))
    connection.execute(_LONG_AGO, (now - PROVED,))
    connection.execute(_OLDEST, (key, key, ADDRESSES))
    return 0


def _of_address(address: str) -> str:
    """Who has one address of IPv6 has all of its /64."""
    try:
        found = ip_address(address)
    except ValueError:
        return f"from {address}"
    if isinstance(found, IPv6Address):
        found = IPv6Address(int(found) >> 64 << 64)
    return f"from {found}"


def _of_key(key: str) -> str:
    return f"for {_digest(key)}"


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:32]
