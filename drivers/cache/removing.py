"""What leaves the stock: rows a few at a time, each time a commit, then files.

Index first, then the files: a reader that has one open keeps its bytes, one that comes
too late finds the block missing and has it fetched. A file counts until it is removed,
so that the bound holds for the disk.

What one row or file does stops nothing: it is told, passed over, and the rest goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from drivers.cache import rows
from drivers.cache.stock import Stock
from drivers.indexed.batch import Transaction
from gateway.storage import StorageError, Unavailable

log = logging.getLogger("gateway.cache")

ALL = 1 << 62
_STEP = 64
_FILES = 256
_PASSED = 1000
"""Rows that are passed over, at most: with more it is not for the rows."""

OLDEST = (
    "WITH most(wanted) AS (SELECT ?)"
    " SELECT * FROM (SELECT used, entry, number, blob FROM cache_blocks"
    " ORDER BY used LIMIT (SELECT wanted FROM most))"
    " UNION ALL SELECT * FROM (SELECT used, id, -1, 0 FROM cache_entries"
    " ORDER BY used LIMIT (SELECT wanted FROM most))"
    " ORDER BY 1, 3 DESC LIMIT (SELECT wanted FROM most)"
)
"""Of the same time blocks come before their entry."""

_DUE = (
    "SELECT id, name, CAST(size AS INTEGER) FROM blobs"
    " WHERE due IS NOT NULL AND refs <= 0 AND id > ? ORDER BY id LIMIT ?"
)
"""Below 0: let go of twice, by an earlier release."""

_BAD = (StorageError, TypeError, ValueError, LookupError)
"""What comes of a row that is not as it should be, and of an index that does not work."""


class Old(NamedTuple):
    """A block, or (-1 and 0) an entry, and when it was used last."""

    used: int
    entry: int
    number: int
    blob: int


class Removing:
    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self.passed: set[tuple[int, int]] = set()
        """(entry, number) of what cannot be removed."""
        self.gone = 0
        """Bytes that steps let go of."""
        self.left = 0
        """Files that could not be removed when somebody tried last."""
        self._warned = False

    def step(self, sql: str, *values: object, size: int = ALL) -> bool:
        """Let go of some of what that query finds, in its order, until so many bytes have gone.
        Its rows are those of `Old`, its last parameter is how many. Whether anything went."""
        limit = _STEP + len(self.passed)

        def find(execute: Any) -> list[Old]:
            found = execute(sql, (*values, limit)).fetchall()
            return [Old(*row) for row in found if row[1:3] not in self.passed]

        def operation(txn: Transaction) -> tuple[int, int]:
            found = find(txn.execute)
            return len(found), self._let_go(txn, found, size)

        space = self._stock.space
        try:
            done, gone = space.write(operation)
            self.gone += gone
        except _BAD as error:
            with space.reading() as connection:
                found = find(connection.execute)
            done = self._one_by_one(found, size, error)
        swept = self.sweep()
        return bool(done or swept)

    def _let_go(self, txn: Transaction, found: Sequence[Old], size: int) -> int:
        """The bytes of what went."""
        now, gone = self._stock.now, 0
        for used, entry, number, blob in found:
            if gone >= size:
                break
            if number >= 0:
                gone += rows.drop_blocks(txn, [(entry, number, blob)], now)
            elif went := rows.drop_unused(txn, entry, used, now):
                gone += went
            else:
                break  # its turn comes later than it seemed, perhaps before that of the next
        return gone

    def _one_by_one(self, found: Sequence[Old], size: int, error: Exception) -> int:
        """A step has failed: find the rows that it failed for, and pass them over from now on.
        How many did not. Raises `Unavailable` when it is not for some of them."""
        gone, done, bad = 0, 0, list[tuple[Old, Exception]]()
        for row in found:
            if gone >= size:
                break
            try:
                gone += self._stock.space.write(partial(self._let_go, found=[row], size=1))
                done += 1
            except _BAD as why:
                bad.append((row, why))
        if not done or len(self.passed) + len(bad) > _PASSED:
            raise Unavailable(f"The cache cannot make room: {error}") from error
        for row, reason in bad:
            self.passed.add(row[1:3])
            log.warning("the cache passes over %s, which it cannot remove: %r", row, reason)
        return done

    def sweep(self) -> int:
        """Remove files that nothing needs; how many went. What cannot be removed yet (another
        program has it open, on Windows) stays for the next time."""
        stock = self._stock
        if stock.now is None:
            return 0
        removed = after = self.left = 0
        while True:
            with stock.space.reading() as connection:
                due = connection.execute(_DUE, (after, _FILES)).fetchall()
            if not due:
                return removed
            after = due[-1][0]
            removed += self._remove(due)

    def _remove(self, due: Sequence[tuple[int, str, int]]) -> int:
        space, gone = self._stock.space, []
        for blob, name, size in due:
            try:
                space.blobs.remove(name)
            except OSError as error:
                self.left += 1
                self._warn(error)
            else:
                gone.append((blob, rows.cost_of_blob(size, name)))

        def forget(txn: Transaction) -> None:
            for blob, cost in gone:
                sql = "DELETE FROM blobs WHERE id = ? AND refs <= 0 RETURNING id"
                if txn.one(sql, (blob,)) is not None:
                    rows.adjust(txn, -cost)

        if gone:
            space.write(forget)
        return len(gone)

    def _warn(self, error: OSError) -> None:
        """Once: what cannot be removed takes room for as long."""
        if not self._warned and os.name != "nt":  # there a scanner may hold one for a while
            self._warned = True
            log.warning("a block of the cache cannot be removed, and is tried again: %s", error)
