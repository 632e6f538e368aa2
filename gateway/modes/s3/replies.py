"""What is said of an object in an answer's headers."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.common import words
from gateway.common.moments import http_date
from gateway.modes.s3 import redirects
from gateway.storage import NULL_VERSION, Encryption, ObjectInfo
from gateway.storage.checksums import CHECKSUMS
from gateway.web.http_fields import (
    Headers,
    carried,
    is_token,
    of_validation,
    quoted,
    value,
)
from gateway.web.replies import Reply

__all__ = ["Headers", "Reply", "http_date", "quoted", "value"]

XML = "application/xml"

_CHECKSUMS = {name: f"x-amz-checksum-{name.lower()}" for name in CHECKSUMS}


def xml(document: bytes, *, headers: Headers | None = None, status: int = 200) -> Reply:
    return Reply(status, [("content-type", XML), *(headers or ())], document)


def version(info: ObjectInfo) -> Headers:
    return [] if info.version is None else [("x-amz-version-id", info.version)]


def new_version(info: ObjectInfo) -> Headers:
    """Of an object that was just stored: the null version is not said there."""
    return [] if info.version == NULL_VERSION else version(info)


_SSE = "x-amz-server-side-encryption"


def encryption(used: Encryption | None) -> Headers:
    """Of what is there: who reads it does not learn the context."""
    if used is None:
        return []
    if used.kind == "managed":
        return [(_SSE, "AES256")]
    if used.kind == "kms":
        return _by_kms(used)
    return [
        (f"{_SSE}-customer-algorithm", "AES256"),
        (f"{_SSE}-customer-key-md5", used.key_md5),
    ]


def new_encryption(used: Encryption | None) -> Headers:
    """Of what was just stored, or begun."""
    said = encryption(used)
    if used is not None and used.context:
        said.append((f"{_SSE}-context", value(used.context)))
    return said


def _by_kms(used: Encryption) -> Headers:
    said = [(_SSE, "aws:kms:dsse" if used.double else "aws:kms")]
    if used.key_id:
        said.append((f"{_SSE}-aws-kms-key-id", value(used.key_id)))
    if used.bucket_key:
        said.append((f"{_SSE}-bucket-key-enabled", "true"))
    return said


def sums(found: Mapping[str, str]) -> Headers:
    return [(_CHECKSUMS[name], text) for name, text in found.items()]


def checksums(info: ObjectInfo) -> Headers:
    if not info.checksums:
        return []
    found = sums(info.checksums)
    found.append(("x-amz-checksum-type", info.checksum_type or "FULL_OBJECT"))
    return found


def written(info: ObjectInfo) -> Headers:
    """What is said of an object that was just stored."""
    headers = [("etag", quoted(info.etag))]
    if info.version is not None:
        headers += new_version(info)
    if info.checksums:
        headers += checksums(info)
    if info.encryption is not None:
        headers += new_encryption(info.encryption)
    return headers


def validators(info: ObjectInfo) -> Headers:
    """What a 304 says (RFC 9110 §15.4.5)."""
    headers = [("etag", quoted(info.etag)), ("last-modified", http_date(info.modified))]
    kept = [(name.lower(), value(text)) for name, text in of_validation(info.headers)]
    return headers + kept + version(info)


def described(info: ObjectInfo) -> Headers:
    """What GET and HEAD say of an object to all who may read it, but for lengths, ranges and
    checksums."""
    headers = [
        ("content-type", value(info.content_type)),
        ("etag", quoted(info.etag)),
        ("last-modified", http_date(info.modified)),
        ("accept-ranges", "bytes"),
    ]
    if info.version is not None:
        headers.append(("x-amz-version-id", info.version))
    if info.headers:
        headers += carried(info.headers)
    if info.metadata:
        headers += _metadata(info)
    if info.attributes:
        headers += redirects.said(info.attributes)
    if info.storage_class != "STANDARD":
        headers.append(("x-amz-storage-class", info.storage_class))
    if info.encryption is not None:
        headers += encryption(info.encryption)
    return headers


def _metadata(info: ObjectInfo) -> Headers:
    headers = [
        (f"x-amz-meta-{name}", words.encoded(text))
        for name, text in info.metadata.items()
        if is_token(name)
    ]
    if missing := len(info.metadata) - len(headers):
        headers.append(("x-amz-missing-meta", str(missing)))
    return headers
