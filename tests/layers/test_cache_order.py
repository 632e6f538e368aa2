"""What goes when the space is full: what was unused longest, each thing once, whatever the
order in which things were used, asked for anew, noted and dropped."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cache import claims, rows
from drivers.cache.entries import CacheEntry
from drivers.cache.eviction import Evictor
from drivers.cache.owner import Owner
from drivers.cache.removing import ALL, OLDEST
from drivers.cache.stock import INLINE, Stock
from drivers.indexed.batch import Transaction
from gateway.storage import ObjectInfo, Purge, Unavailable
from tests.layers.origin import Site, until

SMALL, LARGE = 3000, INLINE + 1
KEYS = st.sampled_from("abcde")
BLOCKS = st.integers(0, 3)
TIMES = st.integers(1, 40)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), KEYS, st.lists(BLOCKS, max_size=3), TIMES),
        st.tuples(st.just("touch"), KEYS, BLOCKS, BLOCKS, TIMES),
        st.tuples(st.just("drop block"), KEYS, BLOCKS),
        st.tuples(st.just("drop"), KEYS),
        st.tuples(st.just("evict"), st.integers(1, 4 * LARGE)),
        st.tuples(st.just("sweep")),
    ),
    max_size=40,
)

Rows = dict[tuple[int, int], int]


class Shop:
    """A stock and its room, and what must be true of them."""

    def __init__(self, stock: Stock) -> None:
        self.stock, self.room = stock, Evictor(stock, lambda size: None)

    def all(self, sql: str) -> list[Any]:
        with self.stock.space.reading() as connection:
            return connection.execute(sql).fetchall()

    def write(self, sql: str, *values: object) -> None:
        def operation(txn: Transaction) -> None:
            txn.execute(sql, values)

        self.stock.space.write(operation)

    def store(self, key: str, blocks: list[int], used: int, *, size: int = 0) -> CacheEntry:
        """A first answer about an object, or one that says it is still the same."""
        info = ObjectInfo(key=key, size=9, etag=key, modified=0)
        entry = CacheEntry(key, point=0, fetched=used, until=0, info=info)
        size = size or (LARGE if key in "ab" else SMALL)
        written = [
            (number, self.stock.write([bytes(size)], sealed=False))
            for number in sorted(set(blocks))
        ]
        try:
            self.stock.store(entry, written)
        except rows.Refused:  # something newer is known
            self.stock.discard([blob for _, blob in written])
        return entry

    def entry(self, key: str) -> int:
        row = self.stock.space.one("SELECT id FROM cache_entries WHERE key = ?", (key,))
        return row[0] if row else 0

    def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case "store", key, blocks, used:
                self.store(key, blocks, used)
            case "touch", key, one, two, now:
                self.room.write_touched({self.entry(key): (min(one, two), max(one, two))}, now)
            case "drop block", key, number:
                sql = "SELECT blob FROM cache_blocks WHERE entry = ? AND number = ?"
                row = self.stock.space.one(sql, (self.entry(key), number))
                for _ in range(2):
                    self.stock.drop_block(self.entry(key), number, row[0] if row else 1)
            case "drop", key:
                self.stock.drop(self.entry(key))
            case "evict", size:
                before = self.rows()
                self.room.removing.step(OLDEST, size=size)
                self.check_order(before, self.rows())
            case ("sweep",):
                self.room.removing.sweep()

    def rows(self) -> Rows:
        """Blocks and (-1) entries, and when each was used: an entry with the last of its blocks."""
        found: Rows = {}
        for entry, number, used in self.all("SELECT entry, number, used FROM cache_blocks"):
            found[entry, number] = used
            found[entry, -1] = max(found.get((entry, -1), 0), used)
        for entry, used in self.all("SELECT id, used FROM cache_entries"):
            found[entry, -1] = max(found.get((entry, -1), 0), used)
        return found

    def check_order(self, before: Rows, after: Rows) -> None:
        gone = [used for place, used in before.items() if place not in after]
        assert max(gone, default=0) <= min(after.values(), default=ALL)

    def check(self) -> None:
        assert self.all("SELECT * FROM blobs WHERE refs NOT IN (0, 1)") == []
        assert self.all("SELECT * FROM blobs WHERE refs = 0 AND due IS NULL") == []
        needed = self.all("SELECT blob FROM cache_blocks ORDER BY blob")
        assert needed == self.all("SELECT id FROM blobs WHERE refs = 1 ORDER BY id")
        ids = "SELECT id FROM cache_entries"
        assert self.all(f"SELECT * FROM cache_blocks WHERE entry NOT IN ({ids})") == []
        entries = self.all("SELECT cost FROM cache_entries")
        blobs = self.all("SELECT size, name FROM blobs")
        total = sum(cost for (cost,) in entries) + sum(rows.cost_of_blob(*one) for one in blobs)
        assert rows.state(self.stock.space.one) == (total, len(entries), 0)

    def clear(self) -> None:
        self.room.removing.step(f"SELECT {ALL}, id, -1, 0 FROM cache_entries LIMIT ?")


@pytest.fixture(params=["disk", "memory"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    if request.param == "disk":
        stock = Stock.on_disk(tmp_path, lambda: 7, limit=1 << 30, master=None)
    else:
        stock = Stock.in_memory(lambda: 7, limit=1 << 30, master=None)
    yield Shop(stock)
    stock.close()


def files(folder: Path) -> int:
    return sum(1 for _ in folder.glob("blobs/*/*"))


def test_nothing_goes_twice_and_the_oldest_goes_first(shop: Shop, tmp_path: Path) -> None:
    @settings(max_examples=30 if shop.stock.shared else 120, deadline=None)
    @given(STEPS)
    def run(steps: list[tuple[Any, ...]]) -> None:
        for step in steps:
            shop.do(step)
            shop.check()
        shop.clear()
        shop.room.removing.sweep()
        shop.check()
        assert (rows.state(shop.stock.space.one).total, files(tmp_path)) == (0, 0)

    run()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_block_that_was_used_later_than_its_entry_goes_with_it_once(
    shop: Shop, size: int
) -> None:
    """A revalidation began before the use of the object was written down, and ended after."""
    entry = shop.store("a", [0, 1], 10, size=size)
    shop.room.write_touched({entry.id: (0, 1)}, 30)
    shop.store("a", [], 20)
    assert shop.all("SELECT used FROM cache_entries") == [(30,)]
    shop.write("UPDATE cache_entries SET used = 20")  # as an earlier release left it
    shop.store("b", [0], 25, size=size)
    shop.room.removing.step(OLDEST, size=1)
    assert shop.all("SELECT key, used FROM cache_entries ORDER BY key") == [("a", 30), ("b", 25)]
    while shop.room.removing.step(OLDEST, size=1):
        shop.check()
    assert rows.state(shop.stock.space.one).total == 0


def test_blocks_added_to_an_entry_are_a_use_of_it(shop: Shop) -> None:
    entry = shop.store("c", [0], 10)
    entry.used = 20
    shop.stock.store(entry, [(1, shop.stock.write([b"x"], sealed=False))])
    assert shop.all("SELECT used FROM cache_entries") == [(20,)]


# what an earlier release, or a disk, has left


def test_what_was_let_go_of_twice_is_removed_at_last(tmp_path: Path) -> None:
    shop = Shop(Stock.on_disk(tmp_path, lambda: 7, limit=1 << 30, master=None))
    shop.store("a", [0, 1], 10)
    shop.stock.drop(shop.entry("a"))
    shop.write("UPDATE blobs SET refs = -1")
    assert files(tmp_path) == 2
    shop.room.removing.sweep()
    assert (rows.state(shop.stock.space.one).total, files(tmp_path)) == (0, 0)
    shop.stock.close()


def test_blocks_without_an_entry_or_without_bytes_go_like_others(shop: Shop) -> None:
    for key in "abc":
        shop.store(key, [0, 1], 10)
    shop.write("DELETE FROM cache_entries WHERE key = 'a'")
    shop.write("UPDATE cache_state SET entries = 2")
    lost = shop.entry("c")
    shop.write(
        "DELETE FROM blobs WHERE id IN (SELECT blob FROM cache_blocks WHERE entry = ?)", lost
    )
    assert shop.stock.find("c", "").blocks == {}  # type: ignore[union-attr]
    shop.store("c", [0], 20)
    assert shop.stock.find("c", "").blocks[0].size == SMALL  # type: ignore[union-attr]
    while shop.room.removing.step(OLDEST):
        pass
    for table in ("cache_entries", "cache_blocks", "blobs"):
        assert shop.all(f"SELECT * FROM {table}") == []


def test_a_row_that_cannot_be_removed_is_told_and_stops_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for number, key in enumerate("abcde"):
        shop.store(key, [0], number + 1)
    bad, drop = shop.entry("b"), rows.drop_blocks

    def failing(txn: Transaction, blocks: Any, now: int | None) -> int:
        if any(entry == bad for entry, _, _ in blocks):
            raise TypeError("cannot unpack non-iterable NoneType object")
        return drop(txn, blocks, now)

    monkeypatch.setattr(rows, "drop_blocks", failing)
    with caplog.at_level(logging.WARNING, "gateway.cache"):
        while shop.room.removing.step(OLDEST):
            pass
    assert shop.all("SELECT key FROM cache_entries") == [("b",)]
    assert len(caplog.records) == 2  # the block, and its entry
    shop.store("f", [0], 50)
    shop.room.removing.step(OLDEST)
    assert shop.all("SELECT key FROM cache_entries") == [("b",)]
    assert len(caplog.records) == 2


def test_an_index_that_does_not_work_is_not_taken_for_bad_rows(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.store("a", [0], 1)

    def broken(*_: object) -> int:
        raise Unavailable("The disk does not work.")

    monkeypatch.setattr(rows, "drop_blocks", broken)
    monkeypatch.setattr(rows, "drop_unused", broken)
    for _ in range(2):
        with pytest.raises(Unavailable, match="cannot make room"):
            shop.room.removing.step(OLDEST)
    assert shop.room.removing.passed == set()


def test_files_that_cannot_be_removed_do_not_stand_before_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.removing._FILES", 2)
    shop = Shop(Stock.on_disk(tmp_path, lambda: 7, limit=1 << 30, master=None))
    shop.store("a", list(range(5)), 10)
    names = [name for (name,) in shop.all("SELECT name FROM blobs ORDER BY id")]
    remove = shop.stock.space.blobs.remove

    def stuck(name: str) -> None:
        if name in names[:3]:
            raise OSError("it stays")
        remove(name)

    with monkeypatch.context() as patched:
        patched.setattr(shop.stock.space.blobs, "remove", stuck)
        shop.stock.drop(shop.entry("a"))
        shop.room.removing.sweep()
        assert files(tmp_path) == 3
        shop.check()
    shop.room.removing.sweep()
    assert files(tmp_path) == 0
    shop.stock.close()


def test_upkeep_goes_on_whatever_one_look_raises(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cache, looks = site.worker(), list[int]()

    def tidy() -> None:
        looks.append(1)
        raise TypeError("cannot unpack non-iterable NoneType object")

    monkeypatch.setattr(cache._upkeep, "tidy", tidy)
    cache._parts.room.wanted.set()
    until(lambda: len(looks) > 1)
    assert "TypeError" in caplog.text


def test_where_nothing_has_changed_nothing_is_tidied(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be hundreds of caches: a look at each, each second, has to be cheap."""
    cache = site.worker()
    upkeep, looks = cache._upkeep, list[int]()
    upkeep._stop.set()
    cache._parts.room.wanted.set()
    assert upkeep._thread is not None
    upkeep._thread.join()
    tidy = upkeep.tidy

    def counted() -> None:
        looks.append(1)
        tidy()

    monkeypatch.setattr(upkeep, "tidy", counted)

    def looked() -> int:
        looks.clear()
        for _ in range(5):
            upkeep._look()
        return len(looks)

    looked()
    assert looked() == 0
    cache.purge(Purge(kind="key", value="k"))
    assert looked() >= 1
    assert looked() == 0
    upkeep._due["tidy"] = 0.0
    assert looked() == 1, "time makes things old, too"


