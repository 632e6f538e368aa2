"""What an origin says arrives as it said it; and what it is asked is what was wanted."""

from __future__ import annotations

import pytest

from gateway.common import loops
from gateway.storage import (
    BadKey,
    Conditions,
    Encryption,
    Get,
    InvalidRange,
    InvalidRequest,
    NoSuchKey,
    NoSuchVersion,
    NotModified,
    OriginDenied,
    OriginFailed,
    PreconditionFailed,
    Range,
    StorageError,
    WrongKey,
)
from gateway.testing.faults import noise
from gateway.testing.upstreams import Exchange, Upstream, answer, raw
from tests.fetching.origin import Fetching, kept, read

Lines = tuple[tuple[str, str], ...]


def test_lines_come_in_their_order_those_of_one_name_apart(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.will(
        raw(
            b"HTTP/1.1 203 Fine\r\nSet-Cookie: a=1\r\nX-One:\t1 \r\nsurrogate-key: s t\r\n"
            b'vary: Accept\r\nSet-Cookie: b=2\r\nVary:Origin\r\nETag: W/"t"\r\n'
            b"Connection: close, X-Secret\r\nX-Secret: s\r\nKeep-Alive: 1\r\nAge: 7\r\n"
            b"Content-Type: text/plain\r\nX-Empty:\r\n"
            b"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\n"
            b"Content-Encoding: gzip\r\nContent-Length: 4\r\nX-Odd: \xe9\r\n\r\ngzip"
        )
    )
    with fetching.http(origin.url).get("k") as opened:
        info, told = opened.info, opened.info.origin
        assert (opened.status, opened.body.read()) == (203, b"gzip"), "as it is, not unpacked"
    assert told is not None
    assert told.status == 203
    assert told.asked <= told.answered
    assert told.headers == (
        ("Set-Cookie", "a=1"),
        ("X-One", "1"),
        ("surrogate-key", "s t"),
        ("vary", "Accept"),
        ("Set-Cookie", "b=2"),
        ("Vary", "Origin"),
        ("ETag", 'W/"t"'),
        ("Age", "7"),
        ("Content-Type", "text/plain"),
        ("X-Empty", ""),
        ("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", "4"),
        ("X-Odd", "é"),
    )
    assert (info.etag, info.modified, info.content_type) == (
        "W/t", 1_445_412_480_000, "text/plain",
    )  # fmt: skip
    assert info.headers == (
        ("Surrogate-Key", "s t"),
        ("Vary", "Accept"),
        ("Vary", "Origin"),
        ("Content-Encoding", "gzip"),
    ), "a cookie is of the answer, not of the object"


def test_who_asks_is_passed_on_without_what_is_of_the_connection(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"data")
    origin.objects["/k?a=1&a=2&b&c=%C3%A9%20%22x"] = b"queried"
    headers = {
        "accept-language": "de",
        "cookie": "c=1",
        "connection": "x-private",
        "x-private": "1",
        "te": "trailers",
        "host": "elsewhere",
        "content-length": "5",
        "transfer-encoding": "chunked",
        "range": "bytes=1-1",
        "if-none-match": "*",
        "expect": "100-continue",
        "via": "1.0 before",
        "cdn-loop": "other.example",
        "x-text": "é",
    }
    want = Get(query='a=1&a=2&b&c=é%20"x', headers=headers)
    assert read(fetching.http(origin.url), "k", want) == b"queried"
    (seen,) = origin.requests
    assert dict(seen.headers) == {
        "host": f"127.0.0.1:{origin.port}",
        "accept-language": "de",
        "cookie": "c=1",
        "x-text": "é",
        "user-agent": "storage-gateway",
        "accept-encoding": "identity",
        "via": "1.0 before, 1.1 storage-gateway",
        "cdn-loop": f"other.example, {loops.own_name()}",
    }


@pytest.mark.parametrize("line", [("bad name", "x"), ("a", "x\r\nb: c"), ("a", "\0"), ("", "x")])
def test_what_is_no_line_is_not_passed_on(
    origin: Upstream, fetching: Fetching, line: tuple[str, str]
) -> None:
    kept(origin, k=b"data")
    with pytest.raises(InvalidRequest):
        fetching.http(origin.url).get("k", Get(headers=dict([line])))
    assert not origin.requests


def test_conditions_and_ranges_are_the_origins_to_answer(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"0123456789")
    store = fetching.http(origin.url)
    info = store.stat("k")
    conditions = Conditions(if_match=(info.etag, "W/x"), unmodified_since=info.modified)
    assert read(store, "k", Get(range=Range(2, 4), conditions=conditions)) == b"234"
    seen = origin.requests[-1].headers
    assert seen["range"] == "bytes=2-4"
    assert seen["if-match"] == f'"{info.etag}", W/"x"'
    assert seen["if-unmodified-since"] == "Wed, 21 Oct 2015 07:28:00 GMT"
    with pytest.raises(NotModified) as caught:
        store.get("k", Get(conditions=Conditions(modified_since=info.modified)))
    assert (caught.value.info.size, caught.value.info.etag) == (-1, info.etag)
    assert caught.value.info.origin is not None
    assert caught.value.info.origin.status == 304
    assert len(origin.requests) == 3, "nothing is asked for twice"


def test_a_304_without_a_tag_is_of_the_one_that_was_asked_for(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(304))
    store = fetching.http(origin.url)
    for tags, told in ((("t",), "t"), (("t", "u"), ""), (("*",), "")):
        with pytest.raises(NotModified) as caught:
            store.get("k", Get(conditions=Conditions(if_none_match=tags)))
        assert caught.value.info.etag == told


def test_an_origin_that_knows_no_conditions_and_ranges_is_held_against_them(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(200, b"0123456789", {"ETag": '"t"'}))
    store = fetching.http(origin.url)
    assert read(store, "k", Get(range=Range(3, 4))) == b"34"
    with pytest.raises(InvalidRange):
        store.get("k", Get(range=Range(10, None)))
    for ask in (store.get, store.stat):
        with pytest.raises(NotModified):
            ask("k", Get(conditions=Conditions(if_none_match=("t",))))
        with pytest.raises(PreconditionFailed):
            ask("k", Get(conditions=Conditions(if_match=("u",))))


def test_an_object_of_which_nothing_is_known_is_like_no_other(
    origin: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(200, b"data", {"Last-Modified": "yesterday", "ETag": 'a"b'}))
    store = fetching.http(origin.url)
    with store.get("k", Get(conditions=Conditions(if_none_match=("", "x")))) as opened:
        assert (opened.info.etag, opened.info.modified) == ("", 0)
    with pytest.raises(PreconditionFailed):
        store.get("k", Get(conditions=Conditions(if_match=("",))))


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNSIZED = {
    "in chunks": CHUNKS + b"%b0\r\nX-Trailer: t\r\n\r\n",
    "to the end": b"HTTP/1.0 200 OK\r\n\r\n%b",
}


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
@pytest.mark.parametrize("how", UNSIZED)
def test_what_does_not_say_how_long_it_is_is_read_to_its_end(
    origin: Upstream, fetching: Fetching, how: str, size: int
) -> None:
    data = noise(size)
    framed = b"%x\r\n%b\r\n" % (size, data) if how == "in chunks" and size else data
    origin.always(raw(UNSIZED[how] % framed))
    store = fetching.http(origin.url)
    with store.get("k") as opened:
        assert (opened.info.size, opened.length) == (size, size)
        assert b"".join(iter(opened.body.read, b"")) == data
    assert read(store, "k", Get(range=Range(None, 10))) == data[-10:]


def test_too_much_without_a_length_is_refused(origin: Upstream, fetching: Fetching) -> None:
    origin.always(raw(b"HTTP/1.0 200 OK\r\n\r\n" + bytes(2_000_000)))
    for limit in (1000, 1_500_000):
        with pytest.raises(OriginFailed, match="too long"):
            fetching.http(origin.url, max_unsized=limit).get("k")


def test_a_head_that_does_not_tell_the_size_is_made_up_for(
    origin: Upstream, fetching: Fetching
) -> None:
    def act(exchange: Exchange) -> None:
        if exchange.seen.method == "GET":
            answer(200, b"12345", {"ETag": '"t"'})(exchange)
        elif exchange.seen.target == "/none":
            answer(405, b"no HEAD here")(exchange)
        else:
            exchange.send(b"HTTP/1.1 200 OK\r\n\r\n")

    origin.always(act)
    store = fetching.http(origin.url)
    for key in ("none", "unsized"):
        assert (store.stat(key).size, store.stat(key).etag) == (5, "t")


def test_connections_are_kept(origin: Upstream, fetching: Fetching) -> None:
    kept(origin, k=b"data", large=noise(200_000))
    store = fetching.http(origin.url)
    for _ in range(3):
        read(store), read(store, "large"), store.stat("k")
        with pytest.raises(NoSuchKey):
            store.get("absent")
    assert origin.connections == 1
    store.get("large").close()  # what is not read to its end is nobody's answer
    assert read(store) == b"data"
    assert origin.connections == 2


@pytest.mark.parametrize(
    ("version", "option", "kept"),
    [
        ("1.1", "", True),
        ("1.1", "Connection: x, Close\r\n", False),
        ("1.1", "Connection: close\r\nConnection: x\r\n", False),
        ("1.0", "", False),
        ("1.0", "Connection: Keep-Alive, x\r\n", True),
        ("1.0", "Connection: keep-alive, close\r\n", False),
    ],
)
def test_a_connection_is_kept_where_the_origin_keeps_it(
    origin: Upstream, fetching: Fetching, version: str, option: str, kept: bool
) -> None:
    said = f"HTTP/{version} 200 OK\r\n{option}Content-Length: 4\r\n\r\ndata".encode()
    origin.always(lambda exchange: exchange.send(said))
    store = fetching.http(origin.url)
    assert [read(store), read(store)] == [b"data"] * 2
    assert origin.connections == (1 if kept else 2)


# errors

ERRORS: dict[int, type[StorageError]] = {
    300: OriginFailed,
    400: OriginFailed,
    401: OriginDenied,
    403: OriginDenied,
    404: NoSuchKey,
    407: OriginDenied,
    410: NoSuchKey,
    429: OriginFailed,
    451: OriginFailed,
    500: OriginFailed,
    502: OriginFailed,
    503: OriginFailed,
    504: OriginFailed,
    599: OriginFailed,
}


@pytest.mark.parametrize("status", ERRORS)
def test_an_error_is_one_of_the_contract_with_what_the_origin_said(
    origin: Upstream, fetching: Fetching, status: int
) -> None:
    said: dict[str, str | int] = {
        "Retry-After": 7,
        "Content-Type": "text/html",
        "Cache-Control": "max-age=3",
    }
    origin.always(answer(status, b"<p>a page", said))
    store = fetching.http(origin.url)
    for ask, page in ((store.get, b"<p>a page"), (store.stat, None)):
        with pytest.raises(StorageError) as caught:
            ask("k")
        error = caught.value
        assert (type(error), error.key, error.cacheable) == (ERRORS[status], "k", True)
        assert error.origin is not None
        assert (error.origin.status, error.origin.page) == (status, page)
        assert ("Cache-Control", "max-age=3") in error.origin.headers
        if isinstance(error, OriginFailed):
            assert error.status == status
        if type(error) is OriginFailed:
            assert error.retry_after == 7


def test_a_page_that_is_too_long_is_not_held(origin: Upstream, fetching: Fetching) -> None:
    origin.always(answer(404, noise(300_000)))
    with pytest.raises(NoSuchKey) as caught:
        fetching.http(origin.url).get("k")
    assert caught.value.origin is not None
    assert caught.value.origin.page is None


@pytest.mark.parametrize("remembered", [True, False])
def test_whether_a_cache_may_remember_it_is_configured(
    origin: Upstream, fetching: Fetching, remembered: bool
) -> None:
    store = fetching.http(origin.url, cache_not_found=remembered, cache_errors=not remembered)
    for status, cacheable in ((404, remembered), (410, remembered), (500, not remembered)):
        origin.will(answer(status))
        with pytest.raises(StorageError) as caught:
            store.get("k")
        assert caught.value.cacheable is cacheable
    nobody = fetching.http("http://127.0.0.1:9", cache_errors=not remembered)
    with pytest.raises(OriginFailed) as failed:
        nobody.stat("k")
    assert failed.value.cacheable is not remembered


@pytest.mark.parametrize("status", [201, 202, 204, 205, 299])
def test_another_success_is_one(origin: Upstream, fetching: Fetching, status: int) -> None:
    body = b"" if status == 204 else b"data"
    origin.always(answer(status, body))
    with fetching.http(origin.url).get("k") as opened:
        assert (opened.status, opened.body.read()) == (status, body)


# keys

REFUSED = ("..", "../x", "a/../../x", "a/./b", "a\\..\\b", "a/..", "..;/x", "a/.;b=c", "\ud800")


@pytest.mark.parametrize("key", REFUSED)
def test_no_key_climbs_out_of_the_url(origin: Upstream, fetching: Fetching, key: str) -> None:
    with pytest.raises(BadKey):
        fetching.http(f"{origin.url}/below").get(key)
    assert not origin.requests


@pytest.mark.parametrize(
    ("key", "target"),
    [
        ("", "/a%20b/"),
        ("/x", "/a%20b//x"),
        ("k?q#f", "/a%20b/k%3Fq%23f"),
        ("%2e%2e/x", "/a%20b/%252e%252e/x"),
        ("a\r\nb: c", "/a%20b/a%0D%0Ab%3A%20c".replace("%3A", ":")),
        ("é", "/a%20b/%C3%A9"),
        ("..x/...", "/a%20b/..x/..."),
    ],
)
def test_a_key_is_one_path_below_the_url(
    origin: Upstream, fetching: Fetching, key: str, target: str
) -> None:
    origin.always(answer(200, b"data"))
    assert read(fetching.http(f"{origin.url}/a b/"), key) == b"data"
    assert origin.requests[0].target == target


def test_what_an_origin_has_not_is_not_asked_for(origin: Upstream, fetching: Fetching) -> None:
    store = fetching.http(origin.url)
    with pytest.raises(NoSuchVersion):
        store.get("k", Get(version="v"))
    with pytest.raises(WrongKey):
        store.stat("k", Get(encryption=Encryption(kind="customer")))
    assert not origin.requests
