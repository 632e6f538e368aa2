"""What is stored: bounded, warm after a restart, whole after a crash, one gateway's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.cache import Cache, carrying, hot
from drivers.cache.entries import CacheEntry
from drivers.cache.eviction import Evictor
from drivers.cache.fills import BLOCK
from drivers.cache.owner import Owner
from drivers.cache.stock import Stock
from gateway.storage import (
    BytesBody,
    Context,
    Full,
    NoSuchKey,
    ObjectInfo,
    OriginAnswer,
    Purge,
    Put,
    Unavailable,
)
from gateway.storage.objects import now
from gateway.testing.faults import noise
from tests.held_files import held
from tests.layers.origin import Site, read, until

Opening = Callable[..., Cache]


def stored(folder: Path) -> int:
    """Bytes of files."""
    sizes = list[int]()
    for path in (folder / "cache/c/blobs").glob("*/*"):
        with suppress(FileNotFoundError):  # it has just gone
            sizes.append(path.stat().st_size)
    return sum(sizes)


def test_a_disk_cache_is_warm_after_a_restart(site: Site) -> None:
    sizes = (0, 10, 100_000, 3 * BLOCK + 1)
    for size in sizes:
        site.origin.has(f"k{size}", noise(size), metadata={"size": str(size)})
    cache = site.worker()
    before = []
    for size in sizes:
        read(cache, f"k{size}")
        before.append(cache.stat(f"k{size}"))
    cache.close()
    asked, cache = site.origin.asked, site.worker()
    for size, info in zip(sizes, before, strict=True):
        assert read(cache, f"k{size}") == noise(size)
        assert cache.stat(f"k{size}") == info
    assert site.origin.asked == asked


def test_a_memory_cache_begins_empty(site: Site) -> None:
    site.origin.has("k", b"data")
    cache = site.worker(space="memory")
    read(cache, "k")
    cache.close()
    assert read(site.worker(space="memory"), "k") == b"data"
    assert site.origin.asked == 2


@pytest.mark.usefixtures("seconds")
def test_max_size_holds_under_a_fill_of_ten_times_its_size(
    cached: Opening, site: Site, tmp_path: Path
) -> None:
    limit = 8 * BLOCK
    cache = cached(max_size=limit)
    peak = 0
    for number in range(20):
        site.origin.has(f"k{number}", noise(4 * BLOCK, str(number)))
        assert read(cache, f"k{number}") == noise(4 * BLOCK, str(number))
        site.origin.delete(f"k{number}")
        peak = max(peak, stored(tmp_path), cache._parts.room.total())
    assert limit // 2 < peak <= limit * 1.01
    until(lambda: cache._parts.room.total() <= limit)


@pytest.mark.usefixtures("seconds")
def test_max_size_holds_while_another_program_has_files_open(site: Site, tmp_path: Path) -> None:
    """What cannot be removed counts, and goes soon after it can be."""
    limit = 8 * BLOCK
    cache = site.worker(max_size=limit)
    for number in range(12):
        site.origin.has(f"k{number}", noise(2 * BLOCK, str(number)))
    for first, last in ((0, 2), (2, 4)):
        for number in range(first, last):
            read(cache, f"k{number}")
        until(lambda: cache._parts.room.total() > 4 * BLOCK)
        blobs = sorted((tmp_path / "cache/c/blobs").glob("*/*"))
        with held(*blobs):
            for number in range(4, 12):
                assert read(cache, f"k{number}") == noise(2 * BLOCK, str(number))
                assert stored(tmp_path) <= limit
            cache.purge()
            cache._marks.newest()
            site.clock.pass_by(31)
            cache._upkeep.tidy()
            assert set(blobs) <= set((tmp_path / "cache/c/blobs").glob("*/*"))
            assert cache._parts.room.total() >= len(blobs) * BLOCK
            assert cache._parts.room.removing.left == len(blobs)
            for _ in range(2):  # nothing changes any more
                cache._upkeep._look()
        cache._upkeep._look()
        until(lambda: stored(tmp_path) == cache._parts.room.total() == 0)
        assert cache._parts.room.removing.left == 0


def test_what_is_not_stored_and_cannot_be_removed_counts(tmp_path: Path) -> None:
    stock = Stock.on_disk(tmp_path, now, limit=1 << 30, master=None)
    room = Evictor(stock, lambda _: None)
    blob = stock.write([noise(BLOCK)], sealed=False)
    (path,) = tmp_path.glob("blobs/*/*")
    with held(path):
        stock.discard([blob])
        until(lambda: room.total() >= BLOCK)
        assert room.removing.sweep() == 0
        assert room.removing.left == 1
    assert room.removing.sweep() == 1
    assert (room.total(), room.removing.left, path.exists()) == (0, 0, False)
    stock.close()


@pytest.mark.usefixtures("seconds")
def test_many_small_entries_are_bounded_too(cached: Opening, site: Site) -> None:
    limit = 300_000
    cache = cached(max_size=limit)
    for number in range(600):
        site.origin.has(f"k{number}", b"x" * 1000)
        read(cache, f"k{number}")
        with pytest.raises(NoSuchKey):
            read(cache, f"missing {number}")
    room = cache._parts.room
    until(lambda: room.total() <= limit)
    assert room.total() > limit // 2
    entries = carrying.count(cache._stock.space, Purge())
    assert 100 < entries < 400


def test_what_was_unused_longest_goes_first(cached: Opening, site: Site) -> None:
    cache = cached(max_size=10 * BLOCK)
    for name in ("used", "unused"):
        site.origin.has(name, noise(4 * BLOCK, name))
        read(cache, name)
    cache._upkeep._note_use()
    site.clock.pass_by(60)
    read(cache, "used")
    cache._upkeep._note_use()
    site.clock.pass_by(60)
    site.origin.has("new", noise(4 * BLOCK, "new"))
    read(cache, "new")
    asked = site.origin.asked
    assert read(cache, "used") == noise(4 * BLOCK, "used")
    assert read(cache, "new") == noise(4 * BLOCK, "new")
    assert site.origin.asked == asked
    read(cache, "unused")
    assert site.origin.asked > asked


def test_entries_that_nobody_uses_expire(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(2 * BLOCK))
    cache = cached(expire_unused=100)
    read(cache, "k")
    site.clock.pass_by(101)
    cache._upkeep.tidy()
    assert cache._parts.room.total() == 0


def test_a_clock_that_is_set_back_makes_nothing_fresh(cached: Opening, site: Site) -> None:
    """By its time it would be, for a year; and nothing newer would be stored in its place, or
    stay before it does."""
    cache, year = cached(), 365 * 86_400
    for key in ("k", "unused"):
        site.origin.has(key, b"old")
    site.clock.pass_by(year)
    assert [read(cache, key) for key in ("k", "unused")] == [b"old"] * 2
    site.clock.pass_by(-30)
    site.origin.has("k", b"new")
    assert read(cache, "k") == b"old", "a little is not worth an answer"
    site.clock.pass_by(30 - year)
    assert read(cache, "k") == b"new"
    asked = site.origin.asked
    assert read(cache, "k") == b"new"
    assert site.origin.asked == asked
    cache._upkeep.tidy()
    (left,) = cache._stock.space.one("SELECT count(*) FROM cache_entries", ())
    assert left == 1


def test_all_space_comes_back_after_a_flush(cached: Opening, site: Site, tmp_path: Path) -> None:
    for number in range(5):
        site.origin.has(f"k{number}", noise(BLOCK + number), headers=(("Cache-Tag", "a, b"),))
    cache = cached()
    for number in range(5):
        read(cache, f"k{number}")
    cache.purge()
    cache._marks.newest()
    site.clock.pass_by(31)
    cache._upkeep.tidy()
    cache._upkeep.forget()
    assert (cache._parts.room.total(), stored(tmp_path)) == (0, 0)
    one = cache._stock.space.one
    for table in ("cache_entries", "cache_blocks", "cache_tags", "cache_claims", "blobs"):
        assert one(f"SELECT count(*) FROM {table}", ()) == (0,)


# damage


def test_a_block_whose_file_is_gone_is_fetched_again(site: Site, tmp_path: Path) -> None:
    site.origin.has("k", noise(3 * BLOCK))
    cache = site.worker()
    read(cache, "k")
    for path in (tmp_path / "cache/c/blobs").glob("*/*"):
        path.unlink()
    assert read(cache, "k") == noise(3 * BLOCK)
    assert site.origin.sent == 6 * BLOCK
    assert read(cache, "k") == noise(3 * BLOCK)
    assert site.origin.sent == 6 * BLOCK


# a disk that is full


def test_a_full_disk_stores_nothing_and_answers_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = noise(20 * BLOCK)
    site.origin.has("k", data)
    cache = site.worker()

    def full(*_: object, **__: object) -> None:
        raise Full

    with monkeypatch.context() as patched:
        patched.setattr(cache._stock.space.blobs, "write", full)
        with cache.get("k") as slow:
            first = slow.body.read(10)
            assert read(cache, "k") == data
            assert first + b"".join(iter(slow.body.read, b"")) == data
        assert read(cache, "k", 5 * BLOCK, 5 * BLOCK + 9) == data[5 * BLOCK : 5 * BLOCK + 10]
    cache._parts.room._paused = 0.0
    read(cache, "k")
    sent = site.origin.sent
    assert read(cache, "k") == data
    assert site.origin.sent == sent, "when there is space it stores again"


def test_an_index_that_cannot_be_written_or_read_stops_no_reader(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", noise(3 * BLOCK))
    cache = site.worker()

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk does not work.")

    monkeypatch.setattr(cache._stock.space, "write", broken)
    assert read(cache, "k") == noise(3 * BLOCK)
    monkeypatch.setattr(cache._stock.space, "one", broken)
    monkeypatch.setattr(cache._stock.space, "reading", broken)
    assert read(cache, "k") == noise(3 * BLOCK)


# one gateway


def test_a_second_gateway_on_a_cache_folder_says_so_and_stops(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.worker().put("k", BytesBody(b"1"), Put(size=1))
    site.worker()  # another worker of the same gateway
    other = Cache(source=site.origin)
    with pytest.raises(ValueError, match="another gateway"):
        other.open(Context(sid="c", folder=site.folder, instance="0ther"))
    for cache in site._workers:
        cache.close()
    other.open(Context(sid="c", folder=site.folder, instance="0ther"))
    other.close()


@pytest.mark.usefixtures("processes")
def test_a_gateway_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from drivers.cache.owner import Owner\n"
        "owner = Owner(Path(sys.argv[1]), 'first'); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(Exception, match="another gateway"):
        Owner(tmp_path, "second")
    child.kill()
    child.wait()
    child.stdout.close()
    Owner(tmp_path, "second").close()
    assert list(tmp_path.glob("*.worker")) == []


def test_a_memory_stock_has_no_files(tmp_path: Path) -> None:
    stock = Stock.in_memory(lambda: 0, limit=1, master=None)
    assert not stock.shared
    stock.close()


def test_what_an_origin_and_readers_say_counts_for_what_is_kept_at_hand() -> None:
    """Pages of errors, headers and addresses are as long as others make them."""
    said = "x" * 60_000
    origin = OriginAnswer(status=200, headers=(("X-Any", said),), asked=0, answered=0)
    page = NoSuchKey(key="k")
    page.origin = replace(origin, headers=(), page=said.encode())
    info = ObjectInfo(key="k", size=0, etag="", modified=0, origin=origin)
    for more in ({"info": info}, {"failure": page}, {"variant": said}, {"tags": (said,)}):
        kept = hot.Hot()
        for number in range(1000):
            given: dict[str, Any] = {"variant": "", **more}
            given["variant"] += str(number)
            kept.put(CacheEntry("k", point=0, fetched=0, until=0, **given))
        assert len(kept._entries) * len(said) < hot.LIMIT
