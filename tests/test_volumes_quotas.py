"""Quotas of volumes: catalog and store say the same, whatever happens between the two."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.access.identity import Identity, KeyAccess
from gateway.config import ConfigurationError, load
from gateway.plugins.finding import Plugins
from gateway.services.chain import Chain
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import (
    BytesBody,
    Conflict,
    Full,
    NoJobs,
    NoSuchStore,
    NoSuchVolume,
    NotEmpty,
    Put,
    QuotaExceeded,
    Unsupported,
    Volumes,
)

Open = Callable[..., Runtime]


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture
def start(tmp_path: Path, plugins: Plugins) -> Iterator[Open]:
    """Opens gateways of one data folder, as several workers would; or one in memory."""
    opened: list[Runtime] = []

    def start(text: str = "", *, memory: bool = False) -> Runtime:
        file = tmp_path / "gateway.toml"
        file.write_text(f'[server]\ndata = "data"\nmemory = {str(memory).lower()}\n{text}')
        configuration = load(file, environ={}, plugins=plugins)
        opened.append(open_runtime(configuration, environ={}, jobs=NoJobs()))
        return opened[-1]

    yield start
    for runtime in opened:
        runtime.close()


def put(runtime: Runtime, sid: str, size: int, key: str = "k") -> None:
    body = BytesBody(bytes(size))
    runtime.access(ROOT, sid).put(key, body, Put(size=size))


def counted(runtime: Runtime) -> dict[str, int | None]:
    """The quotas that the store keeps."""
    store = runtime.chain.volumes
    assert store is not None
    return {name: stats.quota for name, stats in store.volumes().items()}


def stored(runtime: Runtime) -> dict[str, int | None]:
    return {row.name: row.quota for row in runtime.catalog.volumes()}


def test_a_quota_spans_the_buckets(start: Open) -> None:
    runtime = start(memory=True)
    volumes = runtime.volumes
    info = volumes.make(ROOT, "media", owner="alice", quota=100)
    assert info.quota == 100
    for bucket in ("one", "two"):
        volumes.create_bucket(ALICE, "media", bucket)
    runtime.create(ALICE, "beside")
    put(runtime, "media.one", 60)
    put(runtime, "beside", 1000)
    with pytest.raises(QuotaExceeded) as caught:
        put(runtime, "media.two", 41)
    assert (caught.value.volume, caught.value.quota, caught.value.used) == ("media", 100, 60)
    put(runtime, "media.two", 40)
    assert volumes.used(["media", "none"]) == {"media": (100, 100, 2)}
    volumes.change(ROOT, "media", quota=150)
    put(runtime, "media.two", 50, "more")
    volumes.change(ROOT, "media", quota=10)  # less than there is: no more comes
    with pytest.raises(QuotaExceeded):
        put(runtime, "media.one", 1, "more")
    assert volumes.change(ROOT, "media", user="al").quota == 10
    assert volumes.change(ROOT, "media", quota=None).quota is None
    put(runtime, "media.one", 500)
    assert volumes.used(["media"])["media"] == (None, 590, 2)
    runtime.access(ROOT, "media.one").delete("k")
    runtime.drop(ALICE, "media.one")
    assert volumes.used(["media"])["media"] == (None, 90, 1)
    assert counted(runtime) == stored(runtime) == {"media": None}


def test_a_volume_leaves_nothing_in_the_store(start: Open) -> None:
    runtime = start(memory=True)
    volumes = runtime.volumes
    volumes.make(ROOT, "media", owner="alice", quota=5)
    access = volumes.create_bucket(ALICE, "media", "one")
    with pytest.raises(NotEmpty):
        volumes.drop(ALICE, "media")
    assert counted(runtime) == {"media": 5}
    runtime.drop(ALICE, access.service.sid)
    volumes.drop(ALICE, "media")
    assert counted(runtime) == {}


def test_what_the_store_does_not_count_has_no_quota(start: Open, tmp_path: Path) -> None:
    runtime = start()
    volumes = runtime.volumes
    editor = ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=tmp_path)
    volumes.make(ROOT, "media", owner="alice")
    editor.add("media.added", "local", {"volume": "media"})
    with pytest.raises(Conflict, match=r"'media\.added' in it has a driver of its own"):
        volumes.change(ROOT, "media", quota=1000)
    assert counted(runtime) == stored(runtime) == {"media": None}
    volumes.make(ROOT, "other", owner="alice", quota=1000)
    with pytest.raises(ConfigurationError, match="has a quota, which counts what"):
        editor.add("other.added", "local", {"volume": "other"})
    editor.change("media.added", {}, unset=["volume"])
    assert volumes.change(ROOT, "media", quota=1000).quota == 1000


def test_what_is_declared(start: Open, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    table = '[volumes.media]\nquota = "1KiB"\n'
    runtime = start(table)
    assert counted(runtime) == stored(runtime) == {"media": 1024}
    runtime.volumes.create_bucket(ROOT, "media", "pics")
    with pytest.raises(QuotaExceeded):
        put(runtime, "media.pics", 1025)
    for text, quota in (
        ('[volumes.media]\nquota = "2KiB"\n', 2048),
        ("[volumes.media]\n", None),
        ("", None),  # it has a bucket, and stays
    ):
        runtime = start(text)
        assert counted(runtime) == stored(runtime) == {"media": quota}
        put(runtime, "media.pics", 2048)
    editor = ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=tmp_path)
    editor.add("media.added", "local", {"volume": "media"})
    start(table)
    assert "volumes.media.quota: it does not count what the service media.added" in caplog.text
    service = '[services."media.two"]\ndriver = "local"\nvolume = "media"\n'
    with pytest.raises(ConfigurationError, match="has a quota, which counts what"):
        start(table + service)


def test_buckets_of_a_driver_that_counts_none(start: Open) -> None:
    upstream = (
        '[buckets]\ndriver = "s3"\nendpoint_url = "http://127.0.0.1:9"\nregion = "r"\n'
        'access_key = "a"\nsecret_key = "b"\n'
    )
    with pytest.raises(ConfigurationError, match=r'"s3" \(buckets\) counts no volumes'):
        start(f"{upstream}[volumes.media]\nquota = 5\n")
    runtime = start(upstream)
    volumes = runtime.volumes
    with pytest.raises(Unsupported, match="counts no volumes"):
        volumes.make(ROOT, "media", owner="alice", quota=5)
    volumes.make(ROOT, "media", owner="alice")
    with pytest.raises(Unsupported):
        volumes.change(ROOT, "media", quota=5)
    assert volumes.used(["media"]) == {}
    volumes.drop(ALICE, "media")


# between catalog and store


class Ended(BaseException):
    """The process is killed here."""


def dying(runtime: Runtime, name: str, *, after: bool) -> None:
    """Have it end at the next call of that name on its catalog, or on what counts volumes."""
    catalog = runtime.catalog
    if hasattr(catalog, name):
        setattr(catalog, name, _ending(getattr(catalog, name), after))
        return

    class View:
        def __init__(self, store: Volumes) -> None:
            self._store = store

        def __getattr__(self, other: str) -> Any:
            act = getattr(self._store, other)
            return _ending(act, after) if other == name else act

    def volumes(chain: Chain) -> Any:
        store = Chain.volumes.__get__(chain)
        assert store is not None
        return View(store)

    runtime.chain.__class__ = type("Dying", (Chain,), {"volumes": property(volumes)})
    runtime.volumes = type(runtime.volumes)(runtime)  # type: ignore[call-arg]  # it is no protocol


def _ending(act: Callable[..., object], after: bool) -> Callable[..., None]:
    def run(*args: Any, **how: Any) -> None:
        if after:
            act(*args, **how)
        raise Ended

    return run


POINTS = {
    "make": ("add_volume", "set_volume"),
    "change": ("change_volume", "set_volume"),
    "drop": ("drop_volume", "remove_volume"),
}


@pytest.mark.parametrize("what", POINTS)
def test_a_process_that_ends_between_the_two(start: Open, what: str) -> None:
    """The volume can be used, and dropped, by the others at once; the next start has all agree."""
    whole = start()
    for number, (name, after) in enumerate(
        (name, after) for name in POINTS[what] for after in (False, True)
    ):
        volume, point = f"volume{number}", (what, name, after)
        if what != "make":
            whole.volumes.make(ROOT, volume, owner="alice", quota=100)
        broken = start()
        dying(broken, name, after=after)
        act: dict[str, Callable[[], object]] = {
            "make": partial(broken.volumes.make, ROOT, volume, owner="alice", quota=100),
            "change": partial(broken.volumes.change, ROOT, volume, quota=200),
            "drop": partial(broken.volumes.drop, ROOT, volume),
        }
        with pytest.raises(Ended):
            act[what]()
        broken.close()
        row = whole.catalog.read_volume(volume)
        if row is None:
            with pytest.raises(NoSuchVolume):
                whole.volumes.find(ALICE, volume)
            whole.volumes.make(ROOT, volume, owner="alice", quota=100)
        quota = whole.volumes.find(ALICE, volume).quota
        again = start()
        assert counted(again) == stored(again), point
        again.close()
        sid = whole.volumes.create_bucket(ALICE, volume, "pics").service.sid
        assert quota is not None
        with pytest.raises(QuotaExceeded):
            put(whole, sid, quota + 1)
        put(whole, sid, quota)
        whole.access(ROOT, sid).delete("k")
        whole.drop(ALICE, sid)
        whole.volumes.drop(ALICE, volume)
        assert counted(whole) == {}, point


def test_a_bucket_is_made_where_the_store_has_no_volume_yet(start: Open) -> None:
    """Who was to make it there ended, and nothing started since."""
    whole, broken = start(), start()
    dying(broken, "set_volume", after=False)
    with pytest.raises(Ended):
        broken.volumes.make(ROOT, "media", owner="alice", quota=10)
    assert counted(whole) == {}
    sid = whole.volumes.create_bucket(ALICE, "media", "pics").service.sid
    with pytest.raises(QuotaExceeded):
        put(whole, sid, 11)


def test_what_is_left_in_the_store_goes_at_the_next_start(start: Open) -> None:
    runtime = start()
    store = runtime.chain.volumes
    assert store is not None
    store.set_volume("nobodys", 5)
    store.set_volume("lost", 5)
    runtime.chain.buckets.create("foreign", volume="lost")  # is not taken away
    again = start()
    assert counted(again) == {"lost": 5}
    with pytest.raises(NoSuchStore):
        again.access(ROOT, "foreign")


def test_a_full_disk_stops_no_start(
    start: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = start()
    store = runtime.chain.volumes
    assert store is not None
    runtime.volumes.make(ROOT, "media", owner="alice", quota=5)
    store.set_volume("media", 7)

    def full(*_args: object) -> None:
        raise Full

    monkeypatch.setattr(type(store), "set_volume", full)
    assert counted(start()) == {"media": 7}
    assert "volumes.media: its quota could not be set" in caplog.text
    monkeypatch.undo()
    assert counted(start()) == {"media": 5}


def test_who_settles_looks_again_for_what_others_said_meanwhile(
    start: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = start(memory=True)
    runtime.volumes.make(ROOT, "media", owner="alice", quota=1)
    store = runtime.chain.volumes
    assert store is not None
    write, said = store.set_volume, iter([7])

    def late(name: str, quota: int | None) -> None:
        for other in said:  # another gateway is quicker with both
            runtime.catalog.change_volume(name, {"quota": other})
            write(name, other)
        write(name, quota)

    monkeypatch.setattr(store, "set_volume", late)
    runtime.volumes.change(ROOT, "media", quota=5)
    assert counted(runtime) == stored(runtime) == {"media": 7}


def test_of_many_changes_at_once_the_last_counts_in_both(start: Open) -> None:
    runtimes = [start(), start()]
    runtimes[0].volumes.make(ROOT, "media", owner="alice")
    barrier = threading.Barrier(4)

    def work(index: int) -> None:
        barrier.wait()
        for number in range(25):
            try:
                runtimes[index % 2].volumes.change(ROOT, "media", quota=1000 * index + number)
            except Conflict:
                continue  # others change it all the time

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert counted(runtimes[0]) == stored(runtimes[0])
