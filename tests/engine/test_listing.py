"""Pages of keys and prefixes, compared with the whole list, sorted and grouped by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.indexed import walking
from drivers.local import Local
from drivers.memory import Memory
from gateway.storage import (
    BytesBody,
    Context,
    Delete,
    Entry,
    ListQuery,
    ObjectInfo,
    Protected,
    Protection,
    Put,
    UploadQuery,
    VersionEntry,
    VersionQuery,
)
from gateway.storage.paging import common_prefix, page_of

KEYS = st.text(st.sampled_from("ab/-\0é\U0010ffff"), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def store() -> Iterator[Memory]:
    memory = Memory(keep_versions="off")
    memory.open(Context(sid="bucket"))
    yield memory
    memory.close()


@pytest.fixture(
    scope="module",
    params=[(1, 1, 9), (3, 2, 2), (100, 16, 8)],
    ids=["leaps at once", "leaps soon", "leaps late"],
)
def steps(request: pytest.FixtureRequest) -> Iterator[None]:
    """How many rows are read at once, and for one item before the walk seeks, and leaps."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("FIRST", "LEAST", "SPARSE"), request.param, strict=True):
            patch.setattr(walking, name, value)
        yield


@pytest.mark.usefixtures("steps")
@given(
    keys=st.sets(KEYS, max_size=40) | st.sets(KEYS.map(lambda key: f"{key}/{key}"), max_size=40),
    prefix=st.text(st.sampled_from("a/\0"), max_size=2),
    delimiter=st.sampled_from(["/", "-", "//", "\0", "é", "\U0010ffff"]),
    limit=st.integers(1, 7),
)
@settings(max_examples=200, deadline=None)
@pytest.mark.usefixtures("seconds")
def test_pages_of_prefixes_leave_nothing_out_and_say_nothing_twice(
    store: Memory, keys: set[str], prefix: str, delimiter: str, limit: int
) -> None:
    spread = {f"{key}{tail}" for key in keys for tail in ("", "/", "/1", "/2", "/3")}
    for key in spread:
        store.put(key, BytesBody(b""), Put(size=0))
    try:
        groups = {
            common_prefix(key, prefix, delimiter) or key for key in spread if key.startswith(prefix)
        }
        assert listed(store, prefix, delimiter, limit) == sorted(groups, key=str.encode)
    finally:
        store.delete_many([(key, Delete()) for key in spread])


