"""Services of the catalog that are hidden by declared ones, fail, hang, or do not close well:
nothing else suffers by it, and whoever has to mend it is told once."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.commands.main import main
from gateway.hookspecs import hookimpl
from gateway.plugins.finding import Plugins
from gateway.services import openings
from gateway.services.chain import ChainError
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service import Identification, Service
from gateway.services.upstream_accounts import UpstreamAccount
from gateway.storage import (
    BucketInfo,
    Buckets,
    Conflict,
    Context,
    Get,
    Jobs,
    NoJobs,
    NoSuchKey,
    NoSuchStore,
    Opened,
    Place,
    Store,
    Unavailable,
    Versions,
)
from tests import catalogs
from tests.test_added import ROOT, Site, look, put
from tests.test_chain import JOURNAL, Sample

HANGS: dict[str, threading.Event] = {}
"""By sid: what those wait for that `hang`."""


@dataclass(eq=False)
class Odd(Store):
    """`fault`: when it does what no driver should."""

    driver: ClassVar[str] = "odd"
    fault: str = ""
    folder: Path | None = None

    def places(self, folder: Path | None, sid: str) -> tuple[Place, ...]:
        return () if self.folder is None else (Place(folder=self.folder, owner=self.fault),)

    def open(self, context: Context) -> None:
        self.sid = context.sid
        JOURNAL.append(f"open {self.sid}")
        if self.fault == "hangs":
            assert HANGS[self.sid].wait(60)
        if self.fault == "open":
            raise TypeError("foreign code")

    def close(self) -> None:
        JOURNAL.append(f"close {self.sid}")
        if self.fault == "close":
            raise TypeError("foreign code")

    def get(self, key: str, want: Get = Get()) -> Opened:
        raise NoSuchKey(key=key)


@dataclass(eq=False)
class Many(Odd, Buckets):
    driver: ClassVar[str] = "many"

    def buckets(self) -> list[BucketInfo]:
        return [BucketInfo(name=name, created=0) for name in ("photos", "broken")]

    def bucket(self, name: str) -> Store:
        return Odd()

    def create(self, name: str, *, protects: bool = False, volume: str = "") -> BucketInfo:
        raise NotImplementedError

    def drop(self, name: str) -> None:
        raise NotImplementedError


class More(Sample):
    @hookimpl
    def gateway_drivers(self) -> list[type[Store]]:
        return [*super().gateway_drivers(), Odd, Many]


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    plugins = Plugins.load()
    plugins.register(More(), "sample")
    return plugins


class Time:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def site(tmp_path: Path, plugins: Plugins) -> Iterator[Site]:
    JOURNAL.clear()
    HANGS.clear()
    site = Site(tmp_path, plugins, catalogs.table("sqlite"))
    yield site
    for event in HANGS.values():
        event.set()
    site.close()


def worker(site: Site, clock: Time | None = None, jobs: Jobs | None = None) -> Runtime:
    runtime = open_runtime(site.configuration, environ={}, clock=clock or Time(), jobs=jobs)
    site.opened.append(runtime)
    return runtime


def told(caplog: pytest.LogCaptureFixture, word: str) -> list[logging.LogRecord]:
    return [one for one in caplog.records if word in one.getMessage()]


# hidden


DECLARED = '[services.mine]\ndriver = "local"\nkeep_versions = "forever"\n'


def test_what_is_declared_later_is_not_changed_by_what_was_added(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("mine", "local", keep_versions="off", quota="1KiB")
    put(site.worker(), "mine")
    site.configure(DECLARED)
    after = worker(site)
    look(after)
    after.added.open_all()
    assert not after.added.pending
    versions = after.access(ROOT, "mine").service.store.find(Versions)
    assert versions is not None and versions.versioning == "on"
    put(after, "mine", b"x" * 5000)
    (one,) = told(caplog, "was added, too")
    assert one.getMessage().startswith("services.mine: a service of that name was added, too")
    site.add("another")
    look(after)
    assert len(told(caplog, "was added, too")) == 1


def test_what_is_hidden_can_be_removed_and_the_settings_stay(site: Site) -> None:
    site.add("mine", "local")
    site.configure(DECLARED)
    after = worker(site)
    after.catalog.set_setting("mine", "kind", "document", decides=False, service=None)
    with pytest.raises(Conflict, match="is declared in"):
        site.editor.change("mine", {"quota": "1KiB"})
    site.editor.remove("mine")
    assert not site.editor.catalog.stores().services
    assert after.catalog.settings_of("mine").by_kind["kind"].document == "document"
    with pytest.raises(Conflict, match="is declared in"):
        site.editor.remove("mine")


def test_a_check_says_what_is_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\ndata = "data"\n')
    place = ["--config", str(file)]
    assert main(["services", "add", "mine", "--driver", "local", *place]) == 0
    assert main(["check", *place]) == 0
    assert "NOTE" not in capsys.readouterr().out
    file.write_text(f'[server]\ndata = "data"\n{DECLARED}')
    assert main(["check", *place]) == 0
    assert "NOTE: services.mine: a service of that name was added" in capsys.readouterr().out
    assert main(["services", "remove", "mine", *place]) == 0
    assert main(["check", *place]) == 0
    assert "NOTE" not in capsys.readouterr().out


# failing


def test_a_driver_that_raises_anything_keeps_nothing_else_from_its_course(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("broken", "odd", fault="open", folder="one")
    site.add("fine")
    site.add("goes")
    clock = Time()
    runtime = worker(site, clock)
    look(runtime)
    site.editor.remove("goes")
    for _ in range(3):
        clock.now += 2000
        look(runtime)
    assert JOURNAL.count("open broken") == 4
    assert JOURNAL.count("close goes") == 1
    (one,) = told(caplog, "broken")
    assert one.getMessage() == "services.broken: cannot be opened: TypeError: foreign code"
    assert one.exc_info is not None
    with pytest.raises(Unavailable):
        runtime.access(ROOT, "broken")
    put(runtime, "fine")
    site.editor.remove("broken")
    site.add("another", "odd", folder="one")  # nothing is left of the other's
    look(runtime)
    assert runtime.access(ROOT, "another")


def test_requests_for_what_is_not_there_try_nothing_again(site: Site) -> None:
    clock = Time()
    runtime = worker(site, clock)
    site.add("broken", "odd", fault="open")
    for _ in range(3):
        clock.now += 5000
        with pytest.raises(NoSuchStore):
            runtime.access(ROOT, "unknown")
    assert JOURNAL.count("open broken") == 1


def test_a_declared_one_that_raises_anything_closes_the_others(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.configure(
        '[services.one]\ndriver = "plain"\n[services.two]\ndriver = "odd"\nfault = "open"\n'
    )
    with pytest.raises(ChainError, match=r"services\.two: cannot be opened: TypeError: foreign"):
        worker(site)
    assert JOURNAL == ["open one", "open two", "close one"]
    (one,) = told(caplog, "services.two")
    assert one.exc_info is not None


# hanging


def test_one_that_hangs_stops_nobody_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "PATIENCE", 0.05)
    runtime = worker(site)
    HANGS["hangs"] = threading.Event()
    site.add("hangs", "odd", fault="hangs")
    site.add("in-front", "front", source="hangs")
    site.add("goes")
    look(runtime)
    site.editor.remove("goes")
    look(runtime)
    assert JOURNAL.count("close goes") == 1
    for sid in ("hangs", "in-front"):
        with pytest.raises(Unavailable):
            runtime.access(ROOT, sid)
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "unknown")
    monkeypatch.setattr(openings, "PATIENCE", 60)
    site.add("fresh")
    put(runtime, "fresh")
    put(runtime, "base")
    assert JOURNAL.count("open hangs") == 1
    HANGS["hangs"].set()
    (late,) = runtime.added._openings.under_way()
    assert late._over.wait(60)
    assert runtime.access(ROOT, "hangs")
    assert JOURNAL.count("open hangs") == 1


def test_what_hangs_is_changed_and_serves(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings, "PATIENCE", 0.05)
    runtime = worker(site)
    HANGS["hangs"] = threading.Event()
    site.add("hangs", "odd", fault="hangs")
    look(runtime)
    (late,) = runtime.added._openings.under_way()
    monkeypatch.setattr(openings, "PATIENCE", 60)
    site.editor.change("hangs", {}, unset=["fault"])
    assert runtime.access(ROOT, "hangs")
    HANGS["hangs"].set()
    assert late._over.wait(60)
    assert JOURNAL == ["open base", "open layer", "open hangs", "open hangs", "close hangs"]
    assert runtime.access(ROOT, "hangs")


def test_one_that_opens_after_the_end_is_closed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openings, "PATIENCE", 0.05)
    runtime = worker(site)
    HANGS["hangs"] = threading.Event()
    site.add("hangs", "odd", fault="hangs")
    look(runtime)
    (late,) = runtime.added._openings.under_way()
    runtime.close()
    HANGS["hangs"].set()
    assert late._over.wait(60)
    assert JOURNAL.count("close hangs") == 1


# folders


def test_the_folder_of_one_that_was_changed_is_free_when_it_is_closed(site: Site) -> None:
    runtime = worker(site)
    site.add("one", "odd", folder="first")
    held = runtime.access(ROOT, "one")
    site.editor.change("one", {"folder": "second"})
    assert runtime.access(ROOT, "one")
    site.add("two", "odd", fault="other", folder="first")
    with pytest.raises(Unavailable):  # the one before is in use still
        runtime.access(ROOT, "two")
    del held
    look(runtime)
    site.editor.change("two", {}, name="Two")  # so that it is tried at once
    assert runtime.access(ROOT, "two")


def test_a_change_that_fails_does_not_give_away_the_folder_in_use(site: Site) -> None:
    runtime = worker(site)
    site.add("one", "odd", folder="first")
    held = runtime.access(ROOT, "one")
    site.editor.change("one", {"fault": "open", "folder": "second"})
    with pytest.raises(Unavailable):
        runtime.access(ROOT, "one")
    site.add("two", "odd", fault="other", folder="first")
    with pytest.raises(Unavailable):
        runtime.access(ROOT, "two")
    assert "open two" not in JOURNAL
    del held


# removing


def test_options_are_no_links_where_the_plugin_is_missing(site: Site, plugins: Plugins) -> None:
    site.add("photos")
    site.add("base-two")
    site.add("upper", "odd", fault="photos")
    site.add("layer-two", "front", source="base-two")
    for name in ("odd", "front"):
        plugins.drivers[f"hidden {name}"] = plugins.drivers.pop(name)
    try:
        site.editor.remove("photos")
        with pytest.raises(Conflict, match="'layer-two' in front of it"):
            site.editor.remove("base-two")
    finally:
        for name in ("odd", "front"):
            plugins.drivers[name] = plugins.drivers.pop(f"hidden {name}")


def test_one_that_is_damaged_keeps_none_from_being_removed(site: Site) -> None:
    for sid in ("damaged", "fine"):
        site.add(sid)
    database = sqlite3.connect(site.folder / "data" / "catalog.db")
    with database:
        sealed = "UPDATE stores SET sealed = x'00' WHERE service = "
        database.execute(sealed + "(SELECT id FROM services WHERE sid = 'damaged')")
    database.close()
    for sid in ("fine", "damaged"):
        site.editor.remove(sid)
    assert not site.editor.catalog.stores().services


# closing


def test_one_that_does_not_close_leaves_nothing_else_open(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    more = '[services.xxx]\ndriver = "odd"\nfault = "close"\n[services.yyy]\ndriver = "plain"\n'
    site.configure(more)
    for sid, fault in (("one", "close"), ("two", "")):
        site.add(sid, "odd", fault=fault)
    runtime = worker(site, jobs=NoJobs())
    look(runtime)
    closed: list[str] = []
    runtime.before_close.append(lambda: closed.append("before"))
    runtime.before_close.append(lambda: int("no number"))
    runtime.close()
    ends = [one for one in JOURNAL if one.startswith("close")]
    assert sorted(ends) == ["close one", "close two", "close xxx", "close yyy"]
    assert closed == ["before"]
    assert len(told(caplog, "did not close well")) == 3
    assert runtime.catalog._closed


# accounts


def test_an_account_is_found_from_the_next_request_on(site: Site) -> None:
    runtime = worker(site)
    site.add("account", "many", fault="open")
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "photos")
    site.editor.change("account", {}, unset=["fault"])
    assert runtime.access(ROOT, "photos")


def test_one_that_does_not_open_hides_an_accounts_bucket_and_no_other(site: Site) -> None:
    runtime = worker(site)
    site.add("account", "many")
    site.add("broken", "odd", fault="open")
    look(runtime)
    found = [one.service.sid for one in runtime.services(ROOT)]
    assert found == ["base", "layer", "photos"]


class Asked(Many):
    """Two that ask for its bucket at once both get there."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2)

    def bucket(self, name: str) -> Store:
        self.both.wait(60)
        return super().bucket(name)


def test_a_bucket_of_an_account_is_one_service_whoever_asks_first() -> None:
    store = Asked()
    account = UpstreamAccount(Service(Identification(sid="account"), store), store, Time())
    account.names()
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(account.find, ["photos", "photos"])
    assert one is two is not None
