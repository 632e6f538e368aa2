"""The end of a process that serves: in bounded time, whatever its threads do.

A stop wakes what waits for something to happen, and gives `drain` seconds to what is
under way. Then all is closed that was opened, in `CLOSING` seconds at most: a thread may
be in a call that hangs, on a disk or an upstream. What libraries do when an interpreter
ends (joining their threads, `atexit`) has `EXITING` seconds.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gateway.servers import Loaded

log = logging.getLogger("gateway")

CLOSING = 5.0
EXITING = 3.0


def latest(drain: float) -> float:
    """Seconds after which a process that was told to end may be killed: it is late."""
    return drain + CLOSING + EXITING + 2.0


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
        leave_within(0, CLOSING + EXITING)
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


def leave_within(code: int, seconds: float | None = None) -> None:
    """End this process with `code` by then (None: `EXITING`), unless it has ended by itself."""

    def leave() -> None:
        time.sleep(EXITING if seconds is None else seconds)
        leave_now(code)

    threading.Thread(target=leave, name="leaving", daemon=True).start()


def leave_now(code: int) -> None:
    """End this process, whoever else is at work in it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(code)
