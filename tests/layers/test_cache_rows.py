"""What a cache writes down of an object it can read again, also what another release wrote;
what cannot be read is a miss."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from typing import Any

import pytest

from drivers.cache import Cache, rows
from drivers.cache.entries import FORMAT, CacheEntry, Unreadable
from drivers.cache.freshness import Freshness
from drivers.cache.removing import OLDEST
from drivers.indexed.batch import Transaction
from gateway.storage import (
    Encryption,
    Get,
    ObjectInfo,
    OriginAnswer,
    OriginDenied,
    OriginFailed,
    Part,
    Protection,
    StorageError,
    errors,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, until

Opening = Callable[..., Cache]
ORIGIN = OriginAnswer(
    status=203, headers=(("Age", "1"), ("X", "é")), asked=11, answered=12, page=b"\xff\x00"
)
POLICY = Freshness(
    refresh_after=1, expire_not_found=2, expire_errors=3, max_item_size=4, stale_if_error=5,
    stale_while_revalidate=6,
)  # fmt: skip
INFO = ObjectInfo(
    key="ключ",
    size=7,
    etag="e",
    modified=8,
    content_type="text/plain",
    version="v",
    headers=(("Cache-Control", "no-cache"), ("X", "1"), ("X", "2")),
    metadata={"a": "é"},
    tags={"t": "2"},
    checksums={"CRC32": "AAAAAA=="},
    checksum_type="COMPOSITE",
    parts=(Part(1, 7, "p", 9, {"CRC32": "AAAAAA=="}), Part(2, 0, "q", 9)),
    protection=Protection(mode="governance", until=10, hold=True),
    encryption=Encryption(
        kind="kms", key_md5="m", key_id="arn:k", context="e30=", double=True, bucket_key=False
    ),
    storage_class="STANDARD_IA",
    owner="me",
    attributes={"grants": [["*", "read"]]},
    origin=ORIGIN,
)
SAMPLES: dict[str, Any] = {
    "message": "It burns.", "key": "k", "delete_marker": "m", "name": "bucket", "retry_after": 7,
    "status": 403,
}  # fmt: skip


def tree(kind: type[StorageError]) -> list[type[StorageError]]:
    """The kind and all below it that the contract has."""
    below = [one for sub in kind.__subclasses__() for one in tree(sub)]
    return [one for one in (kind, *below) if one.__module__ == errors.__name__]


def sample(kind: type[StorageError]) -> StorageError:
    """One with all that it can say."""
    taken = [name for name in inspect.signature(kind).parameters if name in SAMPLES]
    return kind(**{name: SAMPLES[name] for name in taken})


def again(entry: CacheEntry) -> CacheEntry:
    """As another process reads it."""
    twin = CacheEntry(entry.key, point=0, fetched=0, until=0)
    twin.load(entry.dump())
    return twin


REMEMBERED = [
    kind
    for kind in tree(StorageError)
    if POLICY.remembers(kind.__new__(kind), Get(), 0) > 0  # whatever the others need to be made
]


def test_what_is_remembered_is_what_is_not_there_or_unfit_and_what_failed() -> None:
    assert {kind.__name__ for kind in REMEMBERED} == {
        "NoSuchKey", "NoSuchStore", "Unavailable", "Busy", "OriginFailed", "OriginDenied",
        "TimedOut", "Unprocessable",
    }  # fmt: skip


@pytest.mark.parametrize("kind", REMEMBERED)
def test_every_error_that_is_remembered_comes_back(kind: type[StorageError]) -> None:
    error = sample(kind)
    error.origin = ORIGIN
    found = again(CacheEntry("k", point=0, fetched=0, until=0, failure=error)).failure
    assert (type(found), str(found)) == (type(error), str(error))
    assert vars(found) == vars(error)


def test_a_drivers_own_error_comes_back_as_that_of_the_contract() -> None:
    class Burnt(OriginFailed):
        def __init__(self) -> None:
            super().__init__("It burnt.", status=500)
            self.response = object()

    found = again(CacheEntry("k", point=0, fetched=0, until=0, failure=Burnt())).failure
    assert type(found) is OriginFailed
    assert (found.message, found.status) == ("It burnt.", 500)


def test_all_that_is_known_of_an_object_comes_back() -> None:
    for one in fields(ObjectInfo):
        if one.default is not MISSING and one.name != "trace":  # which is of one answer
            assert getattr(INFO, one.name) != one.default, f"{one.name} is to be tried too"
    for one in fields(Encryption):
        assert INFO.encryption is not None
        if one.name != "key":  # which is never kept
            assert getattr(INFO.encryption, one.name) != one.default
    told = replace(INFO, trace=("far; hit",))
    found = again(CacheEntry("k", point=0, fetched=0, until=0, info=told)).info
    assert found == INFO and not found.trace
    assert found.origin == ORIGIN  # which makes no two objects differ


def test_what_an_earlier_release_wrote_of_encryption_is_read() -> None:
    values = json.loads(CacheEntry("k", point=0, fetched=0, until=0, info=INFO).dump())
    values["i"]["x"] = ["managed", ""]
    entry = CacheEntry("k", point=0, fetched=0, until=0)
    entry.load(json.dumps(values))
    assert entry.info is not None
    assert entry.info.encryption == Encryption()


# what cannot be read

UNREADABLE = [
    "",
    "{",
    "[]",
    "7",
    '{"f":{"type":"NoSuchError","message":"?"}}',
    '{"f":{"type":"NoSuchKey"}}',
    '{"i":{"k":"k"}}',
    '{"i":[]}',
    json.dumps({"n": FORMAT + 1, "i": {}}),
    "[" * 100_000,
    '{"r":[1e999,0]}',
    '{"i":{"k":"k","s":"7","e":"e","d":8,"t":"text/plain"}}',
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_text_that_is_damaged_or_newer_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        CacheEntry("k", point=0, fetched=0, until=0).load(text)


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_row_that_cannot_be_read_is_a_miss_and_written_over(
    site: Site, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    for key in "ab":
        site.origin.has(key, noise(100_000, key))
        read(site.worker(), key)

    def damage(txn: Transaction) -> None:
        txn.execute("UPDATE cache_entries SET text = ?", (text,))

    site._workers[-1]._stock.space.write(damage)
    cache, asked = site.worker(), site.origin.asked
    with caplog.at_level(logging.WARNING, "gateway.cache"):
        for _ in range(2):
            for key in "ab":
                assert read(cache, key) == noise(100_000, key)
    assert site.origin.asked == asked + 2
    assert len(caplog.records) == 1


DAMAGED = [
    *(
        f"cache_entries SET {column} = {value}"
        for column in ("point", "fetched", "until", "used", "cost")
        for value in ("'x'", "x'ff'")
    ),
    *(f"cache_entries SET {column} = x'ff'" for column in ("validator", "tags", "text")),
    *(f"blobs SET size = {value}" for value in ("'x'", "x'ff'", "1")),
    *(f"blobs SET {column} = 5" for column in ("crcs", "seal")),
    "blobs SET data = 5 WHERE name IS NULL",
    "cache_blocks SET number = 'x'",
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_value_of_another_type_is_a_miss_and_goes(site: Site, damage: str) -> None:
    """A page of the index was damaged: SQLite gives what it finds there."""
    objects = {"small": noise(7), "large": noise(300_000)}

    def check(cache: Cache) -> None:
        for key, data in objects.items():
            assert cache.stat(key).size == len(data)
            assert read(cache, key) == data

    for key, data in objects.items():
        site.origin.has(key, data)
    cache = site.worker()
    check(cache)
    cache._stock.space.write(lambda txn: txn.execute(f"UPDATE {damage}"))
    cache._hot.clear()
    check(cache)
    check(cache)
    asked = site.origin.asked
    cache._hot.clear()
    check(cache)
    assert site.origin.asked == asked, "it was written over"
    room = cache._parts.room
    room.recount()
    while room.removing.step(OLDEST):
        pass
    assert rows.state(cache._stock.space.one) == (0, 0, 0), "what was damaged can be removed"


# the row that counts them


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE cache_state SET total = 1, entries = 0",
        "UPDATE cache_state SET total = 1 << 40",
        "UPDATE cache_state SET total = -5",
        "UPDATE cache_state SET total = 'x'",
        "UPDATE cache_state SET floor = x'ff'",
        "DELETE FROM cache_state",
    ],
)
def test_what_is_there_is_counted_at_the_start(
    site: Site, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    earlier = site.worker()
    for key, size in (("a", 7), ("b", 20_000), ("c", 3_000_000)):
        site.origin.has(key, noise(size, key), tags={"t": key})
        read(earlier, key)
    space = earlier._stock.space
    before = rows.state(space.one)
    assert before.total > 3_000_000
    space.write(lambda txn: txn.execute(damage))
    earlier.close()
    with caplog.at_level(logging.WARNING, "gateway.cache"):
        first = site.worker()
        space = first._stock.space
        first._parts.room.wanted.set()
        until(lambda: first._upkeep._counted)
        assert rows.state(space.one) == before
        site.worker()._parts.room.recount()
    assert sum("count" in one.message for one in caplog.records) == 1, "it is told"
    assert rows.state(space.one) == before


@pytest.mark.parametrize("total", ["7", "'x'"])
def test_the_state_of_an_earlier_release_is_taken_over(site: Site, total: str) -> None:
    """It noted the machine's start there, too."""
    site.origin.has("k", noise(7))
    earlier = site.worker()
    read(earlier, "k")
    space = earlier._stock.space
    before = rows.state(space.one)
    space.write(lambda txn: txn.execute("DROP TABLE cache_state"))
    space.write(
        lambda txn: txn.execute(
            f"CREATE TABLE cache_state AS SELECT {total} AS total, 1 AS entries, 0 AS floor,"
            " 'id' AS boot, 5 AS torn_below"
        )
    )
    earlier.close()
    cache, asked = site.worker(), site.origin.asked
    cache._parts.room.wanted.set()
    until(lambda: cache._upkeep._counted)
    assert rows.state(cache._stock.space.one) == before
    assert read(cache, "k") == noise(7)
    assert site.origin.asked == asked


def test_the_first_of_the_workers_counts(site: Site) -> None:
    first, second = (site.worker() for _ in range(2))
    assert first._owner is not None
    assert second._owner is not None
    assert (first._owner.first, second._owner.first) == (True, False)


def test_a_refusal_of_the_gateway_itself_is_a_failure_like_others(
    cached: Opening, site: Site
) -> None:
    """Its keys are mended, and it starts again: nothing of it stays."""
    site.origin.fail = OriginDenied("The key is not valid.", status=403)
    cache = cached(expire_errors=5)
    for _ in range(2):
        cache._hot.clear()
        with pytest.raises(OriginDenied, match="not valid"):
            read(cache, "k")
        with pytest.raises(OriginDenied):
            cache.stat("k")
    assert site.origin.asked == 1
    site.origin.fail = None
    site.origin.has("k", b"now")
    for one in (cache, cached(expire_errors=5)):
        one.purge()
        assert read(one, "k") == b"now", "a flush helps at once"
    until(lambda: not len(cache._fills))
