"""One read of the source for all who wait, whatever they and it do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from drivers.cache import Cache, body, pulling
from drivers.cache.fills import BLOCK, WINDOW, Ask
from drivers.cache.places import PLACES
from gateway.storage import (
    BytesBody,
    Get,
    NoSuchKey,
    ObjectInfo,
    Opened,
    OriginFailed,
    Purge,
    Put,
    Range,
    StorageError,
    TimedOut,
    Unavailable,
    pieces,
)
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, running, until

Opening = Callable[..., Cache]
LARGE = noise(WINDOW + 4 * BLOCK + 77)

END = Get(range=Range(len(LARGE) - 77, None))


def whole(cache: Cache, key: str = "k") -> bytes:
    with cache.get(key) as opened:
        return b"".join(pieces(opened.body))


@pytest.mark.parametrize("size", [100, len(LARGE)])
def test_many_who_ask_for_a_cold_object_cost_one_fetch(
    cached: Opening, site: Site, size: int
) -> None:
    site.origin.has("k", LARGE[:size])
    site.origin.stop = 0
    cache = cached()
    with running(30, lambda _: whole(cache)) as got:
        assert site.origin.reached.wait(60)
        site.origin.go.set()
    assert got == [LARGE[:size]] * 30
    assert (site.origin.asked, site.origin.sent) == (1, size)


def test_bytes_are_passed_on_before_the_source_is_done(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE)
    site.origin.stop = 2 * BLOCK
    cache = cached()
    with cache.get("k") as opened:
        got = b""
        while len(got) < 2 * BLOCK:
            got += opened.body.read(2 * BLOCK - len(got))
        assert not site.origin.go.is_set()
        site.origin.go.set()
        assert got + b"".join(pieces(opened.body)) == LARGE


def test_less_than_a_block_is_passed_on_too(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE[: BLOCK // 2])
    site.origin.stop = BLOCK // 4
    cache = cached()
    with cache.get("k") as opened:
        assert opened.body.read() == LARGE[: BLOCK // 4]
        site.origin.go.set()


def test_a_slow_reader_holds_up_nobody(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE)
    cache = cached()
    with cache.get("k") as slow:
        first = slow.body.read(10)
        assert read(cache, "k") == LARGE  # the fill has ended, and its window is gone
        assert first + b"".join(pieces(slow.body)) == LARGE
    assert site.origin.sent == len(LARGE)


def test_who_goes_away_does_not_stop_the_fill(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE)
    site.origin.stop = BLOCK
    cache = cached()
    opened = cache.get("k")
    opened.body.read(10)
    opened.close()
    site.origin.go.set()
    until(lambda: not len(cache._fills))
    assert read(cache, "k") == LARGE
    assert site.origin.sent == len(LARGE)


def test_a_range_far_ahead_does_not_wait_for_a_fill_on_its_way(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE)
    site.origin.stop = BLOCK
    cache = cached()
    with cache.get("k") as opened:
        site.origin.reached.wait(60)
        site.origin.stop = None
        with cache.get("k", END) as end:
            assert b"".join(pieces(end.body)) == LARGE[-77:]
        assert not site.origin.go.is_set()
        site.origin.go.set()
        assert b"".join(pieces(opened.body)) == LARGE


def test_what_was_stored_since_a_reader_looked_is_not_fetched_again(
    cached: Opening, site: Site
) -> None:
    """However slowly it reads: it came when some of the object was there, and is behind the
    fill's end when it has read that."""
    site.origin.has("k", LARGE)
    site.origin.stop = 5 * BLOCK
    cache = cached()
    with cache.get("k") as first:
        assert site.origin.reached.wait(60)
        until(lambda: cache._stock.find("k", "") is not None)
        with cache.get("k") as slow:
            got = b""
            while len(got) <= BLOCK:
                got += slow.body.read()
            site.origin.go.set()
            assert b"".join(pieces(first.body)) == LARGE
            until(lambda: not len(cache._fills))
            assert got + b"".join(pieces(slow.body)) == LARGE
    assert (site.origin.asked, site.origin.sent) == (1, len(LARGE))


