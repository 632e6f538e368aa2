"""Volumes: who may what, and that catalog and store agree on them (`services.volumes`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.catalog import ServiceRow, database, schema
from gateway.catalog.keys import Declarations
from gateway.catalog.rows import Within
from gateway.catalog.secrets import Keyring, new_master
from gateway.catalog.services import insert_service
from gateway.config import load
from gateway.modes import bucket_names
from gateway.plugins.finding import Plugins
from gateway.services.chain import Chain
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.volumes import sids
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Buckets,
    BytesBody,
    Conflict,
    InvalidRequest,
    NoSuchStore,
    NoSuchVolume,
    NotEmpty,
    StorageError,
    Store,
)
from tests import catalogs

Open = Callable[..., Runtime]


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")
NAMED = who("carol", {"media.pics": "read"})
EVERYTHING = who("carol", "read-all")
NOBODY = who("carol")


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


@pytest.fixture
def start(tmp_path: Path, plugins: Plugins, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens runtimes of one data folder, as several workers would; or one in memory."""
    opened: list[Runtime] = []
    catalogs.without_delay(monkeypatch)

    def start(text: str = "", *, kind: str = "sqlite") -> Runtime:
        file = tmp_path / "gateway.toml"
        memory = str(kind == "memory").lower()
        file.write_text(f'[server]\ndata = "data"\nmemory = {memory}\n{text}')
        opened.append(open_runtime(load(file, environ={}, plugins=plugins), environ={}))
        return opened[-1]

    yield start
    for runtime in opened:
        runtime.close()


@pytest.fixture
def runtime(start: Open) -> Runtime:
    return start(kind="memory")


def put(runtime: Runtime, sid: str, identity: Identity = ROOT) -> None:
    runtime.access(identity, sid).put("k", BytesBody(b"v"))


def outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except StorageError as error:
        return type(error).__name__
    return "done"


def names(runtime: Runtime, identity: Identity, **asked: Any) -> tuple[list[str], str | None]:
    page = runtime.volumes.list(identity, **asked)
    return [one.name for one in page.items], page.next


def buckets(runtime: Runtime, identity: Identity, **asked: Any) -> tuple[list[str], str | None]:
    page = runtime.volumes.buckets(identity, "media", **asked)
    return [one.service.about.bucket for one in page.items], page.next


# who may what

ASKING = {
    "root": ROOT,
    "the owner": ALICE,
    "granted": BOB,
    "named": NAMED,
    "reads everything": EVERYTHING,
    "nobody": NOBODY,
    "anonymous": ANONYMOUS,
    "the owner's other key": who("alice", {"elsewhere": "admin"}),
}
CODES = {
    "ok": "done",
    "no": "Forbidden",
    "-": "NoSuchVolume",
    "0": "NoSuchStore",
    "full": "NotEmpty",
}


def _made(runtime: Runtime, identity: Identity) -> None:
    runtime.volumes.make(identity, "other", owner="alice")
    runtime.volumes.drop(identity, "other")


def _created(runtime: Runtime, identity: Identity) -> None:
    made = runtime.volumes.create_bucket(identity, "media", "new")
    assert made.service.owner == "alice"
    runtime.drop(identity, made.service.sid)


MAY: dict[str, tuple[str, Callable[[Runtime, Identity], object]]] = {
    "make": ("ok no no no no no no no", _made),
    "change": ("ok no no no no no no no", lambda it, who: it.volumes.change(who, "media", user="")),
    "change none": ("- no no no no no no no", lambda it, who: it.volumes.change(who, "none")),
    "list all": ("ok no no no no no no no", lambda it, who: it.volumes.list(who, every=True)),
    "list": ("ok ok ok ok ok ok ok ok", lambda it, who: it.volumes.list(who)),
    "find": ("ok ok no no no - - -", lambda it, who: it.volumes.find(who, "media")),
    "find none": ("- - - - - - - -", lambda it, who: it.volumes.find(who, "none")),
    "find no name": ("- - - - - - - -", lambda it, who: it.volumes.find(who, "No\0\ud800Name")),
    "drop": ("full full no no no - - -", lambda it, who: it.volumes.drop(who, "media")),
    "drop none": ("- - - - - - - -", lambda it, who: it.volumes.drop(who, "none")),
    "create": ("ok ok no no no - - -", _created),
    "create in none": (
        "- - - - - - - -",
        lambda it, who: it.volumes.create_bucket(who, "none", "pics"),
    ),
    "buckets": ("ok ok ok ok ok - - -", lambda it, who: it.volumes.buckets(who, "media")),
    "shared": ("ok ok ok ok ok - - -", lambda it, who: it.volumes.bucket(who, "media", "pics")),
    "private": ("ok ok 0 0 ok - - -", lambda it, who: it.volumes.bucket(who, "media", "private")),
    "no bucket": ("0 0 0 0 0 - - -", lambda it, who: it.volumes.bucket(who, "media", "absent")),
    "in none": ("- - - - - - - -", lambda it, who: it.volumes.bucket(who, "none", "pics")),
}


