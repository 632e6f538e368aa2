"""Clients that die, cheat or babble: what a server makes of bytes no library would send.

Socket time-outs are guards against a test that hangs; nothing is measured by them.
"""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import struct
import sys
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gateway.modes.s3.operations import TABLE, Operation
from tests.e2e.conftest import KEY, SECRET, Running

GUARD = 10.0
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
    host = urlsplit(url).netloc
    request = AWSRequest(method, f"{url}{target}", headers={"Host": host, **headers})
    _Signer(key, secret, payload).add_auth(request)
    return dict(request.headers.items())


def head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    lines = [
        f"{method} {target} HTTP/1.1",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
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
        connection.request(method, target, body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read())
    finally:
        connection.close()


def connect(gateway: Running) -> socket.socket:
    place = urlsplit(gateway.url)
    return socket.create_connection((str(place.hostname), place.port or 80), timeout=GUARD)


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
    for _ in range(1200):
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


# clients that die


def plain_half(gateway: Running, target: str, size: int) -> bytes:
    headers = signed(gateway.url, "PUT", target, {"Content-Length": str(size)})
    return head("PUT", target, headers) + b"x" * (size // 2)


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


def chunked_cut(gateway: Running, target: str, size: int, cut: Callable[[bytes], int]) -> bytes:
    halves = chunk(b"x" * (size // 2)) + chunk(b"y" * (size - size // 2))
    whole = halves + b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    headers = chunked_headers(gateway, target, size, len(whole))
    return head("PUT", target, headers) + whole[: cut(whole)]


DEATHS: dict[str, Callable[[Running, str, int], bytes]] = {
    "plain": plain_half,
    "in a chunk": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: len(whole) // 4
    ),
    "between chunks": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: whole.index(b"\r\nx") + 4 + size // 2
    ),
    "before the trailer": lambda gateway, target, size: chunked_cut(
        gateway, target, size, lambda whole: whole.index(b"x-amz-checksum")
    ),
}


@pytest.mark.parametrize("abrupt", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("size", [20 * KIB, 2 * MIB])
@pytest.mark.parametrize("death", DEATHS)
def test_what_a_dying_client_left_is_not_stored(
    gateway: Running, bucket: str, death: str, size: int, abrupt: bool
) -> None:
    client = gateway.client()
    client.put_object(Bucket=bucket, Key="old", Body=b"older object")
    for key in ("new", "old"):
        target = f"/{bucket}/{key}"
        before = seen(gateway, target)
        connection = connect(gateway)
        connection.sendall(DEATHS[death](gateway, target, size))
        if abrupt:
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            connection.shutdown(socket.SHUT_WR)
            answered = everything(connection)
            assert all(400 <= status < 500 for status in statuses(answered)), answered
        connection.close()
        if "granian" in str(gateway.process.args):  # waitress drops it before it is a request
            until_seen(gateway, target, before + 1)
    with pytest.raises(ClientError, match="404"):
        client.head_object(Bucket=bucket, Key="new")
    assert client.get_object(Bucket=bucket, Key="old")["Body"].read() == b"older object"
    assert "Traceback" not in log_of(gateway)


def seen(gateway: Running, target: str) -> int:
    """Requests to put there that are over, as the access log tells."""
    return log_of(gateway).count(f" PUT {target} ")


def until_seen(gateway: Running, target: str, times: int) -> None:
    eventually(lambda: seen(gateway, target) >= times, f"{times} × {target} in the log")


# babble


def babble(dice: random.Random, bucket: str) -> bytes:
    """Bytes that are a request in part at most."""
    line = dice.choice(
        [
            b"GET / HTTP/1.1",
            b"GET /%b/%%zz%%%%2 HTTP/1.1" % bucket.encode(),
            b"GET",
            b"GET  /  HTTP/1.1",
            b"GET / HTTP/9.9",
            b"G\x00T / HTTP/1.1",
            b"PUT /" + dice.randbytes(20) + b" HTTP/1.1",
            b"GET http://[::1/%80 HTTP/1.1",
            b"OPTIONS * HTTP/1.1",
            b"GET /" + b"a" * dice.choice([100, 9_000, 70_000]) + b" HTTP/1.1",
            dice.randbytes(dice.randrange(1, 300)),
        ]
    )
    fields = [
        b"Host: x",
        b"Host: \xff\xfe",
        b"Content-Length: -1",
        b"Content-Length: 1e3",
        b"Content-Length: 99999999999999999999999",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"Transfer-Encoding: gzip, what",
        b"Range: bytes=99999999999999999999-1,,-",
        b"X-Huge: " + b"h" * dice.choice([10_000, 300_000]),
        b"\r\n".join(b"X-%d: y" % number for number in range(dice.choice([50, 500]))),
        b"no colon at all",
        b": no name",
        b"Authorization: AWS4-HMAC-SHA256 Credential=" + dice.randbytes(9).hex().encode(),
        b"Authorization: AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=\xff,Signature=",
        b"x-amz-date: 99999999T999999Z",
        b"Expect: 100-continue",
        b"X-Random: " + dice.randbytes(30),
    ]
    chosen = dice.sample(fields, dice.randrange(5))
    return b"\r\n".join([line, b"Host: gateway", *chosen, b"", dice.randbytes(dice.randrange(40))])


def test_babble_is_refused_and_breaks_nothing(gateway: Running, bucket: str) -> None:
    dice, answered = random.Random(20260501), 0
    for _ in range(150):
        sent = babble(dice, bucket)
        with connect(gateway) as connection:
            try:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
            except OSError:  # refused before all was sent
                pass
            found = statuses(everything(connection))
        assert all(status < 500 or status in {501, 505} for status in found), sent[:300]
        answered += bool(found)
    assert answered > 50
    healthy(gateway, bucket)


ODD_REQUESTS: dict[str, tuple[str, str, dict[str, str]]] = {
    "bad escape": ("GET", "/%zz/%", {}),
    "half an escape": ("GET", "/BUCKET/a%e", {}),
    "escapes that are no UTF-8": ("PUT", "/BUCKET/%ff%fe", {}),
    "a NUL in a key": ("PUT", "/BUCKET/a%00b", {}),
    "a NUL in a bucket": ("PUT", "/a%00b", {}),
    "dots": ("GET", "/BUCKET/../../etc/passwd", {}),
    "a key that is too long": ("PUT", "/BUCKET/" + "k" * 1025, {}),
    "range without end": ("GET", "/BUCKET/k", {"Range": "bytes=" + "9" * 400 + "-"}),
    "range of words": ("GET", "/BUCKET/k", {"Range": "bytes=a-b"}),
    "range backwards": ("GET", "/BUCKET/k", {"Range": "bytes=5-1"}),
    "many ranges": ("GET", "/BUCKET/k", {"Range": "bytes=" + "0-0," * 2000}),
    "negative part": ("GET", "/BUCKET/k?partNumber=-1", {}),
    "part of a hundred digits": ("GET", "/BUCKET/k?partNumber=" + "1" * 100, {}),
    "part of nothing": ("PUT", "/BUCKET/k?partNumber=1&uploadId=%00", {}),
    "version of nothing": ("GET", "/BUCKET/k?versionId=%f0%9f", {}),
    "limit of words": ("GET", "/BUCKET?list-type=2&max-keys=x", {}),
    "limit of a hundred digits": ("GET", "/BUCKET?list-type=2&max-keys=" + "9" * 100, {}),
    "digits of another script": ("GET", "/BUCKET?list-type=2&max-keys=%D9%A3", {}),
    "a token that is none": ("GET", "/BUCKET?list-type=2&continuation-token=%00%ff", {}),
    "a marker that is no UTF-8": ("GET", "/BUCKET?marker=%ff", {}),
    "an encoding that is none": ("GET", "/BUCKET?encoding-type=rot13", {}),
    "a date that is none": ("GET", "/BUCKET/k", {"If-Modified-Since": "the 99th of May"}),
    "a date beyond time": (
        "GET", "/BUCKET/k", {"If-Modified-Since": "Fri, 31 Dec 99999 23:59:59 GMT"},
    ),
    "an ETag that is none": ("GET", "/BUCKET/k", {"If-Match": '"' * 99}),
    "copy from nowhere": ("PUT", "/BUCKET/k", {"x-amz-copy-source": "%"}),
    "copy from a bucket": ("PUT", "/BUCKET/k", {"x-amz-copy-source": "/BUCKET"}),
    "copy of a wrong version": (
        "PUT", "/BUCKET/k", {"x-amz-copy-source": "/BUCKET/k?versionId=%ff"},
    ),
    "checksum that is none": ("PUT", "/BUCKET/k", {"x-amz-checksum-crc32": "!"}),
    "checksum of nobody": ("PUT", "/BUCKET/k", {"x-amz-checksum-crc99": "AAAA"}),
    "MD5 that is none": ("PUT", "/BUCKET/k", {"Content-MD5": "=" * 99}),
    "tags that are none": ("PUT", "/BUCKET/k", {"x-amz-tagging": "&&=&%ff=%00"}),
    "class that is none": ("PUT", "/BUCKET/k", {"x-amz-storage-class": "MUD"}),
    "lock that is none": ("PUT", "/BUCKET/k", {"x-amz-object-lock-mode": "NEVER"}),
    "encryption that is none": (
        "PUT", "/BUCKET/k", {"x-amz-server-side-encryption-customer-key": "short"},
    ),
    "metadata of 4 KiB": ("PUT", "/BUCKET/k", {"x-amz-meta-a": "m" * 4096}),
    "a method of the web": ("PATCH", "/BUCKET/k", {}),
    "a method of nobody": ("BREW", "/BUCKET/k", {}),
    "a length in words": ("PUT", "/BUCKET/k", {"x-amz-decoded-content-length": "many"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_REQUESTS)
def test_odd_but_signed_requests_are_the_clients_fault(
    gateway: Running, bucket: str, name: str
) -> None:
    method, target, headers = ODD_REQUESTS[name]
    headers = {one: value.replace("BUCKET", bucket) for one, value in headers.items()}
    answer = ask(gateway.url, method, target.replace("BUCKET", bucket), headers)
    assert answer.status < 500 or answer.status == 501, answer
    assert "Traceback" not in log_of(gateway)


CHUNKS = {
    "no size": b"\r\n\r\n",
    "a size in words": b"many\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size beyond all": b"f" * 16 + b"\r\nhello\r\n0\r\n\r\n",
    "a size of a thousand digits": b"1" * 2000 + b"\r\nhello\r\n",
    "more than announced": b"6\r\nhello!\r\n0\r\n\r\n",
    "less than announced": b"4\r\nhell\r\n0\r\n\r\n",
    "no end of the chunk": b"5\r\nhelloXX0\r\n\r\n",
    "no last chunk": b"5\r\nhello\r\n",
    "no trailer": b"5\r\nhello\r\n0\r\n\r\n",
    "another trailer": b"5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
    "a trailer of noise": b"5\r\nhello\r\n0\r\n\xff\x00\r\n\r\n",
    "an endless trailer": b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:" + b"A" * 20_000 + b"\r\n\r\n",
    "a wrong checksum": b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n",
    "no framing": b"hello",
    "nothing": b"",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_bad_framing_is_refused_and_nothing_is_stored(
    gateway: Running, bucket: str, name: str
) -> None:
    target, body = f"/{bucket}/chunks", CHUNKS[name]
    headers = chunked_headers(gateway, target, 5, len(body))
    with connect(gateway) as connection:
        connection.sendall(head("PUT", target, {**headers, "Connection": "close"}) + body)
        found = everything(connection)
    assert statuses(found) == [400], found
    assert ask(gateway.url, "HEAD", target).status == 404
    assert "Traceback" not in log_of(gateway)


# documents

XML_TAKERS = [one for one in TABLE if one.body and one.name not in {"PutObject", "UploadPart"}]
BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "lol">'
    + b"".join(
        b'<!ENTITY a%d "%b">' % (level, b"&a%d;" % (level - 1) * 10) for level in range(1, 10)
    )
    + b"]><l>&a9;</l>"
)
DOCUMENTS = {
    "billion laughs": BOMB,
    "a file of the server": b'<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>',
    "another host": b'<!DOCTYPE l SYSTEM "http://127.0.0.1:9/x.dtd"><l/>',
    "unclosed": b"<Tagging><TagSet>",
    "no XML": b"\x00\xff\xfe{}",
    "another encoding that is none": b'<?xml version="1.0" encoding="klingon"?><a/>',
    "another document": b"<Other><Thing/></Other>",
    "a hundred thousand levels": b"<a>" * 100_000 + b"</a>" * 100_000,
    "a surrogate": b"<Tagging>&#xD800;</Tagging>",
}
"""Broken, or nobody's."""


def target_of(gateway: Running, bucket: str, operation: Operation) -> str:
    query = "&".join(operation.query)
    if operation.name == "CreateBucket":
        return f"/{bucket}-new"
    if operation.name == "CompleteMultipartUpload":
        begun = gateway.client().create_multipart_upload(Bucket=bucket, Key="k")
        query = f"uploadId={begun['UploadId']}"
    place = bucket if operation.scope == "bucket" else f"{bucket}/k"
    return f"/{place}?{query}"


@pytest.mark.parametrize("operation", XML_TAKERS, ids=lambda one: str(one.name))
def test_broken_documents_are_the_clients_fault(
    gateway: Running, bucket: str, operation: Operation
) -> None:
    gateway.client().put_object(Bucket=bucket, Key="k", Body=b"unharmed")
    target = target_of(gateway, bucket, operation)
    for name, body in DOCUMENTS.items():
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        answer = ask(gateway.url, operation.method, target, {"Content-MD5": digest}, body)
        assert (answer.status, answer.code) in REFUSALS, (name, answer)
        assert b"root:" not in answer.body
    found = gateway.client().get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == b"unharmed"
    healthy(gateway, bucket)


REFUSALS = {(400, "MalformedXML"), (400, "MalformedACLError")}


# answers that come before the body was read


@pytest.mark.parametrize("expect", [False, True], ids=["sent at once", "100-continue"])
@pytest.mark.parametrize("secret", [SECRET, "wrong"], ids=["no such bucket", "wrong secret"])
def test_an_early_error_does_not_leave_a_client_hanging(
    gateway: Running, secret: str, expect: bool
) -> None:
    """The connection is closed, or takes the next request."""
    target, size = "/no-such-bucket/k", 8 * MIB
    more = {"Content-Length": str(size)} | ({"Expect": "100-continue"} if expect else {})
    headers = signed(gateway.url, "PUT", target, more, secret=secret)
    with connect(gateway) as connection:
        connection.sendall(head("PUT", target, headers))
        first = until_head(connection) if expect else b""
        if not expect or statuses(first) == [100]:
            try:
                connection.sendall(bytes(size))
            except ConnectionError:
                return  # closed while we were sending
            first = until_head(connection)
        assert statuses(first) in ([403], [404], []), first
        try:
            connection.sendall(head("GET", "/-/health/live", {"Host": "x", "Connection": "close"}))
        except ConnectionError:
            return
        assert set(statuses(everything(connection))) <= {200}


def until_head(connection: socket.socket) -> bytes:
    """An answer's head, with what came with it; b"" when the connection ended."""
    got = b""
    try:
        while b"\r\n\r\n" not in got and (piece := connection.recv(64 * KIB)):
            got += piece
    except ConnectionError:
        return b""
    return got
