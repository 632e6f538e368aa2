"""What is stale is answered soon when the source fails or hangs, and the source is asked
again later, by one worker."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import pytest

from drivers.cache import Cache
from drivers.cache.entries import CacheEntry
from drivers.cache.fills import BLOCK, Fill
from drivers.cache.places import PLACES, Late
from gateway.storage import OriginFailed, Purge, TimedOut, Unavailable, pieces
from gateway.testing.faults import noise
from tests.layers.origin import Site, read, running, until

Opening = Callable[..., Cache]
OLD, NEW = noise(2 * BLOCK + 3, "old"), noise(2 * BLOCK + 5, "new")


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.cache.reading.SOON", 0.05)


def whole(cache: Cache, key: str = "k") -> bytes:
    with cache.get(key) as opened:
        return b"".join(pieces(opened.body))


def hang(site: Site) -> None:
    site.origin.hang = lambda _: True


@pytest.mark.usefixtures("soon")
def test_a_source_that_hangs_holds_up_nobody_who_has_stale_bytes(
    cached: Opening, site: Site
) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.has("k", NEW)
    hang(site)
    for _ in range(3):
        assert whole(cache) == OLD
        assert cache.stat("k").size == len(OLD)
    assert site.origin.asked <= 3, "one GET and one HEAD, which the others join"
    assert not site.origin.go.is_set()
    site.origin.go.set()
    until(lambda: not len(cache._fills))
    assert whole(cache) == NEW, "what came late was taken"
    assert site.origin.asked <= 3


@pytest.mark.parametrize("late", [True, False])
def test_what_is_purged_meanwhile_is_not_answered_stale(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10)
    waits = cache._fills.outcome

    def outcome(fill: Fill, within: float = inf) -> CacheEntry | None:
        if within == inf:
            return waits(fill)
        site.origin.has("k", NEW)  # first: what is fetched after the purge is new
        cache.purge(Purge(kind="key", value="k"))
        raise Late if late else OriginFailed("It burns.")

    monkeypatch.setattr(cache._fills, "outcome", outcome)
    for ask, right in ((whole, NEW), (lambda cache: cache.stat("k").size, len(NEW))):
        site.origin.has("k", OLD)
        cache.purge()
        read(cache, "k")
        site.clock.pass_by(20)
        if late:
            assert ask(cache) == right
        else:
            hang(site)  # else what is fetched may come through by the time of the second look
            with pytest.raises(OriginFailed):
                ask(cache)
            site.origin.hang = lambda _: False
            site.origin.go.set()
        until(lambda: not len(cache._fills))
        site.origin.go.clear()


@pytest.mark.usefixtures("soon")
def test_a_soft_purge_asks_and_answers_stale_when_that_hangs(cached: Opening, site: Site) -> None:
    site.origin.has("k", OLD)
    cache = cached()
    read(cache, "k")
    cache.purge(Purge(soft=True))
    hang(site)
    assert whole(cache) == OLD
    assert site.origin.asked == 2


def test_a_failure_is_known_to_all_workers_and_after_a_start(site: Site) -> None:
    site.origin.has("k", OLD)
    times = {"refresh_after": 10, "expire_errors": 1000}
    here, there = site.worker(**times), site.worker(**times)
    read(here, "k")
    read(there, "k")
    site.clock.pass_by(20)
    site.origin.fail = TimedOut()
    assert whole(here) == OLD
    assert site.origin.asked == 2
    later = site.worker(**times)
    for cache in (here, there, later):
        assert whole(cache) == OLD
        assert cache.stat("k").size == len(OLD)
    assert site.origin.asked == 2


def test_the_next_try_is_later_each_time_until_it_is_well(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.freshness.LONGEST_PAUSE", 8000)
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10, expire_errors=1000)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.fail = OriginFailed("It burns.")
    for pause in (1000, 2000, 4000, 8000, 8000):
        asked = site.origin.asked
        assert whole(cache) == OLD
        assert site.origin.asked == asked + 1
        site.clock.pass_by(pause - 500)
        assert whole(cache) == OLD
        assert site.origin.asked == asked + 1, pause
        site.clock.pass_by(500)
    site.origin.fail = None
    assert whole(cache) == OLD
    until(lambda: not len(cache._fills))
    site.clock.pass_by(20)
    site.origin.fail = OriginFailed("It burns again.")
    asked = site.origin.asked
    assert whole(cache) == OLD
    site.clock.pass_by(1000)
    assert whole(cache) == OLD
    assert site.origin.asked == asked + 2, "it begins anew"


def test_no_request_writes_while_the_source_is_left_alone(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10, expire_errors=1000)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.fail = Unavailable()
    assert whole(cache) == OLD
    until(lambda: not len(cache._fills))

    def refuse(*_: object) -> None:
        raise AssertionError("somebody writes")

    monkeypatch.setattr(cache._stock, "store", refuse)
    for _ in range(5):
        assert whole(cache) == OLD
        assert cache.stat("k").size == len(OLD)


def test_a_failure_counts_where_it_cannot_be_written_down(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10, expire_errors=1000)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.fail = Unavailable()

    def broken(*_: object, **__: object) -> None:
        raise Unavailable("The disk does not work.")

    monkeypatch.setattr(cache._stock.space, "write", broken)
    for _ in range(3):
        assert whole(cache) == OLD
    assert site.origin.asked == 2


def test_what_is_asked_for_behind_the_answer_is_left_alone_too(cached: Opening, site: Site) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10, stale_while_revalidate=100, expire_errors=1000)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.fail = Unavailable()
    for _ in range(5):
        assert whole(cache) == OLD
        until(lambda: not len(cache._fills))
    assert site.origin.asked == 2


@pytest.mark.usefixtures("soon")
def test_a_source_that_is_silent_is_waited_for_once_and_not_for_each_object(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places._QUIET", 0.05)
    cache = cached(refresh_after=10)
    for number in range(3 * PLACES):
        site.origin.has(f"k{number}", b"old")
        read(cache, f"k{number}")
    site.clock.pass_by(20)
    hang(site)
    assert whole(cache, "k0") == b"old"
    until(lambda: cache._fills.silent)

    def refuse(*_: object) -> None:
        raise AssertionError("somebody waits")

    monkeypatch.setattr(cache._fills, "outcome", refuse)
    for number in range(3 * PLACES):
        assert whole(cache, f"k{number}") == b"old"
    assert len(cache._fills) <= PLACES, "and the rest is not asked for"
    site.origin.go.set()
    until(lambda: not len(cache._fills))
    assert not cache._fills.silent


def test_beyond_stale_if_error_the_source_is_waited_for(cached: Opening, site: Site) -> None:
    site.origin.has("k", OLD)
    cache = cached(refresh_after=10, stale_if_error=5)
    read(cache, "k")
    site.clock.pass_by(20)
    site.origin.has("k", NEW)
    hang(site)
    with running(1, lambda _: whole(cache)) as got:
        assert site.origin.reached.wait(60)
        site.origin.go.set()
    assert got == [NEW]
