"""Threads that pull: a few, made when they are needed, and gone when they idle.

They are daemons: a source that hangs does not keep the gateway from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

_IDLE = 10.0


class Helpers:
    """At most `limit` threads; what comes while all are busy waits its turn."""

    def __init__(self, name: str, limit: int) -> None:
        self._name, self._limit = name, limit
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = self._free = 0

    def start(self, work: Callable[[], object]) -> None:
        """`work` handles what it raises itself."""
        with self._lock:
            self._free -= 1
            more = self._free < 0 and self._threads < self._limit
            if more:
                self._threads += 1
                self._free += 1
        self._work.put(work)
        if more:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    if self._free > 0:  # else something has just been put
                        self._threads -= 1
                        self._free -= 1
                        return
                continue
            try:
                work()
            finally:
                with self._lock:
                    self._free += 1
