"""Origins that lie, cut, dawdle and go round in circles: none of it is passed on as complete."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from drivers.http import bodies
from drivers.http.bodies import Paced
from gateway.common.upstream import answers
from gateway.storage import (
    Conditions,
    Forward,
    Get,
    NoSuchKey,
    OriginFailed,
    Range,
    TimedOut,
    pieces,
)
from gateway.testing.faults import noise
from gateway.testing.upstreams import Act, Exchange, Upstream, answer, cut, hang, raw, reset, stall
from tests.fetching.origin import Fetching, kept, read

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LARGE = noise(300_000)


def redirect(location: str, status: int = 302) -> Act:
    return answer(status, b"there", {"Location": location})


def stalled_chunk(exchange: Exchange) -> None:
    exchange.send(CHUNKED + b"5\r\nab")
    exchange.upstream.ended.wait(30)


LIES: dict[str, Act] = {
    "two lengths": raw(OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\ndatas"),
    "the same length twice": raw(OK + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\ndata"),
    "lengths in a list": raw(OK + b"Content-Length: 4, 4\r\n\r\ndata"),
    "length and chunks": raw(
        OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n"
    ),
    "another coding": raw(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked twice": raw(
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "chunks in HTTP/1.0": raw(
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n0\r\n\r\n"
    ),
    "a length with a sign": raw(OK + b"Content-Length: +4\r\n\r\ndata"),
    "a length below zero": raw(OK + b"Content-Length: -4\r\n\r\ndata"),
    "a length in another script": raw(OK + "Content-Length: ４\r\n\r\ndata".encode()),
    "a length that is none": raw(OK + b"Content-Length: \r\n\r\ndata"),
    "a huge length": raw(OK + b"Content-Length: 99999999999999999999\r\n\r\ndata"),
    "cut": cut(b"some data", 4),
    "cut in a chunk": raw(CHUNKED + b"9\r\nsome"),
    "cut between chunks": raw(CHUNKED + b"4\r\nsome\r\n"),
    "cut in the trailer": raw(CHUNKED + b"4\r\nsome\r\n0\r\nX: y"),
    "a chunk that is longer": raw(CHUNKED + b"4\r\nsome data\r\n0\r\n\r\n"),
    "a chunk without a size": raw(CHUNKED + b"\r\nsome\r\n0\r\n\r\n"),
    "a chunk of minus one": raw(CHUNKED + b"-1\r\nsome\r\n0\r\n\r\n"),
    "a chunk of 0x4": raw(CHUNKED + b"0x4\r\nsome\r\n0\r\n\r\n"),
    "a chunk with a bare line feed": raw(CHUNKED + b"4\nsome\n0\n\n"),
    "a huge chunk": raw(CHUNKED + b"fffffffffffffffff\r\nsome\r\n0\r\n\r\n"),
    "a chunk's endless extension": raw(CHUNKED + b"4;" + b"x" * 200_000 + b"\r\nsome\r\n0\r\n\r\n"),
    "endless trailers": raw(CHUNKED + b"0\r\n" + b"X: y\r\n" * 100_000 + b"\r\n"),
    "10,000 lines": raw(OK + b"a:\r\n" * 10_000 + b"Content-Length: 4\r\n\r\ndata"),
    "an endless line": raw(OK + b"X: " + b"y" * 200_000 + b"\r\nContent-Length: 4\r\n\r\ndata"),
    "a folded line": raw(OK + b"X: y\r\n z\r\nContent-Length: 4\r\n\r\ndata"),
    "a blank before the colon": raw(OK + b"Content-Length : 4\r\n\r\ndata"),
    "a line without a colon": raw(OK + b"Content-Length\r\n\r\ndata"),
    "a bare return in a line": raw(
        OK + b"X: a\rContent-Length: 9\r\nContent-Length: 4\r\n\r\ndata"
    ),
    "a NUL in a line": raw(OK + b"X: \0\r\nContent-Length: 4\r\n\r\ndata"),
    "no HTTP": raw(b"220 smtp.example.com ready\r\n\r\n"),
    "HTTP/2": raw(b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\ndata"),
    "a status that is none": raw(b"HTTP/1.1 999 OK\r\nContent-Length: 4\r\n\r\ndata"),
    "nothing": raw(b""),
    "a reset": reset,
    "announced without end": raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "another protocol": raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\0\1\2"),
    "304 to nobody's question": answer(304),
    "412 to nobody's question": answer(412),
    "416 to nobody's question": answer(416),
    "206 to nobody's question": answer(206, b"data", {"Content-Range": "bytes 0-3/9"}),
    "a redirect that is no address": redirect("http://[::1"),
    "a redirect to a file": redirect("file:///etc/passwd"),
    "a redirect to ftp": redirect("ftp://127.0.0.1/x"),
    "a redirect to gopher": redirect("gopher://127.0.0.1:70/_x"),
    "a redirect to a zone": redirect("http://[fe80::1%25eth0]/"),
    "a redirect to itself": redirect(""),
    "a redirect to nothing": answer(302),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_a_failure(origin: Upstream, fetching: Fetching, lie: str) -> None:
    origin.always(LIES[lie])
    store = fetching.http(origin.url)
    with pytest.raises(OriginFailed) as caught:
        read(store)
    assert caught.value.key in (None, "k")
    origin.always(answer(200, b"data"))
    assert read(store) == b"data", "what was left over is nobody's answer"


RANGES: dict[str, Act] = {
    "another range": answer(206, b"012", {"Content-Range": "bytes 0-2/9"}),
    "a longer one": answer(206, b"2345", {"Content-Range": "bytes 2-5/9"}),
    "one of another length": answer(206, b"23", {"Content-Range": "bytes 2-4/9"}),
    "one beyond the end": answer(206, b"234", {"Content-Range": "bytes 2-4/4"}),
    "one without saying which": answer(206, b"234"),
    "one of what has no end": answer(206, b"234", {"Content-Range": "bytes 2-4/*"}),
    "several": answer(206, b"--x", {"Content-Type": "multipart/byteranges; boundary=x"}),
}


@pytest.mark.parametrize("lie", RANGES)
def test_another_range_than_was_asked_for_is_a_failure(
    origin: Upstream, fetching: Fetching, lie: str
) -> None:
    origin.always(RANGES[lie])
    with pytest.raises(OriginFailed):
        fetching.http(origin.url).get("k", Get(range=Range(2, 4)))


def test_another_object_than_was_asked_for_is_none(origin: Upstream, fetching: Fetching) -> None:
    part = {"Content-Range": "bytes 2-4/9", "ETag": '"other"'}
    origin.always(answer(206, b"234", part))
    conditions = Conditions(if_match=("this",))
    with pytest.raises(Exception, match="condition"):
        fetching.http(origin.url).get("k", Get(range=Range(2, 4), conditions=conditions))


def test_a_large_answer_that_is_cut_ends_with_an_error(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.always(cut(LARGE, 299_999))
    with fetching.http(origin.url).get("k") as opened, pytest.raises(OriginFailed, match="cut"):
        list(pieces(opened.body))


@pytest.mark.parametrize("extra", [b"more", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"])
@pytest.mark.parametrize("status", [b"200 OK", b"404 No", b"204 No", b"304 Same"])
def test_what_comes_behind_an_answer_is_nobodys(
    origin: Upstream, fetching: Fetching, extra: bytes, status: bytes
) -> None:
    """Also what comes behind an answer to HEAD, which has no body (RFC 9112 §6.3)."""

    def act(exchange: Exchange) -> None:
        body = b"" if exchange.seen.method == "HEAD" or status[0] in b"3" else b"data"
        exchange.send(b"HTTP/1.1 %b\r\nContent-Length: 4\r\n\r\n%b" % (status, body) + extra)

    store = fetching.http(origin.url)
    for ask in (store.get, store.stat):
        origin.will(act, answer(200, b"true"))
        with suppress(Exception):  # whatever it means
            ask("k", Get(conditions=Conditions(if_none_match=("x",))))
        assert read(store) == b"true"


def test_early_hints_are_not_the_answer(origin: Upstream, fetching: Fetching) -> None:
    origin.always(raw(b"HTTP/1.1 103 Early Hints\r\nETag: x\r\n\r\n" * 3 + OK + b"\r\nall of it"))
    assert read(fetching.http(origin.url)) == b"all of it"


# redirects


def test_redirects_are_followed_to_their_bound(origin: Upstream, fetching: Fetching) -> None:
    kept(origin, end=b"the end")
    store = fetching.http(origin.url, max_redirects=3)
    steps = [redirect("/b"), redirect("c#x", 301), redirect(f"{origin.url}/end?é", 307)]
    origin.objects["/end?%C3%A9"] = b"the end"
    origin.will(*steps)
    assert read(store, "a") == b"the end"
    assert [seen.target for seen in origin.requests] == ["/a", "/b", "/c", "/end?%C3%A9"]
    origin.will(*steps, redirect("/end", 308))
    with pytest.raises(OriginFailed, match="more than 3"):
        store.get("a")
    origin.will(redirect("/b"), redirect("/a"))
    with pytest.raises(OriginFailed, match="circle"):
        store.get("a")


def test_where_none_is_followed_a_redirect_is_the_answer(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.always(redirect("/b", 301))
    with pytest.raises(OriginFailed) as caught:
        fetching.http(origin.url, max_redirects=0).get("k")
    told = caught.value.origin
    assert told is not None
    assert (told.status, told.page) == (301, b"there")
    assert ("Location", "/b") in told.headers
    assert len(origin.requests) == 1


def test_what_a_redirect_leads_to_is_what_it_says(origin: Upstream, fetching: Fetching) -> None:
    origin.will(redirect("/gone"))
    kept(origin)
    with pytest.raises(NoSuchKey):
        fetching.http(origin.url).stat("k")


# slow


@pytest.mark.parametrize("act", [stall(b"data", 2), stalled_chunk, hang])
@pytest.mark.usefixtures("seconds")
def test_an_origin_that_stops_is_given_up(origin: Upstream, fetching: Fetching, act: Act) -> None:
    origin.always(act)
    with pytest.raises(TimedOut):
        read(fetching.http(origin.url, read_timeout=0.2))


def dripping(begin: bytes, data: bytes) -> Act:
    def act(exchange: Exchange) -> None:
        exchange.send(begin)
        for at in range(len(data)):
            exchange.send(data[at : at + 1])
            if exchange.upstream.ended.wait(0.02):
                return
        exchange.close()

    return act


HEAD = dripping(OK, b"X: " + b"y" * 200)
BODY = dripping(OK + b"Content-Length: 100000\r\n\r\n", b"x" * 200)
UNSIZED = dripping(CHUNKED, b"1\r\nx\r\n" * 30)


@pytest.mark.usefixtures("seconds")
@pytest.mark.parametrize(
    ("act", "options"),
    [
        (HEAD, {"timeout": 0.2}),
        (BODY, {"total_timeout": 0.2, "min_rate": 0}),
        (UNSIZED, {"total_timeout": 0.2, "min_rate": 0}),
        (BODY, {}),
        (UNSIZED, {}),
    ],
)
def test_an_origin_that_drips_is_given_up(
    origin: Upstream,
    fetching: Fetching,
    monkeypatch: pytest.MonkeyPatch,
    act: Act,
    options: dict[str, float],
) -> None:
    monkeypatch.setattr(bodies, "WINDOW", 0.2)
    origin.always(act)
    with pytest.raises(TimedOut):
        read(fetching.http(origin.url, **options))


def test_so_many_bytes_have_to_come_while_somebody_waits() -> None:
    class Slow:
        now, step, took = 0.0, 100, 1.0

        def receive(self, size: int, /) -> bytes:
            self.now += self.took
            return bytes(self.step)

    slow = Slow()
    clock: Callable[[], float] = lambda: slow.now  # noqa: E731
    source = Paced(slow, 100, clock)
    for _ in range(100):
        source.receive(1000)
    slow.now += 10_000  # in which nobody asked
    source.receive(1000)
    slow.step = 99
    with pytest.raises(TimedOut, match="fewer than 100"):
        for _ in range(2 * round(bodies.WINDOW)):
            source.receive(1000)


def test_bytes_that_come_in_chunks_of_one_are_read_together() -> None:
    """Each by itself costs more than it is worth, and all of them together a processor."""
    wire = b"1;odd\r\nx\r\n" * 20_000 + b"0\r\n\r\n"

    class Source:
        at = 0

        def receive(self, size: int, /) -> bytes:
            self.at += size
            return wire[self.at - size : self.at]

    body = answers.Chunked(Source(), b"")
    pieces = list(iter(lambda: body.read(30_000), b""))
    assert b"".join(pieces) == b"x" * 20_000
    assert len(pieces) < 5
    assert (body.left, body.clean) == (0, True)


def test_what_is_passed_on_is_held_to_the_same(origin: Upstream, fetching: Fetching) -> None:
    origin.always(cut(b"some data", 4))
    with pytest.raises(OriginFailed):
        fetching.http(origin.url).forward("k", None, Forward(method="POST", size=0))
