"""The rules of RFC 9111 as functions: what holds of all answers, and what the standard says of
some."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cache import rfc9111
from drivers.cache.http_fields import date, directives, members, targeted
from drivers.cache.rfc9111 import Answer, Decision, Options, Use, decide, storable, understood
from gateway.common.moments import http_date

NOW = 1_800_000_000_000
PLAIN, OBEYS = Options(), Options(obeys=True)
SECONDS = st.integers(0, 10**7)
OPTIONS = st.builds(
    Options,
    heuristic=st.floats(0, 1e6),
    stale_if_error=st.floats(0, 1e6),
    stale_while_revalidate=st.floats(0, 1e6),
    obeys=st.booleans(),
)
DIRECTIVES = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(("max-age", "s-maxage", "stale-if-error", "stale-while-revalidate")),
        SECONDS,
    ),
    st.sampled_from(("public", "no-cache", "must-revalidate", "proxy-revalidate", "private")),
    st.sampled_from(('x="max-age=9, y"', "immutable", "max-age=z", 'no-cache="a"', "no-store")),
)
LINES = st.lists(
    st.one_of(
        st.tuples(st.just("Cache-Control"), st.lists(DIRECTIVES, max_size=3).map(", ".join)),
        st.tuples(st.just("CDN-Cache-Control"), DIRECTIVES),
        st.tuples(st.just("Age"), SECONDS.map(str)),
        st.tuples(
            st.sampled_from(("Date", "Expires", "Last-Modified")),
            st.integers(-(10**7), 10**7).map(lambda off: http_date(NOW + off * 1000)),
        ),
        st.sampled_from((("ETag", '"e"'), ("Set-Cookie", "a=b"), ("Vary", "a"), ("Expires", "0"))),
    ),
    max_size=6,
)
ANSWERS = st.builds(
    lambda status, lines, took: Answer.of(status, lines, NOW - took, NOW),
    st.sampled_from((200, 204, 206, 301, 302, 404, 500, 599)),
    LINES,
    st.integers(0, 100_000),
)
REQUESTS = st.dictionaries(
    st.sampled_from(("authorization", "cookie", "pragma")), st.just("no-cache"), max_size=2
)


def answer(*lines: tuple[str, str], status: int = 200, took: int = 0) -> Answer:
    return Answer.of(status, lines, NOW - took, NOW)


def fresh_for(*lines: tuple[str, str], status: int = 200, took: int = 0) -> float:
    known = understood(answer(*lines, status=status, took=took), Options())
    return (known.fresh_until - NOW) / 1000


def control(text: str) -> tuple[str, str]:
    return "Cache-Control", text


# what holds of all


@given(ANSWERS, OPTIONS, st.integers(0, 10**11))
def test_without_a_word_of_the_request_nothing_stale_is_fresh(
    answer: Answer, options: Options, later: int
) -> None:
    known, now = understood(answer, options), NOW + later
    decision = decide(known, {}, now, options)
    assert (decision.use is Use.FRESH) == (now < known.fresh_until and not known.no_cache)
    assert known.born <= NOW
    assert rfc9111.age(known.born, now) >= later // 1000 - 1
    if decision.use is Use.FRESH:
        assert now - known.born <= known.fresh_until - known.born
    if known.must_revalidate and decision.use is not Use.FRESH:
        assert decision == Decision(Use.ASK)


@given(ANSWERS, OPTIONS, st.lists(st.integers(0, 10**11), min_size=2, max_size=5))
def test_as_time_goes_on_an_answer_only_gets_worse(
    answer: Answer, options: Options, times: list[int]
) -> None:
    known = understood(answer, options)
    order = [Use.FRESH, Use.BEHIND, Use.ASK]
    decisions = [decide(known, {}, NOW + time, options) for time in sorted(times)]
    worse = [(order.index(one.use), not one.if_failing) for one in decisions]
    assert [use for use, _ in worse] == sorted(use for use, _ in worse)
    if not known.must_revalidate:
        assert [failing for _, failing in worse] == sorted(failing for _, failing in worse)


@given(ANSWERS, REQUESTS, OPTIONS)
def test_what_is_for_one_reader_is_never_stored(
    answer: Answer, request: dict[str, str], options: Options
) -> None:
    said = answer.directives
    if not storable(answer, request, options):
        return
    assert "no-store" not in said
    assert "private" not in said
    if "authorization" in request:
        assert said.keys() & {"public", "must-revalidate", "s-maxage"}
    if "set-cookie" in answer.fields:
        assert said.keys() & {"max-age", "s-maxage"} or answer.expires


@given(ANSWERS, st.text("abcdefghi-=,0123456789", max_size=40), st.integers(0, 10**9))
def test_a_request_has_no_say_unless_it_may(answer: Answer, text: str, later: int) -> None:
    known = understood(answer, PLAIN)
    for request in ({"cache-control": text}, {"pragma": "no-cache"}):
        assert decide(known, request, NOW + later, PLAIN) == decide(known, {}, NOW + later, PLAIN)


@given(ANSWERS, st.sampled_from(("no-cache", "max-age=0", "no-store")), st.integers(0, 10**9))
def test_who_wants_a_new_answer_gets_one(answer: Answer, text: str, later: int) -> None:
    decision = decide(understood(answer, OBEYS), {"cache-control": text}, NOW + later, OBEYS)
    assert decision.use is Use.ASK


@given(st.lists(st.text('ab="\\ ,;?1é*', max_size=30), max_size=2))
def test_no_field_is_too_odd_to_be_read(lines: list[str]) -> None:
    found = directives(lines)
    for name in found:
        assert (found.age(name) or 0) >= 0
    targeted(tuple(lines))
    members(lines)
    for line in lines:
        date(line)


@pytest.mark.parametrize("read", [directives, targeted], ids=lambda read: str(read.__name__))
@pytest.mark.parametrize("member", ["a,", "a=b;c, ", '"",'])
def test_a_long_field_costs_what_it_is_long(read: Callable[..., object], member: str) -> None:
    """And not its square: one of 64 KiB took 10 s."""

    def cost(times: int) -> float:
        begun = time.thread_time()
        read((f"{member * times}a",))
        return time.thread_time() - begun

    assert cost(40_000) < 10 * cost(10_000) + 0.1


def test_a_date_has_nothing_around_it() -> None:
    assert date("Sun, 06 Nov 1994 08:49:37 GMT" + " " * 60_000) is None
    assert date("Sunday, 06-Nov-94 08:49:37 GMT") == 784_111_777


@given(st.integers(0, 2**33))
def test_a_date_that_is_written_is_read(seconds: int) -> None:
    assert date(http_date(seconds * 1000)) == seconds
    assert date(http_date(seconds * 1000).upper()) == seconds


# what the standard says of some


@pytest.mark.parametrize(
    ("text", "fresh"),
    [
        ("max-age=60", 60),
        ("MaX-AgE=060", 60),
        ('max-age="60"', 60),
        ("max-age=60, s-maxage=5", 5),
        ("max-age=60, max-age=5", 5),
        ("max-age='60'", 0),
        ("max-age=-60", 0),
        ("max-age=6e1", 0),
        ("max-age= 60", 0),
        ('x="max-age=60", max-age=1', 1),
        ('max-age=1, x="a, max-age=60"', 1),
        ("max-age=99999999999999999999999", 1 << 31),
    ],
)
def test_lifetimes(text: str, fresh: int) -> None:
    assert fresh_for(control(text), ("Expires", http_date(NOW + 9000))) == fresh


@pytest.mark.parametrize(
    ("text", "fresh"),
    [
        ("Tue, 19 Jan 2038 14:14:08 GMT", True),
        ("THU, 18 aug 2050 02:01:18 gmt", True),
        ("Thursday, 18-Aug-50 02:01:18 GMT", True),
        ("Thu Aug  8 02:01:18 2050", True),
        ("Thu, 18 Aug 2050 02:01:18 UTC", False),
        ("Thu, 18 Aug 50 02:01:18 GMT", False),
        ("Thu 18 Aug 2050 02:01:18 GMT", False),
        ("Thu, 18  Aug  2050 02:01:18 GMT", False),
        ("Thu, 18-Aug-2050 02:01:18 GMT", False),
        ("Thu, 31 Feb 2050 02:01:18 GMT", False),
        ("Wednesday, 01-Jan-90 02:01:18 GMT", False),
        ("0", False),
    ],
)
def test_expires(text: str, fresh: bool) -> None:
    assert (fresh_for(("Expires", text)) > 0) == fresh
    assert fresh_for(("Expires", text), ("Expires", "0")) == 0


@pytest.mark.parametrize(
    ("said", "fresh"),
    [(("60",), 40), (("0, 60",), 100), (("60, 0",), 40), (("60", "0"), 40), (("x",), 100)],
)
def test_the_first_age_counts(said: tuple[str, ...], fresh: int) -> None:
    assert fresh_for(control("max-age=100"), *(("Age", one) for one in said)) == fresh


def test_ages_of_those_who_were_slow_or_asked_long_ago() -> None:
    """§4.2.3."""
    hundred = control("max-age=100")
    assert fresh_for(hundred, ("Date", http_date(NOW - 30_000))) == 70
    assert fresh_for(hundred, ("Date", http_date(NOW + 30_000))) == 100
    assert fresh_for(hundred, ("Age", "10"), took=5000) == 85


@pytest.mark.parametrize(
    ("status", "lines", "fresh"),
    [
        (200, (), 1000),
        (404, (), 1000),
        (302, (), 0),
        (503, (), 0),
        (599, (control("public"),), 1000),
    ],
)
def test_heuristics(status: int, lines: tuple[tuple[str, str], ...], fresh: int) -> None:
    """§4.2.2: a tenth of its age, and at most what the configuration says."""
    modified = ("Last-Modified", http_date(NOW - 10_000_000))
    assert fresh_for(modified, *lines, status=status) == fresh
    known = understood(answer(modified, *lines, status=status), Options(heuristic=60))
    assert (known.fresh_until - NOW) / 1000 == min(60, fresh)


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("max-age=60", True),
        ("max-age=60, x;y=1, z=?1", True),
        ("max-age=60, &", False),
        ('max-age="60"', False),
        ("max-age=60,", False),
        ("max-age = 60", False),
        ("", False),
    ],
)
def test_what_is_for_a_cdn_counts_when_it_is_well_formed(text: str, counts: bool) -> None:
    found = answer(("CDN-Cache-Control", text), control("no-store"))
    assert storable(found, {}, PLAIN) == counts
    if counts:
        assert fresh_for(("CDN-Cache-Control", text), control("no-store")) == 60
    private = answer(("CDN-Cache-Control", "private, max-age=60"), control("max-age=60"))
    assert not storable(private, {}, PLAIN)


@pytest.mark.parametrize(
    ("lines", "asked", "stored"),
    [
        ((control("max-age=9"),), {}, True),
        ((), {}, False),  # of no use
        ((("ETag", "e"),), {}, True),
        ((control("max-age=9"), ("Vary", "a, *")), {}, False),
        ((control("max-age=9, must-understand, no-store"),), {}, True),
        ((control('max-age=9, private="x"'),), {}, True),
        ((control("max-age=9"),), {"authorization": "a"}, False),
        ((control("max-age=9, public"),), {"authorization": "a"}, True),
        ((("ETag", "e"), ("Set-Cookie", "a")), {}, False),
        ((control("max-age=9"), ("Set-Cookie", "a")), {}, True),
        ((control("max-age=9"),), {"cache-control": "no-store"}, False),
    ],
)
def test_what_is_stored(
    lines: tuple[tuple[str, str], ...], asked: dict[str, str], stored: bool
) -> None:
    assert storable(answer(*lines), asked, OBEYS) == stored


def test_fields_that_are_not_for_all_are_left_out() -> None:
    lines = (control('max-age=9, private="a, B", no-cache="c"'), ("A", ""), ("b", ""), ("D", ""))
    assert [name for name, _ in rfc9111.kept(answer(*lines), (*lines, ("C", "")))] == [
        "Cache-Control",
        "D",
    ]


@pytest.mark.parametrize(
    ("text", "later", "use"),
    [
        ("max-age=5", 5, Use.FRESH),
        ("max-age=5", 6, Use.ASK),
        ("min-fresh=50", 49, Use.FRESH),
        ("min-fresh=50", 51, Use.ASK),
        ("max-stale", 10_000, Use.FRESH),
        ("max-stale=20", 119, Use.FRESH),
        ("max-stale=20", 121, Use.ASK),
        ("only-if-cached", 1, Use.FRESH),
        ("only-if-cached", 101, Use.NOTHING),
    ],
)
def test_what_a_request_may_say(text: str, later: int, use: Use) -> None:
    known = understood(answer(control("max-age=100")), OBEYS)
    request = {"cache-control": text}
    assert decide(known, request, NOW + later * 1000, OBEYS).use is use
    strict = understood(answer(control("max-age=100, must-revalidate")), OBEYS)
    if later > 100 and use is Use.FRESH:
        assert decide(strict, request, NOW + later * 1000, OBEYS).use is Use.ASK


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("max-age=1", Decision(Use.ASK, True)),
        ("max-age=1, stale-while-revalidate=60", Decision(Use.BEHIND, True)),
        ("max-age=1, stale-if-error=2", Decision(Use.ASK, False)),
        ("s-maxage=1", Decision(Use.ASK, False)),
        ("s-maxage=1, stale-while-revalidate=60", Decision(Use.BEHIND, True)),
        ("max-age=1, stale-while-revalidate=60, must-revalidate", Decision(Use.ASK, False)),
        ("max-age=1, stale-while-revalidate=60, proxy-revalidate", Decision(Use.ASK, False)),
        ("max-age=60, no-cache", Decision(Use.ASK, False)),
    ],
)
def test_stale_answers(text: str, decision: Decision) -> None:
    """§4.2.4 and RFC 5861; the configuration's where the answer says nothing."""
    options = Options(stale_if_error=100)
    assert decide(understood(answer(control(text)), options), {}, NOW + 9000, options) == decision
