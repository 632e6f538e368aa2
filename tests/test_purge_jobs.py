"""Purge jobs (`services.purge_jobs`): what they name, who may begin them, and that one that is
finished is finished in every worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.catalog.schema import PURGE_FILES
from gateway.config import load
from gateway.modes.purge_jobs import PurgeJob, PurgeJobs
from gateway.plugins.finding import Plugins
from gateway.services import purge_jobs
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import BytesBody, Full, Purge, Put, StorageError, Unavailable
from tests import catalogs


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")

CONFIGURATION = """
[server]
data = "data"
memory = {memory}
[cdn]
suffix = "cdn.test"
"""
KEYS = ("a", "b/c", "b/d e", "b/é", "index.html", "b/index.html")
DOMAIN = "a1-1.cdn.test"


@cache
def _plugins() -> Plugins:
    return Plugins.load()


Start = Callable[..., Runtime]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Opens gateways of one data folder, as several workers would; or one in memory."""
    catalogs.without_delay(monkeypatch)
    opened = list[Runtime]()

    def open_one(kind: str = "sqlite", **options: Any) -> Runtime:
        file = tmp_path / "gateway.toml"
        memory = str(kind == "memory").lower()
        file.write_text(CONFIGURATION.format(memory=memory) + catalogs.table(kind))
        runtime = open_runtime(load(file, environ={}, plugins=_plugins()), environ={}, **options)
        opened.append(runtime)
        if not runtime.zones.list(ALICE):
            site = runtime.storages.make(ALICE, "site", "europe").number
            more = {"expiration": 86_400, "custom_domains": ["alice.test"]}
            runtime.zones.make(ALICE, {"storage_id": site, "object_size": "small", **more})
        return runtime

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture(params=catalogs.QUICK)
def runtime(request: pytest.FixtureRequest, start: Start) -> Runtime:
    return start(request.param)


def write(runtime: Runtime, body: bytes) -> None:
    """Behind the cache's back; `b/c` has a tag."""
    for key in KEYS:
        headers = (("Surrogate-Key", "spring"),) if key == "b/c" else ()
        options = Put(size=len(body), headers=headers)
        runtime.access(ALICE, "site").put(key, BytesBody(body), options)


def read(runtime: Runtime) -> dict[str, bytes]:
    found = {}
    for key in KEYS:
        with runtime.access(ALICE, "zone-1").get(key) as opened:
            found[key] = opened.body.read(10)
    return found


def forgotten(runtime: Runtime) -> list[str]:
    """Of what was fetched before it was written anew."""
    return [key for key, body in read(runtime).items() if body == b"new"]


def outcome(act: Callable[..., object], *arguments: object, **options: object) -> str:
    try:
        act(*arguments, **options)
    except StorageError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


@pytest.fixture
def jobs(runtime: Runtime) -> PurgeJobs:
    return runtime.purge_jobs


NAMED: dict[str, tuple[Sequence[str], dict[str, Any], list[str]]] = {
    "nothing": ((), {}, list(KEYS)),
    "a path": (("/a",), {}, ["a"]),
    "an address": ((f"http://{DOMAIN}/b/c?version=3",), {}, ["b/c"]),
    "an address of a domain": (
        ("HTTPS://Alice.test:443/a#top", "//alice.test/b/c"),
        {},
        ["a", "b/c"],
    ),
    "what is quoted": (("/b/d%20e", "/b/%C3%A9"), {}, ["b/d e", "b/é"]),
    "what is not": (("/b/d e", "/b/é"), {}, ["b/d e", "b/é"]),
    "a folder": (("/b/",), {}, ["b/index.html"]),
    "the root": ((f"http://{DOMAIN}",), {}, ["index.html"]),
    "a prefix": ((), {"prefixes": ["/b/"]}, ["b/c", "b/d e", "b/é", "b/index.html"]),
    "a tag": ((), {"tags": ["spring"]}, ["b/c"]),
    "several": (("/a",), {"tags": ["spring"], "prefixes": ["/index"]}, ["a", "b/c", "index.html"]),
    "what is not there": (("/none",), {}, []),
}