@pytest.fixture
def media(runtime: Runtime) -> Runtime:
    """With a volume of Alice's, and two buckets, of which Bob may read one."""
    runtime.volumes.make(ROOT, "media", owner="alice", user="Alice")
    runtime.volumes.create_bucket(ALICE, "media", "pics")
    runtime.volumes.create_bucket(ROOT, "media", "private")
    runtime.set_grants(ALICE, "media.pics", [Grant("bob", "read")])
    return runtime


def test_who_may_what(media: Runtime) -> None:
    for what, (expected, act) in MAY.items():
        for (name, identity), code in zip(ASKING.items(), expected.split(), strict=True):

            def asked(identity: Identity = identity, act: Any = act) -> object:
                return act(media, identity)

            assert (what, name, outcome(asked)) == (what, name, CODES[code])


def test_who_sees_which(media: Runtime) -> None:
    all_of_them = (["pics", "private"], None)
    for identity in (ROOT, ALICE, EVERYTHING):
        assert buckets(media, identity) == all_of_them
    for identity in (BOB, NAMED):
        assert buckets(media, identity) == (["pics"], None)
        assert buckets(media, identity, prefix="pr") == ([], None)  # it knows of the volume
    assert [names(media, one)[0] for one in (ROOT, ALICE, BOB)] == [[], ["media"], []]
    assert names(media, ROOT, every=True) == (["media"], None)
    denied = Grant("carol", "read-acl")  # may look at its list, and at nothing in it
    media.set_grants(ALICE, "media.private", [denied])
    with pytest.raises(NoSuchVolume):
        media.volumes.buckets(NOBODY, "media")


def test_a_bucket_is_found_by_its_place_and_by_its_sid(media: Runtime) -> None:
    access = media.volumes.bucket(ALICE, "media", "pics")
    about = access.service.about
    assert (about.sid, about.volume, about.bucket, about.owner) == (
        "media.pics",
        "media",
        "pics",
        "alice",
    )
    access.put("k", BytesBody(b"v"))
    assert media.access(NAMED, "media.pics").stat("k").size == 1
    assert media.access(ALICE, "media.pics").service is access.service
    assert media.volumes.bucket(ALICE, "media", "pics").service is access.service
    info = media.volumes.find(ALICE, "media")
    assert (info.owner, info.user, info.quota, info.created_by) == (
        "alice",
        "Alice",
        None,
        "root-key",
    )
    assert info.created and not info.declared


def test_what_is_no_name_and_what_is_taken(media: Runtime) -> None:
    volumes = media.volumes
    for name in ("ab", "Jan-vol1", "a_b_c", "a" * 64, "-abc", "abc.", "a..b", "a.-b", "10.0.0.1"):
        with pytest.raises(BadKey):
            volumes.make(ROOT, name, owner="alice")
        with pytest.raises(BadKey):
            volumes.create_bucket(ALICE, "media", name)
    for name in ("abc", "a" * 63, "a.b-c", "123", "xn--abc", "abc-s3alias"):
        assert volumes.make(ROOT, name, owner="alice").name == name
        assert volumes.create_bucket(ALICE, name, name).service.about.volume == name
    with pytest.raises(AlreadyExists):
        volumes.make(ROOT, "media", owner="bob")
    with pytest.raises(AlreadyExists):
        volumes.create_bucket(ROOT, "media", "pics")
    for owner in ("", "no owner", "a" * 300, "\ud800"):
        with pytest.raises(InvalidRequest):
            volumes.make(ROOT, "another", owner=owner)
        with pytest.raises(InvalidRequest):
            volumes.change(ROOT, "media", owner=owner)
    for quota in (-1, 1 << 63):
        with pytest.raises(InvalidRequest):
            volumes.change(ROOT, "media", quota=quota)


