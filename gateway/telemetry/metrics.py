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
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from gateway.common.steady import Steady
from gateway.telemetry.record import Record

if TYPE_CHECKING:
    from prometheus_client import Metric

log = logging.getLogger("gateway.metrics")

FLUSH = 1.0
STALE = 5.0
"""Seconds after which a worker that has written nothing is taken to have ended."""

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset({"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"})


class Family(NamedTuple):
    help: str
    labels: tuple[str, ...] = ()


COUNTERS: Mapping[str, Family] = {
    "gateway_requests": Family("Requests answered.", ("mode", "operation", "method", "status")),
    "gateway_received_bytes": Family("Bytes of request bodies.", ("mode",)),
    "gateway_sent_bytes": Family("Bytes of answers' bodies.", ("mode",)),
    "gateway_aborted": Family("Answers that broke off.", ("mode",)),
    "gateway_corrupt": Family("Answers that damaged bytes of a store ended.", ("mode",)),
    "gateway_cache_answers": Family(
        "Reads that a cache answered: hit, stale, miss, collapsed (it waited for another's miss),"
        " bypass.",
        ("cache", "outcome"),
    ),
    "gateway_cache_saved_bytes": Family("Bytes that came out of a cache.", ("cache",)),
    "gateway_cache_fills": Family("Reads of what is behind a cache.", ("cache",)),
    "gateway_cache_fill_seconds": Family("Time that they took.", ("cache",)),
    "gateway_cache_evicted_bytes": Family("Bytes that made room for others.", ("cache",)),
    "gateway_refused": Family("Requests refused because too many clients were slow."),
    "gateway_log_lines_shed": Family("Lines of the access log dropped under overload."),
    "gateway_bucket_log_lines_shed": Family("Lines of buckets' access logs that were dropped."),
    "gateway_request_list_shed": Family("Requests that reqlist does not show, under overload."),
    "gateway_job_runs": Family("Runs of background jobs.", ("job",)),
    "gateway_job_failures": Family("Runs of background jobs that failed.", ("job",)),
    "gateway_job_seconds": Family("Time spent in background jobs.", ("job",)),
    "gateway_job_results": Family("What background jobs did.", ("job", "what")),
    "gateway_follower_changes": Family("Changes that followers have handled.", ("follower",)),
    "gateway_follower_repeated": Family("Changes handed to followers again.", ("follower",)),
    "gateway_follower_resets": Family("Changes were gone before they came.", ("follower",)),
    "gateway_follower_failures": Family("Times that a follower failed.", ("follower",)),
}
GAUGES: Mapping[str, Family] = {
    "gateway_requests_in_flight": Family("Requests being answered now."),
    "gateway_slow_places_held": Family("Threads that wait for their client's bytes now."),
    "gateway_job_failing": Family("1: its last run failed.", ("job",)),
    "gateway_job_next_run_timestamp_seconds": Family("When it is to run.", ("job",)),
    "gateway_job_progress": Family("What its last run has done, as far as it told.", ("job",)),
    "gateway_job_progress_total": Family("What that is to become, if known.", ("job",)),
    "gateway_follower_lag": Family("Changes that are not handled yet.", ("follower",)),
    "gateway_follower_lag_seconds": Family("Age of the oldest of them.", ("follower",)),
    "gateway_follower_failing": Family("Failures in a row; 0: all is well.", ("follower",)),
    "gateway_follower_next_try_timestamp_seconds": Family(
        "When a follower that failed tries again.", ("follower",)
    ),
    "gateway_certificate_expires_timestamp_seconds": Family(
        "When an added certificate is over.", ("certificate",)
    ),
}
DURATION = "gateway_request_duration_seconds"

Key: TypeAlias = tuple[str, ...]


class Metrics:
    """The numbers of this worker, and of all that write to `folder`."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._folder, self._clock = folder, clock
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, str, int], list[float]] = {}
        self._durations: dict[str, list[int]] = {}
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
        key = (record.mode, record.operation, method, record.status // 100)
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
            draft.write_text(json.dumps([self._clock(), self._snapshot()]))
            draft.replace(target)
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

    def _totals(self) -> dict[Key, float]:
        """The sum over all workers; this one's numbers as they are now."""
        totals: defaultdict[Key, float] = defaultdict(float, self._snapshot())
        for read in self._shared:
            totals.update(read())
        if self._folder is None:
            return dict(totals)
        for file in self._folder.glob("*.json"):
            if file.stem == str(os.getpid()):
                continue
            written, numbers = json.loads(file.read_text())
            alive = self._clock() - written < STALE
            for key, value in numbers:
                if alive or key[0] not in GAUGES:
                    totals[tuple(key)] += value
        return dict(totals)

    # what Prometheus reads

    def exposition(self) -> tuple[str, bytes]:
        """The content type, and the text."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Collected(self._totals()))
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
