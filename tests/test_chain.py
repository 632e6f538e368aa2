"""The chain of services, and the gateway as modes see it (`gateway.services.runtime`)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.config import load
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway
from gateway.plugins.finding import Plugins
from gateway.servers.worker import open_worker
from gateway.services.chain import Chain, ChainError
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service import Service
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Buckets,
    BytesBody,
    Complete,
    Conflict,
    Context,
    Delete,
    Deleted,
    Forbidden,
    Get,
    Intake,
    Layer,
    ListQuery,
    Multipart,
    NoSuchKey,
    NoSuchStore,
    NotEmpty,
    ObjectInfo,
    Opened,
    PartRef,
    Put,
    Readable,
    Store,
    Threads,
    Writable,
)

JOURNAL: list[str] = []
THREADS: list[Threads] = []


@dataclass(eq=False)
class Plain(Store, Writable):
    """Keeps objects in a dict; can do nothing beyond what it must."""

    driver: ClassVar[str] = "plain"
    fails: bool = False

    def open(self, context: Context) -> None:
        if self.fails:
            raise ValueError("the disk is missing")
        self.sid, self.held = context.sid, dict[str, bytes]()
        THREADS.append(context.threads)
        JOURNAL.append(f"open {self.sid}")

    def close(self) -> None:
        JOURNAL.append(f"close {self.sid}")

    def get(self, key: str, want: Get = Get()) -> Opened:
        if key not in self.held:
            raise NoSuchKey(key=key)
        data = self.held[key]
        info = ObjectInfo(key=key, size=len(data), etag="e", modified=0)
        return Opened(info=info, body=BytesBody(data), length=len(data))

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self.held[key] = b"".join(iter(Intake.of(source, options).read, b""))
        return self.stat(key)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        return Deleted(key, self.held.pop(key, None) is not None)


@dataclass(eq=False)
class Front(Layer):
    driver: ClassVar[str] = "front"
    source: Store

    def open(self, context: Context) -> None:
        JOURNAL.append(f"open {context.sid}")
        self.sid = context.sid

    def close(self) -> None:
        JOURNAL.append(f"close {self.sid}")

    def get(self, key: str, want: Get = Get()) -> Opened:
        return self.source.get(key, want)


class Sample:
    @hookimpl
    def gateway_drivers(self) -> list[type[Store]]:
        return [Plain, Front]


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    return plugins


Open = Callable[..., Runtime]


@pytest.fixture
def start(tmp_path: Path, plugins: Plugins) -> Iterator[Open]:
    """Opens runtimes of one data folder, as several workers would."""
    opened: list[Runtime] = []
    JOURNAL.clear()

    def start(text: str = "") -> Runtime:
        file = tmp_path / "gateway.toml"
        file.write_text(f'[server]\ndata = "data"\n{text}')
        runtime = open_runtime(load(file, environ={}, plugins=plugins), environ={})
        opened.append(runtime)
        return runtime

    yield start
    for one in opened:
        one.close()


CHAIN = """
[services.top]
driver = "front"
source = "middle"
[services.middle]
driver = "front"
source = "base"
[services.base]
driver = "plain"
"""


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"key of {account}", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")


# the chain


def test_services_open_after_what_they_link_to_and_close_in_reverse(start: Open) -> None:
    start(CHAIN).close()
    assert [f"open {one}" for one in ("base", "middle", "top")] + [
        f"close {one}" for one in ("top", "middle", "base")
    ] == JOURNAL


def test_links_get_the_service_not_the_bare_driver(start: Open) -> None:
    services = start(CHAIN).chain.services
    top = services["top"].store
    assert isinstance(top, Front) and isinstance(top.source, Service)
    assert top.source is services["middle"]
    assert services["top"].about.source == "middle"


def test_a_service_that_does_not_open_is_named_and_the_others_are_closed(start: Open) -> None:
    text = CHAIN + '[services.zbroken]\ndriver = "plain"\nfails = true\n'
    with pytest.raises(ChainError, match=r"services\.zbroken: .*the disk is missing"):
        start(text)
    opened = {one.split()[1] for one in JOURNAL if one.startswith("open")}
    closed = {one.split()[1] for one in JOURNAL if one.startswith("close")}
    assert opened == closed != set()


def test_stores_are_told_how_many_threads_serve(tmp_path: Path, plugins: Plugins) -> None:
    """Then those that wait for others leave some to the rest: one upstream, and all of them."""
    file = tmp_path / "gateway.toml"
    file.write_text(f'[server]\ndata = "data"\n{CHAIN}')
    THREADS.clear()
    loaded = open_worker(load(file, environ={}, plugins=plugins), "waitress", 16, None)
    try:
        (threads,) = THREADS
        assert (threads.share, threads.most) == (12, 14)
    finally:
        loaded.close()


def test_a_store_that_lives_in_one_process_is_named(tmp_path: Path, plugins: Plugins) -> None:
    def reason(text: str, **overrides: object) -> str | None:
        (tmp_path / "c.toml").write_text(text)
        configuration = load(tmp_path / "c.toml", overrides=overrides, environ={}, plugins=plugins)
        return Chain(configuration).single_process

    assert reason(CHAIN) is None
    said = reason('[services.quick]\ndriver = "memory"\n')
    assert said is not None and "services.quick" in said and "memory" in said
    assert "buckets" in (reason('[buckets]\ndriver = "memory"\n') or "")
    assert reason("", memory=True) == "everything is in memory"


def test_parts_for_a_store_without_uploads_wait_where_each_worker_finds_them(start: Open) -> None:
    one = start(CHAIN)
    base = one.access(ROOT, "base")
    upload = base.begin("key", Put(content_type="text/x")).id
    first = base.put_part("key", upload, 1, BytesBody(b"one "), Put(size=4))
    other = start(CHAIN).access(ROOT, "base")
    second = other.put_part("key", upload, 2, BytesBody(b"two"), Put(size=3))
    parts = [PartRef(number=part.number, etag=part.etag) for part in (first, second)]
    base.complete("key", upload, parts, Complete())
    with base.get("key") as opened:
        assert opened.body.read() == b"one two"
    assert [access.service.sid for access in one.services(ROOT)] == ["base", "middle", "top"]
    assert one.chain.services["top"].find(Multipart) is None


def test_no_service_can_be_made_that_is_named_like_a_hidden_one(start: Open) -> None:
    runtime = start(CHAIN)
    runtime.access(ROOT, "base").begin("key")
    with pytest.raises(BadKey):
        runtime.create(ROOT, "~staging.base")
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "~staging.base")


# the runtime


def test_it_is_what_modes_ask_for(start: Open) -> None:
    gateway: Gateway = start()
    assert gateway.options.region == "us-east-1"
    assert gateway.clock() > 1_700_000_000_000
    account = gateway.account("root")
    assert account is not None and account.id == "root"
    assert gateway.keys.credential("nobody") is None


def put(runtime: Runtime, sid: str, key: str = "k") -> None:
    runtime.access(ROOT, sid).put(key, BytesBody(b"x"), Put(size=1))


def test_what_one_worker_makes_and_drops_the_others_see_at_once(start: Open) -> None:
    one, other = start(), start()
    with pytest.raises(NoSuchStore):
        other.access(ALICE, "bucket")
    made = one.create(ALICE, "bucket")
    assert (made.service.owner, made.service.about.driver) == ("alice", "local")
    assert other.access(ALICE, "bucket").may("admin")
    put(other, "bucket")
    with one.access(ALICE, "bucket").get("k") as opened:
        assert opened.body.read() == b"x"
    one.set_grants(ALICE, "bucket", [Grant("bob", "read")])
    assert other.access(BOB, "bucket").may("list")
    with pytest.raises(NotEmpty):
        other.drop(ALICE, "bucket")
    other.access(ALICE, "bucket").delete("k")
    other.drop(ALICE, "bucket")
    with pytest.raises(NoSuchStore):
        one.access(ALICE, "bucket")
    again = one.create(BOB, "bucket")
    assert again.service.owner == "bob"
    assert not other.access(ALICE, "bucket").visible
    assert again.list(ListQuery()).entries == ()


def test_who_may_make_services(start: Open) -> None:
    runtime = start()
    refused = (
        ANONYMOUS,
        who("a", "read-all"),
        who("a", "write-all"),
        who("a", {"bucket": "admin"}),
    )
    for one in refused:
        with pytest.raises(Forbidden):
            runtime.create(one, "bucket")
    for number, access in enumerate(("own", "admin")):
        runtime.create(who("a", access), f"bucket{number}")  # type: ignore[arg-type]  # levels
    with pytest.raises(AlreadyExists):
        runtime.create(ROOT, "bucket0")
    for sid in ("ab", "UPPER", "a_b_c", "a" * 64, "../x", "...", "-a-", "10.0.0.1", "xn--a"):
        with pytest.raises(BadKey):
            runtime.create(ALICE, sid)


def test_who_may_drop_and_grant(start: Open) -> None:
    runtime = start()
    runtime.create(ALICE, "bucket", [Grant("bob", "write")])
    acts: list[Callable[[Identity], None]] = [
        lambda one: runtime.drop(one, "bucket"),
        lambda one: runtime.set_grants(one, "bucket", [Grant("bob", "full")]),
    ]
    for act in acts:
        for one in (BOB, ANONYMOUS, who("c", "write-all"), who("alice", {"bucket": "write"})):
            with pytest.raises(Forbidden):
                act(one)
    runtime.set_grants(ALICE, "bucket", [Grant("bob", "full")])
    runtime.set_grants(BOB, "bucket", [])
    assert runtime.access(ALICE, "bucket").service.grants == ()
    runtime.drop(who("c", {"bucket": "admin"}), "bucket")
    with pytest.raises(NoSuchStore):
        runtime.drop(ROOT, "bucket")
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "bucket")


def test_declared_services_are_the_configurations(start: Open) -> None:
    runtime = start(CHAIN)
    with pytest.raises(Conflict, match=r"services\.base"):
        runtime.drop(ROOT, "base")
    with pytest.raises(Conflict, match=r"services\.base"):
        runtime.set_grants(ROOT, "base", [])
    with pytest.raises(Forbidden):
        runtime.drop(ALICE, "base")
    with pytest.raises(AlreadyExists):
        runtime.create(ROOT, "base")


def test_a_declared_service_is_as_old_as_the_file_that_declares_it(
    start: Open, tmp_path: Path
) -> None:
    written = (tmp_path / "gateway.toml").stat().st_mtime_ns if start(CHAIN) else 0
    services = start(CHAIN).services(ROOT)
    assert len(services) == 3
    assert all(one.service.about.created >= written // 1_000_000 > 0 for one in services)


def test_a_declared_service_keeps_its_date_when_the_file_is_written_again(
    start: Open, tmp_path: Path
) -> None:
    def dates(text: str) -> dict[str, int]:
        about = [one.service.about for one in start(text).services(ROOT)]
        return {one.sid: one.created for one in about}

    first = dates(CHAIN)
    file, another = tmp_path / "gateway.toml", '[services.another]\ndriver = "plain"\n'
    file.touch()
    os.utime(file, (5e9, 5e9))
    assert dates(CHAIN) == first
    found = dates(CHAIN + another)
    assert found.items() > first.items()
    assert dates("") == {}
    assert dates(CHAIN + another) == found, "it was away for a while"


def test_everybody_sees_the_services_that_concern_them(start: Open) -> None:
    runtime = start('[services.declared]\ndriver = "plain"\n')
    runtime.create(ALICE, "a-own")
    runtime.create(BOB, "b-own")
    runtime.create(BOB, "b-public", [Grant("*", "read")])

    def seen(identity: Identity) -> list[str]:
        return [one.service.sid for one in runtime.services(identity)]

    assert seen(ALICE) == ["a-own", "b-public"]
    assert seen(BOB) == ["b-own", "b-public"]
    assert seen(ANONYMOUS) == ["b-public"]
    assert seen(who("x", "read-all")) == ["a-own", "b-own", "b-public", "declared"]
    assert seen(who("x", {"b-own": "read", "declared": "read"})) == [
        "b-own",
        "b-public",
        "declared",
    ]


def test_all_pages_of_services_are_listed(start: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.services.lookup._PAGE", 3)
    runtime = start()
    names = [f"bucket{number}" for number in range(9)]
    for name in names:
        runtime.create(ALICE, name)
    assert [one.service.sid for one in runtime.services(ALICE)] == names


@pytest.mark.parametrize("accounts", [("alice",), ("alice", "bob", "carol")])
def test_of_many_that_make_a_service_one_succeeds(start: Open, accounts: tuple[str, ...]) -> None:
    runtimes = [start(), start()]
    for number in range(5):
        sid, barrier = f"bucket{number}", threading.Barrier(6)

        def make(index: int, sid: str = sid, barrier: threading.Barrier = barrier) -> bool:
            barrier.wait()
            try:
                runtimes[index % 2].create(who(accounts[index % len(accounts)]), sid)
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(make, range(6))) == 1
        put(runtimes[0], sid)


def test_making_and_dropping_at_once_leaves_both_or_neither(start: Open) -> None:
    runtimes = [start(), start()]

    def work(index: int) -> None:
        runtime = runtimes[index % 2]
        for _ in range(40):
            try:
                (runtime.create if index < 2 else runtime.drop)(ALICE, "bucket")
            except (AlreadyExists, NoSuchStore, Conflict):
                continue

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    try:
        runtimes[0].create(ALICE, "bucket")
    except AlreadyExists:
        put(runtimes[1], "bucket")
        runtimes[0].access(ALICE, "bucket").delete("k")
    runtimes[1].drop(ALICE, "bucket")
    runtimes[0].create(BOB, "bucket")


@pytest.mark.parametrize("used", [False, True])
def test_a_bucket_that_is_made_while_its_row_goes_is_not_left_without_one(
    start: Open, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    runtime = start()
    runtime.catalog.add_service("late", "alice")  # somebody is about to make it
    remove = runtime.catalog.remove_service

    def made_first(row: int) -> bool:
        runtime.chain.buckets.create("late")
        if used:
            put(runtime, "late")
        return remove(row)

    monkeypatch.setattr(runtime.catalog, "remove_service", made_first)
    if used:
        with pytest.raises(NotEmpty):
            runtime.drop(ALICE, "late")
        assert runtime.access(ALICE, "late").stat("k").size
        return
    runtime.drop(ALICE, "late")
    runtime.create(BOB, "late")


# after a crash


def test_a_row_without_a_bucket_is_made_again_or_dropped_by_its_owner(start: Open) -> None:
    runtime = start()
    for sid in ("one", "two"):
        runtime.catalog.add_service(f"crash-{sid}", "alice")
        with pytest.raises(NoSuchStore):
            runtime.access(ALICE, f"crash-{sid}")
        with pytest.raises(AlreadyExists):
            runtime.create(BOB, f"crash-{sid}")
        with pytest.raises(Forbidden):
            runtime.drop(BOB, f"crash-{sid}")
    assert runtime.services(ROOT) == []
    runtime.create(ALICE, "crash-one")
    put(runtime, "crash-one")
    runtime.drop(ALICE, "crash-two")
    assert runtime.create(BOB, "crash-two").service.owner == "bob"


def test_a_bucket_without_a_row_is_given_to_nobody(start: Open) -> None:
    runtime = start()
    runtime.chain.buckets.create("foreign")
    with pytest.raises(AlreadyExists):
        runtime.create(ALICE, "foreign")
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "foreign")


class Between(Chain):
    """Lets something happen `before` or `after` a bucket is made or dropped."""

    before: Callable[[], object] = staticmethod(lambda: None)
    after: Callable[[], object] = staticmethod(lambda: None)

    @property
    def buckets(self) -> Buckets:
        own = super().buckets

        def between(act: Callable[..., object]) -> Callable[..., None]:
            def run(sid: str, **how: Any) -> None:
                self.before()
                act(sid, **how)
                self.after()

            return run

        view = SimpleNamespace(
            create=between(own.create), drop=between(own.drop), bucket=own.bucket
        )
        return cast(Buckets, view)


def between(runtime: Runtime) -> Between:
    runtime.chain.__class__ = Between
    assert isinstance(runtime.chain, Between)
    return runtime.chain


def test_a_drop_that_is_overtaken_by_a_new_service_leaves_that_alone(start: Open) -> None:
    one, other = start(), start()
    one.create(ALICE, "bucket")
    between(one).after = lambda: other.create(ALICE, "bucket")
    one.drop(ALICE, "bucket")
    put(other, "bucket")
    assert other.access(ALICE, "bucket").service.owner == "alice"


def test_a_service_that_is_dropped_while_it_is_made_leaves_nothing(start: Open) -> None:
    one, other = start(), start()

    def drop_it() -> None:
        if other.catalog.read_service("bucket") is not None:
            other.drop(ALICE, "bucket")

    between(one).before = drop_it
    with pytest.raises(Conflict):
        one.create(ALICE, "bucket")
    other.create(BOB, "bucket")
    put(other, "bucket")
