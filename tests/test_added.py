"""Services of the catalog that have a driver of their own: they come and go while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import Identity, KeyAccess
from gateway.catalog import BindingRow, open_catalog
from gateway.config import Binding, Configuration, ConfigurationError, load
from gateway.plugins.finding import Plugins
from gateway.services.keeping_up import KeepingUp
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Conflict,
    NoJobs,
    NoSuchStore,
    Put,
    Unavailable,
    pieces,
)
from tests import catalogs
from tests.test_chain import JOURNAL, Sample
from tests.tiny_mode import PICTURES

DECLARED = """
[[accounts]]
id = "alice"
[services.base]
driver = "plain"
[services.layer]
driver = "front"
source = "base"
"""


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"key of {account}", account=account, access=access)


ALICE, ROOT = who("alice"), who("root", "admin")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    plugins.register(PICTURES, "pictures")
    return plugins


class Site:
    """A data folder, workers on it, and who changes its catalog from beside."""

    def __init__(self, folder: Path, plugins: Plugins, table: str) -> None:
        self.folder, self._plugins, self._table = folder, plugins, table
        self.opened: list[Runtime] = []
        self.environ: dict[str, str] = {}
        self.configuration = self.configure(DECLARED)
        self._catalog = open_catalog(self.configuration, {})

    def configure(self, text: str) -> Configuration:
        file = self.folder / "gateway.toml"
        file.write_text(f'[server]\ndata = "data"\n{self._table}{text}', encoding="utf-8")
        self.configuration = load(file, environ={}, plugins=self._plugins)
        return self.configuration

    def worker(self) -> Runtime:
        runtime = open_runtime(self.configuration, environ={})
        self.opened.append(runtime)
        return runtime

    @property
    def editor(self) -> ServiceEditor:
        return ServiceEditor(
            self.configuration, self._catalog, folder=self.folder, environ=self.environ
        )

    def add(self, sid: str, driver: str = "plain", **options: Any) -> None:
        self.editor.add(sid, driver, options)

    def close(self) -> None:
        for one in self.opened:
            one.close()
        self._catalog.close()


@pytest.fixture(params=catalogs.SHARED)
def site(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    plugins: Plugins,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    JOURNAL.clear()
    catalogs.without_delay(monkeypatch)
    site = Site(tmp_path, plugins, catalogs.table(request.param))
    yield site
    site.close()


def put(runtime: Runtime, sid: str, data: bytes = b"data", key: str = "k") -> None:
    runtime.access(ROOT, sid).put(key, BytesBody(data), Put(size=len(data)))


def read(runtime: Runtime, sid: str, key: str = "k") -> bytes:
    with runtime.access(ROOT, sid).get(key) as opened:
        return b"".join(pieces(opened.body))


def look(runtime: Runtime) -> None:
    """What the thread of a worker does twice a second."""
    KeepingUp(runtime.catalog.version, runtime.added).look()


def sids(runtime: Runtime) -> list[str]:
    return [one.service.sid for one in runtime.services(ROOT)]


# coming


def test_a_service_is_there_from_the_next_request_on_in_every_worker(site: Site) -> None:
    workers = [site.worker(), site.worker()]
    with pytest.raises(NoSuchStore):
        workers[0].access(ROOT, "fresh")
    site.add("fresh", "local", keep_versions="off")
    put(workers[0], "fresh")
    assert read(workers[1], "fresh") == b"data"
    assert sids(workers[1]) == ["base", "fresh", "layer"]
    about = workers[0].access(ROOT, "fresh").service.about
    assert (about.driver, about.owner, about.added, about.declared) == ("local", "root", True, "")


def test_one_that_nobody_asks_for_is_opened_too(site: Site) -> None:
    worker = site.worker()
    look(worker)
    site.add("fresh")
    assert "open fresh" not in JOURNAL
    look(worker)
    assert JOURNAL.count("open fresh") == 1
    put(worker, "fresh")
    assert JOURNAL.count("open fresh") == 1


def test_it_is_there_after_a_start_and_costs_that_nothing(site: Site) -> None:
    site.add("fresh")
    worker = site.worker()
    assert "open fresh" not in JOURNAL
    put(worker, "fresh")
    assert JOURNAL.count("open fresh") == 1
    worker.close()
    assert JOURNAL.count("close fresh") == 1


def test_links_are_opened_first_and_reach_declared_ones(site: Site) -> None:
    worker = site.worker()
    site.add("behind")
    site.add("middle", "front", source="behind")
    site.add("top", "front", source="middle", source_path="a/b")
    site.add("beside", "front", source="base")
    put(worker, "behind", b"deep", "a/b/k")
    assert read(worker, "top") == b"deep"
    put(worker, "base", b"declared")
    assert read(worker, "beside") == b"declared"
    opened = [one for one in JOURNAL if one.split()[1] in ("behind", "middle", "top")]
    assert opened == ["open behind", "open middle", "open top"]
    worker.close()
    closed = [one.split()[1] for one in JOURNAL if one.startswith("close")]
    assert closed.index("top") < closed.index("middle") < closed.index("behind")
    assert closed.index("beside") < closed.index("base")


def test_its_owner_and_grants_count(site: Site) -> None:
    worker = site.worker()
    site.editor.add("hers", "plain", {}, account="alice", name="Of Alice")
    access = worker.access(ALICE, "hers")
    assert access.may("admin") and access.service.about.name == "Of Alice"
    assert not worker.access(who("bob"), "hers").may("list")
    worker.set_grants(ALICE, "hers", [Grant("bob", "read")])
    assert worker.access(who("bob"), "hers").may("list")
    assert JOURNAL.count("open hers") == 1


def test_what_has_options_of_its_own_is_not_changed_as_a_bucket(site: Site) -> None:
    worker = site.worker()
    site.add("fresh", "local")
    changes: tuple[Callable[[], object], ...] = (
        lambda: worker.drop(ROOT, "fresh"),
        lambda: worker.access(ROOT, "fresh").set_versioning("suspended"),
    )
    for change in changes:
        with pytest.raises(Conflict, match="has options of its own"):
            change()
    site.add("elsewhere")  # there is no bucket of its name, as if one had been left by a crash
    for account in ("root", "alice"):
        for sid in ("fresh", "elsewhere"):
            with pytest.raises(AlreadyExists):
                worker.create(who(account), sid)
    put(worker, "elsewhere")
    put(worker, "fresh")


def test_a_bucket_keeps_its_name_from_services_and_the_other_way_round(site: Site) -> None:
    worker = site.worker()
    worker.create(ALICE, "bucket")
    with pytest.raises(AlreadyExists):
        site.add("bucket", "local")
    with pytest.raises(Conflict, match="is a bucket"):
        site.editor.remove("bucket")
    site.add("other", "plain")
    with pytest.raises(AlreadyExists):
        site.add("other", "plain")


# refused


REFUSED: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("UP", "plain", {}, "services.UP: a service id has"),
    ("one", "plian", {}, 'services.one.driver: found "plian"'),
    ("one", "local", {"quotta": "1GiB"}, 'unknown option. Did you mean "quota"'),
    ("one", "local", {"quota": "much"}, "services.one.quota: "),
    ("one", "local", {"account": "alice"}, "services.one.account: is no option of a driver: give"),
    ("one", "local", {"driver": "cache"}, "it as --driver."),
    ("one", "local", {"name": "One"}, "it as --name."),
    ("one", "local", {"folder": ""}, 'services.one.folder: found ""; allowed: a path'),
    ("one", "local", {"compress": "brotli"}, 'found "brotli"; allowed: "none" | "zstd"'),
    ("one", "front", {}, "services.one.source: missing"),
    ("one", "front", {"source": "bsae"}, 'there is no such service. Did you mean "base"?'),
    ("one", "front", {"source": "one"}, "services stand in front of each other: one → one"),
    ("one", "local", {"inline_limit": "1GiB"}, "services.one: inline_limit is between 0 and"),
    ("one", "memory", {}, 'services.one: the driver "memory" lives in one process'),
    ("one", "s3", {"access_key_env": "NOT_SET"}, 'the environment variable "NOT_SET" is not set'),
)


@pytest.mark.parametrize(("sid", "driver", "options", "said"), REFUSED)
def test_what_cannot_be_opened_is_refused_as_a_check_would(
    site: Site, sid: str, driver: str, options: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        site.editor.add(sid, driver, options)
    assert said in str(caught.value)
    worker = site.worker()
    assert sids(worker) == ["base", "layer"]


def test_what_every_service_has_is_not_changed_as_an_option(site: Site) -> None:
    site.add("one", "local")
    for name, said in (("account", "it stays as it was added"), ("name", "give it as --name")):
        with pytest.raises(ConfigurationError, match=rf"services\.one\.{name}: .*{said}"):
            site.editor.change("one", {name: "alice"})


def test_a_folder_of_other_things_is_refused_and_of_the_gateways_it_is_not(site: Site) -> None:
    foreign, used = site.folder / "foreign", site.folder / "used"
    for folder in (foreign, used):
        folder.mkdir()
    (foreign / "letter.txt").write_text("Dear")
    (used / "lost+found").mkdir()
    with pytest.raises(ConfigurationError, match=r"other things in it, such as 'letter\.txt'"):
        site.add("one", "local", folder="foreign")
    site.add("two", "local", folder="used")
    worker = site.worker()
    put(worker, "two")
    (used / "letter.txt").write_text("Dear")  # it was the gateway's before
    site.add("three", "local", folder="used")
    put(worker, "three")
    assert [*foreign.iterdir()] == [foreign / "letter.txt"]


def test_a_folder_of_another_is_refused(site: Site) -> None:
    site.add("caches", "cache", source="base", folder="one")
    with pytest.raises(ConfigurationError, match="both have the folder"):
        site.add("objects", "local", folder="one")
    site.add("objects", "local", folder="other")
    with pytest.raises(ConfigurationError, match="would be served as objects"):
        site.add("files", "fsspec", url=f"file://{site.folder.as_posix()}")


def test_declared_ones_cannot_be_changed(site: Site) -> None:
    changes: tuple[Callable[[], object], ...] = (
        lambda: site.add("base"),
        lambda: site.editor.change("base", {"fails": True}),
        lambda: site.editor.remove("base"),
    )
    for change in changes:
        with pytest.raises(Conflict, match=r"gateway\.toml \(services\.base\): change it there"):
            change()


def test_what_others_stand_in_front_of_stays(site: Site) -> None:
    site.add("behind")
    site.add("one", "front", source="behind")
    site.add("two", "front", source="behind")
    with pytest.raises(Conflict, match="'one' in front of it, the service 'two'"):
        site.editor.remove("behind")
    with pytest.raises(ConfigurationError, match="in front of each other: one → two → one"):
        site.editor.change("two", {"source": "one"})
        site.editor.change("one", {"source": "two"})
    for sid in ("one", "two"):
        if sid == "one":
            site.editor.change("two", {"source": "behind"})
        site.editor.remove(sid)
    site.editor.remove("behind")
    with pytest.raises(NoSuchStore, match="no service 'behind'"):
        site.editor.remove("behind")


def test_of_two_that_change_at_once_both_look_again(site: Site) -> None:
    """So that no loop, and no link to what is gone, comes of two changes that were right."""
    site.add("base-one")

    def work(number: int) -> None:
        editor = ServiceEditor(site.configuration, catalog, folder=site.folder, environ={})
        editor.add(f"added-{number}", "front", {"source": "base-one"})

    catalog = open_catalog(site.configuration, {})
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert len(catalog.stores().services) == 5
        stores = catalog.stores()
        site.editor.remove("added-0")
        with pytest.raises(Conflict):
            catalog.add_store("late", "root", "front", {"source": "added-0"}, since=stores.number)
    finally:
        catalog.close()


def test_a_secret_is_read_once_sealed_and_in_no_message(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.environ["GEHEIM"] = "hunter2-secret"
    (site.folder / "key").write_text("hunter2-key\n")
    site.add(
        "upper", "s3", bucket="bucket", endpoint_url="http://127.0.0.1:1", region="r",
        access_key_file="key", secret_key_env="GEHEIM",
    )  # fmt: skip
    (site.folder / "key").unlink()
    site.environ.clear()
    store: Any = site.worker().access(ROOT, "upper").service.store
    assert store.secret_key.reveal() == "hunter2-secret"
    assert store.access_key.reveal() == "hunter2-key"
    for file in (site.folder / "data").glob("catalog.db*"):
        assert b"hunter2" not in file.read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        site.editor.change("upper", {"secret_key": "hunter2-other", "bukket": "x"})
    assert "hunter2" not in str(caught.value) + caplog.text


# what cannot be opened after all


def test_what_does_not_open_is_unavailable_and_the_rest_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("broken", fails=True)
    site.add("front-of-it", "front", source="broken")
    site.add("fine")
    worker = site.worker()
    look(worker)
    put(worker, "fine")
    for sid in ("broken", "front-of-it"):
        with pytest.raises(Unavailable, match="cannot be opened now"):
            worker.access(ROOT, sid)
    assert sids(worker) == ["base", "fine", "layer"]
    said = [one.message for one in caplog.records if one.levelname == "ERROR"]
    assert said == ["services.broken: cannot be opened: the disk is missing"]
    site.editor.change("broken", {"fails": False})
    put(worker, "broken")
    assert read(worker, "front-of-it") == b"data"


def test_what_the_file_says_comes_first_and_links_that_are_gone_are_said(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.add("middle", "front", source="base")
    site.add("mine")
    site.configure('[services.mine]\ndriver = "plain"\n')
    worker = site.worker()
    assert worker.access(ROOT, "mine").service.about.declared
    with pytest.raises(Unavailable):
        worker.access(ROOT, "middle")
    assert 'services.middle.source: found "base"; there is no such service' in caplog.text


# going


def test_one_that_is_removed_is_closed_when_nobody_uses_it(site: Site) -> None:
    worker = site.worker()
    site.add("fresh", "local", inline_limit=0)
    put(worker, "fresh", b"x" * 300_000)
    held = worker.access(ROOT, "fresh")
    opened = held.get("k")
    service = worker.added.find("fresh")
    assert service is not None
    site.editor.remove("fresh")
    with pytest.raises(NoSuchStore):
        worker.access(ROOT, "fresh")
    del held
    look(worker)
    assert worker.added.retired == 1
    assert len(b"".join(pieces(opened.body))) == 300_000  # it closes the body
    look(worker)
    assert worker.added.retired == 0


def test_one_that_was_taken_out_a_moment_ago_is_looked_for_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who has not noticed yet that the catalog has changed, while another thread has."""
    worker = site.worker()
    site.add("goes")
    site.add("stays")
    for sid in ("goes", "stays"):
        put(worker, sid)
    before = worker.catalog.version()
    site.editor.remove("goes")
    site.editor.change("stays", {"fails": False})
    worker.added.sync()
    monkeypatch.setattr(worker.catalog, "version", lambda: before)
    with pytest.raises(NoSuchStore):
        worker.access(ROOT, "goes")
    put(worker, "stays")
    assert JOURNAL.count("open stays") == 2


