"""Room in the stock: what was unused longest goes, and what a mark has named.

All of it goes in small steps, each a commit, so that nobody waits for long.
Index first, then the files: a reader that has one open keeps its bytes, one
that comes too late finds the block missing and has it fetched. A file counts
until it is removed, so that the bound holds for the disk.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from drivers.cache import rows
from drivers.cache.marks import MarkRow
from drivers.cache.stock import HIGH, Stock
from drivers.indexed.batch import Transaction
from gateway.storage import Purge, PurgeKind
from gateway.storage.paging import successor

LOW = 0.97
"""Of the limit: to where the background makes room."""
_STEP = 64
_COUNT = 1000
_SHARE = 1.0
"""Seconds that carrying out marks takes of its thread at a time: others wait for it."""
_PAUSE = 5.0
"""Seconds for which nothing is stored after the disk refused it."""

_OLDEST = (
    "SELECT * FROM (SELECT used, entry, number, blob FROM cache_blocks ORDER BY used LIMIT ?)"
    " UNION ALL SELECT * FROM (SELECT used, id, -1, 0 FROM cache_entries ORDER BY used LIMIT ?)"
    " ORDER BY 1, 3 DESC LIMIT ?"
)
"""Of the same time blocks come before their entry."""


class Room:
    def __init__(self, stock: Stock) -> None:
        self._stock = stock
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
        while (total := self.total()) > target:
            if not self._step(total - target):
                return

    def _step(self, excess: int) -> bool:
        """Let go of about so many bytes. Whether there was anything to let go of."""
        stock = self._stock

        def operation(txn: Transaction) -> int:
            found = txn.execute(_OLDEST, (_STEP, _STEP, _STEP)).fetchall()
            freed = done = 0
            for _, entry, number, blob in found:
                if freed >= excess:
                    break
                done += 1
                if number < 0:
                    rows.drop_entry(txn, entry, stock.now)
                    freed += 1
                else:
                    (size,) = txn.one("SELECT size FROM blobs WHERE id = ?", (blob,))
                    rows.drop_blocks(txn, [(entry, number, blob)], stock.now)
                    freed += size
            return done

        done = stock.space.write(operation)
        swept = self.sweep()
        return bool(done or swept)

    def sweep(self) -> int:
        """Remove files that nothing needs; how many went. What cannot be removed yet (it
        is open, on Windows) stays for the next time."""
        stock = self._stock
        if stock.now is None:
            return 0
        with stock.space.reading() as connection:
            due = connection.execute(
                "SELECT id, name, size FROM blobs WHERE due IS NOT NULL AND refs = 0 LIMIT 256"
            ).fetchall()
        gone = []
        for blob, name, size in due:
            with suppress(OSError):
                stock.space.blobs.remove(name)
                gone.append((blob, rows.cost_of_blob(size, name)))

        def forget(txn: Transaction) -> None:
            for blob, cost in gone:
                row = txn.one("DELETE FROM blobs WHERE id = ? AND refs = 0 RETURNING id", (blob,))
                if row is not None:
                    rows.adjust(txn, -cost)

        if gone:
            stock.space.write(forget)
        return len(gone)

    def expire(self, before: int) -> int:
        """Let go of some entries that were not used since; how many."""
        return self._drop("SELECT id FROM cache_entries WHERE used < ? LIMIT ?", before)

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

    # marks

    def count(self, purge: Purge) -> int:
        """About how many entries a purge names: at most `_COUNT` are counted one by one."""
        one = self._stock.space.one
        if purge.kind == "all":
            return rows.state(one).entries
        where, values = _where(purge.kind, purge.value)
        sql = f"SELECT count(*) FROM (SELECT 1 FROM cache_entries WHERE {where} LIMIT ?)"
        return int(one(sql, (*values, _COUNT))[0])

    def carry_out(self, old: list[MarkRow]) -> bool:
        """Remove what these marks name, for a while; whether that was all, so that they
        can be forgotten."""
        if not old:
            return True
        last, until = old[-1].id, time.monotonic() + _SHARE

        def floor(txn: Transaction) -> None:  # first: nothing older may come after this
            txn.execute("UPDATE cache_state SET floor = max(floor, ?)", (last,))

        self._stock.space.write(floor)
        for mark in old:
            while self.remove_named(mark):
                if time.monotonic() > until:
                    return False
        return True

    def remove_named(self, mark: MarkRow) -> int:
        """Remove some of what a mark names; how many went. A soft one names nothing that
        has to go: what it names is made to be asked for anew."""
        if mark.soft:
            return self._make_stale(mark)
        where, values = _where(mark.kind, mark.value)
        sql = f"SELECT id FROM cache_entries WHERE {where} AND point < ? LIMIT ?"
        return self._drop(sql, *values, mark.id)

    def _make_stale(self, mark: MarkRow) -> int:
        where, values = _where(mark.kind, mark.value)
        now = self._stock.space.clock()
        sql = f"UPDATE cache_entries SET until = min(until, ?) WHERE {where} AND point < ?"
        self._stock.space.write(lambda txn: txn.execute(sql, (now, *values, mark.id)).rowcount)
        return 0

    def _drop(self, sql: str, *values: object) -> int:
        stock = self._stock

        def operation(txn: Transaction) -> int:
            found = txn.execute(sql, (*values, _STEP)).fetchall()
            for (entry,) in found:
                rows.drop_entry(txn, entry, stock.now)
            return len(found)

        dropped = stock.space.write(operation)
        if dropped:
            self.sweep()
        return dropped


def _where(kind: PurgeKind, value: str) -> tuple[str, tuple[str, ...]]:
    """The entries that a purge names, in SQL."""
    if kind == "prefix":
        end = successor(value)
        if end is None:
            return "key >= ?", (value,)
        return "key >= ? AND key < ?", (value, end)
    return {
        "all": ("1", ()),
        "key": ("key = ?", (value,)),
        "tag": ("id IN (SELECT entry FROM cache_tags WHERE tag = ?)", (value,)),
    }[kind]
