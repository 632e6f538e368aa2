"""How many of something there may be at once, and how many of them of one address."""

from __future__ import annotations

import threading
from collections import Counter


class Bound:
    """`share` is what one address may have. All methods are for any thread."""

    def __init__(self, limit: int, share: int) -> None:
        self._limit, self._share = limit, share
        self._lock = threading.Lock()
        self._held = Counter[str]()

    def take(self, address: str) -> bool:
        """Whether there is one more, to be given back with `release`."""
        with self._lock:
            fits = self._held.total() < self._limit and self._held[address] < self._share
            if fits:
                self._held[address] += 1
            return fits

    def release(self, address: str) -> None:
        with self._lock:
            self._held[address] -= 1
            if not self._held[address]:
                del self._held[address]
