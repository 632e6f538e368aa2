"""A cache in front of an origin: what it asks, keeps and forgets."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest

from drivers.cache import Cache, storing
from drivers.http import Http
from drivers.memory import Memory
from gateway.services.subtree import Below
from gateway.storage import (
    Context,
    Forward,
    Forwards,
    Get,
    NoSuchKey,
    OriginFailed,
    Range,
    Store,
)
from gateway.testing.faults import noise
from gateway.testing.upstreams import Act, Exchange, Upstream, answer, cut
from tests.fetching.origin import Fetching, kept, read
from tests.layers.origin import Clock, until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cached(origin: Upstream, fetching: Fetching, clock: Clock) -> Iterator[Any]:
    opened: list[Cache] = []

    def cached(**options: Any) -> Cache:
        cache = Cache(
            source=fetching.http(origin.url, **options), refresh_after=10.0, respect_headers=False
        )
        cache.open(Context(sid="c", clock=clock))
        opened.append(cache)
        return cache

    yield cached
    for cache in opened:
        cache.close()


def settled(cache: Cache, key: str = "k", want: Get = Get()) -> bytes:
    data = read(cache, key, want)
    until(lambda: not len(cache._fills))
    return data


def changing(said: dict[str, str | int], again: dict[str, str | int]) -> Act:
    """An origin of which the object is the same for ever, and what is said of it is not."""

    def act(exchange: Exchange) -> None:
        asked = exchange.seen.headers
        if "if-none-match" in asked or "if-modified-since" in asked:
            answer(304, b"", again)(exchange)
        else:
            answer(200, b"data", said)(exchange)

    return act


def test_a_304_brings_what_is_known_up_to_date(cached: Any, origin: Upstream, clock: Clock) -> None:
    """RFC 9111 §4.3.4: the lines that it has are the object's from then on."""
    origin.always(
        changing(
            {"ETag": '"t"', "Cache-Control": "a", "Vary": "x", "Content-Type": "text/plain"},
            {"ETag": '"t"', "Cache-Control": "b", "Age": 5, "Content-Length": 0},
        )
    )
    cache = cached()
    assert settled(cache) == b"data"
    clock.pass_by(20)
    assert settled(cache) == b"data"
    info = cache.stat("k")
    assert [seen.headers.get("if-none-match") for seen in origin.requests] == [None, '"t"']
    assert (info.size, info.content_type) == (4, "text/plain")
    assert info.headers == (("Vary", "x"), ("Cache-Control", "b"))
    assert info.origin is not None
    told = dict(info.origin.headers)
    assert (info.origin.status, told["Age"], told["Content-Length"]) == (200, "25", "4")
    assert told["Cache-Control"] == "b"
    clock.pass_by(5)
    settled(cache)
    assert len(origin.requests) == 2, "it is fresh again"


def test_an_object_with_a_time_only_is_asked_for_by_it(
    cached: Any, origin: Upstream, clock: Clock
) -> None:
    time: dict[str, str | int] = {"Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}
    origin.always(changing(time, time))
    cache = cached()
    for _ in range(2):
        assert settled(cache) == b"data"
        clock.pass_by(20)
    asked = origin.requests[-1].headers
    assert asked["if-modified-since"] == "Wed, 21 Oct 2015 07:28:00 GMT"


def test_what_an_origin_says_to_be_an_md5_is_none(cached: Any, origin: Upstream) -> None:
    origin.always(answer(200, b"data", {"ETag": f'"{"0" * 32}"'}))
    assert settled(cached()) == b"data"


@pytest.mark.parametrize("said", [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "now"}], ids=str)
def test_blocks_of_an_object_without_a_strong_validator_are_not_mixed(
    cached: Any, origin: Upstream, said: dict[str, str]
) -> None:
    """Two answers of one size may be two objects. And what somebody wants a part of breaks off
    nobody else's answer."""
    if "Last-Modified" in said:
        said = {"Last-Modified": formatdate(usegmt=True)}
    state = {"data": noise(3 << 20, "one")}

    def act(exchange: Exchange) -> None:
        first, _, last = exchange.seen.headers.get("range", "bytes=0-")[6:].partition("-")
        data = state["data"]
        start, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
        extent = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
        status = 206 if "range" in exchange.seen.headers else 200
        more = extent if status == 206 else {}
        answer(status, data[start : end + 1], {**said, **more})(exchange)

    origin.always(act)
    cache = cached()
    assert settled(cache, "j", Get(range=Range(0, 9))) == state["data"][:10]
    assert settled(cache, "k", Get(range=Range(0, 9))) == state["data"][:10]
    state["data"] = noise(3 << 20, "two")
    assert (
        settled(cache, "k", Get(range=Range(2 << 20, (2 << 20) + 9)))
        == state["data"][2 << 20 : (2 << 20) + 10]
    )
    assert settled(cache, "j") == settled(cache, "j") == settled(cache) == state["data"]
    assert len(origin.requests) == 5


