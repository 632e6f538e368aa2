"""The HTTP server below the test server: framing as RFC 9112 has it, over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from gateway.testing.server.connection import Dropped
from gateway.testing.server.loop import SMALL, Loop
from gateway.testing.server.wire import head

pytestmark = pytest.mark.usefixtures("sockets")

Start = Callable[[str, list[tuple[str, str]]], object]
GO = threading.Event()


def echo(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
    """What the path says; else what was sent, with what the head said of it."""
    path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
    if path == "/drop":
        raise Dropped
    if path == "/crash":
        raise ValueError("a mistake of the application")
    if path == "/wait":
        GO.wait(60)
    if path == "/header":
        start("200 OK", [("X-Seen", "\uffff" if query else "two\r\nlines")])
        return [b""]
    if path == "/refuse":
        start("403 Forbidden", [("Content-Length", "2")])
        return [b"no"]
    if path == "/pieces":
        start("200 OK", [("Content-Length", "6")])
        return iter([b"abc", b"def"])
    if path == "/short":
        start("200 OK", [("Content-Length", "6")])
        return iter([b"abc"])
    if path == "/endless":
        start("200 OK", [])
        return iter([b"abc", b"def"])
    body = environ["wsgi.input"].read()
    said = (
        f"{environ['REQUEST_METHOD']} {path}?{query} {environ.get('HTTP_X_TWICE', '')} {len(body)}"
    )
    start("200 OK", [("X-Seen", said)])
    return [said.encode("latin-1")]


@pytest.fixture(scope="module")
def loop() -> Iterator[Loop]:
    loop = Loop(echo)
    loop.start()
    yield loop
    loop.stop()


@pytest.fixture
def client(loop: Loop) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", loop.port), timeout=10) as client:
        yield client


def received(client: socket.socket) -> bytes:
    """All until the server closes."""
    found = b""
    while piece := client.recv(65536):
        found += piece
    return found


def bodies(answers: bytes) -> list[bytes]:
    """Of answers whose bodies are single lines without CR."""
    return [one.rpartition(b"\r\n\r\n")[2] for one in answers.split(b"HTTP/1.1 ")[1:]]


def ask(client: socket.socket, *requests: bytes) -> bytes:
    """Send them at once, and say in the last that it is the last."""
    *first, last = requests
    line, _, rest = last.partition(b"\r\n")
    client.sendall(b"".join(first) + line + b"\r\nConnection: close\r\n" + rest)
    return received(client)


def get(target: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *headers, "", ""]).encode("latin-1")


def put(body: bytes, *headers: str) -> bytes:
    lines = ["PUT /put HTTP/1.1", "Host: x", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def test_a_path_is_decoded_once_and_kept_as_it_is(client: socket.socket) -> None:
    answers = ask(client, get("//a/../%2Fb%252F%C3%BC?x=%20"))
    assert bodies(answers) == ["GET //a/..//b%2Fü?x=%20  0".encode()]


def test_requests_may_follow_each_other_at_once(client: socket.socket) -> None:
    answers = ask(client, get("/1"), put(b"12345", "Content-Length: 5"), get("/pieces"), get("/2"))
    assert bodies(answers) == [b"GET /1?  0", b"PUT /put?  5", b"abcdef", b"GET /2?  0"]


def test_a_header_given_twice_is_a_list_and_one_with_an_underscore_another(
    client: socket.socket,
) -> None:
    answers = ask(client, get("/", "X-Twice: a", "x-twice:b ", "X_Twice: c"))
    assert bodies(answers) == [b"GET /? a,b 0"]


@pytest.mark.parametrize("size", [0, 1, SMALL, SMALL + 1, 3_000_000])
def test_a_body_of_any_length_arrives_whole(client: socket.socket, size: int) -> None:
    answers = ask(client, put(b"x" * size, f"Content-Length: {size}"), get("/after"))
    assert bodies(answers) == [b"PUT /put?  %d" % size, b"GET /after?  0"]


def test_a_body_may_come_in_chunks(client: socket.socket) -> None:
    chunks = b"4\r\nabcd\r\n1b;name=value\r\n" + b"x" * 27 + b"\r\n0\r\nTrailer: 1\r\n\r\n"
    answers = ask(client, put(chunks, "Transfer-Encoding: chunked"), get("/after"))
    assert bodies(answers) == [b"PUT /put?  31", b"GET /after?  0"]


@pytest.mark.parametrize("size", [5, SMALL + 1])
def test_who_asks_before_sending_is_told_to_go_on(client: socket.socket, size: int) -> None:
    client.sendall(put(b"", f"Content-Length: {size}", "Expect: 100-continue", "Connection: close"))
    assert client.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.sendall(b"x" * size)
    assert bodies(received(client)) == [b"PUT /put?  %d" % size]


def test_a_long_body_that_nobody_reads_is_not_asked_for(client: socket.socket) -> None:
    expects = b"Content-Length: 99999999\r\nExpect: 100-continue\r\n"
    client.sendall(b"PUT /refuse HTTP/1.1\r\nHost: x\r\n" + expects + b"\r\n")
    answer = received(client)
    assert answer.startswith(b"HTTP/1.1 403") and b"100 Continue" not in answer


def test_a_long_body_that_nobody_reads_does_not_become_a_request(client: socket.socket) -> None:
    refused = b"PUT /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    answers = ask(client, refused + get("/smuggled").ljust(1_000_000), get("/after"))
    assert bodies(answers) == [b"no", b"GET /after?  0"]


def test_head_has_no_body(client: socket.socket) -> None:
    answers = ask(client, b"HEAD /pieces HTTP/1.1\r\nHost: x\r\n\r\n", get("/after"))
    assert b"Content-Length: 6" in answers
    assert bodies(answers) == [b"", b"GET /after?  0"]


def test_an_answer_of_unknown_length_ends_with_the_connection(client: socket.socket) -> None:
    client.sendall(get("/endless"))
    answer = received(client)
    assert b"Connection: close" in answer and bodies(answer) == [b"abcdef"]


def test_an_answer_that_is_too_short_ends_the_connection(client: socket.socket) -> None:
    client.sendall(get("/short"))
    assert bodies(received(client)) == [b"abc"]


@pytest.mark.parametrize("path", ["/drop", "/crash"])
def test_an_application_that_gives_up_ends_its_connection_only(
    loop: Loop, client: socket.socket, path: str
) -> None:
    client.sendall(get(path))
    assert received(client) == b""
    with socket.create_connection(("127.0.0.1", loop.port), timeout=30) as other:
        assert bodies(ask(other, get("/"))) == [b"GET /?  0"]


@pytest.mark.parametrize("target", ["/header", "/header?far"])
def test_a_header_that_cannot_be_sent_is_an_error_of_its_request_only(
    loop: Loop, client: socket.socket, target: str
) -> None:
    client.sendall(get(target))
    assert received(client).startswith(b"HTTP/1.1 500 ")
    with socket.create_connection(("127.0.0.1", loop.port), timeout=30) as other:
        assert bodies(ask(other, get("/"))) == [b"GET /?  0"]


def test_who_waits_holds_up_nobody(loop: Loop, client: socket.socket) -> None:
    GO.clear()
    waiting = [socket.create_connection(("127.0.0.1", loop.port), timeout=30) for _ in range(5)]
    for one in waiting:
        one.sendall(get("/wait", "Connection: close"))
    assert bodies(ask(client, get("/1"), get("/2"))) == [b"GET /1?  0", b"GET /2?  0"]
    GO.set()
    for one in waiting:
        assert bodies(received(one)) == [b"GET /wait?  0"]
        one.close()


def test_a_connection_goes_on_after_it_had_to_wait(loop: Loop, client: socket.socket) -> None:
    GO.clear()
    client.sendall(get("/wait"))
    with socket.create_connection(("127.0.0.1", loop.port), timeout=30) as other:
        assert bodies(ask(other, get("/"))) == [b"GET /?  0"]
    GO.set()
    assert bodies(ask(client, get("/after"))) == [b"GET /wait?  0", b"GET /after?  0"]


NOT_HTTP = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": get("/", "Host: y"),
    "a version": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "no target": b"GET HTTP/1.1\r\nHost: x\r\n\r\n",
    "spaces": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bare LF": b"GET / HTTP/1.1\r\nHost: x\nX: y\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
    "NUL": get("/", "X: a\0b"),
    "folding": get("/", "X: a", " b"),
    "a space before the colon": get("/", "X : a"),
    "no colon": get("/", "X"),
    "two lengths": put(b"", "Content-Length: 1", "Content-Length: 1"),
    "a signed length": put(b"", "Content-Length: +1"),
    "both framings": put(b"", "Content-Length: 1", "Transfer-Encoding: chunked"),
    "an unknown coding": put(b"", "Transfer-Encoding: gzip, chunked"),
    "a long head": get("/", f"X: {'x' * 70_000}"),
    "an endless head": b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
}


@pytest.mark.parametrize("what", NOT_HTTP)
def test_what_is_not_plain_http_is_refused(client: socket.socket, what: str) -> None:
    client.sendall(NOT_HTTP[what])
    answer = received(client)
    assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 501", b"HTTP/1.1 431")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "chunks", [b"x\r\n", b"-1\r\n", b"0x1\r\na\r\n0\r\n\r\n", b"1\r\nabc\r\n0\r\n\r\n", b"1" * 9999]
)
def test_chunks_that_are_none_end_the_connection(client: socket.socket, chunks: bytes) -> None:
    client.sendall(put(chunks, "Transfer-Encoding: chunked"))
    assert received(client) == b""


def test_a_header_that_would_be_two_is_never_sent() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        head("200 OK", [("X", "a\r\nSet-Cookie: b")])


def test_a_stop_ends_what_is_under_way() -> None:
    GO.clear()
    loop = Loop(echo)
    loop.start()
    address = ("127.0.0.1", loop.port)
    with (
        socket.create_connection(address, timeout=30) as idle,
        socket.create_connection(address, timeout=30) as waiting,
    ):
        waiting.sendall(get("/wait"))
        idle.sendall(get("/"))
        assert idle.recv(12) == b"HTTP/1.1 200"
        loop.stop()
        assert received(waiting) == b""
    GO.set()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address, timeout=5)
