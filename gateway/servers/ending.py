"""The end of a process that serves: in bounded time, whatever its threads do.

A stop wakes what waits for something to happen, and gives `drain` seconds to what is
under way. Then all is closed that was opened, in `CLOSING` seconds at most: a thread may
be in a call that hangs, on a disk or an upstream. What libraries do when an interpreter
ends (joining their threads, `atexit`) has `leaving.EXITING` seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from gateway.common import leaving
from gateway.servers import Loaded

log = logging.getLogger("gateway")

CLOSING = 5.0


def latest(drain: float) -> float:
    """Seconds after which a process that was told to end may be killed: it is late."""
    return drain + CLOSING + leaving.EXITING + 2.0


class Ending:
    """Of what a process has `loaded`. All methods may be called in any thread, and twice."""

    def __init__(self, loaded: Loaded | None = None) -> None:
        self.loaded = loaded
        self._lock = threading.Lock()
        self._closed = False

    def wake(self) -> None:
        if self.loaded is not None:
            self.loaded.wake()

    def close(self) -> None:
        """Returns when all is closed, or `CLOSING` is over. Raises what closing does."""
        with self._lock:
            closed, self._closed = self._closed, True
            if self.loaded is not None and not closed:
                _within(CLOSING, self.loaded.close)

    def close_and_leave(self) -> None:
        """The same, as the last that is done in this process."""
        leaving.leave_within(0, CLOSING + leaving.EXITING)
        self.close()


def _within(seconds: float, work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # raised in the caller's thread
            failures.append(error)

    thread = threading.Thread(target=run, name="closing", daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if thread.is_alive():
        log.error("closing takes more than %.0f s, and is given up", seconds)
