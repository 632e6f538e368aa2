"""Writes what a worker has counted for reports, each few seconds and when it ends.

What could not be written is kept, and written before all else: nothing is counted twice, and
none is lost but by a process that is killed, which loses what it counted since it last wrote.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Collection

from gateway.common.steady import Steady
from gateway.telemetry.report_file import Batch, ReportFile
from gateway.telemetry.slot_counts import Rows, told_apart

log = logging.getLogger("gateway.reports")

Take = Callable[[], tuple[float, Rows, Collection[str]]]
"""See `Metrics.take_slots`."""


class Reporter:
    """`is_service` says whether there is a service of that name; the `OSError` that it may raise
    has what was counted wait."""

    def __init__(
        self, file: ReportFile, take: Take, is_service: Callable[[str], bool], pause: float
    ) -> None:
        self._file, self._take, self._is_service, self._pause = file, take, is_service, pause
        self._worker, self._number = secrets.token_hex(8), 0
        self._taken: tuple[float, Rows, Collection[str]] | None = None
        self._writing, self._stopping = threading.Lock(), threading.Event()
        self._steady = Steady(log, "what was counted for reports waits", foreseen=(OSError,))
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        """From here on it is known that there is this worker."""
        self.flush()
        self._thread.start()

    def flush(self) -> bool:
        """Whether all that was counted is written."""
        with self._writing:
            return self._steady(self._write)

    def stop(self) -> None:
        """Write what there is, and end. May be called twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)
        with self._writing:
            self._steady(lambda: self._write(ended=True))

    def _run(self) -> None:
        while not self._stopping.wait(self._pause):
            self.flush()

    def _write(self, ended: bool = False) -> None:
        if self._taken is not None:  # it could not be written before
            self._add(self._taken)
        self._taken = self._take()
        self._add(self._taken, ended)

    def _add(self, taken: tuple[float, Rows, Collection[str]], ended: bool = False) -> None:
        time, rows, doubtful = taken
        made_up = self._made_up(doubtful)
        rows = told_apart(rows, made_up) if made_up else rows
        self._file.add(Batch(self._worker, self._number + 1, time, self._pause, rows, ended))
        self._number += 1
        self._taken = None

    def _made_up(self, doubtful: Collection[str]) -> Collection[str]:
        try:
            return {name for name in doubtful if not self._is_service(name)}
        except OSError:
            if not self._stopping.is_set():
                raise
            return ()  # there is no other time: they count under what they are called
