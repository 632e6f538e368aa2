"""Files that nothing needs any more go in a thread of their own.

The index was committed without them, so nobody waits for it: a crash before
makes them orphans, which the collector takes, and so does what cannot be
removed yet (it is open, on Windows).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from gateway.common.steady import Steady

log = logging.getLogger("gateway.engine")

_PATIENCE = 10.0
"""Seconds for which closing waits for the files that are left."""


class Removals:
    def __init__(self, remove: Callable[[str], object]) -> None:
        self._remove = remove
        self._names: queue.SimpleQueue[str | None] = queue.SimpleQueue()
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
        while (name := self._names.get()) is not None:
            steady(partial(self._gone, name))

    def _gone(self, name: str) -> None:
        with suppress(OSError):
            self._remove(name)

    def close(self) -> None:
        """Remove what is left. May be called twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._names.put(None)
            thread.join(_PATIENCE)
