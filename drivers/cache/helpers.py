"""Threads that pull: made when they are needed, and gone when they idle.

How many are at work is decided by who hands work over (`places`). Whatever a piece of
work raises is logged, and costs its thread nothing. They are daemons: a source that
hangs does not keep the gateway from ending.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeAlias

from gateway.common.steady import Steady
from gateway.storage import Busy, Threads

log = logging.getLogger("gateway.cache")
_IDLE = 10.0

Work: TypeAlias = Callable[[], object]


class Helpers:
    """Their `name` is in the log. `threads`: those of the server, to which none of these
    belongs: nobody's request is kept waiting by one that waits."""

    def __init__(self, name: str, threads: Threads) -> None:
        self._name, self._threads = name, threads
        self._steady = Steady(log, f"{name}: a fetch failed in a way that nothing accounts for")
        self._work: SimpleQueue[Work] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        """Threads that wait, but for those for which work is on its way."""

    def start(self, work: Work) -> None:
        """Raises `Busy` when there is no thread for it: none waits, and the system gives
        no more."""
        with self._lock:
            waits = self._idle > 0
            self._idle -= waits
        if waits:
            self._work.put(work)
            return
        try:
            threading.Thread(target=self._run, args=([work],), name=self._name, daemon=True).start()
        except RuntimeError as error:
            raise Busy("No thread is left to fetch the object.", retry_after=1) from error

    def _run(self, first: list[Work]) -> None:
        self._threads.step_out()
        self._steady(first.pop())
        while self._do_next():
            pass

    def _do_next(self) -> bool:
        """Wait for work and do it; False when none came. It holds nothing while it waits."""
        with self._lock:
            self._idle += 1
        while True:
            try:
                self._steady(self._work.get(timeout=_IDLE))
                return True
            except Empty:
                with self._lock:
                    if self._idle > 0:  # else something is on its way
                        self._idle -= 1
                        return False
