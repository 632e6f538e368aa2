"""Background work: once per interval, whatever fails and however many workers there are."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from gateway.background.jobs import POOL, Run, Scheduler
from gateway.common import private
from gateway.storage.objects import now
from gateway.telemetry.metrics import Metrics
from tests.starting import Popen

ROOT = Path(__file__).parent.parent
PATIENCE = 120


class Clock:
    """Milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.time = 1_000_000

    def __call__(self) -> int:
        return self.time


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path if request.param == "disk" else None


def runs(jobs: Scheduler, name: str, interval: float) -> threading.Semaphore:
    """Released once for each run."""
    ran = threading.Semaphore(0)
    jobs.add(name, interval, ran.release)
    return ran


def test_a_job_runs_again_and_again(folder: Path | None) -> None:
    jobs = Scheduler(folder, now)
    ran = runs(jobs, "often", 0.02)
    jobs.start()
    assert all(ran.acquire(timeout=PATIENCE) for _ in range(3))
    jobs.stop()


def test_a_job_that_is_added_later_runs(folder: Path | None) -> None:
    jobs = Scheduler(folder, now)
    runs(jobs, "rare", 3600)
    jobs.start()
    assert runs(jobs, "often", 0.02).acquire(timeout=PATIENCE)
    jobs.stop()


