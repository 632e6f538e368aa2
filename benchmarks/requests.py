"""The requests of the workloads, as boto3 makes them, and the bytes of their bodies."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from benchmarks.signing import UNSIGNED, Credentials, Request, checksum_headers, head

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server's address and the key to sign with. `named`: the host that it is asked for, where
    that is not its address."""

    host: str
    port: int
    credentials: Credentials
    named: str = ""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port

    def head(self, request: Request, when: datetime | None = None) -> bytes:
        """The request's bytes up to its body, as if signed at that time, else now."""
        when = when or datetime.now(UTC)
        credentials = request.credentials or self.credentials
        return head(request, f"{self.named or self.host}:{self.port}", credentials, when)


@cache
def payload(size: int) -> bytes:
    """`size` bytes that do not compress, the same in every run."""
    return random.Random(size).randbytes(size)


@cache
def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@cache
def _sums(body: bytes) -> Mapping[str, str]:
    return checksum_headers(body) if body else {}


def get(path: str, first: int = 0, length: int = 0) -> Request:
    """`length`: of a range that begins at `first`; 0 is the whole object."""
    headers = {"x-amz-checksum-mode": "ENABLED"}
    if length:
        headers["range"] = f"bytes={first}-{first + length - 1}"
    return Request(method="GET", path=path, headers=headers)


def stat(path: str) -> Request:
    headers = {"x-amz-checksum-mode": "ENABLED"}
    return Request(method="HEAD", path=path, headers=headers)


def put(path: str, body: bytes, query: Mapping[str, str] | None = None) -> Request:
    """An object, a part (with `query`), or a bucket (no body)."""
    return Request(
        method="PUT",
        path=path,
        query=query or {},
        headers=_sums(body),
        payload_hash=_sha256(body),
        length=len(body),
        body=body,
    )


def announced(path: str, length: int, query: Mapping[str, str] | None = None) -> Request:
    """A PUT whose body is sent apart, in pieces that are not known when it is signed."""
    return Request(method="PUT", path=path, query=query or {}, payload_hash=UNSIGNED, length=length)


def post(
    path: str, query: Mapping[str, str], document: bytes = b"", *, summed: bool = False
) -> Request:
    return Request(
        method="POST",
        path=path,
        query=query,
        headers=_sums(document) if summed else {},
        payload_hash=_sha256(document),
        length=len(document),
        body=document,
    )


def delete(path: str) -> Request:
    return Request(method="DELETE", path=path)


def copy(source: str, target: str) -> Request:
    return Request(method="PUT", path=target, headers={"x-amz-copy-source": source}, length=0)


def page(bucket: str, *, delimiter: bool = False, prefix: str = "", after: str = "") -> Request:
    """ListObjectsV2 of one page, beginning behind the key `after`."""
    query = {"list-type": "2", "max-keys": str(PAGE), "encoding-type": "url"}
    if delimiter:
        query["delimiter"] = "/"
    if prefix:
        query["prefix"] = prefix
    if after:
        query["start-after"] = after
    return Request(method="GET", path=f"/{bucket}", query=query)


def delete_many(bucket: str, keys: Iterable[str]) -> Request:
    """DeleteObjects; the answer names only what could not be deleted."""
    items = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    document = (
        '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{items}<Quiet>true</Quiet></Delete>"
    )
    return post(f"/{bucket}", {"delete": ""}, document.encode(), summed=True)


def begin(path: str) -> Request:
    """CreateMultipartUpload; as with boto3, the parts will have CRC-32s."""
    made = post(path, {"uploads": ""})
    return replace(made, headers={"x-amz-checksum-algorithm": "CRC32"})


class Part(NamedTuple):
    """`etag` as it was answered, in quotes; `crc32` in base64, "" when none was sent."""

    etag: str
    crc32: str = ""


def complete(path: str, upload: str, parts: Iterable[Part]) -> Request:
    """CompleteMultipartUpload of parts 1, 2, …; a checksum header would be the object's."""
    items = "".join(
        f"<Part>{f'<ChecksumCRC32>{one.crc32}</ChecksumCRC32>' if one.crc32 else ''}"
        f"<ETag>{one.etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        for number, one in enumerate(parts, 1)
    )
    document = (
        '<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{items}</CompleteMultipartUpload>"
    )
    return post(path, {"uploadId": upload}, document.encode())


def versioned(bucket: str) -> Request:
    """PutBucketVersioning: on."""
    document = (
        b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Status>Enabled</Status></VersioningConfiguration>"
    )
    return put(f"/{bucket}", document, {"versioning": ""})
