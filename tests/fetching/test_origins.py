"""Several origins of one service: real ones, that stop, stall, reset, and answer that they
cannot."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from ipaddress import ip_network

import pytest

from drivers.cache import Cache
from drivers.http import Http
from gateway.storage import (
    BadKey,
    BytesBody,
    Context,
    Forward,
    NoSuchKey,
    OriginFailed,
    Secret,
    TimedOut,
)
from gateway.telemetry.families import COUNTERS
from gateway.testing.upstreams import Act, Upstream, answer, close, cut, hang, raw, reset
from tests.fetching.origin import Fetching, kept, read
from tests.layers.origin import Clock


def nowhere() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def still(store: Http) -> Http:
    """For whose origins no time passes: a slow machine is not a second later."""
    now = time.monotonic()
    store.asking._health._clock = lambda: now
    return store


def a_minute_later() -> float:
    return time.monotonic() + 61


FAILING: dict[str, Act] = {
    "resets": reset,
    "closes": close,
    "stalls": hang,
    "is malformed": raw(b"SSH-2.0-x\r\n\r\n"),
    "cuts a short body": cut(b"abc", 1),
    "answers 502": answer(502, b"bad"),
    "answers 503": answer(503, b"busy"),
    "answers 504": answer(504, b"late"),
}


@pytest.mark.parametrize("act", FAILING.values(), ids=FAILING.keys())
def test_who_cannot_answer_is_followed_by_the_next(
    origin: Upstream, other: Upstream, fetching: Fetching, act: Act
) -> None:
    origin.always(act)
    kept(other, k=b"data")
    store = still(fetching.http(origin.url, other.url, read_timeout=1.0))
    assert read(store) == b"data"
    assert store.stat("k").size == 4
    assert [one.method for one in other.requests] == ["GET", "HEAD"]
    for _ in range(4):
        read(store)
    assert len(origin.requests) <= 3  # passed over by now
    kept(origin, k=b"back")
    assert read(store) == b"data"
    store.asking._health._clock = a_minute_later
    assert [read(store) for _ in range(2)] == [b"back"] * 2


def test_where_nobody_listens_or_may_be_connected_to_the_next_is_asked(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"data")
    host = ip_network("127.0.0.1/32")
    for first in (nowhere(), "http://127.0.0.2:1", "http://name.invalid"):
        assert read(fetching.http(first, origin.url, allow=(host,))) == b"data"
    # what the networks do not allow is not reached as a second one either
    with pytest.raises(OriginFailed, match="may be connected to"):
        read(fetching.http(nowhere(), origin.url, allow=(), deny=(host,)))


OTHERS = (200, 301, 400, 401, 403, 404, 410, 429, 500, 501)


def test_other_answers_are_answers(origin: Upstream, other: Upstream, fetching: Fetching) -> None:
    store = fetching.http(origin.url, other.url)
    for status in OTHERS:
        origin.will(answer(status, b"said"))
        try:
            read(store)
        except (OriginFailed, NoSuchKey) as error:
            assert error.origin is not None
            assert error.origin.status == status, status
        assert len(origin.requests) == OTHERS.index(status) + 1
    assert not other.requests


def test_where_all_fail_an_answer_is_better_than_none(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(503, b"maintenance", {"Retry-After": "7"}))
    other.always(reset)
    store = fetching.http(origin.url, other.url)
    for _ in range(5):  # also when all are passed over: nobody is refused unasked
        with pytest.raises(OriginFailed) as raised:
            read(store)
        assert (raised.value.status, raised.value.retry_after) == (503, 7)
        assert raised.value.origin is not None
        assert raised.value.origin.page == b"maintenance"
    assert len(origin.requests) == 5
    kept(other, k=b"back")
    store.asking._health._clock = a_minute_later
    assert read(store) == b"back"


def test_all_of_it_has_one_time(origin: Upstream, other: Upstream, fetching: Fetching) -> None:
    origin.always(hang)
    kept(other, k=b"data")
    store = still(fetching.http(origin.url, other.url, timeout=0.4))
    begun = time.monotonic()
    with pytest.raises(TimedOut):
        read(store)
    assert time.monotonic() - begun < 3
    assert not other.connections
    assert read(store) == b"data"  # the first one is known now


def test_who_had_little_of_the_time_is_not_down(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    for one in (origin, other):
        one.always(hang)
    store = fetching.http(origin.url, other.url, timeout=0.5, read_timeout=0.4)
    with pytest.raises(TimedOut):
        read(store)
    assert len(other.requests) == 1
    assert [one.times for one in store.asking._health._origins] == [1, 0]


def test_who_has_no_place_is_not_down_and_others_are_asked(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(hang)
    kept(other, k=b"data")
    store = fetching.http(origin.url, other.url, waiting=1)
    hanging = threading.Thread(target=read, args=(store,))
    hanging.start()
    while not origin.requests:
        time.sleep(0.005)
    assert read(store) == b"data"
    assert len(origin.requests) == 1
    assert not store.asking._health._origins[0].times
    origin.ended.set()
    hanging.join()


def test_a_key_that_no_origin_has_does_not_look_for_ever(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.will(reset)
    for one in (origin, other):
        kept(one, k=b"data")
    store = fetching.http(origin.url, other.url)
    read(store)
    store.asking._health._clock = a_minute_later
    with pytest.raises(BadKey):
        read(store, "../k")
    read(store)
    assert len(origin.requests) == 2


def test_one_request_looks_and_the_others_do_not_wait_for_it(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(reset)
    kept(other, k=b"data")
    store = fetching.http(origin.url, other.url)
    read(store)
    origin.always(hang)
    store.asking._health._clock = a_minute_later
    before = len(origin.requests)
    looking = threading.Thread(target=read, args=(store,))
    looking.start()
    while len(origin.requests) == before:
        time.sleep(0.005)
    begun = time.monotonic()
    assert [read(store) for _ in range(5)] == [b"data"] * 5
    assert time.monotonic() - begun < 5
    assert len(origin.requests) == before + 1
    origin.ended.set()
    looking.join()


def test_around_each_has_its_part(origin: Upstream, other: Upstream, fetching: Fetching) -> None:
    for one in (origin, other):
        kept(one, k=b"data")
    store = fetching.http(origin.url, other.url, balance="round")
    for _ in range(10):
        read(store)
    assert (len(origin.requests), len(other.requests)) == (5, 5)


FORWARDED: dict[str, tuple[Act | None, int | None, int]] = {
    "nobody listens": (None, 201, 1),
    "sent, and reset": (reset, None, 0),
    "an answer": (answer(503), 503, 0),
}


def test_what_was_sent_is_not_sent_again(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    other.always(answer(201))
    for act, status, asked in FORWARDED.values():
        if act is not None:
            origin.will(act)
        store = fetching.http(nowhere() if act is None else origin.url, other.url)
        before = len(other.requests)
        found = None
        try:
            with store.forward("k", BytesBody(b"abc"), Forward(method="POST", size=3)) as opened:
                found = opened.status
        except OriginFailed:
            pass
        assert (found, len(other.requests) - before) == (status, asked)
    assert other.requests[0].body == b"abc"


def test_each_is_told_the_name_that_is_asked_for_and_may_redirect_to_it(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(503))
    other.objects["/new"] = b"data"
    secret = Secret("pw")
    store = fetching.http(
        origin.url, f"{other.url}", host_header="www.example.com", username="me", password=secret
    )
    other.will(answer(302, b"", {"Location": "http://www.example.com/new"}))
    assert read(store) == b"data"
    for one in (*origin.requests, *other.requests):
        assert one.headers["host"] == "www.example.com"
        assert one.headers["authorization"].startswith("Basic ")
    assert store.refers_to("k", "http://www.example.com/a%20b") == "a b"
    assert store.refers_to("k", f"{other.url}/a") == "a"
    assert store.refers_to("k", "https://www.example.com/a") is None


def test_one_that_leads_to_another_is_not_trusted_with_its_secrets(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    kept(other, k=b"data")
    origin.always(answer(302, b"", {"Location": f"{other.url}/k"}))
    store = fetching.http(origin.url, other.url, request_headers={"x-token": Secret("t")})
    assert read(store) == b"data"
    assert "x-token" in origin.requests[0].headers
    assert "x-token" not in other.requests[0].headers
    other.always(reset)  # also where the first leads to, which says nothing of the first
    with pytest.raises(OriginFailed):
        read(store)
    assert [one.times for one in store.asking._health._origins] == [0, 1]


def test_a_cache_in_front_answers_with_what_it_has_when_all_are_away(fetching: Fetching) -> None:
    clock = Clock()
    with Upstream() as first, Upstream() as second:
        for one in (first, second):
            kept(one, k=b"data")
        cache = Cache(source=fetching.http(first.url, second.url), refresh_after=10.0)
        cache.open(Context(sid="c", clock=clock))
        try:
            assert read(cache) == b"data"
            clock.pass_by(20)
            for one in (first, second):
                one.always(reset)
            assert read(cache) == b"data"
            assert first.requests
            assert second.requests
        finally:
            cache.close()


class Counted:
    def __init__(self) -> None:
        self.seen: Counter[tuple[str, ...]] = Counter()

    def add(self, name: str, amount: float = 1, *labels: str) -> None:
        assert len(labels) == len(COUNTERS[name].labels)
        self.seen[name, *labels] += int(amount)


def test_who_watches_sees_which_one_fails(
    origin: Upstream, fetching: Fetching, caplog: pytest.LogCaptureFixture
) -> None:
    meters, away = Counted(), nowhere()
    kept(origin, k=b"data")
    context = Context(sid="site", meters=meters)
    store = still(fetching.http(away, origin.url, context=context))
    with caplog.at_level("INFO", "gateway.upstream"):
        for _ in range(3):
            read(store)
    assert meters.seen == {
        ("gateway_origin_failures", "site", away): 1,
        ("gateway_origin_passed_over", "site", away): 1,
    }
    (said,) = caplog.messages
    assert said.startswith(f"site: the origin {away} is passed over for 1 s: ")


def test_a_probe_tells_of_each(origin: Upstream, other: Upstream, fetching: Fetching) -> None:
    away = nowhere()
    origin.always(answer(404, b"", {"Accept-Ranges": "bytes"}))
    other.always(answer(403))
    found = fetching.http(origin.url, away, other.url).probe()
    assert found.target == f"{origin.url}, {away}, {other.url}"
    assert (found.can["read"], found.can["ranges"]) == (None, None)
    assert found.notes[0] == f"{origin.url} answers 404 there"
    assert found.notes[1].startswith(f"{away} fails: ")
    with pytest.raises(OriginFailed):
        fetching.http(away, nowhere()).probe()
