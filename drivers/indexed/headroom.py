"""Removing works on a full disk: what the index needs for it is set aside.

The log of an index grows with each commit, a removal's too, until all of it is in the
database's own file and it begins anew; and a database whose file cannot grow cannot take
over what the log has added. So the reserve is as large as that file has yet to grow, and
some more. A removal that finds no space lets it go, and has the log taken over: then there
is room in the log, and from then on removals need hardly more.

While it is not there the database does not grow: pages that were freed are used again. So
the log can always be taken over, and markers, which hide and free nothing, cannot use up
what removals need.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.common.reserve import Reserve

LEAST = 4 << 20
"""Bytes: what one removal writes into the log (an object of 10,000 parts: some 2 MiB)."""

MOST = 64 << 20
"""As much as is ever set aside: a log grows beyond all bounds while a backup reads."""

_STEP = 1 << 20
_LOOK = 0.05
"""Seconds between two looks, unless a step was added before."""
_UNBOUNDED = 0x3FFFFFFF
"""Pages that SQLite allows a database to have unless it is told otherwise."""


class Headroom:
    """Used within the index's turn, with its writer's connection. `size` gives the bytes of
    the database, with those that are in its log alone."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        size: Callable[[], int],
        *,
        least: int = LEAST,
    ) -> None:
        self._connection, self._path, self._size, self._least = connection, path, size, least
        self._reserve = Reserve(reserve_of(path))
        self._next, self._enough, self._grows, self._looked = 0.0, 0, True, False

    def tend(self) -> None:
        """Keep as much as is needed now. Costs nothing but now and then."""
        now, size = time.monotonic(), self._size()
        if now < self._next and size < self._enough:
            return
        self._next, self._enough, self._looked = now + _LOOK, size + _STEP, True
        with suppress(sqlite3.Error, OSError):  # then the commit says so
            growth = max(0, size - self._path.stat().st_size)
            wanted = self._least + growth // _STEP * _STEP
            self._let_grow(self._reserve.keep(min(wanted, MOST)))

    @contextmanager
    def given(self) -> Iterator[None]:
        """Inside, removals have what was set aside; the database does not grow. What is left
        is set aside again, before somebody else takes it."""
        self._reserve.give()
        self.settle()
        with suppress(sqlite3.Error):
            self._let_grow(False)
        try:
            yield
        finally:
            self._next = 0.0
            self.tend()

    def let_grow(self) -> None:
        """For what has to be done nevertheless."""
        with suppress(sqlite3.Error):
            self._let_grow(True)

    def settle(self) -> None:
        """Take over what can be taken over; of all of it the log begins anew, in its place."""
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        """After all connections, for whoever starts on a full disk. Where nothing was
        written nothing is made."""
        if self._looked:
            self._reserve.keep(self._least)

    def _let_grow(self, grows: bool) -> None:
        if grows != self._grows:  # SQLite takes what there is for the least
            most = _UNBOUNDED if grows else 1
            self._connection.execute(f"PRAGMA max_page_count = {most}").fetchall()
            self._grows = grows


def reserve_of(path: Path) -> Path:
    """Beside a database."""
    return path.with_suffix(".reserve")
