"""Background work: named tasks with an interval, each run by one worker at a time.

Every worker has a few threads for all its jobs. Whoever finds a job due takes its
lock file in `<data>/jobs`, reads when it last began anywhere, and runs it if that is an
interval ago; so N workers run it once per interval, also across restarts. A
worker that dies lets go of its locks.

A job that fails is logged (once, if it fails like that again), counted, and run again at
its next time. One that has much to do does a part of it at each run and keeps its place
itself, or says by a generator how far it is (see `storage.Jobs`): a stop waits for no
more than the step that is under way, and for that not long.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

from gateway.background.exclusive import Exclusive
from gateway.common import open_files, private
from gateway.common.steady import Steady
from gateway.telemetry.metrics import Key, Metrics

log = logging.getLogger("gateway.jobs")

POOL = 4
"""Jobs that a worker runs at once: a slow one stalls no other, until so many are slow."""
_TOLD = 1.0
"""Seconds between two notes of how far a job is."""
_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The last run of a job by any worker. Times are milliseconds since the epoch.
    `ended` None: it is under way, or was cut short by a crash and not looked at since.
    `error` is "" when it did not fail; `done` and `total` are its progress, where it told."""

    begun: int
    ended: int | None = None
    result: str = ""
    error: str = ""
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """What is known of a job, by all workers. `next`: when it is to run, in milliseconds
    since the epoch; `interval` is in seconds."""

    name: str
    interval: float
    last: Run | None
    next: int


@dataclass(slots=True, eq=False)
class _Job:
    name: str
    interval: float
    work: Callable[[], object]
    steady: Steady
    due: float = 0.0
    last: Run | None = None
    attended: bool = False
    ended: threading.Event = field(default_factory=threading.Event)


