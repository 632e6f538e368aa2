"""What a worker has for reports, where they are kept: it counts in slots and writes what it has
counted; jobs of one worker forget what is old, and measure what is in services.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from gateway.access.identity import ANONYMOUS, ROOT_ACCOUNT, Identity, managing
from gateway.background.jobs import Scheduler
from gateway.config import Configuration, ReportOptions
from gateway.services.runtime import Runtime
from gateway.storage import NoSuchStore, StorageError
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.reporter import Reporter
from gateway.telemetry.reports import Size
from gateway.telemetry.slot_counts import SlotCounts

MEASURE = 900.0
"""Seconds between two measures: none of an hour is missing, though a job may be late."""
EXPIRE = 3600.0

_EVERYTHING = Identity(key="", account=ROOT_ACCOUNT, access=managing(ROOT_ACCOUNT), manages=True)


class Reporting:
    """`runtime` gives the one that is served now. `file` is for who reads."""

    def __init__(
        self, configuration: Configuration, options: ReportOptions, runtime: Callable[[], Runtime]
    ) -> None:
        self._options, self._runtime = options, runtime
        self.slots = SlotCounts(lambda address: runtime().country(address))
        self.file = ReportFile(configuration.data)
        # Who writes does not wait for who reads: but for what is in memory there is one.
        self._written = self.file if configuration.data is None else ReportFile(configuration.data)
        self._reporter: Reporter | None = None

    @classmethod
    def of(cls, configuration: Configuration, runtime: Callable[[], Runtime]) -> Reporting | None:
        options = configuration.reports
        return None if options is None else cls(configuration, options, runtime)

    def start(self, metrics: Metrics, jobs: Scheduler) -> None:
        options = self._options
        self._reporter = Reporter(
            self._written, metrics.take_slots, self._is_service, options.flush
        )
        self._reporter.start()
        jobs.add("reports", EXPIRE, self._expire)
        jobs.add("sizes", MEASURE, self._measure)

    def flush(self) -> None:
        """Write what was counted up to now."""
        if self._reporter is not None:
            self._reporter.flush()

    def stop(self) -> None:
        """When no request is under way any more, and the runtime is still there."""
        if self._reporter is not None:
            self._reporter.stop()
        self._written.close()
        self.file.close()

    def _is_service(self, name: str) -> bool:
        try:
            self._runtime().looked_at(ANONYMOUS, name)
        except NoSuchStore:
            return False
        except StorageError as error:
            raise OSError(f"services cannot be looked up: {error}") from error
        return True

    def _expire(self) -> Iterator[int]:
        now = time.time()
        return self._written.expire(int(now - self._options.keep), now)

    def _measure(self) -> str:
        found = self._runtime().measured(_EVERYTHING)
        hour = int(time.time()) // 3600 * 3600
        sizes = {sid: Size(one.bytes, one.current) for sid, one in found.items()}
        self._written.measure(hour, sizes)
        return f"{len(sizes)} services"
