"""Files that nothing needs any more go in a thread of their own.

The index was committed without them, so nobody waits for it. What cannot be removed yet (on
Windows another program has it open) is tried again for some seconds, and then given back to the
index, which has it removed when it can be: after a restart, too. A crash before makes orphans,
which the collector takes.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial

from gateway.common.steady import Steady

log = logging.getLogger("gateway.engine")

LATER = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds from one try to the next."""
MOST = 1000
"""Names that are tried again; more are given back at once."""
_TOGETHER = 256
_PATIENCE = 10.0
"""Seconds for which closing waits for the files that are left."""


class Removals:
    """`leave` has names of files given back; `later` is what `LATER` says."""

    def __init__(
        self,
        remove: Callable[[str], object],
        leave: Callable[[Sequence[str]], object],
        later: Sequence[float] = LATER,
    ) -> None:
        self._remove, self._leave, self._later = remove, leave, later
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting: list[tuple[float, int, str]] = []
        """A heap: when each is tried again, for which time, and its name."""
        self._left: list[str] = []
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, names: Iterable[str]) -> None:
        for name in names:
            self._names.put(name)
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="removals", daemon=True)
                with suppress(RuntimeError):  # there is none now: the next commit tries again
                    thread.start()
                    self._thread = thread

    def _run(self) -> None:
        steady = Steady(log, "a file that nothing needs stays until the collector takes it")
        while (name := self._next()) is not None:
            if name:
                steady(partial(self._try, name, 0))
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                _, tries, again = heapq.heappop(self._waiting)
                steady(partial(self._try, again, tries))
            if self._left and (self._names.empty() or len(self._left) >= _TOGETHER):
                steady(self._give_back)
        steady(self._end)

    def _next(self) -> str | None:
        """A name; "" when it is time for one that waits, None at the end."""
        left = max(self._waiting[0][0] - time.monotonic(), 0) if self._waiting else None
        try:
            return self._names.get(timeout=left)
        except queue.Empty:
            return ""

    def _try(self, name: str, tries: int) -> None:
        try:
            self._remove(name)
        except OSError:
            if tries < len(self._later) and len(self._waiting) < MOST:
                due = time.monotonic() + self._later[tries]
                heapq.heappush(self._waiting, (due, tries + 1, name))
            else:
                self._left.append(name)

    def _give_back(self) -> None:
        left, self._left = self._left, []
        self._leave(left)

    def _end(self) -> None:
        """What waits is tried once more."""
        waiting, self._waiting = self._waiting, []
        for _, _, name in waiting:
            self._try(name, len(self._later))
        if self._left:
            self._give_back()

    def close(self) -> None:
        """Remove what is left, or give it back. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._names.put(None)
            thread.join(_PATIENCE)
