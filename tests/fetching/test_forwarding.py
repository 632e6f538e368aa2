"""Other methods than reads are passed on as they are, once; and so is what is answered."""

from __future__ import annotations

import pytest

from gateway.common import loops
from gateway.storage import (
    BadKey,
    BytesBody,
    Forward,
    Forwards,
    IncompleteBody,
    InvalidRequest,
    OriginFailed,
    Secret,
    Store,
    pieces,
)
from gateway.testing.faults import Generated, noise
from gateway.testing.upstreams import Upstream, answer, close, raw, unchunked
from tests.fetching.origin import Fetching


def forwarded(
    store: Store, data: bytes | None, request: Forward, key: str = "k"
) -> tuple[int, bytes]:
    forwards = store.find(Forwards)
    assert forwards is not None
    body = None if data is None else BytesBody(data)
    with forwards.forward(key, body, request) as opened:
        found = b"".join(pieces(opened.body))
        assert (opened.length, opened.info.size) == (len(found), len(found))
        return opened.status, found


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_a_request_arrives_as_it_was_made(
    origin: Upstream, fetching: Fetching, method: str
) -> None:
    origin.always(answer(201, b"made", {"Location": "/k/1", "X": "y"}))
    store = fetching.http(f"{origin.url}/api", request_headers={"x-token": Secret("t")})
    lines = (
        ("Content-Type", "a/b"),
        ("X-Two", "1"),
        ("X-Two", "2"),
        ("Connection", "x-hop"),
        ("X-Hop", "1"),
        ("Host", "elsewhere"),
        ("Content-Length", "99"),
        ("Transfer-Encoding", "chunked"),
        ("If-Match", '"t"'),
        ("X-Token", "evil"),
    )
    request = Forward(method=method, query="q=1&q=2", headers=lines, size=4)
    assert forwarded(store, b"data", request) == (201, b"made")
    (seen,) = origin.requests
    assert (seen.method, seen.target, seen.body) == (method, "/api/k?q=1&q=2", b"data")
    assert dict(seen.headers) == {
        "host": f"127.0.0.1:{origin.port}",
        "content-type": "a/b",
        "x-two": "2",  # the last of them is what this origin keeps
        "if-match": '"t"',
        "x-token": "t",
        "user-agent": "storage-gateway",
        "via": "1.1 storage-gateway",
        "cdn-loop": loops.own_name(),
        "content-length": "4",
    }


@pytest.mark.parametrize("status", [200, 204, 301, 303, 304, 400, 401, 404, 409, 500, 503])
def test_whatever_is_answered_is_the_answer(
    origin: Upstream, fetching: Fetching, status: int
) -> None:
    body = b"" if status in (204, 304) else noise(200_000)
    origin.always(answer(status, body, {"Location": "/elsewhere", "Set-Cookie": "a=b"}))
    store = fetching.http(origin.url)
    with store.forward("k", None, Forward(method="POST", size=0)) as opened:
        assert opened.status == status
        assert b"".join(pieces(opened.body)) == body
        assert opened.info.origin is not None
        assert ("Set-Cookie", "a=b") in opened.info.origin.headers
    assert [seen.headers["content-length"] for seen in origin.requests] == ["0"]


def test_a_body_of_unknown_length_goes_in_chunks(origin: Upstream, fetching: Fetching) -> None:
    origin.always(answer(200, b"got it"))
    data = noise(700_000)
    assert forwarded(fetching.http(origin.url), data, Forward(method="POST")) == (200, b"got it")
    (seen,) = origin.requests
    assert seen.headers["transfer-encoding"] == "chunked"
    assert unchunked(seen.body) == data


@pytest.mark.parametrize("announced", [3, 5])
def test_a_body_of_another_length_is_never_complete(
    origin: Upstream, fetching: Fetching, announced: int
) -> None:
    origin.always(answer(200))
    store = fetching.http(origin.url)
    with pytest.raises(IncompleteBody):
        forwarded(store, b"data", Forward(method="PUT", size=announced))
    assert not origin.requests
    assert forwarded(store, b"data", Forward(method="PUT", size=4))[0] == 200


def test_a_request_is_made_once(origin: Upstream, fetching: Fetching) -> None:
    """Nobody knows what became of one whose answer is lost."""
    origin.will(close, answer(200))
    with pytest.raises(OriginFailed):
        forwarded(fetching.http(origin.url), b"", Forward(method="POST", size=0))
    assert len(origin.requests) == 1


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "trace", "", "A B", "GET /x HTTP/1.1\r\n"])
def test_what_no_gateway_passes_on_is_refused(
    origin: Upstream, fetching: Fetching, method: str
) -> None:
    with pytest.raises(InvalidRequest):
        forwarded(fetching.http(origin.url), None, Forward(method=method))
    assert not origin.connections


def test_lines_that_would_be_another_request_are_refused(
    origin: Upstream, fetching: Fetching
) -> None:
    store = fetching.http(origin.url)
    for line in (("X", "a\r\nHost: evil"), ("X\r\nHost", "evil"), ("X:", "a")):
        with pytest.raises(InvalidRequest):
            forwarded(store, b"", Forward(method="POST", headers=(line,), size=0))
    with pytest.raises(BadKey):
        forwarded(store, None, Forward(method="DELETE"), "../x")
    assert not origin.connections
    origin.always(answer(200))
    forwarded(store, None, Forward(method="DELETE", query="a b\r\nHost: evil#f"), "k HTTP/1.1")
    assert origin.requests[0].target == "/k%20HTTP/1.1?a%20b%0D%0AHost:%20evil%23f"


def test_an_origin_may_answer_before_it_has_it_all(origin: Upstream, fetching: Fetching) -> None:
    early = raw(b"HTTP/1.1 413 No\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")
    origin.always(early)
    store = fetching.http(origin.url)
    with store.forward("k", Generated(10), Forward(method="PUT", size=10)) as opened:
        assert (opened.status, opened.body.read()) == (413, b"much")