def test_what_a_job_names_is_forgotten_and_nothing_else(start: Start) -> None:
    runtime = start("memory")
    jobs = runtime.purge_jobs
    for name, (files, more, keys) in NAMED.items():
        write(runtime, b"old")
        runtime.flush(ROOT, "zone-1", Purge())
        assert forgotten(runtime) == [], name
        write(runtime, b"new")
        made = jobs.begin(ALICE, 1, files, **more)
        assert (made.status, forgotten(runtime)) == ("waiting", []), name
        assert jobs.carry_out() == {"finished": 1, "failed": 0, "forgotten": 0}, name
        assert (jobs.find(ALICE, made.id).status, forgotten(runtime)) == ("finished", keys), name


def test_a_finished_one_is_finished_in_every_worker(start: Start) -> None:
    here, there = start(), start()
    write(here, b"old")
    assert forgotten(here) == forgotten(there) == []
    write(here, b"new")
    made = there.purge_jobs.begin(ALICE, 1, ["/a"])
    here.purge_jobs.carry_out()
    assert there.purge_jobs.find(ALICE, made.id).status == "finished"
    assert forgotten(there) == forgotten(here) == ["a"]
    here.purge_jobs.begin(ALICE, 1)
    there.purge_jobs.carry_out()
    assert forgotten(here) == list(KEYS)


def test_a_soft_one_only_makes_stale(jobs: PurgeJobs, runtime: Runtime) -> None:
    """The source is asked whether it is still so; of what is gone it is asked for all."""
    write(runtime, b"old")
    said = dict[bool, str]()
    for soft in (True, False):
        read(runtime)
        made = jobs.begin(ALICE, 1, ["/a"], soft=soft)
        jobs.carry_out()
        assert jobs.find(ALICE, made.id).soft is soft
        with runtime.access(ALICE, "zone-1").get("a") as opened:
            said[soft] = opened.trace[0]
    assert "fwd=stale" in said[True]
    assert "fwd=uri-miss" in said[False]


def test_one_that_was_cut_short_is_carried_out_again(runtime: Runtime, jobs: PurgeJobs) -> None:
    made = jobs.begin(ALICE, 1, ["/a"])
    (row,) = runtime.catalog.open_purge_jobs()
    runtime.catalog.run_purge_job(row.number)  # and its process has died
    assert jobs.find(ALICE, made.id).status == "running"
    assert outcome(jobs.remove, ALICE, made.id) == (
        "Conflict: The purge job is running: only one that waits or is finished can go."
    )
    assert jobs.carry_out()["finished"] == 1
    assert jobs.find(ALICE, made.id).status == "finished"


