"""What stores run behind the requests, while one configuration takes another's place."""

from __future__ import annotations

from threading import Thread

from gateway.background.jobs import Scheduler
from gateway.services.behind import Behind, OwnJobs
from gateway.storage import Threads
from tests.test_jobs import attended


def test_what_a_store_took_over_goes_on_where_it_was_when_it_is_given_up() -> None:
    scheduler, behind = Scheduler(None, lambda: 0), Behind()
    old, new = OwnJobs(scheduler, behind), OwnJobs(scheduler, behind)
    ran: list[str] = []
    old.add("sweep", 60, lambda: ran.append("old"))
    new.add("sweep", 60, lambda: ran.append("new"))
    new.remove("sweep")
    attended(scheduler, "sweep")
    assert ran == ["old"]


def test_all_of_one_ends_with_it() -> None:
    scheduler, behind = Scheduler(None, lambda: 0), Behind()
    jobs = OwnJobs(scheduler, behind)
    for name in ("sweep", "count"):
        jobs.add(name, 60, lambda: None)
    jobs.close()
    assert scheduler.snapshot() == ()


def test_what_runs_behind_the_requests_takes_no_place_of_theirs() -> None:
    scheduler, behind = Scheduler(None, lambda: 0), Behind()
    behind.threads = Threads(1)
    part, other = behind.threads.part(), behind.threads.part()
    OwnJobs(scheduler, behind).add("waits", 60, part.take)
    waiting = Thread(target=attended, args=(scheduler, "waits"))
    waiting.start()
    waiting.join()
    assert other.take(), "the only place is taken"
    other.give()
