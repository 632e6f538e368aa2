"""`python -m gateway.commands.windows_service --name NAME`: the process of a service on Windows.

Windows starts it (see `windows_services`), wants to hear of it within 30 seconds, and from then on
each few seconds while it starts or stops. So nothing of the gateway is imported before the first
word. Why it ends is in its log file, and as one event in the event log.

May surprise: it is Python itself and not pywin32's `pythonservice.exe`, which wants libraries
copied beside it, in each environment and again after each upgrade.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.config import Configuration

log = logging.getLogger("gateway")

STARTING, RUNNING, STOPPING, STOPPED = 2, 4, 3, 1
"""SERVICE_START_PENDING and the others of winsvc.h."""
STOPS = {1: "stop", 5: "shutdown", 15: "preshutdown"}
"""Controls that end it."""
_ACCEPTED = 0x1 | 0x100  # SERVICE_ACCEPT_STOP, SERVICE_ACCEPT_PRESHUTDOWN
_OWN_PROCESS = 0x10
_SPECIFIC = 1066  # ERROR_SERVICE_SPECIFIC_ERROR
_PULSE, _HINT = 1.0, 15_000
EVENT = 100
"""Of EventCreate.exe's messages, which are what is said and nothing else."""
ERROR, INFORMATION = 1, 4


def arguments(parser: argparse.ArgumentParser) -> None:
    """What stands in the service's command line."""
    parser.add_argument("--name", required=True)
    parser.add_argument("--config")
    parser.add_argument("--data")


def usual_log(folder: Path) -> Path:
    """Where one logs whose configuration does not say."""
    return folder / "logs" / "gateway.log"


class Process:
    """What Windows calls, and a `ServiceManager` for `serve`."""

    def __init__(self, words: tuple[str, ...]) -> None:
        import servicemanager

        self._name = words[0]
        self._lock = threading.Lock()
        self._state, self._checkpoint, self._failure = STARTING, 0, 0
        self._stop: Callable[[], None] | None = None
        self._told_to_stop = False
        self._handle = servicemanager.RegisterServiceCtrlHandler(self._name, self._heard, True)

    def SvcRun(self) -> None:  # noqa: N802 - servicemanager calls it so
        self._say(STARTING)
        threading.Thread(target=self._pulse, name="service", daemon=True).start()
        try:
            self._failure = self._serve()
        except BaseException as error:
            self._failure = 1
            log.exception("the service cannot go on")
            self.failed(f"It failed with {type(error).__name__}: {error}")
        self._say(STOPPED)

    def _serve(self) -> int:
        from gateway.commands.main import expected
        from gateway.commands.serve import serve
        from gateway.telemetry import logs

        parser = argparse.ArgumentParser()
        arguments(parser)
        typed = parser.parse_args(sys.argv[1:])
        try:
            configuration = configuration_of(typed)
        except expected() as error:
            if (folder := folder_of(typed)) is not None:
                logs.configure("text", usual_log(folder))
            log.critical("%s", error)
            self.failed(str(error))
            return 1
        threading.excepthook = _log_what_ends_a_thread
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device
            return serve(configuration, nowhere, self)

    # what Windows tells

    def _heard(self, control: int, _kind: int, _data: object) -> None:
        if control in STOPS:
            self._say(STOPPING)
            with self._lock:
                self._told_to_stop = True
                stop = self._stop
            if stop is not None:
                stop()
        else:
            self._say(self._state)

    # what `serve` tells

    def starting(self, stop: Callable[[], None]) -> None:
        with self._lock:
            self._stop, told = stop, self._told_to_stop
        if told:
            stop()

    def serving(self, where: str) -> None:
        if not self._told_to_stop:
            self._say(RUNNING)
        event(self._name, INFORMATION, f"It serves at {where}")

    def ending(self) -> None:
        self._say(STOPPING)

    def failed(self, why: str) -> None:
        event(self._name, ERROR, why)

    # what Windows is told

    def _pulse(self) -> None:
        while self._state != STOPPED:
            threading.Event().wait(_PULSE)
            if self._state in (STARTING, STOPPING):
                self._say(self._state)

    def _say(self, state: int) -> None:
        import win32service

        with self._lock:
            if self._state == STOPPED:
                return
            pending = state in (STARTING, STOPPING)
            self._checkpoint = self._checkpoint + 1 if pending and state == self._state else 0
            self._state = state
            failed = state == STOPPED and self._failure
            status = (
                _OWN_PROCESS,
                state,
                _ACCEPTED if state == RUNNING else 0,
                _SPECIFIC if failed else 0,
                self._failure if failed else 0,
                self._checkpoint,
                _HINT if pending else 0,
            )
            win32service.SetServiceStatus(self._handle, status)


def configuration_of(typed: argparse.Namespace) -> Configuration:
    """What a service serves that has such a command line. Raises what `main.expected` lists."""
    from gateway.commands.place import configured
    from gateway.servers import CannotServe

    typed.plugins = None
    found = configured(typed, lenient=False)
    if found.data is None:
        raise CannotServe("A service keeps what it gets: it cannot have [server] memory = true.")
    return found if found.logs.file else found.with_log_file(usual_log(found.data))


def folder_of(typed: argparse.Namespace) -> Path | None:
    """Its data folder, whatever else is wrong with its configuration; None: not even that is
    known."""
    from gateway.commands.place import data_folder
    from gateway.config import ConfigurationError

    try:
        return data_folder(typed)
    except ConfigurationError:
        return None


def event(name: str, kind: int, text: str) -> None:
    """In the event log, for all to see; nothing where that cannot be."""
    import pywintypes
    import win32evtlog

    try:
        source = win32evtlog.RegisterEventSource(None, name)
        win32evtlog.ReportEvent(source, kind, 0, EVENT, None, [text], None)
        win32evtlog.DeregisterEventSource(source)
    except pywintypes.error as error:
        log.warning("the event log takes nothing: %s", error.strerror)


def _log_what_ends_a_thread(ended: Any) -> None:
    if ended.exc_type is not SystemExit:
        about = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        log.error("a thread ended", exc_info=about)


def main() -> None:
    import pywintypes
    import servicemanager

    from gateway.common.leaving import leave_within

    servicemanager.PrepareToHostSingle(Process)
    try:
        servicemanager.StartServiceCtrlDispatcher()
    except pywintypes.error as error:
        sys.exit(f"gateway: Windows starts this, by `gateway service start`: {error.strerror}.")
    leave_within(0)


if __name__ == "__main__":
    main()