@pytest.mark.usefixtures("seconds")
def test_what_another_worker_has_stored_is_not_fetched_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of it: the reader looked it up before it was there."""
    for module in (body, pulling):
        monkeypatch.setattr(module, "_STRETCH", 4)
    large = bytes(11 * BLOCK)
    site.origin.has("k", large)
    here, there = site.worker(), site.worker()
    read(here, "k", 0, 2 * BLOCK - 1)
    with there.get("k") as opened:
        got = [opened.body.read() for _ in range(8)]
        assert read(here, "k") == large
        sent = site.origin.sent
        assert b"".join([*got, *pieces(opened.body)]) == large
    assert site.origin.sent == sent == len(large)


def test_a_source_that_fails_fails_for_all_alike(cached: Opening, site: Site) -> None:
    cache = cached(expire_errors=0)
    site.origin.fail = TimedOut("Too slow.", retry_after=3)
    with running(10, lambda _: whole(cache)) as got:
        pass
    assert {(type(error), str(error)) for error in got} == {(TimedOut, "Too slow.")}
    site.origin.fail = None
    with running(10, lambda _: whole(cache, "missing")) as got:
        pass
    assert {type(error) for error in got} == {NoSuchKey}


def test_a_source_that_breaks_in_the_middle_breaks_every_answer(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", LARGE)
    cache = cached()
    site.origin.stop = BLOCK
    site.origin.breaks = (3 * BLOCK, OriginFailed("The connection is gone."))
    with running(5, lambda _: whole(cache)) as got:
        assert site.origin.reached.wait(60)
        site.origin.go.set()
    assert {str(error) for error in got} == {"The connection is gone."}
    site.origin.stop = site.origin.breaks = None
    until(lambda: not len(cache._fills))
    assert read(cache, "k") == LARGE


@pytest.mark.parametrize("size", [1000, len(LARGE)])
def test_an_answer_that_ends_early_is_never_complete_nor_stored(
    cached: Opening, site: Site, size: int
) -> None:
    site.origin.has("k", LARGE[:size])
    cache = cached()
    site.origin.cut = size - 1
    for _ in range(2):
        with pytest.raises(OriginFailed, match=r"fewer|wrong bytes"):
            whole(cache)
        until(lambda: not len(cache._fills))
    site.origin.cut = None
    assert read(cache, "k") == LARGE[:size]
    assert read(cache, "k") == LARGE[:size]


def test_an_answer_that_is_too_long_is_never_complete_nor_stored(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", LARGE)
    cache = cached()

    def lying(opened: Opened) -> Opened:
        size = len(LARGE) - 5
        return replace(opened, info=replace(opened.info, size=size), length=size)

    site.origin.answer = lying
    with pytest.raises(OriginFailed, match=r"more|wrong bytes"):
        whole(cache)
    site.origin.answer = None
    until(lambda: not len(cache._fills))
    assert read(cache, "k") == LARGE


@pytest.mark.parametrize("name", ["CRC32", "SHA256"])
@pytest.mark.parametrize("size", [1000, len(LARGE)])
def test_bytes_that_do_not_fit_their_checksum_are_never_complete_nor_stored(
    cached: Opening, site: Site, size: int, name: str
) -> None:
    site.origin.has("k", LARGE[:size], checksums={name: ""})
    wrong = site.origin.has("other", b"other", checksums={name: ""}).checksums
    cache = cached()

    def lie(info: ObjectInfo) -> ObjectInfo:
        return replace(info, checksums=wrong)

    honest, site.origin.alter = site.origin.alter, lie
    for _ in range(2):
        with pytest.raises(OriginFailed, match=rf"{name}|wrong bytes"):
            whole(cache)
        until(lambda: not len(cache._fills))
    site.origin.alter = honest
    assert read(cache, "k") == LARGE[:size]


def test_a_fill_that_a_purge_overtakes_brings_nothing_back(cached: Opening, site: Site) -> None:
    site.origin.has("k", noise(3 * BLOCK, "old"))
    site.origin.stop = BLOCK
    cache = cached()
    with cache.get("k") as old:
        assert site.origin.reached.wait(60)
        site.origin.has("k", noise(3 * BLOCK, "new"))
        cache.purge(Purge(kind="key", value="k"))
        site.origin.stop = None
        assert whole(cache) == noise(3 * BLOCK, "new"), "it does not join the old fill"
        site.origin.go.set()
        assert b"".join(pieces(old.body)) == noise(3 * BLOCK, "old")
    until(lambda: not len(cache._fills))
    assert read(cache, "k") == noise(3 * BLOCK, "new")
    assert len(site.origin.gets) == 2


def test_a_fill_that_a_write_overtakes_brings_nothing_back(cached: Opening, site: Site) -> None:
    site.origin.has("k", b"old")
    site.origin.stop = 0
    cache = cached()
    opened = cache.get("k")
    assert site.origin.reached.wait(60)
    cache.put("k", BytesBody(b"new"), Put(size=3))
    site.origin.stop = None
    assert whole(cache) == b"new"
    site.origin.go.set()
    with opened:
        assert opened.body.read() == b"old"
    until(lambda: not len(cache._fills))
    assert read(cache, "k") == b"new"


def test_fills_are_bounded_and_all_are_served(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places.YOUNG", 1000)
    for number in range(40):
        site.origin.has(f"k{number}", noise(1000, str(number)))
    cache = cached()
    site.origin.hang = lambda _: True
    with running(40, lambda number: whole(cache, f"k{number}")) as got:
        until(lambda: len(cache._fills) == 40 and site.origin.waiting == PLACES)
        assert len(site.origin.gets) == PLACES
        site.origin.go.set()
    assert got == [noise(1000, str(number)) for number in range(40)]


def test_an_error_is_told_before_anything_is_sent(cached: Opening, site: Site) -> None:
    site.origin.has("k", LARGE)
    cache = cached()
    read(cache, "k", 0, 9)
    site.origin.fail = OriginFailed("Gone.")
    with pytest.raises(StorageError, match="Gone"):
        cache.get("k", END)


def test_closing_ends_what_is_under_way_and_breaks_nothing(site: Site) -> None:
    """A database that is closed under a thread that uses it is a crash of the process."""
    site.origin.has("k", LARGE)
    for number in range(10):
        cache = site.worker()
        opened = cache.get("k")
        assert opened.body.read(10) == LARGE[:10]
        cache.close()
        assert not len(cache._fills), number
        opened.close()
        with pytest.raises(Unavailable):
            cache._fills.joined(Ask(key="k", name="k", variant="", want=Get())).__enter__()
