"""Requests as bytes: signed, cut and stretched as no library would send them.

Socket time-outs are guards against a test that hangs; nothing is measured by them.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.e2e.conftest import KEY, SECRET, Running

GUARD = 60.0
KIB, MIB = 1 << 10, 1 << 20
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer, with the payload's hash that the test says."""

    def __init__(self, key: str, secret: str, payload: str) -> None:
        super().__init__(Credentials(key, secret), "s3", "us-east-1")
        self._payload = payload

    def payload(self, request: AWSRequest) -> str:
        return self._payload


def signed(
    url: str,
    method: str,
    target: str,
    headers: Mapping[str, str] = {},
    *,
    payload: str = "UNSIGNED-PAYLOAD",
    key: str = KEY,
    secret: str = SECRET,
) -> dict[str, str]:
    """All headers of that request, and its signature."""
    return dict(fields(url, method, target, headers.items(), payload, key, secret))


def fields(
    url: str,
    method: str,
    target: str,
    given: Iterable[tuple[str, str]],
    payload: str = "UNSIGNED-PAYLOAD",
    key: str = KEY,
    secret: str = SECRET,
) -> list[tuple[str, str]]:
    """The same, of headers that may come several times."""
    request = AWSRequest(method, f"{url}{target}")
    for name, value in (("Host", urlsplit(url).netloc), *given):
        request.headers[name] = value  # adds one
    _Signer(key, secret, payload).add_auth(request)
    return list(request.headers.items())


def head(method: str, target: str, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> bytes:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in pairs)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def code(self) -> str:
        """The error code in the document; "" when there is none."""
        return self.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def ask(
    url: str,
    method: str,
    target: str,
    headers: Mapping[str, str] = {},
    body: bytes = b"",
    **how: str,
) -> Answer:
    """One signed request on a connection of its own."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=GUARD)
    sent = signed(url, method, target, {"Content-Length": str(len(body)), **headers}, **how)
    try:
        answer = exchange(connection, method, target, body, sent)
        return Answer(answer.status, answer.read())
    finally:
        connection.close()


def exchange(
    connection: HTTPConnection,
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = {},
) -> HTTPResponse:
    """The answer; a refusal may come, and the connection be closed, before all was sent."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.request(method, target, body, headers)
    return connection.getresponse()


def connect(gateway: Running, receive: int = 0) -> socket.socket:
    """`receive`: bytes that may wait for this client, as the kernel counts them."""
    place = urlsplit(gateway.url)
    connection = socket.socket()
    if receive:  # before it connects: the window is agreed upon then
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    connection.settimeout(GUARD)
    try:
        connection.connect((str(place.hostname), place.port or 80))
    except OSError:
        connection.close()
        raise
    return connection


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    got = b""
    try:
        while piece := connection.recv(64 * KIB):
            got += piece
    except ConnectionError:  # it closed with our bytes unread: that is an end too
        pass
    return got


def statuses(got: bytes) -> list[int]:
    """Of each answer, interim ones too."""
    heads = [part.partition(b"\r\n")[0].split(b" ") for part in got.split(b"HTTP/1.")[1:]]
    return [int(words[1]) for words in heads]


def log_of(gateway: Running) -> str:
    return (gateway.folder / "log").read_text(encoding="utf-8")


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Wait for what happens behind an answer. The limit is a guard."""
    for _ in range(4800):
        if condition():
            return
        time.sleep(0.025)
    raise AssertionError(f"never: {what}")


def healthy(gateway: Running, bucket: str) -> None:
    """A stock client still works, and nothing crashed."""
    client = gateway.client()
    client.put_object(Bucket=bucket, Key="healthy", Body=b"yes")
    assert client.get_object(Bucket=bucket, Key="healthy")["Body"].read() == b"yes"
    assert "Traceback" not in log_of(gateway)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked_headers(gateway: Running, target: str, size: int, framed: int) -> dict[str, str]:
    headers = {
        "Content-Length": str(framed),
        "Content-Encoding": "aws-chunked",
        "X-Amz-Decoded-Content-Length": str(size),
        "X-Amz-Trailer": "x-amz-checksum-crc32",
    }
    return signed(gateway.url, "PUT", target, headers, payload=UNSIGNED_CHUNKS)


def until_head(connection: socket.socket) -> bytes:
    """An answer's head, with what came with it; b"" when the connection ended."""
    got = b""
    try:
        while b"\r\n\r\n" not in got and (piece := connection.recv(64 * KIB)):
            got += piece
    except ConnectionError:
        return b""
    return got
