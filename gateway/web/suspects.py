"""Who has lately failed to prove something in this process: only of them the database of attempts
(`Attempts`) is asked, so that a request with a good secret does not wait for it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

_SUSPECTS = 10_000
_WINDOW = 600.0
"""Seconds for which one is suspected: longer than attempts count."""


class Suspects:
    """Addresses and ids that failed in this process, as many as are kept at most; the oldest go.
    Where there are that many, all are suspected."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._until = OrderedDict[tuple[str, str], float]()
        self._clock, self._lock = clock, threading.Lock()

    def known(self, address: str, id: str) -> bool:
        until = self._until
        if not until:
            return False
        with self._lock:
            now = self._clock()
            while until and next(iter(until.values())) < now:
                until.popitem(last=False)
            return len(until) >= _SUSPECTS or ("from", address) in until or ("for", id) in until

    def add(self, address: str, id: str) -> None:
        until = self._until
        with self._lock:
            for one in (("from", address), ("for", id)):
                until.pop(one, None)
                until[one] = self._clock() + _WINDOW
            while len(until) > _SUSPECTS:
                until.popitem(last=False)