def test_one_that_fails_says_why(
    jobs: PurgeJobs, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = jobs.begin(ALICE, 1, ["/a"])
    errors: list[StorageError] = [Unavailable(), Full("No room for a mark.")]
    service = runtime.access(ROOT, "zone-1").service

    def fail(_: object) -> None:
        raise errors[0]

    monkeypatch.setattr(service.store, "purge_all", fail)
    for _ in range(2):
        assert jobs.carry_out() == {"finished": 0, "failed": 0, "running": 1, "forgotten": 0}
    del errors[0]
    assert jobs.carry_out()["failed"] == 1
    found = jobs.find(ALICE, made.id)
    assert (found.status, found.problem) == ("failed", "No room for a mark.")
    assert outcome(jobs.remove, ALICE, made.id).startswith("Conflict: The purge job is failed")
    assert jobs.carry_out()["failed"] == 0


def test_a_cache_that_cannot_be_reached_is_tried_for_a_minute(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1_000_000]
    runtime = start("memory", clock=lambda: now[0])
    jobs = runtime.purge_jobs
    made = jobs.begin(ALICE, 1, ["/a"])

    def fail(_: object) -> None:
        raise Unavailable("It is away.")

    monkeypatch.setattr(runtime.access(ROOT, "zone-1").service.store, "purge_all", fail)
    now[0] += purge_jobs.PATIENCE
    assert jobs.carry_out()["running"] == 1
    now[0] += 1
    assert jobs.carry_out()["failed"] == 1
    assert jobs.find(ALICE, made.id).problem == "It is away."


def test_of_a_zone_that_is_gone_nothing_is_left(runtime: Runtime, jobs: PurgeJobs) -> None:
    made = jobs.begin(ALICE, 1)
    runtime.zones.drop(ALICE, 1)
    assert jobs.carry_out()["finished"] == 1
    assert jobs.find(ALICE, made.id).status == "finished"


def test_another_origin_takes_nothing_from_a_cache_until_that_is_purged(start: Start) -> None:
    runtime = start()
    write(runtime, b"old")
    read(runtime)
    other = runtime.storages.make(ALICE, "other", "europe").number
    for key in KEYS:
        runtime.access(ALICE, "other").put(key, BytesBody(b"new"), Put(size=3))
    runtime.zones.patch(ALICE, 1, {"storage_id": other})
    assert forgotten(runtime) == []
    runtime.purge_jobs.begin(ALICE, 1, ["/a"])
    runtime.purge_jobs.carry_out()
    assert forgotten(runtime) == ["a"]


def test_who_may_begin_and_see_which(jobs: PurgeJobs) -> None:
    made = jobs.begin(ALICE, 1, ["/a"])
    assert outcome(jobs.begin, BOB, 1) == "NotFound: There is no zone 1."
    assert outcome(jobs.begin, ALICE, 2) == "NotFound: There is no zone 2."
    for call in (jobs.find, jobs.remove):
        assert outcome(call, BOB, made.id) == f"NotFound: There is no purge job {made.id!r}."
        assert outcome(call, ALICE, "no\0\ud800ne").startswith("NotFound: There is no purge job")
        for other in (ANONYMOUS, who("alice", "write-all"), who("alice", {"zone-1": "admin"})):
            assert outcome(call, other, made.id).startswith("Forbidden")
    assert outcome(jobs.list, ANONYMOUS).startswith("Forbidden")
    assert jobs.list(BOB) == jobs.list(ROOT) == []
    assert jobs.find(ROOT, made.id) == made
    assert jobs.begin(ROOT, 1).account == "alice"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no path": ({"files": ["a"]}, "files: 'a' is no path that begins with / and no address."),
    "empty": ({"files": [""]}, "files: '' is no path"),
    "a scheme": ({"files": [f"ftp://{DOMAIN}/a"]}, "is no path"),
    "no address": ({"files": ["http://[/a"]}, "is no path"),
    "another host": ({"files": ["/a", "http://b.test/a"]}, "'http://b.test/a' is no address of"),
    "one like it": ({"files": [f"http://x{DOMAIN}/a"]}, "is no address of this zone"),
    "a NUL": ({"files": ["/a%00b"]}, "'/a%00b' is a path that nobody can ask for."),
    "no UTF-8": ({"files": ["/a%ff"]}, "is a path that nobody can ask for."),
    "half a letter": ({"files": ["/\ud800"]}, "is a path that nobody can ask for."),
    "too long": ({"files": ["/" + "a" * 1025]}, "is a path that nobody can ask for."),
    "too many": ({"files": ["/a"] * 10_001}, "files: a job has at most 10000, and these are 10001"),
    "a prefix": ({"prefixes": ["b/"]}, "prefixes: 'b/' does not begin with a slash."),
    "prefixes": ({"prefixes": ["/"] * 101}, "prefixes: a job has at most 100, and these are 101"),
    "a tag": ({"tags": ["a b"]}, "tags: 'a b' is no tag."),
    "no tag": ({"tags": [""]}, "tags: '' is no tag."),
    "tags": ({"tags": ["a"] * 101}, "tags: a job has at most 100, and these are 101."),
}


def test_what_nobody_could_mean_is_refused(start: Start) -> None:
    jobs = start("memory").purge_jobs
    for name, (given, message) in REFUSED.items():
        said = outcome(jobs.begin, ALICE, 1, **given)
        assert said.startswith("InvalidRequest: "), name
        assert message in said, name
    assert jobs.list(ALICE) == []


def files_kept(runtime: Runtime) -> int:
    """Of how many jobs more files are there than lists have."""
    with runtime.catalog._database.reading() as connection:
        return len(connection.execute(select(PURGE_FILES.c.job)).all())


