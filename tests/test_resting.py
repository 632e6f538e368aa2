"""Added services of which there are many: they are opened when they are asked for, and rest."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.access.identity import Identity, visitor
from gateway.catalog import BindingRow, open_catalog
from gateway.config import Configuration, load
from gateway.services import resting
from gateway.services.keeping_up import KeepingUp
from gateway.services.kept_reports import KeptReports
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import BytesBody, NoJobs, NoSuchStore, Put, pieces
from gateway.telemetry.report_file import ReportFile

ROOT = Identity(key="key of root", account="root", access="admin")
AHEAD, MANY = 4, 10
CACHES = [f"cache-{number}" for number in range(MANY)]


class Site:
    """A data folder with a bucket and caches in front of it, and workers on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        file = folder / "gateway.toml"
        file.write_text('[server]\ndata = "data"\n[services.base]\ndriver = "local"\n', "utf-8")
        self.configuration = load(file, environ={})
        self.catalog = open_catalog(self.configuration, {})
        self.editor = ServiceEditor(self.configuration, self.catalog, folder=folder)
        self.opened: list[Runtime] = []

    def caches(self, **options: Any) -> Site:
        for sid in CACHES:
            self.editor.add(sid, "cache", {"source": "base", "refresh_after": "1h", **options})
        return self

    def worker(self) -> Runtime:
        runtime = open_runtime(self.configuration, environ={}, jobs=NoJobs())
        self.opened.append(runtime)
        runtime.access(ROOT, "base").put("k", BytesBody(b"first"), Put(size=5))
        return runtime

    def folders(self, sid: str) -> list[Path]:
        return [*(self.folder / "data" / "cache" / sid).glob("generation-*")]

    def close(self) -> None:
        for one in self.opened:
            one.close()
        self.catalog.close()


class Later:
    """What time it is for those that rest."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    clock = Later()
    monkeypatch.setattr(resting, "AHEAD", AHEAD)
    monkeypatch.setattr(resting.Resting.__init__, "__defaults__", (clock,))
    return clock


@pytest.fixture
def site(tmp_path: Path, later: Later) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def look(runtime: Runtime) -> None:
    KeepingUp(runtime.catalog.version, runtime.added).look()


def read(runtime: Runtime, sid: str) -> bytes:
    with runtime.access(ROOT, sid).get("k") as opened:
        return b"".join(pieces(opened.body))


def is_open(runtime: Runtime) -> set[str]:
    return set(runtime.added.all_open)


def idle(runtime: Runtime, later: Later) -> None:
    """As long as it takes."""
    look(runtime)
    later.now += resting.IDLE + 1
    look(runtime)
    look(runtime)


def test_so_many_are_opened_ahead_and_the_others_when_they_are_asked_for(
    site: Site, later: Later
) -> None:
    worker = site.caches().worker()
    look(worker)
    assert is_open(worker) == {*CACHES[:AHEAD]}
    assert not worker.added.pending
    assert [one.service.sid for one in worker.services(ROOT)] == ["base", *CACHES]
    assert worker.measured(ROOT).keys() == {"base", *CACHES}
    states = {one.sid: one.state for one in worker.operator(ROOT).services("", 100).items}
    assert (states["cache-0"], states["cache-9"]) == ("open", "resting")
    with pytest.raises(NoSuchStore):
        worker.access(ROOT, "absent")
    assert len(is_open(worker)) == AHEAD, "lists and what is not there open nothing"
    assert [read(worker, sid) for sid in CACHES] == [b"first"] * MANY
    assert is_open(worker) == {*CACHES}


def test_what_nobody_asks_for_is_closed_and_keeps_what_it_has(site: Site, later: Later) -> None:
    worker = site.caches().worker()
    for sid in CACHES:
        read(worker, sid)
    store = worker.access(ROOT, CACHES[0]).service.store
    worker.access(ROOT, "base").put("k", BytesBody(b"other"), Put(size=5))
    idle(worker, later)
    assert len(is_open(worker)) == AHEAD
    assert not worker.added.retired
    assert [one.service.sid for one in worker.services(ROOT)] == ["base", *CACHES]
    assert [read(worker, sid) for sid in CACHES] == [b"first"] * MANY
    assert worker.access(ROOT, CACHES[0]).service.store is not store


def test_what_is_used_stays(site: Site, later: Later) -> None:
    worker = site.caches().worker()
    site.editor.add("front", "image", {"source": "cache-9"})
    held = worker.access(ROOT, "cache-8")
    read(worker, "front")
    for sid in CACHES[:-1]:
        read(worker, sid)
    look(worker)
    later.now += resting.IDLE + 1
    read(worker, "front")
    look(worker)
    assert {"front", "cache-9", "cache-8"} <= is_open(worker), "c9 is behind one that was asked for"
    del held
    idle(worker, later)
    assert len(is_open(worker)) == AHEAD
    read(worker, "front")
    assert {"front", "cache-9"} <= is_open(worker)


def test_what_is_in_memory_alone_does_not_rest(site: Site, later: Later) -> None:
    worker = site.caches(space="memory").worker()
    for sid in CACHES:
        read(worker, sid)
    idle(worker, later)
    assert is_open(worker) == {*CACHES}


def test_no_more_are_open_than_there_are_files_for(
    site: Site, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though all were asked for a moment ago: those that were unused for longest go."""
    monkeypatch.setattr(resting, "most_files", lambda: 6 * resting._SHARE * resting._FILES)
    worker = site.caches().worker()
    for turn in range(2):
        for sid in CACHES:
            later.now += 1
            assert read(worker, sid) == b"first"
            look(worker)
            assert len(is_open(worker)) <= 6, (turn, sid)
    assert {*CACHES[-4:]} <= is_open(worker)
    monkeypatch.setattr(resting, "most_files", lambda: 1)
    for sid in CACHES:
        assert read(worker, sid) == b"first"
    assert len(is_open(worker)) <= 2, "who opens one has others closed, without waiting for a look"


