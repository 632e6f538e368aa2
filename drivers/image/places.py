"""How many pictures are worked on at once in a process, and who waits for that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.storage import Busy, Threads

_MOMENT = 0.5
"""Seconds to wait for one whose share of the threads is used up."""


class Places:
    """`most` at once; `waiting` threads wait for `seconds` at most."""

    def __init__(self, most: int, waiting: int, seconds: float, threads: Threads) -> None:
        self._free, self._room, self._seconds = most, waiting, seconds
        self._part = threads.part()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, key: str) -> Iterator[None]:
        """One of them. Raises `Busy`."""
        with self._changed:
            if not self._free:
                self._wait(key)
            self._free -= 1
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()

    def _wait(self, key: str) -> None:
        if not self._room:
            raise _busy(key)
        brief = not self._part.take()
        self._room -= 1
        try:
            if not self._changed.wait_for(lambda: self._free, _MOMENT if brief else self._seconds):
                raise _busy(key)
        finally:
            self._room += 1
            self._part.give()


def _busy(key: str) -> Busy:
    return Busy("Too many pictures are being made; try again shortly.", key=key, retry_after=1)
