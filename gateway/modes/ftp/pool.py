"""Threads that do what has come, one after the other: begun as they are needed, up to a bound.

They are daemons, unlike those of `concurrent.futures`: a client that stands still keeps no process
from its end.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue

log = logging.getLogger("gateway.ftp")

Work = Callable[[], object]


class Pool:
    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = threading.Semaphore(0)
        self._threads = 0

    def submit(self, work: Work) -> None:
        """Have it done, as soon as there is a thread."""
        self._work.put(work)
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End when all that was submitted is done."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception:  # the last boundary: the other connections go on
                log.exception("a connection of FTP failed")

    def _next(self) -> Work | None:
        if self._work.empty():
            self._idle.release()
        return self._work.get()
