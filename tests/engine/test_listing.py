"""Pages of keys and prefixes, compared with the whole list, sorted and grouped by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.indexed import walking
from drivers.memory import Memory
from gateway.storage import BytesBody, Context, Delete, ListQuery, Put
from gateway.storage.paging import common_prefix

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


def listed(store: Memory, prefix: str, delimiter: str, limit: int) -> list[str]:
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