def test_every_sid_is_a_bucket_name(media: Runtime) -> None:
    volumes = media.volumes
    assert next(sids("media", "pics")) == "media.pics"
    for volume, bucket in (
        ("v" * 63, "b" * 63),
        ("xn--v", "bucket"),
        ("sthree-" + "v" * 50, "b" * 63),
        ("volume", "b-s3alias"),
        ("192.168", "1.1"),
        ("a" * 53, "b.c"),
    ):
        for sid in sids(volume, bucket):
            assert bucket_names.is_valid(sid), (volume, bucket, sid)
        volumes.make(ROOT, volume, owner="alice")
        found = volumes.create_bucket(ALICE, volume, bucket).service.about
        assert (found.volume, found.bucket) == (volume, bucket)
    assert len({*sids("media", "pics")}) > 10


def test_a_sid_that_is_taken_is_anothers(media: Runtime) -> None:
    volumes = media.volumes
    media.create(BOB, "media.taken")  # a bucket of somebody else
    volumes.make(ROOT, "a.b", owner="alice")
    volumes.make(ROOT, "a.b.c", owner="bob")
    volumes.create_bucket(ALICE, "a.b", "c.d.e")
    made = [
        volumes.create_bucket(ALICE, "media", "taken"),
        volumes.create_bucket(BOB, "a.b.c", "d.e"),
    ]
    for one, sid in zip(made, ("media.taken", "a.b.c.d.e"), strict=True):
        assert one.service.sid.startswith(f"{sid}-")
        one.put("k", BytesBody(b"v"))
    assert media.access(BOB, "media.taken").service.about.volume == ""
    assert volumes.bucket(ALICE, "media", "taken").stat("k").size == 1
    # A name by itself that is taken is no other's place, and is free in the next volume.
    volumes.make(ROOT, "second", owner="bob")
    assert volumes.create_bucket(BOB, "second", "pics").service.sid == "second.pics"


def test_pages(media: Runtime) -> None:
    volumes = media.volumes
    for name in ("audio", "b.2", "b00", "b20", "bbb"):
        volumes.make(ROOT, name, owner="alice")
        volumes.create_bucket(ALICE, "media", name)
    every = ["audio", "b.2", "b00", "b20", "bbb", "media"]
    assert names(media, ALICE) == (every, None)
    assert names(media, ALICE, limit=6) == (every, None)
    assert names(media, ALICE, limit=2) == (every[:2], "b.2")
    assert names(media, ALICE, limit=2, after="b.2") == (every[2:4], "b20")
    assert names(media, ALICE, prefix="b", after="b00") == (["b20", "bbb"], None)
    assert names(media, ALICE, prefix="none") == ([], None)
    there = ["audio", "b.2", "b00", "b20", "bbb", "pics", "private"]
    assert buckets(media, ALICE) == (there, None)
    assert buckets(media, ALICE, limit=3) == (there[:3], "b00")
    assert buckets(media, ALICE, limit=3, after="b00") == (there[3:6], "pics")
    assert buckets(media, ALICE, prefix="b", limit=4) == (there[1:5], None)
    # Any text may be asked for; none is an error.
    for after in ("", "B", "b1", "b_", "b\0", "\ud800", "b\ud800", "é", "~", "\U0010ffff"):
        text = after.partition("\0")[0]
        expected = [one for one in there if one > text]
        assert buckets(media, ALICE, after=after) == (expected, None), ascii(after)
        assert names(media, ALICE, after=after)[0] == [one for one in every if one > text]
    for prefix in ("\0", "b\0", "\ud800", "é", "\U0010ffff", "B"):
        assert buckets(media, ALICE, prefix=prefix) == ([], None), ascii(prefix)
        assert names(media, ALICE, prefix=prefix) == ([], None)