def test_ten_thousand_files_are_one_mark_and_no_burden_for_lists(
    runtime: Runtime, jobs: PurgeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [f"/photos/2026/{number}.jpg" for number in range(10_000)]
    marked = list[object]()
    service = runtime.access(ROOT, "zone-1").service
    marks = service.store._marks  # type: ignore[attr-defined]
    write = marks._write

    def counted(operation: object, **how: object) -> object:
        marked.append(operation)
        return write(operation, **how)

    monkeypatch.setattr(marks, "_write", counted)
    made = jobs.begin(ALICE, 1, files)
    assert (len(made.files), made.count) == (10_000, 10_000)
    assert made.files[-1] == f"http://{DOMAIN}/photos/2026/9999.jpg"
    assert jobs.carry_out()["finished"] == 1
    assert len(marked) == 1
    (listed,) = jobs.list(ALICE)
    assert (len(listed.files), listed.count, listed.files) == (20, 10_000, made.files[:20])
    assert files_kept(runtime) == 1
    jobs.remove(ALICE, made.id)
    assert files_kept(runtime) == 0
    assert jobs.list(ALICE) == []
    assert outcome(jobs.find, ALICE, made.id).startswith("NotFound")


def test_lists_are_by_status_the_newest_first(jobs: PurgeJobs) -> None:
    first, second = (jobs.begin(ALICE, 1, [f"/{number}"]) for number in range(2))
    jobs.carry_out()
    third = jobs.begin(ALICE, 1, ["/2"], prefixes=["/x"], tags=["y"])

    def ids(found: Sequence[PurgeJob]) -> list[str]:
        return [one.id for one in found]

    assert ids(jobs.list(ALICE)) == [third.id, second.id, first.id]
    assert ids(jobs.list(ALICE, limit=2)) == [third.id, second.id]
    assert ids(jobs.list(ALICE, "finished", 1)) == [second.id]
    assert jobs.list(ALICE, "waiting") == [third]
    assert jobs.list(ALICE, "failed") == []
    jobs.remove(ALICE, third.id)  # it is not carried out
    assert jobs.carry_out()["finished"] == 0


def test_nobody_waits_for_all_that_another_has_asked_for(
    runtime: Runtime, jobs: PurgeJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = runtime.storages.make(BOB, "bobs-site", "europe").number
    zone = runtime.zones.make(BOB, {"storage_id": site, "object_size": "small"}).number
    for path in ("/1", "/2", "/3"):
        jobs.begin(ALICE, 1, [path])
    jobs.begin(BOB, zone, ["/b"])
    numbers, done = [one.number for one in runtime.catalog.open_purge_jobs()], list[int]()
    run = runtime.catalog.run_purge_job

    def noted(number: int) -> object:
        done.append(number)
        return run(number)

    monkeypatch.setattr(runtime.catalog, "run_purge_job", noted)
    assert jobs.carry_out()["finished"] == 4
    assert done == [numbers[0], numbers[3], numbers[1], numbers[2]]


def test_what_is_kept_is_bounded(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000]
    jobs = start("memory", clock=lambda: now[0]).purge_jobs
    monkeypatch.setattr(purge_jobs, "WAITING", 3)
    monkeypatch.setattr(purge_jobs, "KEPT", 2)
    made = [jobs.begin(ALICE, 1).id for _ in range(3)]
    more = outcome(jobs.begin, ALICE, 1)
    assert more == "InvalidRequest: 3 purge jobs wait to be carried out: wait for them."
    jobs.carry_out()
    now[0] += 1
    made.append(jobs.begin(ALICE, 1).id)
    assert [one.id for one in jobs.list(ALICE)] == made[:0:-1]
    jobs.carry_out()
    now[0] += purge_jobs.DAYS * 86_400_000
    assert jobs.carry_out()["forgotten"] == 2
    assert [one.id for one in jobs.list(ALICE)] == made[3:]


def test_ids_are_no_guess(jobs: PurgeJobs) -> None:
    first, second = jobs.begin(ALICE, 1), jobs.begin(ALICE, 1)
    assert len(first.id) == 32
    assert first.id != second.id
    assert abs(first.created - time.time() * 1000) < 60_000
