"""Clients that cheat or babble: what a server makes of bytes no library would send."""

from __future__ import annotations

import base64
import hashlib
import random
import socket

import pytest

from gateway.modes.s3.operations import TABLE, Operation
from tests.e2e.conftest import Running
from tests.e2e.raw import ask, chunked_headers, connect, everything, head, healthy, log_of, statuses


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

BYTES = {"PutObject", "PutObjectAnnotation", "UploadPart"}
XML_TAKERS = [one for one in TABLE if one.body and one.name not in BYTES]
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


REFUSALS = {
    (400, "MalformedXML"),
    (400, "MalformedACLError"),
    (400, "MalformedPolicy"),
    (400, "MaxMessageLengthExceeded"),  # where AWS bounds the document
}


@pytest.mark.parametrize(
    "start",
    [
        b"PUT / HTTP/1.1\r\nContent-Length: " + b"9" * 5000,  # more digits than Python reads
        b"GET http://[ HTTP/1.1",
    ],
    ids=["length", "address"],
)
def test_what_nobody_can_read_is_answered(gateway: Running, start: bytes) -> None:
    with connect(gateway) as connection:
        connection.sendall(start + b"\r\nHost: gateway\r\n\r\n")
        assert statuses(everything(connection)) == [400]
    assert "exception" not in log_of(gateway)
