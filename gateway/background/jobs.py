"""Background work: named tasks with an interval, each run by one worker at a time.

Every worker has one thread that looks after all jobs. Whoever finds a job
due takes its lock file in `<data>/jobs`, reads when it last ran anywhere, and
runs it if that is an interval ago; so N workers run it once per interval,
also across restarts. A worker that dies lets go of its locks.

A job that fails is logged, counted, and run again at its next time. One that
has much to do does a part of it at each run and keeps its place itself: it
shares the thread with all the others.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from gateway.common import private
from gateway.common.locks import FileLock
from gateway.telemetry.metrics import Metrics

log = logging.getLogger("gateway.jobs")
_NAME_LIMIT = 100


@dataclass(slots=True)
class _Job:
    name: str
    interval: float
    work: Callable[[], object]
    due: float = 0.0
    last: int | None = None
    busy: threading.Lock = field(default_factory=threading.Lock)


def _file_name(name: str) -> str:
    """A name that every file system takes; different for different jobs."""
    safe = quote(name, safe="").replace("~", "%7E").replace("*", "%2A")
    if safe != safe.lower() or len(safe) > _NAME_LIMIT:  # file systems may fold case
        safe = f"{safe[:40].lower()}-{hashlib.sha256(name.encode()).hexdigest()[:24]}"
    return f"job-{safe}"


class Scheduler:
    """`folder` is the data folder, None when all is in memory (and there is one worker).
    `clock` gives milliseconds since the epoch."""

    def __init__(
        self, folder: Path | None, clock: Callable[[], int], metrics: Metrics | None = None
    ) -> None:
        self._folder = None if folder is None else folder / "jobs"
        self._clock, self._metrics = clock, metrics
        self._jobs: dict[str, _Job] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        """Run `work` each `interval` seconds. A job of that name is replaced."""
        job = _Job(name, interval, work)
        if self._folder is None:
            job.due = time.monotonic() + interval
        with self._changed:
            self._jobs[name] = job
            self._changed.notify()

    def remove(self, name: str) -> None:
        """Run it no more. A run that is under way goes on."""
        with self._changed:
            self._jobs.pop(name, None)

    def run_now(self, name: str) -> None:
        """Run it here and now, after a run that is under way. Raises what it raises."""
        job = self._jobs[name]
        with self._alone(job, wait=True) as alone:
            assert alone
            self._run(job)

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._schedule, name="jobs", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Begin no further run."""
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def stop(self, wait: float = 5.0) -> None:
        """Begin no further run, and give one that is under way `wait` seconds."""
        self.end()
        if self._thread is not None:
            self._thread.join(wait)
            self._thread = None

    # the thread

    def _schedule(self) -> None:
        while (job := self._next()) is not None:
            try:
                self._attend(job)
            except BaseException:
                # Whatever a job raises, also what ends other threads: the other jobs, and its
                # own next run, depend on this one.
                log.exception("job %s failed", job.name)
                self._count("gateway_job_failures", job)
                job.due = time.monotonic() + job.interval

    def _next(self) -> _Job | None:
        """Wait for the job that is due; None when the thread is to end."""
        with self._changed:
            while not self._stopping:
                job = min(self._jobs.values(), key=lambda each: each.due, default=None)
                left = None if job is None else job.due - time.monotonic()
                if job is not None and left is not None and left <= 0:
                    return job
                self._changed.wait(left)
            return None

    def _attend(self, job: _Job) -> None:
        with self._alone(job, wait=False) as alone:
            if alone:
                left = self._left(job)
                if left <= 0:
                    self._run(job)
                    left = job.interval
            else:
                left = job.interval
        job.due = time.monotonic() + left

    def _run(self, job: _Job) -> None:
        begun = time.monotonic()
        self._remember(job)
        try:
            job.work()
        finally:
            self._count("gateway_job_runs", job)
            self._count("gateway_job_seconds", job, time.monotonic() - begun)

    def _count(self, name: str, job: _Job, amount: float = 1) -> None:
        if self._metrics is not None:
            self._metrics.add(name, amount, job.name)

    # what workers know of each other

    @contextmanager
    def _alone(self, job: _Job, *, wait: bool) -> Iterator[bool]:
        """Whether no other thread or process runs it, which then holds until the end."""
        if self._folder is None:
            got = job.busy.acquire(blocking=wait)
            try:
                yield got
            finally:
                if got:
                    job.busy.release()
            return
        private.own_folder(self._folder)
        lock = FileLock(self._folder / f"{_file_name(job.name)}.lock")
        try:
            if wait:
                lock.acquire()
            yield wait or lock.try_acquire()
        finally:
            lock.close()

    def _left(self, job: _Job) -> float:
        """Seconds until it is to run, by when it last began in any worker."""
        last = job.last
        if self._folder is not None:
            try:
                last = int((self._folder / f"{_file_name(job.name)}.last").read_text())
            except (FileNotFoundError, ValueError):  # never, or a write that a crash cut short
                last = None
        if last is None:
            return 0.0
        passed = (self._clock() - last) / 1000
        return job.interval - passed if passed >= 0 else 0.0  # a clock may have been set back

    def _remember(self, job: _Job) -> None:
        job.last = self._clock()
        if self._folder is not None:
            # A full disk must not stop the job that makes room; it only runs more often then.
            with suppress(OSError):
                place = self._folder / f"{_file_name(job.name)}.last"
                private.write_text(place, str(job.last))
