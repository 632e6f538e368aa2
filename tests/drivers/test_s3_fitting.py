"""Answers that do not fit what the `s3` driver asked: each is the upstream's failure, and told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from drivers.s3 import S3
from gateway.storage import (
    BytesBody,
    Conditions,
    Context,
    Delete,
    Get,
    NotModified,
    OriginFailed,
    PreconditionFailed,
    Put,
    Range,
    Secret,
    pieces,
)
from gateway.testing.faults import noise
from gateway.testing.upstreams import Act, Exchange, Upstream, answer, head

DATA = b"0123456789"
NEW = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def store(upstream: Upstream) -> Iterator[S3]:
    store = opened(upstream.url)
    yield store
    store.close()


def opened(url: str) -> S3:
    store = S3(
        bucket="bkt",
        endpoint_url=url,
        access_key=Secret("key"),
        secret_key=Secret("secret"),
        retries=0,
    )
    store.open(Context())
    return store


def read(store: S3, want: Get = Get()) -> bytes:
    with store.get("k", want) as opened:
        return b"".join(pieces(opened.body))


def put(store: S3, size: int = 1) -> None:
    store.put("k", BytesBody(noise(size)), Put(size=size))


IF_NEW = Conditions(if_none_match=("old",))
ASKED: dict[str, Callable[[S3], Any]] = {
    "get": read,
    "get if": lambda store: read(store, Get(conditions=Conditions(if_match=("e",)))),
    "stat": lambda store: store.stat("k"),
    "list": lambda store: store.list(),
    "versions": lambda store: store.versions(),
    "tags": lambda store: store.tags_of("k", None),
    "put": put,
    "delete": lambda store: store.delete("k"),
    "delete many": lambda store: store.delete_many([("a", Delete()), ("b", Delete())]),
    "copy": lambda store: store.copy(store, "j", "k"),
    "begin": lambda store: store.begin("k"),
    "complete": lambda store: store.complete("k", "u", []),
}


def extent(first: int, last: int, size: int) -> dict[str, Any]:
    said = {"Content-Range": f"bytes {first}-{last}/{size}", "Content-Length": last - first + 1}
    return {**NEW, **said}


@pytest.mark.parametrize(
    "status", [202, 203, 204, 205, 206, 208, 226, 300, 302, 304, 305, 412, 416]
)
@pytest.mark.parametrize("asked", ASKED)
def test_a_status_that_nobody_asked_for(
    upstream: Upstream, store: S3, asked: str, status: int
) -> None:
    if (asked, status) in {("get if", 412), ("delete", 204), ("put", 204)}:
        return
    upstream.always(answer(status, DATA[:5], {**extent(5, 9, 10), "Content-Length": 5}))
    with pytest.raises(OriginFailed):
        ASKED[asked](store)
    assert len(upstream.requests) <= 2


@pytest.mark.parametrize(
    ("want", "said"),
    [
        (Get(), extent(0, 9, 10)),
        (Get(), extent(5, 9, 10)),
        (Get(range=Range(2, 3)), extent(3, 4, 10)),
        (Get(range=Range(2, 3)), extent(2, 4, 10)),
        (Get(range=Range(2, None)), extent(2, 8, 10)),
        (Get(range=Range(None, 3)), extent(6, 9, 10)),
        (Get(range=Range(2, 3)), extent(2, 3, 3)),
    ],
)
def test_a_part_that_was_not_asked_for(
    upstream: Upstream, store: S3, want: Get, said: dict[str, Any]
) -> None:
    upstream.always(answer(206, DATA[: said["Content-Length"]], said))
    for look in (read, lambda store, want: store.stat("k", want)):
        with pytest.raises(OriginFailed):
            look(store, want)


def test_304_and_412_to_a_condition_and_416_to_a_range_are_answers(
    upstream: Upstream, store: S3
) -> None:
    upstream.will(answer(304, b"", NEW), answer(200, DATA, NEW))
    with pytest.raises(NotModified):
        read(store, Get(conditions=Conditions(if_none_match=("e",))))
    upstream.will(answer(412, b""))
    with pytest.raises(PreconditionFailed):
        read(store, Get(conditions=Conditions(if_match=("f",))))


def test_304_with_another_object_behind_it_is_asked_again(upstream: Upstream, store: S3) -> None:
    """Else a client would keep the old bytes with the new one's ETag."""
    want = Get(conditions=IF_NEW)
    upstream.will(answer(304, b""), answer(200, b"", NEW), answer(200, DATA, NEW))
    assert read(store, want) == DATA
    upstream.requests.clear()

    def contradict(exchange: Exchange) -> None:
        conditional = "if-none-match" in exchange.seen.headers
        answer(304 if conditional else 200, b"", {} if conditional else NEW)(exchange)

    upstream.always(contradict)
    with pytest.raises(OriginFailed, match="304"):
        read(store, want)
    assert len(upstream.requests) < 10


