"""Counts and durations for Prometheus, right with several workers and cheap for each request.

A request adds to plain numbers under one lock; once a second each worker
writes its numbers to a file of its own in `folder`, and whoever is asked adds
up all files. Files of workers that have ended stay, so that counters never
go back; their gauges do not count. Measured for one request: 0.7 µs, against
5.6 µs for two counters and a histogram in prometheus_client's own multiprocess
mode, which also wants its environment set before its import.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from gateway.common import open_files
from gateway.common.steady import Steady
from gateway.telemetry.families import BUCKETS, COUNTERS, DURATION, GAUGES
from gateway.telemetry.record import Record
from gateway.telemetry.slot_counts import Rows, SlotCounts
from gateway.telemetry.traffic import BY_SERVICE, Counts, Numbers, Row, numbers_of, samples

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger("gateway.metrics")

FLUSH = 1.0
STALE = 5.0
"""Seconds after which a worker that has written nothing is taken to have ended."""

METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"})

Key: TypeAlias = tuple[str, ...]


class Metrics:
    """The numbers of this worker, and of all that write to `folder`. With `slots` what services
    are asked is counted there, and comes from there."""

    def __init__(
        self,
        folder: Path | None = None,
        clock: Callable[[], float] = time.time,
        slots: SlotCounts | None = None,
    ) -> None:
        self._folder, self._clock, self._slots = folder, clock, slots
        self.reports = slots is not None
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, str, int], list[float]] = {}
        self._durations: dict[str, list[int]] = {}
        self._services = Counts()
        self._numbers = Numbers()
        self._counters: defaultdict[Key, float] = defaultdict(float)
        self._sources: list[tuple[str, Callable[[], float]]] = []
        self._shared: list[Callable[[], Iterable[tuple[Key, float]]]] = []
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.in_flight = 0

    # what is counted

    def begin(self) -> None:
        with self._lock:
            self.in_flight += 1

    def end(self, record: Record) -> None:
        """Count a request that is over."""
        method = record.method if record.method in METHODS else "other"
        of_class = record.status // 100
        key = (record.mode, record.operation, method, of_class)
        place = bisect_left(BUCKETS, record.duration)
        with self._lock:
            self.in_flight -= 1
            row = self._requests.get(key)
            if row is None:
                row = self._requests[key] = [0, 0, 0, 0, 0, 0]
            row[0] += 1
            row[1] += record.received
            row[2] += record.sent
            row[3] += record.duration
            row[4] += record.aborted
            row[5] += record.corrupt
            if sid := record.sid:
                if self._slots is None:
                    services = self._services
                    counts = services.get((sid, of_class)) or services.of(sid, record.status)
                else:
                    counts = self._slots.row(record)
                counts[0] += 1
                counts[1] += record.received
                counts[2] += record.sent
            if record.cache:
                for counter, of_bytes in _of_caches(record.cache):
                    self._counters[counter] += record.sent if of_bytes else 1
            buckets = self._durations.get(record.mode)
            if buckets is None:
                buckets = self._durations[record.mode] = [0] * (len(BUCKETS) + 1)
            buckets[place] += 1

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        """Add to one of `COUNTERS`; labels in the order that is declared there."""
        with self._lock:
            self._counters[(name, *labels)] += amount

    def know(self, services: Iterable[str]) -> None:
        """Count these services apart from now on, though nobody has asked for them yet."""
        services = list(services)
        with self._lock:
            self._services.know(services)
        self.know_names(services)

    def know_names(self, names: Iterable[str]) -> None:
        """Requests count under these in slots, whatever they are answered."""
        if self._slots is not None:
            with self._lock:
                self._slots.know(names)

    def take_slots(self) -> tuple[float, Rows, Collection[str]]:
        """What was counted in slots since this was last asked, which ended before that time, and
        the names in it that may be nobody's. There are slots."""
        slots = self._slots
        assert slots is not None
        with self._lock:
            at = self._clock()
            self._services.add(slots.by_service())
            return at, *slots.take()

    def watch(self, name: str, read: Callable[[], float]) -> None:
        """Take a number without labels from `read` when the metrics are written."""
        self._sources.append((name, read))

    def share(self, read: Callable[[], Iterable[tuple[Key, float]]]) -> None:
        """Take gauges, (name and labels, value), from `read` when somebody asks for the
        metrics: what all workers know alike, and none adds to another's."""
        self._shared.append(read)

    # between workers

    def start(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None
            self._write()

    def _run(self) -> None:
        steady = Steady(log, "this worker's numbers are not written")
        steady(self._write)
        while not self._stopping.wait(FLUSH):
            steady(self._write)

    def _write(self) -> None:
        assert self._folder is not None
        target = self._folder / f"{os.getpid()}.json"
        draft = target.with_suffix(".tmp")
        try:
            draft.write_text(json.dumps([self._clock(), self._snapshot(), self._rows()]))
            open_files.replace(draft, target)
        except OSError:  # the folder of a server that has ended, or a reader on Windows: the
            return  # next second writes them again

    def _snapshot(self) -> list[tuple[Key, float]]:
        """All numbers as (name and labels, value); durations by the number of their bucket."""
        totals: defaultdict[Key, float] = defaultdict(float)
        with self._lock:
            totals.update(self._counters)
            rows = [(key, list(row)) for key, row in self._requests.items()]
            durations = [(mode, tuple(counts)) for mode, counts in self._durations.items()]
            totals[("gateway_requests_in_flight",)] = self.in_flight
        for (mode, operation, method, status), row in rows:
            count, received, sent, seconds, aborted, corrupt = row
            values: list[tuple[Key, float]] = [
                (("gateway_requests", mode, operation, method, f"{status}xx"), count),
                (("gateway_received_bytes", mode), received),
                (("gateway_sent_bytes", mode), sent),
                (("gateway_aborted", mode), aborted),
                (("gateway_corrupt", mode), corrupt),
                ((DURATION, mode, "sum"), seconds),
            ]
            for name_and_labels, value in values:
                totals[name_and_labels] += value
        for mode, counts in durations:
            for place, number in enumerate(counts):
                totals[(DURATION, mode, str(place))] = number
        for name, read in self._sources:
            totals[(name,)] += read()
        return list(totals.items())

    def _rows(self) -> list[tuple[str, int, Row]]:
        """Those of services: there may be a thousand, so each is written as it is."""
        with self._lock:
            return self._services.with_(() if self._slots is None else self._slots.by_service())

    def _totals(self) -> dict[Key, float]:
        """The sum over all workers; this one's numbers as they are now."""
        totals: defaultdict[Key, float] = defaultdict(float, self._snapshot())
        rows = [self._rows()]
        for read in self._shared:
            totals.update(read())
        for file in () if self._folder is None else self._folder.glob("*.json"):
            if file.stem == str(os.getpid()):
                continue
            written, numbers, of_services = json.loads(open_files.read(file))
            alive = self._clock() - written < STALE
            for key, value in numbers:
                if alive or key[0] not in GAUGES:
                    totals[tuple(key)] += value
            rows.append(of_services)
        for name_and_labels, value in samples(chain.from_iterable(rows)):
            totals[name_and_labels] += value
        return dict(totals)

    def numbers(self) -> Numbers:
        """Requests and bytes by service. Whoever looks again within a second is told the same:
        it may be asked for by many at once."""
        now = self._clock()
        if not 0 <= now - self._numbers.time < FLUSH:
            self._numbers = numbers_of(now, self._totals())
        return self._numbers

    # what Prometheus reads

    def exposition(self, by_service: bool = True) -> tuple[str, bytes]:
        """The content type, and the text; `by_service`: with the names of services."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        totals = self._totals()
        if not by_service:
            totals = {key: value for key, value in totals.items() if key[0] not in BY_SERVICE}
        registry.register(_Collected(totals))
        return CONTENT_TYPE_LATEST, generate_latest(registry)


@lru_cache(maxsize=1024)
def _of_caches(trace: str) -> tuple[tuple[Key, bool], ...]:
    """What caches on the way say (RFC 9211) → counters, and whether bytes are added there.
    Remembered, for in each second most say the same."""
    found: list[tuple[Key, bool]] = []
    for told in trace.split(", "):
        name, _, what = told.partition("; ")
        outcome = _outcome(what)
        found.append((("gateway_cache_answers", name, outcome), False))
        if outcome in ("hit", "stale"):
            found.append((("gateway_cache_saved_bytes", name), True))
    return tuple(found)


def _outcome(what: str) -> str:
    if what.startswith("hit"):
        return "stale" if "; ttl=-" in what else "hit"
    if what.endswith("; collapsed"):
        return "collapsed"
    return "bypass" if what.startswith("fwd=bypass") else "miss"


class _Collected:
    """A collector (prometheus_client's protocol) over numbers that are already summed."""

    def __init__(self, totals: Mapping[Key, float]) -> None:
        self._by_name: dict[str, list[tuple[Key, float]]] = {}
        for (name, *labels), value in totals.items():
            self._by_name.setdefault(name, []).append((tuple(labels), value))

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for kind, families in ((CounterMetricFamily, COUNTERS), (GaugeMetricFamily, GAUGES)):
            for name, family in families.items():
                metric = kind(name, family.help, labels=family.labels)
                empty: list[tuple[Key, float]] = [] if family.labels else [((), 0)]
                for labels, value in self._by_name.get(name, empty):
                    metric.add_metric(labels, value)
                yield metric
        yield self._durations()

    def _durations(self) -> Metric:
        from prometheus_client.core import HistogramMetricFamily

        metric = HistogramMetricFamily(DURATION, "Time to answer.", labels=("mode",))
        modes: dict[str, dict[str, float]] = {}
        for (mode, place), value in self._by_name.get(DURATION, []):
            modes.setdefault(mode, {})[place] = value
        bounds = [*(str(bound) for bound in BUCKETS), "+Inf"]
        for mode, counts in modes.items():
            total, cumulated = 0.0, []
            for number, bound in enumerate(bounds):
                total += counts.get(str(number), 0)
                cumulated.append((bound, total))
            metric.add_metric((mode,), cumulated, counts.get("sum", 0))
        return metric