def test_cookies_are_not_for_all(cached: Any, origin: Upstream) -> None:
    """An origin says in no other way that it takes its readers for the one whom it gave one."""
    said = {"Set-Cookie": "session=1", "X-Any": "y"}
    cache = cached()
    origin.will(answer(200, b"data", said), answer(404, b"page", said))
    for _ in range(2):
        with cache.get("k") as opened:
            assert opened.info.origin is not None
            names = {name for name, _ in opened.info.origin.headers}
        until(lambda: not len(cache._fills))
        with pytest.raises(NoSuchKey) as caught:
            cache.get("none")
        assert caught.value.origin is not None
        names |= {name for name, _ in caught.value.origin.headers}
        assert "X-Any" in names and "Set-Cookie" not in names


def test_what_ended_early_is_not_gone_on_with_where_it_may_be_another(
    cached: Any, origin: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storing, "_TOGETHER", 1)
    one, two = noise(3 << 20, "one"), noise(3 << 20, "two")
    said = {"ETag": 'W/"weak"'}
    origin.will(cut(one, 5 << 19, said), answer(200, two, said))
    cache = cached()
    with pytest.raises(OriginFailed):
        settled(cache)
    until(lambda: not len(cache._fills))
    assert settled(cache) == two


def test_an_error_is_remembered_with_its_page_where_it_may_be(
    cached: Any, origin: Upstream
) -> None:
    origin.always(answer(404, b"a page", {"X": "y"}))
    cache = cached()
    for _ in range(2):
        with pytest.raises(NoSuchKey) as caught:
            cache.get("k")
        assert caught.value.origin is not None
        assert (caught.value.origin.page, caught.value.origin.status) == (b"a page", 404)
    assert len(origin.requests) == 1
    forgetful = cached(cache_not_found=False)
    for _ in range(2):
        with pytest.raises(NoSuchKey):
            forgetful.get("k")
    assert len(origin.requests) == 3


def test_what_is_passed_on_makes_the_entry_invalid(
    cached: Any, origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"old", other=b"data")
    cache: Store = cached()
    read(cache), read(cache, "other")
    forwards = cache.find(Forwards)
    assert forwards is not None
    for method, asked in (("OPTIONS", 0), ("POST", 1), ("DELETE", 1)):
        origin.will(answer(200))
        forwards.forward("k", None, Forward(method=method, size=0)).close()
        before = len(origin.requests)
        read(cache), read(cache, "other")
        assert len(origin.requests) - before == asked, method
    origin.objects["/k"] = b"new"
    origin.will(lambda exchange: exchange.close())
    with pytest.raises(OriginFailed):
        forwards.forward("k", None, Forward(method="PUT", size=0))
    assert read(cache) == b"new", "it may have been done, for all that is known"


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("other", "shop/other"),
        ("/base/a%20b%2Fc?x=1#f", "a b/c"),
        ("../../base/shop/../x", "x"),
        ("HTTP://Origin.example:80/base/k", "k"),
        ("//origin.example/base/é", "é"),
        ("?page=2", "shop/cart"),
        ("/elsewhere", None),
        ("/base", None),
        ("/base/%ff", None),
        ("https://origin.example/base/k", None),
        ("//other.example/base/k", None),
        ("mailto:me@origin.example", None),
        ("http://[", None),
    ],
)
def test_what_an_answer_refers_to_is_a_key_below_the_origin(
    reference: str, key: str | None
) -> None:
    store = Http(url=("http://origin.example/base",))
    assert store.refers_to("shop/cart", reference.encode().decode("latin-1")) == key
    below = Below(store, "shop")
    seen = key.removeprefix("shop/") if key is not None and key.startswith("shop/") else None
    assert below.refers_to("cart", reference.encode().decode("latin-1")) == seen


def test_below_a_path_it_is_passed_on_there(origin: Upstream, fetching: Fetching) -> None:
    kept(origin, k=b"data")
    store = fetching.http(origin.url)
    forwards = Below(store, "a/b").find(Forwards)
    assert forwards is not None
    origin.always(answer(200))
    with forwards.forward("k", None, Forward(method="POST", size=0)) as opened:
        assert opened.info.key == "k"
    assert origin.requests[0].target == "/a/b/k"
    assert Below(Memory(), "a").find(Forwards) is None
