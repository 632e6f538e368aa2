"""Room in the stock: what was unused longest goes.

It goes in small steps (see `removing`), so that nobody waits for long.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from drivers.cache import rows
from drivers.cache.entries import BEYOND
from drivers.cache.removing import OLDEST, Removing
from drivers.cache.stock import HIGH, Stock
from drivers.indexed.batch import Transaction

log = logging.getLogger("gateway.cache")

LOW = 0.97
"""Of the limit: to where the background makes room."""
_PAUSE = 5.0
"""Seconds for which nothing is stored after the disk refused it."""

_UNUSED = "SELECT used, id, -1, 0 FROM cache_entries WHERE used < ? OR used > ? LIMIT ?"
_SHARE = 0.5
"""Seconds that this takes of the background at a time."""


class Evictor:
    """`evicted` is told how many bytes made room for others."""

    def __init__(self, stock: Stock, evicted: Callable[[int], object]) -> None:
        self._stock, self.removing, self._evicted = stock, Removing(stock), evicted
        self._busy = threading.Lock()
        self._paused = 0.0
        self._writing, self._counting = 0, threading.Lock()
        self.wanted = threading.Event()
        """Set when the background should look."""

    # the disk refuses

    @property
    def storing(self) -> bool:
        return not self._paused or time.monotonic() > self._paused

    def pause(self) -> None:
        """The disk is full or does not work: go on without storing, for a while."""
        self._paused = time.monotonic() + _PAUSE

    def give_way(self) -> None:
        """Remove some files at once, with nothing written: what asks for them finds them
        missing. For when the disk is so full that not even the index can be written."""
        stock = self._stock
        if stock.now is None:
            return
        with stock.space.reading() as connection:
            sql = "SELECT name FROM blobs WHERE name IS NOT NULL ORDER BY id LIMIT 8"
            names = [name for (name,) in connection.execute(sql)]
        for name in names:
            with suppress(OSError):
                stock.space.blobs.remove(name)

    # eviction

    def total(self) -> int:
        self._stock.total = rows.state(self._stock.space.one).total
        return self._stock.total

    def recount(self) -> None:
        """By the rows: a disk may have changed what is noted of them. Others go on meanwhile,
        and what they change is right."""
        space = self._stock.space
        with space.reading() as connection:
            total, entries = rows.miscounted(connection.execute)
        if total or entries:
            space.write(lambda txn: rows.adjust(txn, total, entries))
            log.warning(
                "the cache's count of what it has was wrong, and is put right:"
                " by %+d bytes, %+d entries", total, entries,
            )  # fmt: skip

    def admit(self, size: int) -> bool:
        """Whether so many bytes may be written: there is room for them beside all that is
        written and not yet known to the index. Then `written` follows."""
        stock = self._stock
        with self._counting:
            self._writing += size
            writing = self._writing
        if stock.total + writing > stock.limit:
            self.make(writing)
            if stock.total + writing > stock.limit:
                self.written(size)
                return False
        return True

    def written(self, size: int) -> None:
        """The index knows them now, or they are gone."""
        with self._counting:
            self._writing -= size

    def make(self, size: int) -> None:
        """Room for `size` bytes more, now: what stores has overtaken the background."""
        with self._busy:
            self._down_to(max(self._stock.limit - size - (size >> 2), 0))

    def evict(self) -> None:
        """The background's part: down to the low-water mark when it is high."""
        if self.total() > HIGH * self._stock.limit:
            with self._busy:
                self._down_to(int(LOW * self._stock.limit))

    def _down_to(self, target: int) -> None:
        before = self.removing.gone
        while (total := self.total()) > target:
            if not self.removing.step(OLDEST, size=total - target):
                break
        self._evicted(self.removing.gone - before)

    def expire(self, before: int, now: int) -> None:
        """Let go of some entries that were not used since; and of those from beyond the clock,
        which would be let go of last."""
        until = time.monotonic() + _SHARE
        while self.removing.step(_UNUSED, before, now + BEYOND) and time.monotonic() < until:
            pass

    def write_touched(self, touched: dict[int, tuple[int, int]], now: int) -> None:
        """Note that these were used."""

        def operation(txn: Transaction) -> None:
            for entry, (first, last) in touched.items():
                txn.execute("UPDATE cache_entries SET used = ? WHERE id = ?", (now, entry))
                txn.execute(
                    "UPDATE cache_blocks SET used = ? WHERE entry = ? AND number BETWEEN ? AND ?",
                    (now, entry, first, last),
                )

        if touched:
            self._stock.space.write(operation)
