"""What a console tells its processes (Windows): Ctrl-C, Ctrl-Break, that its window is closed, that
a user leaves, that the machine goes off.

Python hears the first two by itself, when its main thread comes back from what it waits in.
Of the others its C library makes a SIGBREAK and says at once that all is done, and then Windows
ends the process, whatever is under way. So here one handler hears them all, in the thread
that Windows has for it, tells to stop, and never says that it is done with those that end the
process: so that has the time that Windows gives (HandlerRoutine: 5 s), and most often ends before.

A process that has loaded user32.dll (OpenSSL does) is told by Windows of neither a user who
leaves nor a machine that goes off (SetConsoleCtrlHandler, remarks): what then is not ended by
its window is ended as by a kill, after which nothing that was acknowledged is missing.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

IN_TIME = 3.0
"""Seconds for what is under way, of the 5 that there are: the rest is for closing."""

Stop = Callable[[float | None], None]
"""It gets the seconds for what is under way; None: as many as are configured."""


class Event(NamedTuple):
    """`last`: the process ends when the handler returns. `of_users`: services hear of it, whoever
    it was, and have to go on."""

    within: float | None = None
    last: bool = False
    of_users: bool = False


EVENTS = {
    0: Event(),  # CTRL_C_EVENT
    1: Event(),  # CTRL_BREAK_EVENT
    2: Event(IN_TIME, last=True),  # CTRL_CLOSE_EVENT
    5: Event(IN_TIME, last=True, of_users=True),  # CTRL_LOGOFF_EVENT
    6: Event(IN_TIME, last=True),  # CTRL_SHUTDOWN_EVENT
}


def _for_ever() -> None:
    threading.Event().wait()


class Handler:
    """`service`: this process is one. `wait` is for the end of the process."""

    def __init__(
        self, stop: Stop, *, service: bool, wait: Callable[[], object] = _for_ever
    ) -> None:
        self._stop, self._service, self._wait = stop, service, wait
        self.told = False

    def hear(self, number: int) -> bool:
        """Whether it is an event that is known here, and so nobody else's."""
        event = EVENTS.get(number)
        if event is None:
            return False
        if not (self._service and event.of_users):
            self.told = True
            self._stop(event.within)
            if event.last:
                self._wait()
        return True


_kept: list[object] = []
"""What Windows calls until the process ends."""


@contextmanager
def heard(stop: Stop) -> Iterator[None]:
    """Have `stop` called for each event meanwhile, in a thread of its own. When it was, what comes
    later does nothing: the process is ending. Elsewhere than on Windows there are none."""
    if sys.platform != "win32":
        yield
        return
    import ctypes

    kernel: Any = ctypes.WinDLL("kernel32")
    handler = Handler(stop, service=_session(kernel) == 0)

    @ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
    def called(number: int) -> int:
        return handler.hear(number)

    kernel.SetConsoleCtrlHandler(called, True)
    try:
        yield
    finally:
        if handler.told:
            _kept.append(called)
        else:
            kernel.SetConsoleCtrlHandler(called, False)


def _session(kernel: Any) -> int:
    """Services alone are in 0."""
    import ctypes

    found = ctypes.c_ulong()
    kernel.ProcessIdToSessionId(os.getpid(), ctypes.byref(found))
    return found.value