@pytest.mark.usefixtures("seconds")
def test_nobody_meets_a_closed_store_while_they_come_and_go(
    site: Site, later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resting, "most_files", lambda: 3 * resting._SHARE * resting._FILES)
    monkeypatch.setattr(resting, "IDLE", 0.0)
    worker = site.caches().worker()
    over = threading.Event()

    def looking() -> None:
        while not over.is_set():
            later.now += 1
            look(worker)

    def reading(first: int) -> list[bytes]:
        return [read(worker, CACHES[(first + one) % MANY]) for one in range(20)]

    with ThreadPoolExecutor(5) as pool:
        follows = pool.submit(looking)
        try:
            found = [*pool.map(reading, range(0, 8, 2))]
        finally:
            over.set()
        follows.result()
    assert found == [[b"first"] * 20] * 4
    look(worker)
    look(worker)
    assert len(is_open(worker)) <= 3
    assert not worker.added.retired


def test_what_rests_is_opened_now_and_then_so_that_it_tidies_up(site: Site, later: Later) -> None:
    worker = site.caches().worker()
    look(worker)
    seen = set[str]()
    for _ in range(3 * MANY):
        later.now += resting.VISIT
        look(worker)
        seen |= is_open(worker)
    assert seen == {*CACHES}
    assert len(is_open(worker)) <= AHEAD + 1 + resting.IDLE / resting.VISIT


def test_what_it_kept_goes_with_it_though_nobody_had_opened_it(site: Site, later: Later) -> None:
    before = site.caches().worker()
    for sid in CACHES:
        read(before, sid)
    before.close()
    workers = [site.worker(), site.worker()]
    for worker in workers:
        look(worker)
    assert "cache-9" not in is_open(workers[0])
    assert len(site.folders("cache-9")) == 1
    site.editor.remove("cache-9")
    look(workers[0])
    assert not site.folders("cache-9")
    look(workers[1])
    assert not workers[1].added.retired
    assert len(site.folders("cache-8")) == 1
    site.editor.add("cache-9", "cache", {"source": "base"})
    assert [read(worker, "cache-9") for worker in workers] == [b"first"] * 2


def test_what_changed_while_it_rested_is_what_it_is_now(site: Site, later: Later) -> None:
    site.editor.add("inner", "local", {"folder": "first"})
    site.editor.add("zone", "cache", {"source": "inner", "refresh_after": "1h"})
    worker = site.caches().worker()
    look(worker)
    worker.access(ROOT, "inner").put("k", BytesBody(b"one"), Put(size=3))
    assert read(worker, "zone") == b"one"
    look(worker)
    later.now += resting.IDLE + 1
    for sid in CACHES:
        read(worker, sid)
    look(worker)
    assert "zone" not in is_open(worker)
    assert "inner" in is_open(worker), "only what does nothing by itself rests"
    site.editor.change("inner", {"folder": "second"})
    worker.access(ROOT, "inner").put("k", BytesBody(b"two"), Put(size=3))
    assert read(worker, "zone") == b"two"


# what a request costs


def test_a_request_costs_no_more_where_there_are_many() -> None:
    few, many = _steps(1), _steps(200)
    assert many <= few + 5, "a dictionary may be larger"


def _steps(number: int) -> int:
    """Bytecodes' lines of Python for one GET of a cached object, the least of some."""
    configuration: Configuration = load(
        tables={"server": {"memory": True}, "services": {"base": {"driver": "memory"}}},
        environ={},
    )
    runtime = open_runtime(configuration, environ={})
    try:
        catalog = runtime.catalog
        for one in range(number):
            sid = f"cache-{one}"
            options = {"source": "base"}
            catalog.add_store(sid, "root", "cache", options, since=catalog.stores_number())
            row = BindingRow(f"{sid}.example", 0, "/", "public", sid)
            catalog.add_binding(row, since=catalog.stores_number())
        runtime.access(ROOT, "base").put("k", BytesBody(b"x" * 1024), Put(size=1024))
        return min(_lines(runtime, f"cache-{number - 1}") for _ in range(6))
    finally:
        runtime.close()


def _lines(runtime: Runtime, sid: str) -> int:
    counted = 0

    def trace(_frame: Any, event: str, _argument: Any) -> Any:
        nonlocal counted
        counted += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with runtime.access(visitor(sid, "read"), sid).get("k") as opened:
            assert len(opened.body.read()) == 1024
    finally:
        sys.settrace(before)
    return counted


def test_who_asks_what_was_served_opens_none(site: Site, later: Later) -> None:
    worker = site.caches().worker()
    worker.reports = KeptReports(ReportFile(), worker.looked_at, worker.clock)
    look(worker)
    before = is_open(worker)
    other = Identity(key="other", account="other", access="own")
    owner = Identity(key="owner", account="root", access="own")
    assert worker.reports.total(owner, CACHES, 0, 300).hits == 0
    with pytest.raises(NoSuchStore):
        worker.reports.total(other, CACHES[-1:], 0, 300)
    with pytest.raises(NoSuchStore):
        worker.reports.total(owner, ["none"], 0, 300)
    assert is_open(worker) == before == {*CACHES[:AHEAD]}
    worker.access(ROOT, CACHES[-1])
    assert worker.reports.total(owner, CACHES, 0, 300).hits == 0
