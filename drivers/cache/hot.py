"""The entries that this process answers without a look at the index, newest last.

What is here is judged by time and marks only: blocks that were evicted since
are noticed when they are opened, and another worker's newer entry when this
one is no longer fresh.
"""

from __future__ import annotations

import threading

from drivers.cache.entries import CacheEntry

LIMIT = 16 << 20
"""Bytes, about."""
BODY = 64 * 1024
"""Bytes up to which a body is kept with its entry."""
BLOCKS = 64
"""Blocks of an entry that is kept; of larger ones, only the head is looked up again."""
_ENTRY, _BLOCK = 2000, 400
"""Bytes of one, without what others have said to be kept in it (`CacheEntry.told_size`)."""
_TOUCHED = 10_000


class Hot:
    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], CacheEntry] = {}
        self._costs: dict[tuple[str, str], int] = {}
        self._total = 0
        self._lock = threading.Lock()
        self.get = self._entries.get
        """The entry of (name, variant), or None."""
        self._touched: dict[int, tuple[int, int]] = {}

    def put(self, entry: CacheEntry) -> None:
        place = (entry.key, entry.variant)
        if len(entry.blocks) > BLOCKS:
            self.pop(place)
            return
        cost = _ENTRY + len(entry.body or b"") + _BLOCK * len(entry.blocks) + entry.told_size
        with self._lock:
            self._drop(place)
            self._entries[place] = entry
            self._costs[place] = cost
            self._total += cost
            while self._total > LIMIT:
                self._drop(next(iter(self._entries)))

    def pop(self, place: tuple[str, str]) -> None:
        with self._lock:
            self._drop(place)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._costs.clear()
            self._total = 0

    def _drop(self, place: tuple[str, str]) -> None:
        if self._entries.pop(place, None) is not None:
            self._total -= self._costs.pop(place)

    # what was used: written down now and then, not at each hit

    def touch(self, entry: int, first: int, last: int) -> None:
        touched = self._touched
        before = touched.get(entry)
        if before is None:
            if len(touched) < _TOUCHED:
                touched[entry] = (first, last)
        elif first < before[0] or last > before[1]:
            touched[entry] = (min(first, before[0]), max(last, before[1]))

    def take_touched(self) -> dict[int, tuple[int, int]]:
        """Entries used since the last call, with the blocks (first, last) that were."""
        touched, self._touched = self._touched, {}
        return touched