class Scheduler:
    """`folder` is the data folder, None when all is in memory (and there is one worker).
    `clock` gives milliseconds since the epoch."""

    def __init__(
        self, folder: Path | None, clock: Callable[[], int], metrics: Metrics | None = None
    ) -> None:
        self._kept, self._clock, self._metrics = folder is not None, clock, metrics
        self._exclusive = Exclusive(folder, "job")
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []
        self._idle = 0
        if metrics is not None:
            metrics.share(self._gauges)

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        """Run `work` each `interval` seconds. A job of that name is replaced."""
        job = _Job(name, interval, work, Steady(log, f"job {name} failed"))
        if not self._kept:
            job.due = time.monotonic() + interval
        self.remove(name)
        with self._changed:
            self._jobs[name] = job
            self._changed.notify()

    def remove(self, name: str) -> None:
        """Run it no more. A run that is under way goes on, to its next step if it has any."""
        with self._changed:
            job = self._jobs.pop(name, None)
        if job is not None:
            job.ended.set()

    def snapshot(self) -> tuple[JobState, ...]:
        """All jobs by name, with what any worker knows of them."""
        with self._changed:
            jobs = sorted(self._jobs.values(), key=lambda job: job.name)
        return tuple(map(self._state, jobs))

    def start(self) -> None:
        with self._changed:
            self._stopping = False
            for job in self._jobs.values():
                job.ended.clear()
            self._grow()

    def end(self) -> None:
        """Begin no further run."""
        with self._changed:
            self._stopping = True
            for job in self._jobs.values():
                job.ended.set()
            self._changed.notify_all()

    def stop(self, wait: float = 2.0) -> None:
        """Begin no further run, and give those that are under way `wait` seconds."""
        self.end()
        until = time.monotonic() + wait
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        self._threads = [one for one in self._threads if one.is_alive()]

    # the threads

    def _grow(self) -> None:
        """Let another wait for what is due next: one more, where all are at work."""
        if self._idle:
            self._changed.notify()
        elif len(self._threads) < POOL:
            name = f"jobs-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._attend_all, name=name, daemon=True)
            with suppress(RuntimeError):  # the system gives no more: those that are there do it
                thread.start()
                self._idle += 1
                self._threads.append(thread)

    def _attend_all(self) -> None:
        while (job := self._next()) is not None:
            # Whatever a job raises: the other jobs, and its own next run, depend on this thread.
            if not job.steady(partial(self._attend, job)):
                self._count("gateway_job_failures", job)
                job.due = time.monotonic() + job.interval
            with self._changed:
                job.attended = False
                self._idle += 1
                self._changed.notify()

    def _next(self) -> _Job | None:
        """Wait for a job that is due; None when the thread is to end."""
        with self._changed:
            while not self._stopping:
                waiting = (job for job in self._jobs.values() if not job.attended)
                job = min(waiting, key=lambda each: each.due, default=None)
                left = None if job is None else job.due - time.monotonic()
                if job is not None and left is not None and left <= 0:
                    job.attended = True
                    self._idle -= 1
                    self._grow()
                    return job
                self._changed.wait(left)
            self._idle -= 1
            return None

    def _attend(self, job: _Job) -> None:
        give_back, left = self._exclusive.take(job.name), job.interval
        if give_back is not None:
            try:
                left = self._left(job)
                if left <= 0:
                    left = job.interval
                    self._run(job)
            except BaseException:
                if not job.ended.is_set():
                    raise
                # What it works on may be closed by now. It is noted, and no news.
            finally:
                give_back()
        job.due = time.monotonic() + left

    def _run(self, job: _Job) -> None:
        begun = time.monotonic()
        self._note(job, Run(begun=self._clock()))
        try:
            result = job.work()
            if isinstance(result, Iterator):
                result = self._through(job, result)
        except BaseException as error:
            self._ended(job, error=f"{type(error).__name__}: {error}")
            raise
        else:
            self._ended(job, result=self._told(job, result))
        finally:
            self._count("gateway_job_runs", job)
            self._count("gateway_job_seconds", job, time.monotonic() - begun)

    def _told(self, job: _Job, result: object) -> str:
        """What is shown of it; of a mapping each number is counted."""
        if not isinstance(result, Mapping):
            return "" if result is None else str(result)
        for what, number in result.items():
            self._count("gateway_job_results", job, number, what)
        return ", ".join(f"{number} {what}" for what, number in sorted(result.items()))

    def _through(self, job: _Job, steps: Iterator[object]) -> object:
        """What a generator returns in the end, while its progress is noted."""
        told = float("-inf")
        while not job.ended.is_set():
            try:
                at = next(steps)
            except StopIteration as end:
                return end.value
            if time.monotonic() - told >= _TOLD:
                done, total = at if isinstance(at, tuple) else (at, None)
                assert job.last is not None
                self._note(job, replace(job.last, done=done, total=total))
                told = time.monotonic()
        return "ended early"

    def _ended(self, job: _Job, *, result: str = "", error: str = "") -> None:
        assert job.last is not None
        run = replace(job.last, ended=self._clock(), result=result[:_TEXT], error=error[:_TEXT])
        self._note(job, run)

    def _count(self, name: str, job: _Job, amount: float = 1, *labels: str) -> None:
        if self._metrics is not None:
            self._metrics.add(name, amount, job.name, *labels)

    # what workers know of each other

    def _left(self, job: _Job) -> float:
        """Seconds until it is to run, by when it last began in any worker. Nobody runs it."""
        last = self._last(job)
        if last is None:
            return 0.0
        if last.ended is None:
            self._note(job, replace(last, ended=self._clock(), error="its process ended"))
        passed = (self._clock() - last.begun) / 1000
        return job.interval - passed if passed >= 0 else 0.0  # a clock may have been set back

    def _last(self, job: _Job) -> Run | None:
        if not self._kept:
            return job.last
        try:
            said = json.loads(open_files.read(self._exclusive.file(job.name, "last")))
            # An earlier release wrote when it began, and nothing else.
            return Run(**said) if isinstance(said, dict) else Run(begun=int(said), ended=int(said))
        except (OSError, ValueError, TypeError):  # never, or a write that a crash cut short
            return None

    def _note(self, job: _Job, run: Run) -> None:
        job.last = run
        if self._kept:
            # A full disk must not stop the job that makes room; it only runs more often then.
            with suppress(OSError):
                place = self._exclusive.file(job.name, "last")
                private.write_text(place, json.dumps(asdict(run)))

    def _state(self, job: _Job) -> JobState:
        last, now = self._last(job), self._clock()
        if last is None:
            left = 0.0 if self._kept else max(job.due - time.monotonic(), 0)
            due = now + round(1000 * left)
        else:
            due = max(last.begun + round(1000 * job.interval), now)
        return JobState(name=job.name, interval=job.interval, last=last, next=due)

    def _gauges(self) -> Iterable[tuple[Key, float]]:
        for one in self.snapshot():
            yield ("gateway_job_next_run_timestamp_seconds", one.name), one.next / 1000
            if one.last is not None:
                yield ("gateway_job_failing", one.name), bool(one.last.error)
                if one.last.done is not None:
                    yield ("gateway_job_progress", one.name), one.last.done
                if one.last.total is not None:
                    yield ("gateway_job_progress_total", one.name), one.last.total