def test_what_is_behind_closes_after_what_stands_in_front(site: Site) -> None:
    worker = site.worker()
    site.add("behind")
    site.add("top", "front", source="behind")
    put(worker, "behind")
    access = worker.access(ROOT, "top")
    site.editor.remove("top")
    site.editor.remove("behind")
    look(worker)
    assert "close behind" not in JOURNAL
    with access.get("k") as opened:
        assert opened.body.read() == b"data"
    del access, opened
    look(worker)
    look(worker)
    assert [one for one in JOURNAL if one.startswith("close")] == ["close top", "close behind"]


def test_what_is_changed_counts_at_once_for_it_and_what_stands_in_front(site: Site) -> None:
    worker = site.worker()
    site.add("one")
    site.add("two")
    site.add("top", "front", source="one")
    put(worker, "one", b"of one")
    put(worker, "two", b"of two")
    assert read(worker, "top") == b"of one"
    site.editor.change("top", {"source": "two"})
    assert read(worker, "top") == b"of two"
    site.editor.change("two", {"fails": False}, name="Two")
    with pytest.raises(Exception, match="key does not exist"):  # a Plain keeps nothing
        read(worker, "top")
    site.editor.change("two", {}, unset=["fails"])
    with pytest.raises(ConfigurationError, match=r"services\.two\.fails: is not given"):
        site.editor.change("two", {}, unset=["fails"])