def test_conditions_that_an_upstream_does_not_look_at_are_looked_at_here(
    upstream: Upstream, store: S3
) -> None:
    upstream.always(answer(200, DATA, NEW))
    for look in (read, lambda store, want: store.stat("k", want)):
        with pytest.raises(PreconditionFailed):
            look(store, Get(conditions=Conditions(if_match=("f",))))
        with pytest.raises(NotModified):
            look(store, Get(conditions=Conditions(if_none_match=("e",))))
        look(store, Get(conditions=Conditions(if_match=("e",), if_none_match=("f",))))


@pytest.mark.parametrize("said", [{}, {"x-amz-version-id": "v2"}])
def test_another_version_than_was_asked_for(
    upstream: Upstream, store: S3, said: dict[str, Any]
) -> None:
    upstream.always(answer(200, DATA, {**NEW, **said}))
    with pytest.raises(OriginFailed, match="version"):
        read(store, Get(version="v1"))
    assert read(store, Get(version="null")) == DATA


@pytest.mark.parametrize("length", [{}, {"Transfer-Encoding": "chunked"}])
@pytest.mark.parametrize("size", [10, 100_000])
def test_an_object_of_unknown_length(
    upstream: Upstream, store: S3, length: dict[str, str], size: int
) -> None:
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (size, noise(size)) if length else noise(size)

    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {**NEW, **length}) + body)
        exchange.close()

    upstream.always(act)
    for look in (read, lambda store: store.stat("k")):
        with pytest.raises(OriginFailed):
            look(store)


def test_a_body_behind_a_HEAD_is_nobodys_answer(upstream: Upstream, store: S3) -> None:
    def act(exchange: Exchange) -> None:
        exchange.send(head(200, {**NEW, "Content-Length": 4}) + b"evil")

    upstream.will(act)
    assert store.stat("k").size == 4
    upstream.will(answer(200, b"good", NEW))
    assert read(store) == b"good"
    assert upstream.connections == 2


ERROR = b"<Error><Code>InternalError</Code><Message>Half way.</Message></Error>"


@pytest.mark.parametrize("asked", ["list", "versions", "delete many", "copy", "begin", "complete"])
def test_an_error_with_200(upstream: Upstream, store: S3, asked: str) -> None:
    upstream.always(answer(200, ERROR))
    with pytest.raises(OriginFailed):
        ASKED[asked](store)


def test_a_success_before_the_body_was_sent_is_none() -> None:
    """`Upstream` reads bodies; so a listener of our own answers."""
    said = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            received = b""
            while b"\r\n\r\n" not in received:
                received += connection.recv(65536)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        store = opened(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with closing(store), pytest.raises(OriginFailed, match="before it had the body"):
            put(store, 8 << 20)
        thread.join()


def test_heads_that_say_that_one_will_come_are_no_answer(upstream: Upstream, store: S3) -> None:
    def act(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + head(200, {**NEW}))
        exchange.close()

    upstream.always(act)
    with pytest.raises(OriginFailed, match="again and again"):
        read(store)


def few(exchange: Exchange) -> None:
    exchange.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3)
    answer(200, DATA, NEW)(exchange)


def test_a_few_of_them_are_passed_over(upstream: Upstream, store: S3) -> None:
    act: Act = few
    upstream.always(act)
    assert read(store) == DATA
