"""A page of a list costs the page, whatever else the bucket holds.

Cost is counted in steps of SQLite's machine, not in seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from drivers.indexed.space import MemorySpace
from drivers.memory import Memory
from gateway.storage import Context, ListQuery, VersionQuery

STEP = 50


@pytest.fixture
def store() -> Iterator[Memory]:
    memory = Memory(keep_versions="off")
    memory.open(Context(sid="bucket"))
    yield memory
    memory.close()


def fill(
    store: Memory, key: str, count: int, *, table: str = "objects", rows: int = 1, only: str = "1"
) -> None:
    """`key`: an expression of `n` below `count`, as `only` is, which says which there are. SQLite
    makes the rows itself, in a fifth of the time that it takes to hand them over."""
    extra = ", 0, 0" if table == "versions" else ""

    def insert(txn: object) -> None:
        space = store.space
        assert isinstance(space, MemorySpace)
        space._connection.execute(
            "WITH RECURSIVE"
            f" keys(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM keys WHERE n + 1 < {count}),"
            f" rows(m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM rows WHERE m + 1 < {rows})"
            f" INSERT INTO {table} SELECT {store.service}, {key}, m, 'v' || m, 1, 'e', 0, 't', 'S',"
            f" 'o', NULL, NULL, ''{extra} FROM keys CROSS JOIN rows WHERE {only}"
        )

    store.space.write(insert)


def steps(store: Memory, work: Callable[[], object]) -> int:
    """Machine steps of `work`, in fifties."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    with store.space.reading() as connection:
        connection.set_progress_handler(tick, STEP)
        work()
        connection.set_progress_handler(None, 0)
    return count


DEEP = "printf('%05d/%02d', n / 100, n % 100)"


@pytest.mark.parametrize("delimiter", ["", "/"])
def test_a_page_costs_the_same_in_a_small_and_a_large_bucket(store: Memory, delimiter: str) -> None:
    query = ListQuery(delimiter=delimiter, after="00003/", limit=100)
    fill(store, DEEP, 20_000)
    small = steps(store, lambda: store.list(query))
    store.space.write(lambda txn: txn.execute("DELETE FROM objects"))
    fill(store, DEEP, 200_000)
    large = steps(store, lambda: store.list(query))
    assert len(store.list(query).entries) + len(store.list(query).prefixes) == 100
    assert large <= small * 1.1 + 2


def test_a_page_of_prefixes_seeks_past_what_is_below_them(store: Memory) -> None:
    fill(store, "printf('%d/%06d', n % 10, n)", 100_000)
    page = store.list(ListQuery(delimiter="/"))
    assert page.prefixes == tuple(f"{n}/" for n in range(10))
    assert steps(store, lambda: store.list(ListQuery(delimiter="/"))) * STEP < 5_000


@pytest.mark.parametrize("plain", [1, 9])
def test_keys_and_full_prefixes_by_turns_cost_as_many_seeks(store: Memory, plain: int) -> None:
    """Whatever the prefixes hold: no more is read of them than tells that they hold much."""

    def cost(below: int) -> int:
        store.space.write(lambda txn: txn.execute("DELETE FROM objects"))
        turn = f"(n % {plain + 1})"
        fill(store, "printf('%04d', n)", 500, only=turn)
        fill(store, "printf('%04d/%03d', n, m)", 500, rows=below, only=f"NOT {turn}")
        page = store.list(ListQuery(delimiter="/"))
        assert len(page.entries) + len(page.prefixes) == 500
        return steps(store, lambda: store.list(ListQuery(delimiter="/"))) * STEP

    assert (large := cost(400)) <= cost(150) * 1.1 + 500
    assert large < 500 * 100


def test_old_versions_cost_a_list_of_current_keys_nothing(store: Memory) -> None:
    fill(store, DEEP, 2_000)
    before = steps(store, store.list)
    fill(store, DEEP, 2_000, table="versions", rows=100)
    assert steps(store, store.list) <= before + 2


def test_a_page_of_versions_does_not_read_the_bucket(store: Memory) -> None:
    fill(store, DEEP, 1_000, table="versions", rows=100)
    query = VersionQuery(after="00005/50", after_version="", limit=100)
    small = steps(store, lambda: store.versions(query))
    fill(store, "printf('z%07d', n)", 1_000, table="versions", rows=100)
    assert steps(store, lambda: store.versions(query)) <= small * 1.1 + 2
    page = store.versions(VersionQuery(after="00005/50", after_version="v50"))
    assert page.entries[0].key > "00005/50"


def test_a_page_comes_in_few_steps(store: Memory) -> None:
    """SQLite gives the GIL away at each step, which other threads wait for."""
    fill(store, "printf('%05d', n / 4) || iif(n % 4, '/x', '') || n", 4_000)
    fill(store, DEEP, 2_000, table="versions", rows=2)
    for work, most in (
        (store.list, 2),
        (lambda: store.list(ListQuery(delimiter="/")), 7),
        (store.versions, 2),
    ):
        assert statements(store, work) <= most


def statements(store: Memory, work: Callable[[], object]) -> int:
    seen: list[str] = []
    with store.space.reading() as connection:
        connection.set_trace_callback(seen.append)
        work()
        connection.set_trace_callback(None)
    return len(seen)