@pytest.mark.usefixtures("seconds")
def test_nobody_meets_a_closed_store_while_services_come_and_go(site: Site) -> None:
    """No lock is held while a body is read, and no request sees one that was closed."""
    workers = [site.worker(), site.worker()]
    site.add("stays", "local", inline_limit=0)
    put(workers[0], "stays", b"x" * 100_000)
    wrong: list[BaseException] = []
    done = threading.Event()
    outcomes = {"read": 0, "gone": 0}

    def ask(index: int) -> None:
        runtime = workers[index % 2]
        while not done.is_set():
            sid = "stays" if index < 2 else "goes"
            try:
                assert len(read(runtime, sid)) == 100_000
                outcomes["read"] += 1
            except NoSuchStore:
                assert sid == "goes"
                outcomes["gone"] += 1
            except BaseException as error:
                wrong.append(error)
                return

    with ThreadPoolExecutor(4) as pool:
        for index in range(4):
            pool.submit(ask, index)
        try:
            for _ in range(15):
                site.add("goes", "front", source="stays")
                for runtime in workers:
                    look(runtime)
                site.editor.change("goes", {"source_path": ""})
                site.editor.remove("goes")
                for runtime in workers:
                    look(runtime)
        finally:
            done.set()
    assert not wrong
    assert outcomes["read"] and outcomes["gone"]


