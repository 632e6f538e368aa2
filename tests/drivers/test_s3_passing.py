"""What passes through the `s3` driver in the words of S3, seen by an upstream that records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from drivers.s3 import S3
from gateway.storage import (
    BytesBody,
    Context,
    Encryption,
    Get,
    ObjectInfo,
    Protection,
    Put,
    Range,
    Secret,
    Unsupported,
)
from gateway.testing.upstreams import Upstream, answer, md5, refuse

SSE = "x-amz-server-side-encryption"
KMS = Encryption(kind="kms", key_id="arn:aws:kms:x:y:key/z", context="e30=", bucket_key=True)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def store(upstream: Upstream) -> Iterator[S3]:
    store = S3(
        bucket="bkt",
        endpoint_url=upstream.url,
        access_key=Secret("key"),
        secret_key=Secret("secret"),
    )
    store.open(Context())
    yield store
    store.close()


def told(upstream: Upstream, store: S3, headers: dict[str, Any], want: Get = Get()) -> ObjectInfo:
    upstream.will(answer(200, b"data", {"ETag": '"e"', **headers}))
    return store.stat("k", want)


def test_encryption_by_an_upstreams_key_service_passes_both_ways(
    upstream: Upstream, store: S3
) -> None:
    said = {
        SSE: "aws:kms",
        f"{SSE}-aws-kms-key-id": KMS.key_id,
        f"{SSE}-context": "e30=",
        f"{SSE}-bucket-key-enabled": "true",
    }
    upstream.will(answer(200, b"", {"ETag": f'"{"0" * 32}"', **said}))  # no MD5 of the body
    info = store.put("k", BytesBody(b"data"), Put(size=4, encryption=KMS))
    assert info.encryption == KMS
    sent = upstream.requests[0].headers
    assert {name: sent[name] for name in said} == said
    assert told(upstream, store, said).encryption == KMS


def test_retention_and_hold_pass_both_ways(upstream: Upstream, store: S3) -> None:
    protection = Protection(mode="governance", until=1_900_000_000_000, hold=True)
    said = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2030-03-17T17:46:40Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    upstream.will(answer(200, b"", {"ETag": f'"{md5(b"data")}"'}))
    store.put("k", BytesBody(b"data"), Put(size=4, protection=protection))
    sent = upstream.requests[0].headers
    assert {name: sent[name] for name in said} == said
    assert told(upstream, store, said).protection == protection


def test_what_is_not_ASCII_is_read_as_S3_writes_it(upstream: Upstream, store: S3) -> None:
    said = {
        "x-amz-meta-word": "=?UTF-8?B?Z3LDvG4=?=",
        "x-amz-meta-raw": "grün".encode().decode("latin-1"),
        "x-amz-meta-plain": "=?no word",
    }
    sent = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    head = f'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n{sent}\r\n'.encode("latin-1")
    upstream.will(lambda exchange: exchange.send(head))
    found = store.stat("k").metadata
    assert dict(found) == {"word": "grün", "raw": "grün", "plain": "=?no word"}


def test_headers_of_one_name_are_one_that_says_the_same(upstream: Upstream, store: S3) -> None:
    head = b'HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nETag: "e"\r\nContent-Length: 0\r\n'
    upstream.will(lambda exchange: exchange.send(head + b"Cache-Control: private\r\n\r\n"))
    assert store.stat("k").headers == (("Cache-Control", "no-cache, private"),)


def test_tags_are_fetched_only_when_somebody_looks(upstream: Upstream, store: S3) -> None:
    info = told(upstream, store, {"x-amz-tagging-count": "1"})
    assert (len(info.tags), len(upstream.requests)) == (1, 1)
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    upstream.will(answer(200, tags))
    assert dict(info.tags) == {"a": "1"}
    assert upstream.requests[1].target == "/bkt/k?tagging="
    assert dict(info.tags) == {"a": "1"}
    assert len(upstream.requests) == 2


def test_parts_are_asked_for_one_by_one_where_they_are_not_told(
    upstream: Upstream, store: S3
) -> None:
    info = told(upstream, store, {"ETag": f'"{"a" * 32}-2"'})
    assert (len(info.parts), len(upstream.requests)) == (2, 1)
    upstream.will(refuse(501, "NotImplemented"))
    for first, last in ((0, 5), (6, 9)):
        extent: dict[str, Any] = {
            "Content-Length": last - first + 1,
            "Content-Range": f"bytes {first}-{last}/10",
        }
        upstream.will(answer(206, b"", extent))
    assert [(part.number, part.size) for part in info.parts] == [(1, 6), (2, 4)]


def test_an_upstream_that_reads_no_single_parts_is_found_out(upstream: Upstream, store: S3) -> None:
    upstream.always(answer(200, b"all of it", {"ETag": f'"{"a" * 32}-2"'}))
    with pytest.raises(Unsupported):
        store.get("k", Get(part=1))


def test_a_range_is_cut_out_where_an_upstream_sends_the_whole(
    upstream: Upstream, store: S3
) -> None:
    body = bytes(range(256)) * 1000
    upstream.always(answer(200, body, {"ETag": '"e"'}))
    with store.get("k", Get(range=Range(100_000, 100_009))) as opened:
        assert (opened.start, opened.length, opened.info.size) == (100_000, 10, len(body))
        assert b"".join(iter(opened.body.read, b"")) == body[100_000:100_010]
