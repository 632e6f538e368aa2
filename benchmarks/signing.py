"""Requests as boto3 sends them over http: AWS Signature Version 4 in the `Authorization` header.

Of its own, so that the gateway is not measured with its own idea of a signature;
the tests compare it with botocore's. One header of boto3's is left out: `Expect:
100-continue` on PUT, which load generators do not understand.
Source: AWS, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"
AGENT = "Boto3/1.40.0 md/Botocore#1.40.0 ua/2.1 os/linux lang/python#3.12 cfg/retry-mode#standard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A key id and its secret; the secret shows in no repr."""

    access: str
    secret: str = field(repr=False)
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is signed, if it is. `path` is decoded; `headers` have names in lower case.
    `credentials`: others than the target's."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload_hash: str = EMPTY
    length: int | None = None
    body: bytes = field(default=b"", repr=False)
    credentials: Credentials | None = None
    signed: bool = True


def checksum_headers(body: bytes) -> dict[str, str]:
    """The CRC-32 that boto3 gives with every PUT."""
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return {"x-amz-checksum-crc32": crc, "x-amz-sdk-checksum-algorithm": "CRC32"}


@lru_cache(maxsize=64)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def authorization(
    request: Request, signed: Mapping[str, str], stamp: str, credentials: Credentials
) -> str:
    """The `Authorization` header for `signed` headers at `stamp` (YYYYMMDDTHHMMSSZ)."""
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            request.method,
            quote(request.path, safe="/-_.~"),
            _query(request),
            *(f"{name}:{signed[name].strip()}" for name in sorted(signed)),
            "",
            names,
            request.payload_hash,
        )
    )
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    key = _signing_key(credentials.secret, stamp[:8], credentials.region)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return (
        f"AWS4-HMAC-SHA256 Credential={credentials.access}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def _query(request: Request) -> str:
    pairs = ((quote(name, safe=""), quote(value, safe="")) for name, value in request.query.items())
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def head(request: Request, host: str, credentials: Credentials, when: datetime) -> bytes:
    """The request's bytes up to its body, signed at `when` (UTC)."""
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    signed, shown = {**request.headers, "host": host}, []
    if request.signed:
        signed |= {"x-amz-content-sha256": request.payload_hash, "x-amz-date": stamp}
        shown = [f"Authorization: {authorization(request, signed, stamp, credentials)}"]
    query = _query(request)
    target = quote(request.path, safe="/-_.~") + (f"?{query}" if query else "")
    lines = [
        f"{request.method} {target} HTTP/1.1",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in signed.items()),
        f"User-Agent: {AGENT}",
        *shown,
        f"amz-sdk-invocation-id: {uuid.uuid4()}",
        "amz-sdk-request: attempt=1; max=3",
    ]
    if request.length is not None:
        lines.append(f"Content-Length: {request.length}")
    return "\r\n".join([*lines, "", ""]).encode()
