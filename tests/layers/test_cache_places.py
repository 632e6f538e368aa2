"""Whose read of the source goes first, and what becomes of those that hang or that nobody
waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from types import SimpleNamespace

import pytest

from drivers.cache import Cache
from drivers.cache.fills import BLOCK
from drivers.cache.helpers import Helpers
from drivers.cache.places import MOST, PLACES
from gateway.storage import Busy, Context, Get, Opened, Threads, Unavailable, pieces
from gateway.testing.faults import noise
from tests.layers.origin import Origin, Site, read, running, until

Opening = Callable[..., Cache]
LARGE = noise(4 * BLOCK + 5)


@contextmanager
def threads(count: int, work: Callable[[int], object]) -> Iterator[None]:
    """`work` in so many threads while the block runs."""
    with running(count, work):
        yield


def whole(cache: Cache, key: str) -> bytes:
    with cache.get(key) as opened:
        return b"".join(pieces(opened.body))


def large_ones(site: Site, count: int) -> None:
    for number in range(count):
        site.origin.has(f"large{number}", LARGE)
    site.origin.has("small", b"small")


def leave_alone(cache: Cache, site: Site, count: int) -> None:
    """Ask for so many, whose source stops in the middle, and go away."""
    for number in range(count):
        with cache.get(f"large{number}"):
            until(lambda now=number + 1: site.origin.waiting == now)  # type: ignore[misc]


# threads


def test_a_thread_outlives_whatever_its_work_does(caplog: pytest.LogCaptureFixture) -> None:
    helpers, seen = Helpers("cache c", Threads()), threading.Semaphore(0)
    for error in (KeyError("k"), SystemExit(1), RuntimeError("r")):

        def work(error: BaseException = error) -> None:
            seen.release()
            raise error

        helpers.start(work)
        assert seen.acquire(timeout=60)
        until(lambda: helpers._idle == 1)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        KeyError,
        SystemExit,
        RuntimeError,
    ]


def test_what_waits_for_work_is_counted_when_no_thread_can_be_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    helpers, done = Helpers("cache c", Threads()), threading.Semaphore(0)
    real = threading.Thread.start

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    for _ in range(3):
        with pytest.raises(Busy):
            helpers.start(done.release)
    monkeypatch.setattr(threading.Thread, "start", real)
    helpers.start(done.release)
    assert done.acquire(timeout=60)
    until(lambda: helpers._idle == 1)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    helpers.start(done.release)  # there is one that waits
    assert done.acquire(timeout=60)


@pytest.mark.parametrize("error", [KeyError("k"), OSError("o"), SystemExit(1)])
def test_a_source_that_fails_in_its_own_way_fails_for_all_at_once(
    cached: Opening, site: Site, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    site.origin.has("k", b"data")
    cache = cached(expire_errors=0)
    site.origin.hang, site.origin.fail = lambda _: True, error
    with running(5, lambda _: whole(cache, "k")) as got:
        assert site.origin.reached.wait(60)
        until(lambda: next(iter(cache._fills._running)).readers == 5)
        site.origin.go.set()
    assert {type(one) for one in got} == {Unavailable}
    for _ in range(2 * PLACES):
        with pytest.raises(Unavailable):
            whole(cache, "k")
    until(lambda: bool(caplog.records))
    assert all(record.exc_info for record in caplog.records)
    site.origin.fail = None
    assert whole(cache, "k") == b"data"
    told = len(caplog.records)
    assert told <= PLACES  # again in the same way is not told again
    well = count()

    def told_again() -> bool:
        """After a fetch that went well, which a thread that ends late may overtake."""
        key = f"well {next(well)}"
        site.origin.has(key, b"data")
        site.origin.fail = None
        assert whole(cache, key) == b"data"
        site.origin.fail = error
        with pytest.raises(Unavailable):
            whole(cache, f"not {key}")
        return len(caplog.records) > told

    until(told_again)


def test_when_no_thread_can_be_made_it_is_said_at_once(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.has("k", b"data")
    cache = cached()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(2 * PLACES):
            with pytest.raises(Busy, match="thread"):
                whole(cache, "k")
        assert len(cache._fills) == 0
    assert read(cache, "k") == b"data"


# places


def test_what_hangs_and_nobody_waits_for_is_not_in_the_way(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places.YOUNG", 1000)
    large_ones(site, 2 * PLACES)
    cache = cached()
    site.origin.stop = BLOCK
    leave_alone(cache, site, 2 * PLACES)
    assert whole(cache, "small") == b"small"
    site.origin.go.set()
    until(lambda: not len(cache._fills))


def test_what_nobody_waits_for_ends_where_others_need_its_place(
    cached: Opening, site: Site
) -> None:
    large_ones(site, PLACES + 4)
    cache = cached()
    site.origin.stop = BLOCK
    leave_alone(cache, site, PLACES + 4)
    site.origin.go.set()
    until(lambda: not len(cache._fills))
    assert PLACES * len(LARGE) <= site.origin.sent < (PLACES + 4) * len(LARGE)
    for number in range(PLACES + 4):  # what came is there, and the rest is fetched
        assert read(cache, f"large{number}") == LARGE


def test_a_reader_that_stands_still_does_not_hold_a_place(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    large_ones(site, PLACES)
    cache = cached()
    site.origin.stop = BLOCK
    with ExitStack() as stack:
        opened = [stack.enter_context(cache.get(f"large{n}")) for n in range(PLACES)]
        begun = [one.body.read(1000) for one in opened]
        monkeypatch.setattr("drivers.cache.places.YOUNG", 1000)
        monkeypatch.setattr("drivers.cache.fills.STALLED", 0.0)
        assert whole(cache, "small") == b"small"
        site.origin.go.set()
        for first, one in zip(begun, opened, strict=True):
            assert first + b"".join(pieces(one.body)) == LARGE


def test_a_part_of_the_source_that_hangs_is_not_in_the_way_of_the_others(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places.YOUNG", 0.1)
    monkeypatch.setattr("drivers.cache.places.LONG", 1000)
    large_ones(site, PLACES)
    cache = cached()
    site.origin.hang = lambda key: key.startswith("large")
    with threads(PLACES, lambda number: whole(cache, f"large{number}")):
        until(lambda: len(cache._fills) == PLACES)
        assert whole(cache, "small") == b"small"
        assert cache.stat("small").size == 5
        assert not site.origin.go.is_set()
        site.origin.go.set()


def test_what_is_at_work_is_bounded_whatever_hangs(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places.YOUNG", 0.0)
    monkeypatch.setattr("drivers.cache.places.PATIENCE", 0.2)
    large_ones(site, MOST)
    cache = cached()
    site.origin.stop = BLOCK
    leave_alone(cache, site, MOST)
    with pytest.raises(Busy):
        whole(cache, "small")
    assert len(cache._fills) == MOST
    site.origin.go.set()
    assert whole(cache, "small") == b"small"


def test_a_source_that_does_not_answer_does_not_hold_all_threads(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places.LONG", 0.1)
    site.origin.has("k", b"data")
    site.threads = Threads(16)
    cache = cached()
    site.origin.hang = lambda _: True
    told = threading.Semaphore(0)

    def reader(_: int) -> bytes:
        try:
            return whole(cache, "k")
        except Busy:
            told.release()
            raise

    with running(20, reader) as got:
        for _ in range(20 - site.threads.share):
            assert told.acquire(timeout=60)
        site.origin.go.set()
    assert sum(one == b"data" for one in got) == site.threads.share == 12
    assert sum(isinstance(one, Busy) for one in got) == 8
    assert len(site.origin.gets) == 1
    assert whole(cache, "k") == b"data"


def test_who_comes_to_a_source_that_has_long_been_silent_is_refused_at_once(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each of those who come would hold a thread for a while, and all together all."""
    site.threads = Threads(16)
    cache = cached()
    site.origin.hang = lambda _: True
    told = threading.Semaphore(0)

    def late(_: int) -> None:
        with pytest.raises(Busy):
            whole(cache, "k")
        told.release()

    with running(12, lambda number: whole(cache, f"k{number}")):
        until(lambda: site.origin.waiting == 12)
        later = time.monotonic() + 1000  # and no time goes by from now on
        monkeypatch.setattr("drivers.cache.places.time", SimpleNamespace(monotonic=lambda: later))
        until(lambda: cache._fills._waiting._held == 12)
        with running(3, late):
            for _ in range(3):
                assert told.acquire(timeout=60)
        site.origin.go.set()