def test_a_claim_from_beyond_the_clock_holds_up_nobody(site: Site) -> None:
    """The clock was set back after a worker died."""
    cache, place = site.worker(), ("k", "")
    space, marks = cache._stock.space, cache._marks
    for ahead, got in ((claims.LEASE - 1000, False), (3_600_000, True)):
        sql = "INSERT INTO cache_claims (key, variant, first, last, point, holder, until)"
        sql += f" VALUES ('k', '', 0, 9, 99, 'dead', {site.clock() + ahead})"
        space.write(partial(Transaction.one, sql=sql))
        assert bool(claims.claim(space, marks, "me", place, (0, None), 0)) is got
        space.write(partial(Transaction.one, sql="DELETE FROM cache_claims"))


def test_a_claim_of_a_worker_that_died_holds_up_nobody(site: Site) -> None:
    cache, place = site.worker(), ("k", "")
    space, marks = cache._stock.space, cache._marks
    (one,) = [claims.claim(space, marks, "one", place, (0, None), 0)]
    asked: list[str] = []

    def died(name: str) -> bool:
        asked.append(name)
        return len(asked) > 1

    assert not claims.claim(space, marks, "two", place, (0, None), 0, died)
    assert claims.claim(space, marks, "two", place, (0, None), 0, died) not in (0, one)
    assert asked == ["one", "one"]
    assert not claims.claim(space, marks, "one", place, (0, None), 0), "the other has it now"


def test_a_worker_has_died_when_its_lock_is_gone(tmp_path: Path) -> None:
    one, two = Owner(tmp_path, "kit"), Owner(tmp_path, "kit")
    assert not one.died(two.name)
    assert not one.died("somebody who only looks")
    two.close()
    assert one.died(two.name)
    (tmp_path / f"{two.name}.worker").touch()  # as who is killed leaves it
    assert one.died(two.name)
    one.close()
