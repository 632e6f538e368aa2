"""Removing many objects in steps, uploads in parts, and what is offered: what the console's pages
stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers.memory import Memory
from gateway.access.access import Access
from gateway.access.identity import Identity, KeyAccess
from gateway.modes.console.browsing import removals, uploading
from gateway.modes.console.browsing.abilities import Abilities
from gateway.modes.console.browsing.removals import Found, Removal
from gateway.services.service import Identification, Service
from gateway.storage import (
    BytesBody,
    Context,
    InvalidPart,
    ListQuery,
    NoSuchUpload,
    Put,
    VersionQuery,
)


@pytest.fixture(scope="module")
def opened() -> Iterator[Memory]:
    memory = Memory()
    memory.open(Context(sid="archive"))
    yield memory
    memory.close()


@pytest.fixture
def store(opened: Memory) -> Memory:
    """With nothing in it."""
    removal = Removal(prefixes=[""], versions=True)
    while not removal.over:
        removal.step(seen(opened))
    return opened


def seen(store: Memory, access: KeyAccess = "admin") -> Access:
    about = Identification(sid="archive", driver="memory", owner="photos")
    return Access(Service(about, store), Identity(key="key", account="others", access=access))


def fill(store: Memory, *keys: str) -> Access:
    access = seen(store)
    for key in keys:
        access.put(key, BytesBody(b"12345"), Put(size=5))
    return access


def left(access: Access) -> list[str]:
    return [one.key for one in access.list(ListQuery()).entries]


def test_a_removal_takes_a_few_hundred_a_step_and_ends(store: Memory) -> None:
    many = [f"many/{number:04}" for number in range(400)]
    access = fill(store, *many, "many", "other/1", "one", "two\n")
    assert removals.count(access, ["many/", "other/"]) == Found(401, 401 * 5)
    removal = Removal(keys=["one", "two\n", "never there"], prefixes=["many/", "other/"])
    removal.step(access)
    assert (removal.removed, removal.keys, removal.prefixes) == (3, [], ["many/", "other/"])
    removal.step(access)
    assert (removal.removed, removal.after) == (253, ("many/0249", ""))
    removal.step(access)
    assert (removal.removed, removal.prefixes) == (403, ["other/"])
    removal.step(access)
    assert removal.over
    assert (removal.removed, removal.failed) == (404, 0)
    assert left(access) == ["many"]


def test_keys_beyond_a_step_wait_for_the_next(store: Memory) -> None:
    keys = [f"k{number:04}" for number in range(251)]
    removal = Removal(keys=keys.copy())
    removal.step(seen(store))
    assert removal.keys == keys[250:]


def test_what_cannot_be_removed_is_told_and_stops_nothing(store: Memory) -> None:
    fill(store, *(f"k{number:02}" for number in range(30)))
    removal = Removal(keys=["k00"], prefixes=["k"])
    while not removal.over:
        removal.step(seen(store, "read-all"))
    assert (removal.removed, removal.failed) == (0, 31)
    assert len(removal.trouble) == 20
    assert removal.trouble[0] == ("k00", "Access denied.")
    assert len(left(seen(store))) == 30


def test_versions_are_removed_for_good_where_that_was_asked_for(store: Memory) -> None:
    access = seen(store)
    access.set_versioning("on")
    fill(store, "a/1", "a/1", "a/2", "b")
    below = Removal(prefixes=["a/"])
    below.step(access)
    assert (below.removed, left(access)) == (2, ["b"])
    assert removals.count(access, ["a/"]) == Found(0, 0)
    assert removals.count(access, ["a/"], versions=True) == Found(5, 15)  # with two markers
    erasing = Removal(prefixes=["a/"], versions=True)
    while not erasing.over:
        erasing.step(access)
    assert erasing.removed == 5
    assert [one.key for one in access.versions(VersionQuery()).entries] == ["b"]


def test_counting_ends_where_nobody_wants_to_know_it_exactly(
    store: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removals, "_COUNTED", 999)
    access = fill(store, *(f"{number:04}" for number in range(1001)))
    assert removals.count(access, [""]) == Found(1000, 5000, more=True)


# uploads


@pytest.mark.parametrize(
    ("size", "part"),
    [
        (0, 16 << 20),
        (160_000 << 20, 16 << 20),
        ((160_000 << 20) + 1, 17 << 20),
        (5 << 40, 525 << 20),
    ],
)
def test_parts_are_so_large_that_ten_thousand_are_enough(size: int, part: int) -> None:
    assert uploading.part_size(size) == part
    assert -(-size // part) <= 10_000


def test_an_upload_is_completed_by_what_the_browser_knows_of_it(store: Memory) -> None:
    access = seen(store)
    upload = access.begin("large", Put(content_type="video/mp4")).id
    for number, data in enumerate((b"one", b"two", b"three"), 1):
        access.put_part("large", upload, number, BytesBody(data), Put(size=len(data)))
    etags = [one.etag for one in access.all_parts("large", upload)]
    with pytest.raises(InvalidPart):
        uploading.complete(access, "large", upload, [*etags, "0" * 32], 11)
    for _ in range(2):  # the answer of the first may have been lost
        assert uploading.complete(access, "large", upload, etags, 11).size == 11
    assert access.stat("large").content_type == "video/mp4"
    with pytest.raises(NoSuchUpload):
        [*access.all_parts("large", upload)]


def test_all_parts_are_told_page_by_page(store: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.access.access.LIMIT", 2)
    access = seen(store)
    upload = access.begin("large").id
    for number in (1, 2, 4, 7):
        access.put_part("large", upload, number, BytesBody(b"x"), Put(size=1))
    assert [one.number for one in access.all_parts("large", upload)] == [1, 2, 4, 7]
    access.abort("large", upload)


# what is offered

_ALL = {"lists", "writes", "multipart", "deletes", "versions", "erases", "uploads", "aborts"}


@pytest.mark.parametrize(
    ("access", "offered"),
    [
        ("admin", _ALL),
        ("write-all", _ALL),
        ("read-all", {"lists", "versions", "uploads"}),
        ({"archive": "read"}, {"lists", "versions", "uploads"}),
        ({"elsewhere": "admin"}, set()),
    ],
)
def test_what_a_key_may_not_is_not_offered(
    opened: Memory, access: KeyAccess, offered: set[str]
) -> None:
    able = Abilities.of(seen(opened, access))
    names = Abilities.__dataclass_fields__
    assert {name for name in names if getattr(able, name)} == offered
