"""What an origin says of its answers counts: how a cache obeys RFC 9111 where readers meet."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from drivers.cache import Cache, selecting
from drivers.cache.fills import BLOCK
from drivers.memory import Memory
from gateway.storage import (
    Conditions,
    Context,
    Forward,
    Get,
    NoSuchKey,
    NotModified,
    ObjectInfo,
    OriginFailed,
    Purge,
    Range,
    StorageError,
    TimedOut,
    pieces,
)
from tests.layers.origin import running, until
from tests.layers.web import Front, Said, Web, got, held

HOUR = {"Cache-Control": "max-age=3600"}


@pytest.fixture(params=["disk", "memory"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path if request.param == "disk" else None)
    yield front
    front.close()


@pytest.fixture
def here() -> Iterator[Front]:
    """In memory only: where that makes no difference."""
    front = Front()
    yield front
    front.close()


def counting(web: Web, lines: dict[str, str], status: int = 200) -> None:
    """Each answer has another body: how many there were."""
    numbers = count(len(web.asked) + 1)
    web.say = lambda want: Said(lines, b"%d" % next(numbers), status)


def test_an_answer_is_fresh_for_as_long_as_it_says_and_tells_its_age(front: Front) -> None:
    counting(front.web, {"Cache-Control": "max-age=60", "Age": "10", "ETag": '"e"'})
    cache = front.cache()
    first = got(cache)
    assert (first.body, first.lines["Age"]) == (b"1", "10")
    assert first.trace == "c; fwd=uri-miss; stored"
    front.clock.pass_by(30)
    hit = got(cache)
    assert (hit.body, hit.lines["Age"]) == (b"1", "40")
    assert hit.trace == "c; hit; ttl=20"
    front.clock.pass_by(21)
    assert got(cache).trace == "c; fwd=stale; stored"
    conditions = [want.conditions for want in front.web.asked]
    assert conditions == [None, Conditions(if_none_match=("e",))]


def test_after_a_start_it_is_as_old_as_it_is(tmp_path: Path) -> None:
    front = Front(tmp_path)
    counting(front.web, HOUR)
    cache = front.cache()
    got(cache)
    cache.close()
    front.clock.pass_by(100)
    again = got(front.cache())
    assert (again.body, again.lines["Age"]) == (b"1", "100")
    front.close()


def test_a_304_makes_it_fresh_and_brings_its_lines(front: Front) -> None:
    said = [Said({"Cache-Control": "max-age=9", "ETag": '"e"', "X": "1"})]
    said.append(Said({**HOUR, "ETag": '"e"', "X": "2", "Age": "5"}, b"", 304))
    front.web.say = lambda want: said[len(front.web.asked) - 1]
    cache = front.cache()
    got(cache)
    front.clock.pass_by(20)
    for _ in range(2):
        hit = got(cache)
        assert (hit.body, hit.lines["X"], hit.status) == (b"data", "2", 200)
    assert hit.lines["Age"] == "5"
    assert len(front.web.asked) == 2


@pytest.mark.parametrize(
    "lines",
    [
        {"Cache-Control": "private, max-age=60"},
        {"Cache-Control": "no-store"},
        {"Set-Cookie": "a=b", "ETag": '"e"'},
        {**HOUR, "Vary": "*"},
    ],
)
def test_what_is_not_to_be_stored_is_asked_for_once_by_each(
    here: Front, lines: dict[str, str]
) -> None:
    counting(here.web, lines)
    cache = here.cache()
    assert [got(cache).body for _ in range(3)] == [b"1", b"2", b"3"]
    assert len(here.web.asked) == 3


@pytest.mark.parametrize("status", [200, 302, 403])
def test_a_private_answer_reaches_nobody_who_waited_for_it(front: Front, status: int) -> None:
    """Each waits for the first one's answer, which turns out not to be for them; and then not
    for each other."""
    counting(front.web, {"Cache-Control": "private"}, status)
    cache = front.cache()

    def read(_: int) -> bytes | None:
        try:
            with cache.get("k") as opened:
                return b"".join(pieces(opened.body))
        except StorageError as error:
            assert error.origin is not None
            return error.origin.page

    with held(front.web), running(6, read) as bodies:
        gate = front.web.gate
        assert gate is not None
        until(lambda: sum(fill.readers for fill in list(cache._fills._running)) == 6)
        gate.set()
    assert len(set(bodies)) == 6, bodies
    assert len(front.web.asked) == 6


def test_a_failure_is_shared_and_not_the_page_of_whoever_asked(front: Front) -> None:
    """It may be private; and all who wait would ask what has just failed, each by himself."""
    counting(front.web, {"Cache-Control": "private"}, 500)
    cache = front.cache()

    def read(_: int) -> bytes | None:
        with pytest.raises(OriginFailed) as caught:
            cache.get("k")
        origin = caught.value.origin
        return None if origin is None else origin.page

    with held(front.web), running(6, read) as pages:
        gate = front.web.gate
        assert gate is not None
        until(lambda: sum(fill.readers for fill in list(cache._fills._running)) == 6)
        gate.set()
    assert sorted(map(str, pages)) == ["None"] * 5 + ["b'1'"]
    assert len(front.web.asked) == 1


def test_what_is_shared_is_asked_for_once_for_all_who_wait(front: Front) -> None:
    counting(front.web, HOUR)
    cache = front.cache()
    with held(front.web), running(6, lambda _: got(cache)) as found:
        gate = front.web.gate
        assert gate is not None
        until(lambda: sum(fill.readers for fill in list(cache._fills._running)) == 6)
        gate.set()
    traces = sorted(one.trace for one in found)  # type: ignore[attr-defined]
    assert traces == ["c; fwd=uri-miss; collapsed"] * 5 + ["c; fwd=uri-miss; stored"]
    assert len(front.web.asked) == 1


def test_what_has_to_be_asked_for_each_time_is_shared_with_nobody(front: Front) -> None:
    """No-cache: not even those who have waited for it have it unasked."""
    counting(front.web, {"Cache-Control": "no-cache", "ETag": '"e"'})
    cache = front.cache()
    with held(front.web), running(4, lambda _: got(cache)) as found:
        gate = front.web.gate
        assert gate is not None
        until(lambda: sum(fill.readers for fill in list(cache._fills._running)) == 4)
        gate.set()
    assert len({one.body for one in found}) == 4  # type: ignore[attr-defined]


def test_it_is_stored_again_once_it_may_be(here: Front) -> None:
    """What was remembered as not for the cache is so no longer than the origin says."""
    counting(here.web, {"Cache-Control": "no-store"})
    cache = here.cache()
    assert [got(cache).body for _ in range(2)] == [b"1", b"2"]
    counting(here.web, HOUR)
    assert [got(cache).body for _ in range(3)] == [b"3", b"3", b"3"]


def test_who_has_credentials_shares_what_is_for_all_only(front: Front) -> None:
    """§3.5."""
    counting(front.web, HOUR)
    cache = front.cache()
    bodies = [got(cache, authorization=one).body for one in ("a", "b", "a")]
    assert bodies == [b"1", b"2", b"3"]
    assert got(cache).body == b"4", "and what others got is not for those without"
    assert got(cache, authorization="a").body == b"4"
    cache.purge()
    counting(front.web, {"Cache-Control": "public, max-age=60"})
    assert [got(cache, authorization="a").body, got(cache).body] == [b"5", b"5"]


def test_who_has_credentials_waits_for_nobody_who_has_none(front: Front) -> None:
    counting(front.web, HOUR)
    cache = front.cache()
    names = [{"authorization": "a"}, {"authorization": "b"}, {}]
    with held(front.web), running(3, lambda number: got(cache, **names[number])):
        gate = front.web.gate
        assert gate is not None
        for _ in names:
            assert front.web.waiting.acquire(timeout=10)
        gate.set()
    assert len(front.web.asked) == 3


def varying(web: Web, *names: str, **lines: str) -> None:
    def say(want: Get) -> Said:
        chosen = "|".join(want.headers.get(name.lower(), "-") for name in names)
        return Said({**HOUR, "Vary": ", ".join(names), **lines}, chosen.encode())

    web.say = say


def test_variants_are_told_apart_by_the_fields_that_chose_them(front: Front) -> None:
    varying(front.web, "Foo", "Bar")
    cache = front.cache()
    asked = [{"foo": "1"}, {"foo": "2"}, {"foo": "1", "bar": "x"}, {}]
    for _ in range(2):
        bodies = [got(cache, **headers).body for headers in asked]
        assert bodies == [b"1|-", b"2|-", b"1|x", b"-|-"]
    assert len(front.web.asked) == 4
    assert got(cache, foo="1", other="y").trace.startswith("c; hit")
    assert got(cache, foo="3").trace == "c; fwd=vary-miss; stored"
    cache.purge(Purge(kind="key", value="k"))
    assert got(cache, foo="1").trace == "c; fwd=uri-miss; stored"
    assert got(cache, foo="2").body == b"2|-"
    assert len(front.web.asked) == 7


def test_who_waits_for_another_variant_gets_their_own(front: Front) -> None:
    varying(front.web, "Foo")
    cache = front.cache()
    with held(front.web), running(4, lambda number: got(cache, foo=str(number % 2))) as found:
        gate = front.web.gate
        assert gate is not None
        until(lambda: sum(fill.readers for fill in list(cache._fills._running)) == 4)
        gate.set()
    assert [one.body for one in found] == [b"0", b"1"] * 2  # type: ignore[attr-defined]
    assert len(front.web.asked) == 2


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("Accept-Encoding", ("gzip, br", "BR;q=0.5,gzip", "gzip,br,x;q=0"), "gzip"),
        ("Accept-Language", ("en, de", " dE ,  EN"), "en, de;q=0.5"),
        ("Foo", ("1,2", " 1,  2 "), "2, 1"),
        ("Accept", ("a/b, c/d;q=0.50", "c/d;q=0.5,a/b;q=1.0"), "a/b"),
    ],
)
def test_what_says_the_same_is_one_variant(
    here: Front, name: str, same: tuple[str, ...], other: str
) -> None:
    varying(here.web, name)
    cache = here.cache()
    field = name.lower().replace("-", "_")
    assert {got(cache, **{field: text}).body for text in same} == {same[0].encode()}
    assert got(cache, **{field: other}).body == other.encode()
    assert got(cache).body == b"-"


def test_of_an_image_only_the_formats_choose(here: Front) -> None:
    def say(want: Get) -> Said:
        return Said({**HOUR, "Vary": "Accept"}, b"%d" % len(here.web.asked))

    here.web.say = say
    cache = here.cache()
    here.web.content_type = "image/png"
    texts = ("image/webp,*/*", "text/html, image/webp;q=0.8", "*/*", "image/avif,image/webp")
    assert [got(cache, accept=text).body for text in texts] == [b"1", b"1", b"2", b"3"]


def test_there_are_so_many_variants_and_no_more(front: Front) -> None:
    varying(front.web, "Foo")
    cache = front.cache()
    for number in range(selecting.MOST + 5):
        front.clock.pass_by(1)
        got(cache, foo=str(number))
    sql = "SELECT count(*) FROM cache_entries WHERE variant <> ''"
    assert cache._stock.space.one(sql, ())[0] == selecting.MOST


def test_errors_are_kept_as_they_say(front: Front) -> None:
    cache = front.cache()
    for status, lines, asked in (
        (404, HOUR, 1),
        (503, HOUR, 1),
        (302, HOUR, 1),
        (404, {}, 1),  # for the time of the cache's own
        (503, {}, 2),
        (302, {}, 2),
        (404, {"Cache-Control": "no-store"}, 2),
    ):
        front.web.asked.clear()
        counting(front.web, lines, status)
        cache.purge()
        for _ in range(2):
            with pytest.raises(NoSuchKey if status == 404 else OriginFailed) as caught:
                cache.get("k")
        assert len(front.web.asked) == asked, (status, lines)
        assert caught.value.origin is not None
        assert caught.value.origin.page == b"%d" % asked
        assert ("Age" in dict(caught.value.origin.headers)) == (asked == 1)


def test_successes_of_other_kinds_are_kept_as_what_they_are(here: Front) -> None:
    counting(here.web, HOUR, 203)
    cache = here.cache()
    assert [(got(cache).status, got(cache).body) for _ in range(2)] == [(203, b"1")] * 2


def test_stale_answers_where_the_origin_allows_them(here: Front) -> None:
    cache = here.cache()
    for text, stale in (
        ("max-age=1", True),  # the configuration's day
        ("max-age=1, stale-if-error=10", True),
        ("max-age=1, stale-if-error=1", False),
        ("max-age=1, must-revalidate", False),
        ("s-maxage=1", False),
    ):
        counting(here.web, {"Cache-Control": text})
        cache.purge()
        body = got(cache).body
        here.clock.pass_by(5)
        counting(here.web, {}, 503)
        if stale:
            assert got(cache).body == body, text
        else:
            with pytest.raises(OriginFailed):
                got(cache)
        until(lambda: not len(cache._fills))
        here.clock.pass_by(100)


def test_it_is_asked_behind_an_answer_that_may_be_stale(here: Front) -> None:
    counting(here.web, {"Cache-Control": "max-age=1, stale-while-revalidate=60", "ETag": '"e"'})
    cache = here.cache()
    assert got(cache).body == b"1"
    here.clock.pass_by(5)
    stale = got(cache)
    assert stale.body == b"1"
    assert stale.trace == "c; hit; ttl=-4"
    until(lambda: got(cache).body == b"2")


def test_a_redirect_is_no_failure_that_stale_bytes_stand_in_for(here: Front) -> None:
    counting(here.web, {"Cache-Control": "max-age=1"})
    cache = here.cache()
    got(cache)
    here.clock.pass_by(5)
    counting(here.web, {}, 302)
    with pytest.raises(OriginFailed):
        got(cache)


def test_a_head_is_answered_from_what_is_stored_or_passed_on(here: Front) -> None:
    counting(here.web, HOUR)
    cache = here.cache()
    assert cache.stat("k").origin is not None
    assert (here.web.heads, len(here.web.asked)) == (1, 0)
    got(cache)
    here.clock.pass_by(10)
    info = cache.stat("k")
    assert (here.web.heads, len(here.web.asked)) == (1, 1)
    assert info.origin is not None
    assert dict(info.origin.headers)["Age"] == "10"


def test_a_head_brings_what_is_stored_up_to_date(front: Front) -> None:
    """§4.3.5"""
    tagged = {"Cache-Control": "max-age=60", "ETag": '"e"', "X-Old": "1"}
    front.web.say = lambda want: Said(tagged)
    cache = front.cache()
    got(cache)
    front.clock.pass_by(61)
    front.web.say = lambda want: Said({**HOUR, "ETag": '"e"', "X-New": "2"})
    cache.stat("k")
    front.clock.pass_by(100)
    hit = got(cache)
    assert (hit.trace, hit.lines["Age"], len(front.web.asked)) == ("c; hit; ttl=3500", "100", 1)
    assert (hit.body, hit.lines["X-Old"], hit.lines["X-New"]) == (b"data", "1", "2")


@pytest.mark.parametrize(
    ("head", "body", "credentials"),
    [
        ({**HOUR, "ETag": '"other"'}, b"data", False),
        ({**HOUR, "ETag": '"e"', "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, b"data", False),
        ({**HOUR, "ETag": '"e"'}, b"longer", False),
        ({**HOUR, "ETag": '"e"', "Vary": "X"}, b"data", False),
        ({"Cache-Control": "private, max-age=60", "ETag": '"e"'}, b"data", False),
        ({**HOUR, "ETag": '"e"'}, b"data", True),
        (HOUR, b"data", False),
    ],
)
def test_a_head_about_something_else_makes_it_stale(
    here: Front, head: dict[str, str], body: bytes, credentials: bool
) -> None:
    here.web.say = lambda want: Said({**HOUR, "ETag": '"e"', "X-Old": "1"})
    cache = here.cache(client_may_refresh=True)
    got(cache)
    here.web.say = lambda want: Said(head, body)
    asked = {"cache-control": "no-cache", **({"authorization": "me"} if credentials else {})}
    cache.stat("k", Get(headers=asked))
    here.web.say = lambda want: Said({**HOUR, "ETag": '"e"'}, b"", 304)
    again = got(cache)
    assert again.trace == "c; fwd=stale; stored", "it is asked whether it still is"
    assert (again.body, again.lines["X-Old"]) == (b"data", "1")
    assert got(cache).trace.startswith("c; hit")


def test_conditions_and_ranges_are_answered_from_what_is_stored(here: Front) -> None:
    here.web.say = lambda want: Said({**HOUR, "ETag": '"e"'}, b"0123456789")
    cache = here.cache()
    with pytest.raises(NotModified):
        cache.get("k", Get(conditions=Conditions(if_none_match=("e",))))
    until(lambda: not len(cache._fills))
    with cache.get("k", Get(range=Range(2, 4))) as opened:
        assert b"".join(pieces(opened.body)) == b"234"
    assert (len(here.web.asked), here.web.heads) == (1, 0), "one GET, and without the condition"
    assert here.web.asked[0].conditions is None


def test_what_a_request_would_not_have_is_asked_for_because_of_that(here: Front) -> None:
    """RFC 9211 §2.2: it is fresh, and who asks wants another."""
    counting(here.web, HOUR)
    cache = here.cache(client_may_refresh=True)
    got(cache)
    assert got(cache, cache_control="no-cache").trace == "c; fwd=request; stored"
    assert got(cache, cache_control="max-age=0").trace == "c; fwd=request; stored"
    cache.purge(Purge(soft=True))
    assert got(cache, cache_control="no-cache").trace == "c; fwd=stale; stored"


def test_bytes_that_are_not_there_yet_are_no_hit(here: Front) -> None:
    """RFC 9211 §2.2: what is known of it is fresh, and these bytes of it are not there."""
    here.web.say = lambda want: Said({**HOUR, "ETag": '"e"'}, bytes(2 * BLOCK))
    cache, told = here.cache(), list[tuple[str, ...]]()
    for first in (0, BLOCK, BLOCK, 0):
        with cache.get("k", Get(range=Range(first, first + 9))) as opened:
            assert b"".join(pieces(opened.body)) == bytes(10)
        until(lambda: not len(cache._fills))
        told.append(opened.trace)
    hit = ("c; hit; ttl=3600",)
    assert told == [("c; fwd=uri-miss; stored",), ("c; fwd=partial; stored",), hit, hit]


def test_a_range_of_what_is_not_to_be_stored_is_cut_out(here: Front) -> None:
    here.web.say = lambda want: Said({"Cache-Control": "no-store"}, b"0123456789")
    cache = here.cache()
    for _ in range(2):
        with cache.get("k", Get(range=Range(2, 4))) as opened:
            assert b"".join(pieces(opened.body)) == b"234"
            assert (opened.start, opened.length) == (2, 3)
    assert len(here.web.asked) == 2


def test_a_request_says_something_only_where_it_may(here: Front) -> None:
    counting(here.web, HOUR)
    deaf, obedient = here.cache(), here.cache(client_may_refresh=True)
    for cache, bodies in ((deaf, [b"1", b"1"]), (obedient, [b"2", b"3"])):
        found = [got(cache).body, got(cache, cache_control="no-cache").body]
        assert found == bodies
    assert got(obedient, pragma="no-cache").body == b"4"
    assert got(obedient).body == b"4", "what it got is for others, too"
    assert got(obedient, cache_control="no-store").body == b"5"
    assert got(obedient, cache_control="only-if-cached").body == b"4"
    with pytest.raises(TimedOut):
        got(obedient, "other", cache_control="only-if-cached")


def test_only_what_succeeds_makes_an_entry_invalid(here: Front) -> None:
    """§4.4; and the tags that it names (RFC 9875 §3)."""
    cache = here.cache()
    counting(here.web, {**HOUR, "Cache-Groups": '"a", "b"'})
    got(cache), got(cache, "other")
    for status, asked in ((500, 0), (200, 1)):
        before = len(here.web.asked)
        here.web.say = lambda want, status=status: Said({}, b"", status)  # type: ignore[misc]
        cache.forward("k", None, Forward(method="POST", size=0)).close()
        counting(here.web, {**HOUR, "Cache-Groups": '"a", "b"'})
        got(cache), got(cache, "other")
        assert len(here.web.asked) - before == asked
    here.web.say = lambda want: Said({"Location": "other", "Content-Location": "?x"}, b"", 201)
    cache.forward("k", None, Forward(method="POST", size=0)).close()
    counting(here.web, {**HOUR, "Cache-Groups": '"a", "b"'})
    before = len(here.web.asked)
    got(cache), got(cache, "other"), got(cache, "k?x")
    assert len(here.web.asked) - before == 3
    here.web.say = lambda want: Said({"Cache-Group-Invalidation": '"b"'})
    cache.forward("third", None, Forward(method="POST", size=0)).close()
    counting(here.web, HOUR)
    before = len(here.web.asked)
    got(cache), got(cache, "other")
    assert len(here.web.asked) - before == 2


@pytest.mark.parametrize(
    ("name", "value", "tags"),
    [
        ("Surrogate-Key", " a  b,c ", ("a", "b,c")),
        ("Cache-Tag", "a, b c,,", ("a", "b c")),
        ("cache-groups", r'"a", "b, c";x=1, "", "d\"e"', ("a", "b, c", 'd"e')),
        ("X-Cache-Tag", "a", ()),
    ],
)
def test_tags(here: Front, name: str, value: str, tags: tuple[str, ...]) -> None:
    info = ObjectInfo(key="k", size=1, etag="e", modified=1, headers=((name, value),))
    assert here.cache()._freshness.tags(info) == tags


def test_what_an_origin_says_counts_in_front_of_one(here: Front) -> None:
    counting(here.web, {})
    assert here.cache()._freshness.strict
    assert not here.cache(respect_headers=False)._freshness.strict
    store = Memory()
    for asked, strict in ((None, False), (True, True)):
        cache = Cache(source=store, space="memory", respect_headers=asked)
        cache.open(Context(sid="c"))
        assert cache._freshness.strict is strict
        cache.close()