def test_a_source_without_time_outs_is_given_up(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.fills.HOPELESS", 0.2)
    site.origin.has("k", LARGE)
    cache = cached()
    site.origin.hang = lambda _: True
    with pytest.raises(Unavailable, match="does not answer"):
        whole(cache, "k")
    site.origin.hang = lambda _: False
    site.origin.stop = BLOCK
    with cache.get("k") as opened, pytest.raises(Unavailable, match="ceased"):
        while opened.body.read():
            pass
    site.origin.go.set()


class Counted(Origin):
    """One that lets threads wait takes a place for them, as drivers of upstreams do."""

    def open(self, context: Context) -> None:
        super().open(context)
        self.part = context.threads.part()

    def get(self, key: str, want: Get = Get()) -> Opened:
        assert self.part.take()
        try:
            return super().get(key, want)
        finally:
            self.part.give()


def test_those_that_pull_are_no_threads_of_the_server(
    cached: Opening, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.origin.close()
    site.threads, site.origin = Threads(2), Counted()
    site.origin.open(Context(sid="origin", clock=site.clock, threads=site.threads))
    large_ones(site, PLACES)
    cache = cached()
    site.origin.hang = lambda key: key != "small"
    with threads(PLACES // 2, lambda number: whole(cache, f"large{number}")):
        until(lambda: site.origin.waiting == PLACES // 2)
        assert whole(cache, "small") == b"small"
        site.origin.go.set()


# an end


def test_closing_waits_for_no_source_and_the_last_reader_of_it_closes_the_rest(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.cache.places._MOMENT", 0.0)
    site.origin.has("k", LARGE)
    site.origin.has("other", LARGE)
    cache = site.worker()
    site.origin.hang = lambda key: key == "other"
    site.origin.stop = BLOCK
    closed = threading.Event()
    stock, close = cache._stock, cache._stock.close

    def closing() -> None:
        close()
        closed.set()

    monkeypatch.setattr(stock, "close", closing)
    with running(2, lambda number: whole(cache, "k" if number else "other")) as got:
        until(lambda: len(cache._fills) == 2 and site.origin.sent == BLOCK)
        cache.close()
    assert {type(one) for one in got} == {Unavailable}, "they are told before the source is"
    assert not site.origin.go.is_set()
    assert not closed.is_set()
    site.origin.go.set()
    assert closed.wait(60)