def test_a_runtime_that_follows_another_has_them_too(site: Site) -> None:
    """As after `gateway reload`, while the one before still answers."""
    site.add("fresh", "local", inline_limit=0)
    cached(site, "fresh")
    before = served(site)
    put(before, "fresh", b"x" * 100_000)
    assert len(read(before, "front")) == 100_000
    held = before.access(ROOT, "front").get("k")
    after = open_runtime(site.configuration, environ={}, jobs=NoJobs(), before=before)
    site.opened.append(after)
    assert len(read(after, "front")) == 100_000
    assert len(b"".join(pieces(held.body))) == 100_000
    before.close()
    assert len(read(after, "front")) == len(read(after, "fresh")) == 100_000
    site.editor.remove("front")
    with pytest.raises(NoSuchStore):
        after.access(ROOT, "front")


def following(site: Site, before: Runtime) -> Runtime:
    """As after `gateway reload`."""
    after = open_runtime(site.configuration, environ={}, before=before)
    site.opened.append(after)
    return after


def test_one_that_did_not_change_is_the_same_store_over_a_reload(site: Site) -> None:
    """With all that it stands in front of; what nobody has asked for yet is not opened."""
    site.add("fresh")
    site.add("front-of-it", "front", source="fresh")
    site.add("over", "front", source="base")
    before = site.worker()
    put(before, "fresh")
    put(before, "base", b"declared behind it")
    assert (read(before, "front-of-it"), read(before, "over")) == (b"data", b"declared behind it")
    site.add("later")
    JOURNAL.clear()
    site.configure(f"{DECLARED}[[accounts]]\nid = 'bob'\n")
    after = following(site, before)
    assert JOURNAL == []
    before.close()
    assert JOURNAL == []
    assert (read(after, "front-of-it"), read(after, "over")) == (b"data", b"declared behind it")
    assert (read(after, "fresh"), JOURNAL) == (b"data", [])
    again = following(site, after)
    site.editor.remove("front-of-it")
    after.close()
    look(again)
    assert JOURNAL == ["open later", "close front-of-it"]
    again.close()
    closed = sorted(one.removeprefix("close ") for one in JOURNAL[2:])
    assert closed == ["base", "fresh", "later", "layer", "over"]