def test_a_page_costs_what_a_page_costs(media: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of some hundred buckets: counted is what is looked at, whoever asks."""
    for number in range(300):
        media.catalog.add_service(
            f"media.n{number:04}", "alice", within=Within("media", f"n{number:04}")
        )
        media.chain.buckets.create(f"media.n{number:04}")
    opened = list[str]()
    made = media.chain.made

    def counted(sid: str) -> Store:
        opened.append(sid)
        return made(sid)

    monkeypatch.setattr(media.chain, "made", counted)
    page = media.volumes.buckets(ALICE, "media", prefix="n", after="n0200", limit=10)
    assert (page.items[0].service.about.bucket, page.next) == ("n0201", "n0210")
    assert len(opened) == 11
    opened.clear()
    assert buckets(media, BOB) == (["pics"], None)
    assert len(opened) == 1


# what is dropped and changed


def test_a_volume_goes_when_it_is_empty(media: Runtime) -> None:
    volumes = media.volumes
    media.drop(ALICE, "media.private")  # as S3's DeleteBucket does
    with pytest.raises(NoSuchStore):
        volumes.bucket(ALICE, "media", "private")
    put(media, "media.pics")
    with pytest.raises(NotEmpty):
        media.drop(ALICE, "media.pics")
    with pytest.raises(NotEmpty):
        volumes.drop(ALICE, "media")
    media.access(ROOT, "media.pics").delete("k")
    media.drop(ALICE, "media.pics")
    volumes.drop(ALICE, "media")
    for identity in (ROOT, ALICE):
        with pytest.raises(NoSuchVolume):
            volumes.find(identity, "media")
    assert volumes.make(ROOT, "media", owner="bob").owner == "bob"
    assert volumes.create_bucket(BOB, "media", "pics").service.owner == "bob"
    assert media.volumes.bucket(BOB, "media", "pics").service.grants == ()


def test_keys_of_the_owner_before_have_nothing_in_the_buckets_of_a_new_one(start: Open) -> None:
    """Who is the owner now sees no keys of others, and could not take it from them."""
    one, other = start(), start()
    one.volumes.make(ROOT, "media", owner="alice")
    one.volumes.create_bucket(ALICE, "media", "pics")
    one.create(ALICE, "alone")
    table: KeyAccess = {"media.pics": "admin", "alone": "read"}
    for account in ("alice", "carol"):
        one.catalog.add_key(account=account, id=f"{account}-1", access=table)
    one.volumes.change(ROOT, "media", quota=None, user="Alice", owner="alice")
    left = {"alice-1": table, "carol-1": table}
    for owner in ("alice", "bob"):
        one.volumes.change(ROOT, "media", owner=owner)
        for runtime in (one, other):
            found = {one.id: one.access for one in runtime.catalog.all_keys() if one.id in left}
            assert found == left, owner
        left["alice-1"] = {"alone": "read"}
    entries = [entry for entry in one.catalog.audit() if entry.action == "key.change"]
    assert [entry.subject for entry in entries] == ["alice-1"]


@pytest.mark.parametrize("kind", catalogs.SHARED)
def test_a_new_owner_has_its_buckets_at_once_in_every_worker(start: Open, kind: str) -> None:
    table = catalogs.table(kind)
    one, other = start(table), start(table)
    one.volumes.make(ROOT, "media", owner="alice", user="Alice")
    one.volumes.create_bucket(ALICE, "media", "pics")
    one.create(ALICE, "alone")
    put(other, "media.pics", ALICE)
    assert other.volumes.bucket(ALICE, "media", "pics").service.owner == "alice"
    changed = one.volumes.change(ROOT, "media", owner="bob", user="Bob")
    assert (changed.owner, changed.user) == ("bob", "Bob")
    for runtime in (one, other):
        assert runtime.volumes.find(BOB, "media") == changed
        assert runtime.volumes.bucket(BOB, "media", "pics").stat("k").size == 1
        assert runtime.access(BOB, "media.pics").service.owner == "bob"
        assert not runtime.access(ALICE, "media.pics").visible
        with pytest.raises(NoSuchVolume):
            runtime.volumes.bucket(ALICE, "media", "pics")
        assert runtime.access(ALICE, "alone").service.owner == "alice"
    entries = [(one.action, one.detail) for one in one.catalog.audit(subject="media", limit=3)]
    assert ("volume.change", {"owner": "bob", "user": "Bob"}) in entries
    one.volumes.change(ROOT, "media", user="Bob")  # nothing else
    assert [one.action for one in one.catalog.audit(limit=1)] == ["volume.change"]
    again = one.volumes.change(ROOT, "media", owner="alice")
    assert (again.owner, again.user) == ("alice", "")  # as Bob was called, Alice is not
    assert one.catalog.audit(limit=1)[0].detail == {"owner": "alice", "user": ""}


def test_what_the_audit_has(media: Runtime) -> None:
    media.volumes.drop(ROOT, _empty(media))
    found = [(one.action, one.subject, one.detail) for one in media.catalog.audit(limit=3)]
    assert found == [
        ("volume.drop", "empty", {}),
        ("volume.add", "empty", {"owner": "alice", "user": "", "quota": None}),
        ("grants.put", "media.pics", {"grants": [["bob", "read"]]}),
    ]
    (added, *_) = media.catalog.audit(action="bucket.add", subject="media.pics")
    assert (added.detail["volume"], added.detail["bucket"]) == ("media", "pics")


def _empty(runtime: Runtime) -> str:
    return runtime.volumes.make(ROOT, "empty", owner="alice").name


# several at once, and after a crash


def test_of_many_that_make_a_bucket_one_succeeds(start: Open) -> None:
    runtimes = [start(), start()]
    runtimes[0].volumes.make(ROOT, "media", owner="alice")
    runtimes[0].create(BOB, "media.b2")  # its sid is taken
    for number in range(3):
        name, barrier = f"b-{number}", threading.Barrier(6)

        def make(index: int, name: str = name, barrier: threading.Barrier = barrier) -> str:
            barrier.wait()
            return outcome(lambda: runtimes[index % 2].volumes.create_bucket(ALICE, "media", name))

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(make, range(6))) == ["AlreadyExists"] * 5 + ["done"]
        runtimes[1].volumes.bucket(ALICE, "media", name).put("k", BytesBody(b"v"))


def test_making_buckets_and_dropping_the_volume_at_once(start: Open) -> None:
    """Whatever comes first: no bucket is left without a volume, and no volume in the store."""
    runtimes = [start(), start()]
    allowed = {"done", "AlreadyExists", "NotEmpty", "NoSuchVolume", "NoSuchStore", "Conflict"}
    acts: tuple[Callable[[Runtime], object], ...] = (
        lambda one: one.volumes.make(ROOT, "media", owner="alice"),
        lambda one: one.volumes.create_bucket(ROOT, "media", "pics"),
        lambda one: one.volumes.drop(ROOT, "media"),
        lambda one: one.drop(ROOT, one.volumes.bucket(ROOT, "media", "pics").service.sid),
    )

    def work(index: int) -> set[str]:
        return {outcome(lambda: acts[index % 4](runtimes[index % 2])) for _ in range(40)}

    with ThreadPoolExecutor(4) as pool:
        said = set().union(*pool.map(work, (0, 1, 2, 3)))
    assert said <= allowed, said
    one = runtimes[0]
    outcome(lambda: one.volumes.make(ROOT, "media", owner="alice"))
    outcome(lambda: one.volumes.create_bucket(ALICE, "media", "pics"))
    access = one.volumes.bucket(ALICE, "media", "pics")
    access.put("k", BytesBody(b"v"))
    access.delete("k")
    one.drop(ALICE, access.service.sid)
    one.volumes.drop(ALICE, "media")
    assert one.catalog.volumes() == [] and one.catalog.services() == []


def test_a_volume_is_dropped_while_somebody_else_clears_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.volumes.make(ROOT, "media", owner="alice")
    runtime.catalog.add_service("media.left", "alice", within=Within("media", "left"))
    remove = runtime.catalog.remove_service

    def remove_late(id: int) -> bool:
        monkeypatch.undo()
        remove(id)
        return remove(id)

    monkeypatch.setattr(runtime.catalog, "remove_service", remove_late)
    runtime.volumes.drop(ALICE, "media")
    assert runtime.catalog.volumes() == []


def test_a_bucket_is_made_for_who_owns_the_volume_then(
    media: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume gets another owner between the look at it and the row of its bucket."""
    read = media.catalog.read_service

    def read_late(sid: str) -> ServiceRow | None:
        monkeypatch.undo()
        media.volumes.change(ROOT, "media", owner="bob")
        return read(sid)

    monkeypatch.setattr(media.catalog, "read_service", read_late)
    with pytest.raises(Conflict):
        media.volumes.create_bucket(ALICE, "media", "new")
    assert [row.within.bucket for row in media.catalog.services_within("media")] == [
        "pics",
        "private",
    ]
    assert media.volumes.create_bucket(ROOT, "media", "new").service.owner == "bob"


class Ended(BaseException):
    """The process is killed here."""


def dying(runtime: Runtime, name: str, *, after: bool) -> None:
    """Have it end at the next call of that name on its stores or its catalog."""
    catalog = runtime.catalog
    owner: Any = catalog if hasattr(catalog, name) else None
    if owner is None:
        _dying_store(runtime, name, after)
        return
    act = getattr(owner, name)

    def run(*args: Any, **how: Any) -> None:
        if after:
            act(*args, **how)
        raise Ended

    setattr(owner, name, run)


def _dying_store(runtime: Runtime, name: str, after: bool) -> None:
    def buckets(chain: Chain) -> Buckets:
        own = Chain.buckets.__get__(chain)

        def run(*args: Any, **how: Any) -> None:
            if after:
                getattr(own, name)(*args, **how)
            raise Ended

        view = {one: getattr(own, one) for one in ("create", "drop", "bucket")}
        return cast(Buckets, SimpleNamespace(**view | {name: run}))

    runtime.chain.__class__ = type("Dying", (Chain,), {"buckets": property(buckets)})


POINTS = [
    (name, after)
    for name in ("add_service", "create", "read_service", "drop", "remove_service")
    for after in (False, True)
]


def test_a_process_that_ends_anywhere_leaves_what_can_be_made_and_dropped(start: Open) -> None:
    for index, (name, after) in enumerate(POINTS):
        point, volume = (name, after), f"volume{index}"
        whole = start()
        whole.volumes.make(ROOT, volume, owner="alice")
        broken = start()
        dying(broken, name, after=after)
        with pytest.raises(Ended):
            access = broken.volumes.create_bucket(ALICE, volume, "pics")
            broken.drop(ALICE, access.service.sid)
        # Its owner makes it again, where it is not there, and nobody else has it.
        said = outcome(partial(whole.volumes.create_bucket, ALICE, volume, "pics"))
        assert said in ("done", "AlreadyExists"), point
        access = whole.volumes.bucket(ALICE, volume, "pics")
        assert access.service.sid == f"{volume}.pics", point
        put(whole, access.service.sid)
        access.delete("k")
        whole.drop(ALICE, access.service.sid)
        whole.volumes.drop(ALICE, volume)
        for runtime in (whole, broken):
            runtime.close()


def test_what_a_crash_left_is_dropped_with_its_volume(start: Open) -> None:
    for index, (name, after) in enumerate(POINTS):
        volume = f"volume{index}"
        whole = start()
        whole.volumes.make(ROOT, volume, owner="alice")
        broken = start()
        dying(broken, name, after=after)
        with pytest.raises(Ended):
            access = broken.volumes.create_bucket(ALICE, volume, "pics")
            broken.drop(ALICE, access.service.sid)
        if whole.volumes.buckets(ALICE, volume).items:
            whole.drop(ALICE, f"{volume}.pics")
        whole.volumes.drop(ALICE, volume)
        assert whole.catalog.read_volume(volume) is None, (name, after)
        whole.create(BOB, f"{volume}.pics")  # nothing of it is anybody's
        for runtime in (whole, broken):
            runtime.close()


# an older catalog


@pytest.mark.parametrize("kind", catalogs.SHARED)
def test_an_older_catalog_gets_volumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """One of schema 7: its buckets are in none, and go on."""
    catalogs.empty(kind)
    keyring, before = Keyring(new_master()), schema.MIGRATIONS[:7]
    for module in (schema, database):
        monkeypatch.setattr(module, "MIGRATIONS", before)
    old = catalogs.opened(kind, tmp_path, Declarations(), lambda: 1, keyring)
    old.close()
    monkeypatch.undo()
    engine = catalogs.engine(kind, tmp_path)
    with engine.begin() as connection:
        assert schema.version_of(connection) == 7
        assert not connection.dialect.has_table(connection, "volumes")
        id = insert_service(connection, "photos", "alice", 1)
    engine.dispose()
    catalog = catalogs.opened(kind, tmp_path, Declarations(), lambda: 2, keyring)
    try:
        row = catalog.service("photos")
        assert row is not None and (row.id, row.owner, row.within) == (id, "alice", Within())
        assert catalog.volumes() == []
        catalog.add_volume("media", "alice", created_by="")
        place = Within("media", "pics")
        assert catalog.add_service("media.pics", "alice", within=place).within == place
        assert catalog.services_within("media") == [catalog.service("media.pics")]
    finally:
        catalog.close()