def listed(store: Memory | Local, prefix: str, delimiter: str, limit: int) -> list[str]:
    """Keys and prefixes, page after page, in the order of the pages."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        query = ListQuery(prefix=prefix, delimiter=delimiter, after=after, limit=limit)
        page = store.list(query)
        items = [*(one.key for one in page.entries), *page.prefixes]
        assert 0 < len(items) <= limit or page.next is None
        found += sorted(items, key=str.encode)
        after = page.next
    return found


def put(store: Memory | Local, key: str) -> None:
    store.put(key, BytesBody(b"x"), Put(size=1))


def empty(store: Memory | Local) -> None:
    while found := store.versions().entries:
        store.delete_many([(one.key, Delete(version=one.version)) for one in found])


Shown = tuple[str | bool | None, ...]
"""(key, version, is a marker, is the latest), or (prefix,)."""


def listed_versions(store: Memory, prefix: str, delimiter: str, limit: int) -> list[Shown]:
    found: list[Shown] = []
    after: str | None = ""
    version = ""
    while after is not None:
        page = store.versions(
            VersionQuery(
                prefix=prefix, delimiter=delimiter, limit=limit, after=after, after_version=version
            )
        )
        items: list[tuple[str, Shown]] = [
            *((one.key, (one.key, one.version, one.marker, one.latest)) for one in page.entries),
            *((one, (one,)) for one in page.prefixes),
        ]
        assert 0 < len(items) <= limit or page.next is None
        found += [one for _, one in sorted(items, key=lambda item: item[0])]
        after, version = page.next, page.next_version
    return found


@pytest.fixture(scope="module")
def kept() -> Iterator[Memory]:
    memory = Memory(keep_versions="forever")
    memory.open(Context(sid="bucket"))
    yield memory
    memory.close()


@pytest.mark.usefixtures("steps")
@given(
    writes=st.lists(st.tuples(st.sampled_from(["a", "a/b", "a/c", "b", "b/c/d"]), st.booleans())),
    prefix=st.sampled_from(["", "a", "a/"]),
    delimiter=st.sampled_from(["", "/"]),
    limit=st.integers(1, 4),
)
@settings(max_examples=100, deadline=None)
def test_pages_of_versions_are_stretches_of_the_whole_list(
    kept: Memory, writes: list[tuple[str, bool]], prefix: str, delimiter: str, limit: int
) -> None:
    history: dict[str, list[tuple[str | None, bool]]] = {}
    for key, removed in writes:
        if removed:
            version = kept.delete(key).version
        else:
            version = kept.put(key, BytesBody(b"x"), Put(size=1)).version
        history.setdefault(key, []).insert(0, (version, removed))
    wanted: list[Shown] = []
    for key in sorted(history):
        group = common_prefix(key, prefix, delimiter)
        if group is not None and key.startswith(prefix):
            wanted.append((group,))
        elif key.startswith(prefix):
            wanted += [(key, *told, not at) for at, told in enumerate(history[key])]
    try:
        wanted = [one for one, _ in groupby(wanted)]
        assert listed_versions(kept, prefix, delimiter, limit) == wanted
    finally:
        empty(kept)


@pytest.mark.usefixtures("steps")
@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_of_uploads_have_each_once(store: Memory, delimiter: str, limit: int) -> None:
    begun = [store.begin(key) for key in ("a", "a", "a", "b/1", "b/2", "b/2", "c")]
    wanted = sorted((one.key, one.id) for one in begun if not delimiter or "/" not in one.key)
    try:
        found, prefixes = list[tuple[str, str]](), list[str]()
        after, upload = "", ""
        while True:
            query = UploadQuery(delimiter=delimiter, after=after, after_upload=upload, limit=limit)
            page = store.uploads(query)
            found += [(one.key, one.id) for one in page.uploads]
            prefixes += page.prefixes
            if page.next is None:
                break
            after, upload = page.next, page.next_upload
        assert (found, prefixes) == (wanted, ["b/"] if delimiter else [])
    finally:
        for one in begun:
            store.abort(one.key, one.id)


def test_a_row_is_what_was_put_whatever_it_holds(store: Memory) -> None:
    odd = [
        '"',
        "\\",
        "\0",
        "a\0b",
        "\n\r\t\x1f\x7f",
        "\ud7ff\ue000",
        "\U0010ffff",
        "{}[],",
        "📁" * 256,
    ]
    infos = []
    for key in odd:
        options = Put(size=1, content_type=f"text/{key!r}", storage_class='S"', owner=key)
        infos.append(store.put(key, BytesBody(b"x"), options))
    try:
        wanted = tuple(Entry.of(one) for one in sorted(infos, key=lambda one: one.key.encode()))
        assert store.list().entries == wanted
        (version,) = store.versions(VersionQuery(prefix="a\0")).entries
        assert version[:2] == ("a\0b", "null")
        assert isinstance(version, VersionEntry)
        assert (version.latest, version.marker) == (True, False)
    finally:
        empty(store)


EDGES = (walking.LEAST, walking.FIRST, walking.FIRST + 1, 999, 1000)


@pytest.mark.parametrize("count", EDGES)
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_that_end_where_stretches_end(store: Memory, count: int, delimiter: str) -> None:
    for number in range(count):
        put(store, f"{number:04}")
    try:
        names = [f"{number:04}" for number in range(count)]
        for limit in {count - 1, count, count + 1}:
            page = store.list(ListQuery(delimiter=delimiter, limit=limit))
            shown = min(limit, 1000)
            assert [one.key for one in page.entries] == names[:shown]
            assert page.next == (names[shown - 1] if shown < count else None)
    finally:
        empty(store)


@pytest.mark.usefixtures("steps")
def test_pages_beside_writers_miss_nothing_that_stays(tmp_path: Path) -> None:
    """A page of prefixes may be read in several stretches, each of another moment."""
    store = Local(keep_versions="off", durability="process")
    store.open(Context(sid="bucket", folder=tmp_path))
    stays = [f"{n:02}/stays" if n % 2 else f"{n:02}" for n in range(40)]
    for key in stays:
        put(store, key)
    done = False

    def churn() -> None:
        turn = 0
        while not done:
            turn = (turn + 7) % 40
            added = [f"{turn:02}/{n}" for n in range(20)]
            for key in added:
                put(store, key)
            store.delete_many([(key, Delete()) for key in added])

    writer = Thread(target=churn)
    writer.start()
    try:
        wanted = [f"{n:02}/" if n % 2 else f"{n:02}" for n in range(40)]
        for limit in (3, 17, 1000) * 5:
            found = listed(store, "", "/", limit)
            assert [one for one in found if one in wanted] == wanted
            assert len(set(found)) == len(found)
            assert found == sorted(found)
    finally:
        done = True
        writer.join()
        store.close()


def test_a_clean_up_by_pages_removes_all_that_lies_below_a_null_version(kept: Memory) -> None:
    """Each page is removed before the next is asked for, as clients do."""
    try:
        kept.delete("k")
        for _ in range(4):
            kept.put("k", BytesBody(b"x"), Put(size=1))
        kept.set_versioning("suspended")
        kept.put("k", BytesBody(b"null"), Put(size=4))
        after, version, removed = "", "", 0
        while True:
            page = kept.versions(VersionQuery(after=after, after_version=version, limit=1))
            for one in page.entries:
                kept.delete(one.key, Delete(version=one.version))
                removed += 1
            if page.next is None:
                break
            after, version = page.next, page.next_version
        assert (removed, kept.versions(VersionQuery()).entries) == (6, ())
    finally:
        empty(kept)
        kept.set_versioning("on")


def test_a_page_that_begins_behind_its_prefix_is_empty(kept: Memory) -> None:
    """What begins in the middle of a key that the prefix does not cover, stays within it."""
    try:
        for _ in range(2):
            version = kept.put("c", BytesBody(b"x"), Put(size=1)).version
        assert version is not None
        query = VersionQuery(prefix="b", after="c", after_version=version)
        assert kept.versions(query).entries == ()
        first, _ = sorted([kept.begin("c"), kept.begin("c")], key=lambda one: one.id)
        uploads = UploadQuery(prefix="b", after="c", after_upload=first.id)
        assert kept.uploads(uploads).uploads == ()
    finally:
        for one in kept.uploads(UploadQuery()).uploads:
            kept.abort(one.key, one.id)
        empty(kept)


def test_a_prefix_that_nothing_follows_is_said_once() -> None:
    keys = [f"\U0010ffff{tail}" for tail in ("", "a", "b")]
    query = ListQuery(delimiter="\U0010ffff")

    def about(key: str) -> ObjectInfo:
        raise AssertionError(f"{key!r} is below a prefix")

    assert page_of(keys, about, query).prefixes == ("\U0010ffff",)


@pytest.fixture
def kept_later() -> Iterator[Memory]:
    memory = Memory(keep_versions="off")
    memory.open(Context(sid="bucket"))
    yield memory
    memory.close()


def test_a_delete_that_is_refused_among_others_changes_nothing(kept_later: Memory) -> None:
    """The null version that would have to go is protected."""
    store = kept_later
    store.put("k", BytesBody(b"null"), Put(size=4, protection=Protection(hold=True)))
    store.set_versioning("on")
    store.put("k", BytesBody(b"x"), Put(size=1))
    store.set_versioning("suspended")
    before = store.versions(VersionQuery())
    (result,) = store.delete_many([("k", Delete())])
    assert isinstance(result, Protected)
    assert store.versions(VersionQuery()) == before
    store.set_hold("k", "null", False)
    assert store.delete("k").marker
