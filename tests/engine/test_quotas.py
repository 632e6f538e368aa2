"""Quotas: exact whoever writes at the same moment, over every way in which bytes come and go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import (
    Arrival,
    BytesBody,
    Complete,
    Context,
    Delete,
    Full,
    ObjectInfo,
    Part,
    PartRef,
    Put,
    QuotaExceeded,
    Stats,
    StorageError,
    VolumeStats,
)
from gateway.testing.conformance.parallel import together

QUOTA = 1000


class Unread(BytesBody):
    """A body that nobody may read."""

    def read(self, size: int = -1) -> bytes:
        raise AssertionError("it was read")


def opened(kind: type[Any], folder: Path, **options: Any) -> Any:
    store = kind(**{"keep_versions": "off", "quota": QUOTA, **options})
    store.open(Context(sid="s", folder=folder))
    return store


@pytest.fixture(params=[Memory, Local])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    with closing(opened(request.param, tmp_path)) as made:
        yield made


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Any]:
    with closing(opened(Memory, tmp_path)) as made:
        yield made


def put(store: Any, key: str, size: int) -> ObjectInfo:
    info: ObjectInfo = store.put(key, BytesBody(bytes(size)), Put(size=size))
    return info


def send(store: Any, key: str, upload: str, size: int, number: int = 1) -> PartRef:
    part: Part = store.put_part(key, upload, number, BytesBody(bytes(size)), Put(size=size))
    return PartRef(number=number, etag=part.etag)


def test_of_many_writers_as_many_succeed_as_there_is_room_for(store: Any) -> None:
    put(store, "source", 100)
    uploads = [store.begin(f"part-{one}").id for one in range(4)]
    ways: list[Callable[[int], object]] = [
        lambda one: put(store, f"put-{one}", 100),
        lambda one: store.copy(store, "source", f"copy-{one}"),
        lambda one: send(store, f"part-{one // 4}", uploads[one // 4], 100),
        lambda one: store.put_annotation("source", f"a-{one}", bytes(100)),
    ]
    results = together(16, lambda one: ways[one % 4](one))
    refused = [one for one in results if isinstance(one, StorageError)]
    assert {type(one) for one in refused} == {QuotaExceeded}
    assert len(results) - len(refused) == 9
    stats = store.stats()
    assert (stats.bytes + stats.waiting, stats.quota) == (QUOTA, QUOTA)


@pytest.mark.parametrize("kind", [Memory, Local])
def test_of_many_writers_in_buckets_of_a_volume_as_many_succeed_as_there_is_room_for(
    kind: type[Any], tmp_path: Path
) -> None:
    with closing(kind()) as account:
        account.open(Context(sid="", folder=tmp_path))
        account.set_volume("v", QUOTA)
        for name in "abcd":
            account.create(name, volume="v")
        stores = [account.bucket(name) for name in "abcd"]
        put(stores[0], "source", 100)
        put(stores[1], "annotated", 0)
        uploads = [stores[2].begin(f"{one}").id for one in range(8)]
        ways: list[Callable[[int], object]] = [
            lambda one: put(stores[0], f"put-{one}", 100),
            lambda one: stores[1].put_annotation("annotated", f"a-{one}", bytes(100)),
            lambda one: send(stores[2], f"{one // 4}", uploads[one // 4], 100),
            lambda one: stores[3].copy(stores[0], "source", f"copy-{one}"),
        ]
        results = together(32, lambda one: ways[one % 4](one))
        refused = [one for one in results if isinstance(one, StorageError)]
        assert {type(one) for one in refused} == {QuotaExceeded}
        assert len(results) - len(refused) == 9
        assert account.volumes() == {"v": VolumeStats(QUOTA, QUOTA, 4)}
        assert all(one.right for one in account.recount_volumes().values())
        assert all(store.recount().right for store in stores)


def test_a_write_in_no_volume_asks_for_none() -> None:
    asked: dict[str, list[str]] = {}
    with closing(Memory()) as account:
        account.open(Context(sid=""))
        account.set_volume("v", QUOTA)
        for name, volume in (("in-it", "v"), ("beside", "")):
            account.create(name, volume=volume)
            store = account.bucket(name)
            asked[name] = []
            account.space._connection.set_trace_callback(asked[name].append)  # type: ignore[attr-defined]
            for size in (5, 5):  # the second adds nothing
                put(store, "k", size)
            account.space._connection.set_trace_callback(None)  # type: ignore[attr-defined]
    assert not [one for one in asked["beside"] if "volumes" in one]
    assert [one.split()[0] for one in asked["in-it"] if "volumes" in one] == ["SELECT", "UPDATE"]
    assert len(asked["in-it"]) == len(asked["beside"]) + 2


WAYS: dict[str, Callable[[Any], object]] = {
    "put": lambda store: put(store, "new", 200),
    "overwrite": lambda store: put(store, "small", 300),
    "copy": lambda store: store.copy(store, "source", "new"),
    "part": lambda store: send(store, "u", store.begin("u").id, 200),
    "copied part": lambda store: store.copy_part("u", store.begin("u").id, 1, store, "source"),
    "annotation": lambda store: store.put_annotation("small", "a", bytes(200)),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_is_too_much_is_told_in_bytes_and_leaves_nothing(memory: Any, way: str) -> None:
    put(memory, "source", 200)
    put(memory, "small", 100)
    put(memory, "fill", 600)
    before = memory.stats()
    assert before == Stats(objects=3, bytes=900, current=3, quota=QUOTA)
    with pytest.raises(QuotaExceeded) as caught:
        WAYS[way](memory)
    error = caught.value
    assert (error.quota, error.used, error.size) == (1000, 900, 200)
    said = "The quota of 1000 bytes is reached: 900 are used, and 200 more were to be stored."
    assert error.message == said
    assert replace(memory.stats(), uploads=0) == before


def test_parts_that_wait_are_used_and_completing_them_adds_nothing(memory: Any) -> None:
    upload = memory.begin("k").id
    one, two = (send(memory, "k", upload, 400, number) for number in (1, 2))
    put(memory, "other", 200)
    with pytest.raises(QuotaExceeded):
        put(memory, "more", 1)
    memory.complete("k", upload, [one], Complete())
    assert memory.stats() == Stats(objects=2, bytes=600, current=2, quota=QUOTA)
    put(memory, "more", 400)
    assert two.number == 2


def test_an_overwritten_object_gives_its_bytes_back_where_versions_are_off(memory: Any) -> None:
    put(memory, "k", 900)
    put(memory, "k", 1000)
    memory.set_versioning("on")
    with pytest.raises(QuotaExceeded):
        put(memory, "k", 1)


def test_a_quota_that_was_lowered_refuses_only_what_adds_to_it(tmp_path: Path) -> None:
    with closing(opened(Local, tmp_path)) as store:
        for key, size in (("k", 300), ("large", 300), ("gone", 100)):
            put(store, key, size)
        upload = store.begin("u").id
        ref = send(store, "u", upload, 200)
    with closing(opened(Local, tmp_path, quota=10)) as store:
        with store.get("k") as reading:
            assert reading.body.read() == bytes(300)
        assert store.delete("gone").existed
        put(store, "large", 299)
        store.copy(store, "k", "k")
        assert send(store, "u", upload, 200) == ref
        store.complete("u", upload, [ref])
        for key, size in (("large", 300), ("new", 1)):
            with pytest.raises(QuotaExceeded):
                put(store, key, size)
        assert store.stats() == Stats(objects=3, bytes=799, current=3, quota=10)
        store.delete_many([(key, Delete()) for key in ("k", "large", "u")])
        put(store, "new", 10)


@pytest.mark.parametrize("versions", ["off", "forever"])
def test_a_long_body_for_which_there_is_no_room_is_not_read(tmp_path: Path, versions: str) -> None:
    size = 100_000
    with closing(opened(Memory, tmp_path, quota=150_000, keep_versions=versions)) as store:
        put(store, "k", size)
        with pytest.raises(QuotaExceeded):
            store.put("other", Unread(b""), Put(size=size))
        upload = store.begin("k").id
        with pytest.raises(QuotaExceeded):
            store.put_part("k", upload, 1, Unread(b""), Put(size=size))
        if versions == "off":
            put(store, "k", size + 1)
            with pytest.raises(QuotaExceeded):
                store.put("k", Unread(b""), Put(size=150_001))
        else:
            with pytest.raises(QuotaExceeded):
                store.put("k", Unread(b""), Put(size=size))


def test_a_long_body_for_which_there_is_no_room_in_the_volume_is_not_read() -> None:
    size = 100_000
    with closing(Memory()) as account:
        account.open(Context(sid=""))
        account.set_volume("v", 150_000)
        for name in ("a", "b"):
            account.create(name, volume="v")
        a, b = (cast(Any, account.bucket(name)) for name in ("a", "b"))
        put(a, "k", size)
        upload = b.begin("k").id
        writes: list[Callable[[], object]] = [
            lambda: b.put("k", Unread(b""), Put(size=size)),
            lambda: b.put_part("k", upload, 1, Unread(b""), Put(size=size)),
            lambda: a.put("new", Unread(b""), Put(size=size)),
            lambda: a.put("k", Unread(b""), Put(size=150_001)),
        ]
        for write in writes:
            with pytest.raises(QuotaExceeded) as caught:
                write()
            assert (caught.value.volume, caught.value.used) == ("v", size)
        put(a, "k", 150_000)
        account.set_volume("v", None)
        put(b, "k", size)


def test_what_a_replica_is_sent_is_within_its_quota(tmp_path: Path) -> None:
    with closing(opened(Memory, tmp_path, quota=None, keep_versions="forever")) as source:
        put(source, "k", 100)
        info, (change,) = source.stat("k"), source.changes().changes
    with closing(opened(Memory, tmp_path, quota=99, keep_versions="forever")) as replica:
        replica.adopt()
        received = replica.receive(info, BytesBody(bytes(100)))
        with pytest.raises(QuotaExceeded):
            replica.place([Arrival(change, info, received)], [])
        assert replica.stats() == Stats(objects=0, bytes=0, current=0, quota=99)


def test_a_quota_is_no_full_disk() -> None:
    assert issubclass(QuotaExceeded, Full)
    assert QuotaExceeded().message != Full().message