@pytest.mark.parametrize("kind", [OSError, SystemExit])
def test_a_failure_is_logged_and_counted_and_all_goes_on(
    folder: Path | None, caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    metrics = Metrics()
    jobs = Scheduler(folder, now, metrics)
    failed = threading.Semaphore(0)

    def fail() -> None:
        failed.release()
        raise kind("the disk is gone")

    jobs.add("failing", 0.02, fail)
    ran = runs(jobs, "fine", 0.02)
    jobs.start()
    assert all(failed.acquire(timeout=PATIENCE) for _ in range(3))
    while ran.acquire(blocking=False):
        pass
    assert ran.acquire(timeout=PATIENCE)
    jobs.stop()
    text = metrics.exposition()[1].decode()
    assert 'gateway_job_failures_total{job="failing"}' in text
    assert 'gateway_job_failures_total{job="fine"}' not in text
    assert "job failing failed" in caplog.text
    assert "the disk is gone" in caplog.text


def test_it_begins_again_after_a_stop(folder: Path | None) -> None:
    jobs = Scheduler(folder, now)
    ran = runs(jobs, "often", 0.02)
    for _ in range(2):
        jobs.start()
        assert all(ran.acquire(timeout=PATIENCE) for _ in range(3))
        jobs.stop(PATIENCE)
        assert jobs._threads == []
        while ran.acquire(blocking=False):
            pass


def test_a_job_that_is_removed_runs_no_more(folder: Path | None) -> None:
    jobs = Scheduler(folder, now)
    ran = runs(jobs, "often", 0.01)
    jobs.start()
    assert ran.acquire(timeout=PATIENCE)
    jobs.remove("often")
    other = runs(jobs, "other", 0.01)
    assert all(other.acquire(timeout=PATIENCE) for _ in range(2))
    while ran.acquire(blocking=False):
        pass
    assert all(other.acquire(timeout=PATIENCE) for _ in range(3))
    assert not ran.acquire(blocking=False)
    jobs.stop()


def attended(jobs: Scheduler, name: str) -> None:
    """One look at a job, as the thread does when it is due."""
    jobs._attend(jobs._jobs[name])


def test_workers_share_an_interval_also_across_restarts(tmp_path: Path) -> None:
    clock = Clock()
    workers = [Scheduler(tmp_path, clock) for _ in range(3)]
    counts = [runs(jobs, "hourly: a/b", 3600) for jobs in workers]

    def total() -> int:
        return sum(one._value for one in counts)

    for jobs in workers:
        attended(jobs, "hourly: a/b")
    assert total() == 1
    clock.time += 3_599_000
    for jobs in workers:
        attended(jobs, "hourly: a/b")
    assert total() == 1
    clock.time += 1_000
    for jobs in workers:
        attended(jobs, "hourly: a/b")
    assert total() == 2
    later = Scheduler(tmp_path, clock)
    counts.append(runs(later, "hourly: a/b", 3600))
    attended(later, "hourly: a/b")
    assert total() == 2


def test_a_clock_that_was_set_back_does_not_stop_a_job(tmp_path: Path) -> None:
    clock = Clock()
    jobs = Scheduler(tmp_path, clock)
    ran = runs(jobs, "hourly", 3600)
    attended(jobs, "hourly")
    clock.time -= 10_000_000
    attended(jobs, "hourly")
    assert all(ran.acquire(blocking=False) for _ in range(2))


def test_a_record_that_a_crash_cut_short_does_not_stop_a_job(tmp_path: Path) -> None:
    jobs = Scheduler(tmp_path, now)
    ran = runs(jobs, "hourly", 3600)
    attended(jobs, "hourly")
    (record,) = (tmp_path / "jobs").glob("*.last")
    record.write_text("")
    attended(jobs, "hourly")
    assert all(ran.acquire(blocking=False) for _ in range(2))


def test_a_full_disk_does_not_stop_the_job_that_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **options: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(private, "write_text", fail)
    jobs = Scheduler(tmp_path, now)
    ran = runs(jobs, "removals", 0.02)
    jobs.start()
    assert all(ran.acquire(timeout=PATIENCE) for _ in range(3))
    jobs.stop()


def test_jobs_have_files_of_their_own_on_every_file_system(tmp_path: Path) -> None:
    jobs = Scheduler(tmp_path, now)
    names = ["con", "A", "a", "a:b", "a/b", "x" * 300, "x" * 299, "..", "ä*?"]
    for name in names:
        runs(jobs, name, 3600)
        attended(jobs, name)
    files = [file.name for file in (tmp_path / "jobs").glob("*.last")]
    assert len({name.lower() for name in files}) == len(names)
    assert all(len(name) < 130 and not set(name) & set('<>:"/\\|?*') for name in files)


@pytest.mark.usefixtures("processes")
def test_another_process_holds_the_lock_until_it_ends(tmp_path: Path) -> None:
    hold = (
        "import sys, threading; from pathlib import Path;"
        "from gateway.background.jobs import Scheduler; from gateway.storage.objects import now;"
        "jobs = Scheduler(Path(sys.argv[1]), now);"
        "jobs.add('held', 0.001, lambda: (print('held', flush=True), sys.stdin.read()));"
        "jobs._attend(jobs._jobs['held'])"
    )
    holder = Popen(
        [sys.executable, "-c", hold, str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        jobs = Scheduler(tmp_path, now)
        ran = runs(jobs, "held", 0.001)
        attended(jobs, "held")
        assert not ran.acquire(blocking=False)
        holder.kill()
        holder.wait(PATIENCE)
    attended(jobs, "held")
    assert ran.acquire(blocking=False)


# several at once


def test_a_slow_job_stalls_no_other(folder: Path | None) -> None:
    jobs = Scheduler(folder, now)
    go_on, inside = threading.Event(), threading.Semaphore(0)

    def work() -> None:
        inside.release()
        go_on.wait(PATIENCE)

    for number in range(3):
        jobs.add(f"slow {number}", 0.01, work)
    jobs.start()
    assert all(inside.acquire(timeout=PATIENCE) for _ in range(3))
    ran = runs(jobs, "fine", 0.01)
    assert all(ran.acquire(timeout=PATIENCE) for _ in range(3))
    assert not inside.acquire(blocking=False), "a slow job runs twice at once"
    assert len(jobs._threads) == POOL  # others of this process have theirs
    go_on.set()
    jobs.stop()


def test_a_job_that_fails_like_before_is_logged_once(
    folder: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, failed = Scheduler(folder, now), threading.Semaphore(0)

    def fail() -> None:
        failed.release()
        raise OSError("the disk is gone")

    jobs.add("failing", 0.01, fail)
    jobs.start()
    assert all(failed.acquire(timeout=PATIENCE) for _ in range(4))
    jobs.stop()
    assert [record.getMessage() for record in caplog.records] == ["job failing failed"]


def test_a_stop_wakes_who_waits_and_ends_a_long_job_between_two_steps(
    folder: Path | None,
) -> None:
    jobs, inside = Scheduler(folder, now), threading.Event()

    def steps() -> Iterator[int]:
        for number in range(1 << 30):
            inside.set()
            yield number

    jobs.add("long", 0.01, steps)
    runs(jobs, "rare", 3600)
    jobs.start()
    assert inside.wait(PATIENCE)
    threads = list(jobs._threads)
    assert threads
    jobs.stop(PATIENCE)
    assert not any(one.is_alive() for one in threads)
    state = jobs.snapshot()[0]
    assert state.last is not None and state.last.result == "ended early"


def test_what_fails_because_its_store_was_closed_is_no_news(
    folder: Path | None, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, inside, closed = Scheduler(folder, now), threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        closed.wait(PATIENCE)
        raise OSError("it is closed")

    jobs.add("job", 0.01, work)
    jobs.start()
    assert inside.wait(PATIENCE)
    jobs.remove("job")
    closed.set()
    jobs.stop(PATIENCE)
    assert not caplog.records


# what is known of them


def test_results_progress_and_next_times_are_known_to_all_workers(tmp_path: Path) -> None:
    clock, metrics, seen = Clock(), Metrics(), []
    one, other = Scheduler(tmp_path, clock), Scheduler(tmp_path, clock, metrics)

    def steps() -> Generator[tuple[int, int], None, str]:
        yield 3, 10
        seen.append(other.snapshot()[1].last)
        clock.time += 5_000
        return "7 removed"

    for jobs in (one, other):
        jobs.add("sweep", 60, steps)
        jobs.add("rare", 3600, lambda: 4)
    assert [state.last for state in other.snapshot()] == [None, None]
    attended(one, "sweep")
    attended(one, "rare")
    assert seen == [Run(begun=1_000_000, done=3, total=10)]
    rare, sweep = other.snapshot()
    assert (sweep.name, sweep.interval, sweep.next) == ("sweep", 60, 1_060_000)
    assert sweep.last == Run(begun=1_000_000, ended=1_005_000, result="7 removed", done=3, total=10)
    assert rare.last is not None and rare.last.result == "4"
    text = metrics.exposition()[1].decode()
    assert 'gateway_job_next_run_timestamp_seconds{job="sweep"} 1060.0' in text
    assert 'gateway_job_progress{job="sweep"} 3.0' in text
    assert 'gateway_job_progress_total{job="sweep"} 10.0' in text
    assert 'gateway_job_failing{job="sweep"} 0.0' in text


def test_what_a_job_says_in_numbers_is_counted(folder: Path | None) -> None:
    metrics = Metrics()
    jobs = Scheduler(folder, Clock(), metrics)
    jobs.add("sweep", 0, lambda: {"removed": 2, "kept": 1})
    for _ in range(2):
        attended(jobs, "sweep")
    (state,) = jobs.snapshot()
    assert state.last is not None and state.last.result == "1 kept, 2 removed"
    assert 'gateway_job_results_total{job="sweep",what="removed"} 4.0' in (
        metrics.exposition()[1].decode()
    )


def test_what_a_job_failed_by_is_known(folder: Path | None) -> None:
    metrics = Metrics()
    jobs = Scheduler(folder, Clock(), metrics)

    def fail() -> None:
        raise OSError("the disk is gone")

    jobs.add("failing", 60, fail)
    with pytest.raises(OSError):
        attended(jobs, "failing")
    (state,) = jobs.snapshot()
    assert state.last is not None and state.last.error == "OSError: the disk is gone"
    assert 'gateway_job_failing{job="failing"} 1.0' in metrics.exposition()[1].decode()


def test_a_run_that_a_crash_cut_short_is_known_at_the_next_look(tmp_path: Path) -> None:
    clock = Clock()
    killed, jobs = Scheduler(tmp_path, clock), Scheduler(tmp_path, clock)
    for each in (killed, jobs):
        runs(each, "job", 60)
    killed._note(killed._jobs["job"], Run(begun=clock(), done=3))
    attended(jobs, "job")
    (state,) = jobs.snapshot()
    assert state.last == Run(
        begun=clock(), ended=clock(), done=3, error="its process ended"
    )  # and it runs again when it would have


def test_what_an_earlier_release_wrote_is_understood(tmp_path: Path) -> None:
    clock = Clock()
    jobs = Scheduler(tmp_path, clock)
    ran = runs(jobs, "hourly", 3600)
    attended(jobs, "hourly")
    (record,) = (tmp_path / "jobs").glob("*.last")
    record.write_text(str(clock.time))
    assert ran.acquire(blocking=False)
    attended(jobs, "hourly")
    assert not ran.acquire(blocking=False)
    assert jobs.snapshot()[0].next == clock.time + 3_600_000