def test_one_that_opened_while_a_reload_was_under_way_is_the_same_too(site: Site) -> None:
    site.add("fresh")
    before = site.worker()
    after = following(site, before)
    put(before, "fresh")
    assert read(after, "fresh") == b"data"
    before.close()
    assert read(after, "fresh") == b"data"
    assert JOURNAL.count("open fresh") == 1
    assert "close fresh" not in JOURNAL


@pytest.mark.parametrize("known", [True, False])
def test_one_that_was_closed_before_is_opened_anew(site: Site, known: bool) -> None:
    """Also when that is not known there yet."""
    site.add("fresh")
    before = site.worker()
    after = following(site, before)
    put(before, "fresh")
    if known:
        before.close()
    else:
        before.added.all_open["fresh"].lasting.close()
    put(after, "fresh", b"anew")
    assert read(after, "fresh") == b"anew"
    assert JOURNAL.count("open fresh") == 2


def test_what_changed_is_opened_anew_with_all_in_front_of_it(site: Site) -> None:
    site.add("fresh")
    for sid, source in (("over", "base"), ("over-it", "over"), ("front-of-it", "fresh")):
        site.add(sid, "front", source=source)
    before = site.worker()
    look(before)
    site.configure(DECLARED.replace('driver = "plain"', 'driver = "local"'))
    JOURNAL.clear()
    after = following(site, before)
    site.editor.change("fresh", {}, name="another")
    look(after)
    opened = [one.removeprefix("open ") for one in JOURNAL if one.startswith("open ")]
    assert sorted(opened) == ["fresh", "front-of-it", "layer", "over", "over-it"]
    put(after, "base", b"on disk")
    assert read(after, "over-it") == b"on disk"


