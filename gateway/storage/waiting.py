"""Who waits for others: how many of the threads that serve may do so at once.

A thread that waits for an upstream, a file system behind a network, or a source of
another layer answers nobody else meanwhile. When what it waits for hangs, all threads
would do that in the end, and nothing else would be served. So a store that waits takes
a place first, and whoever finds none is refused at once: some threads always stay for
requests that need nobody but this process.
"""

from __future__ import annotations

import threading

from gateway.storage.errors import Busy

_ENDLESS = 1 << 30


class _Here(threading.local):
    serves = True


class Threads:
    """`serving`: how many threads of the process answer requests; 0: nobody knows (a command,
    a test), and nothing is bounded. Of them all who wait may be `most`, and a `share` those
    who wait for one and the same."""

    def __init__(self, serving: int = 0) -> None:
        self.share = max(1, serving * 3 // 4) if serving else _ENDLESS
        self.most = max(1, serving - max(1, serving // 8)) if serving else _ENDLESS
        self._waiting = 0
        self._lock = threading.Lock()
        self._here = _Here()

    def part(self) -> ThreadShare:
        """For one upstream, to be kept as long as it is known."""
        return ThreadShare(self, self._lock, self._here)

    def step_out(self) -> None:
        """The calling thread answers no requests: what it waits for is not counted."""
        self._here.serves = False


class ThreadShare:
    """What one upstream holds of them. Each `take` is followed by a `give` in its thread."""

    def __init__(self, threads: Threads, lock: threading.Lock, here: _Here) -> None:
        self._threads, self._lock, self._here = threads, lock, here
        self._held = 0

    def take(self) -> bool:
        """Whether there was room in its share; when not, the caller may go on, and must not
        wait for longer than a moment. Raises `Busy` when too many wait already."""
        if not self._here.serves:
            return True
        threads = self._threads
        with self._lock:
            if threads._waiting >= threads.most:
                raise Busy(
                    "Too many requests wait for what is behind their services.", retry_after=1
                )
            threads._waiting += 1
            self._held += 1
            return self._held <= threads.share

    def give(self) -> None:
        if self._here.serves:
            with self._lock:
                self._threads._waiting -= 1
                self._held -= 1
