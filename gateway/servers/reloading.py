"""Reading the configuration again while a server serves.

The application is exchanged within each process (see `worker`): no listening socket is
closed and no connection ends, so no request is lost, and what is in memory stays. All
processes first open what is new beside what they serve; when each of them could, all take
it over, else none does.

SIGHUP has two meanings, which this tells apart: somebody sends it to a server that is to
read its configuration again, and the kernel sends it when a terminal is closed, which ends
what was started there.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from contextlib import suppress

from gateway.servers import CannotServe, Change, Plan

log = logging.getLogger("gateway")


class Reloads(ABC):
    """A server that can be told to read its configuration again, once at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._plan: Plan | None = None

    def reload(self) -> None:
        with self._turn:
            try:
                if self._plan is None or self._plan.read_again is None:
                    raise CannotServe("The gateway does not serve yet.")
                self._take_over(self._plan.read_again())
            except CannotServe as error:
                log.error("the configuration is not taken over: %s", error)
                raise
            except Exception as error:  # a plugin's, or a mistake of ours
                log.exception("the configuration is not taken over")
                words = f"It failed with {type(error).__name__}, see the gateway's log."
                raise CannotServe(words) from error
            log.info("the configuration was read again, and is served now")

    @abstractmethod
    def _take_over(self, change: Change) -> None:
        """In all processes, or in none. Raises `CannotServe`."""

    def _reload_soon(self) -> None:
        """For a signal: nobody waits for how it ends."""

        def work() -> None:
            with suppress(CannotServe):  # it was logged
                self.reload()

        threading.Thread(target=work, name="reload", daemon=True).start()


class Terminal:
    """The one at which this process was started, if there was one."""

    def __init__(self) -> None:
        self._had = _is_there()

    def is_gone(self) -> bool:
        """Whether it was closed: the kernel takes it from its processes before they are told
        (setsid(2), tty_ioctl(4))."""
        return self._had and not _is_there()


def _is_there() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | getattr(os, "O_NOCTTY", 0)))
    except OSError:
        return False
    return True