def test_a_cache_keeps_what_it_has_over_a_reload(site: Site) -> None:
    cached(site, "base")
    before = served(site)
    put(before, "base", b"x" * 200_000)
    read(before, "front")
    after = open_runtime(site.configuration, environ={}, jobs=NoJobs(), before=before)
    site.opened.append(after)
    assert after.access(ROOT, "front").service.store is before.access(ROOT, "front").service.store
    before.close()
    (kept,) = (site.folder / "data" / "cache" / "front").glob("generation-*")
    site.editor.remove("front")
    look(after)
    assert not kept.exists()


# caches


def cached(site: Site, source: str) -> None:
    site.add("front", "cache", source=source, refresh_after="1h")


def test_a_cache_that_is_added_again_does_not_have_the_old_ones_objects(site: Site) -> None:
    workers = [site.worker(), site.worker()]
    for sid in ("one", "two"):
        site.add(sid, "local")
        put(workers[0], sid, f"of {sid}".encode())
    cached(site, "one")
    assert [read(worker, "front") for worker in workers] == [b"of one", b"of one"]
    site.editor.remove("front")
    cached(site, "two")
    assert [read(worker, "front") for worker in workers] == [b"of two", b"of two"]
    site.editor.change("front", {"source": "one"})
    assert [read(worker, "front") for worker in workers] == [b"of one", b"of one"]


def test_a_cache_begins_anew_when_what_is_behind_it_is_another(site: Site) -> None:
    worker = site.worker()
    site.add("behind", "local", folder="first")
    cached(site, "behind")
    put(worker, "behind", b"first")
    assert read(worker, "front") == b"first"
    site.editor.change("behind", {"folder": "second"})
    put(worker, "behind", b"second")
    assert read(worker, "front") == b"second"


def test_a_cache_keeps_what_it_has_over_a_change_of_its_own_options(site: Site) -> None:
    worker = site.worker()
    cached(site, "base")
    put(worker, "base", b"before")
    assert read(worker, "front") == b"before"
    put(worker, "base", b"after it")
    site.editor.change("front", {"max_size": "1GiB"})
    assert read(worker, "front") == b"before"


def test_what_a_cache_kept_goes_when_it_is_removed(site: Site) -> None:
    workers = [served(site), served(site)]
    put(workers[0], "base", b"x" * 200_000)
    cached(site, "base")
    for worker in workers:
        read(worker, "front")
    (kept,) = (site.folder / "data" / "cache" / "front").glob("generation-*")
    assert (kept / "index.db").is_file()
    site.editor.remove("front")
    for worker, there in zip(workers, (True, False), strict=True):
        worker.added.sync()
        worker.added.sweep()
        assert kept.exists() is there


def served(site: Site) -> Runtime:
    """As a worker of a server, that owns its caches."""
    runtime = open_runtime(site.configuration, environ={}, jobs=NoJobs())
    site.opened.append(runtime)
    return runtime


def test_a_worker_follows_by_itself(site: Site, seconds: Callable[[], None]) -> None:
    worker = served(site)
    worker.keep_up(lambda _: None)
    site.add("fresh")
    wait_for(lambda: "open fresh" in JOURNAL)
    site.editor.remove("fresh")
    wait_for(lambda: "close fresh" in JOURNAL)
    worker.close()


def test_a_binding_has_the_options_of_its_mode_or_is_left_out(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    worker = served(site)
    for number, options in enumerate(({"listing": True}, {"listning": True}, {})):
        row = BindingRow(f"h{number}.example", 0, "", "public", "archive", options)
        worker.catalog.add_binding(row, since=worker.catalog.stores_number())
    for mode in ("shop", "gone"):  # is off; is not there
        row = BindingRow(f"{mode}.example", 0, "", mode, "", {})
        worker.catalog.add_binding(row, since=worker.catalog.stores_number())
    found: list[Sequence[Binding]] = []
    KeepingUp(worker.catalog.version, worker.added, found.append).notice()
    assert [(str(one), one.options and one.options.listing) for one in found[-1]] == [
        ("h0.example", True),
        ("h2.example", False),
        ("gone.example", None),
    ]
    assert "shop.example is left out" in caplog.text and "a table [shop]" in caplog.text
    assert "h1.example is left out" in caplog.text and "listning" in caplog.text


def wait_for(what: Callable[[], bool]) -> None:
    until = threading.Event()
    for _ in range(600):
        if what():
            return
        until.wait(0.05)
    raise AssertionError("it did not come")
