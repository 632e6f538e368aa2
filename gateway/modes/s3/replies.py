"""What a handler answers, and what is said of an object in an answer's headers.

Header names are in lower case. A value may come from another door or an
upstream; so what a header cannot hold is never put into one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from time import gmtime

from gateway.storage import NULL_VERSION, PIECE, Encryption, ObjectInfo, Readable

Headers = list[tuple[str, str]]

XML = "application/xml"

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(slots=True)
class Reply:
    """`body`: bytes, or what is to be sent in pieces (closed by who sends it). `length`:
    of a body that is not bytes, or that a HEAD does not have."""

    status: int = 200
    headers: Headers = field(default_factory=list)
    body: bytes | Readable = b""
    length: int | None = None


class Sending:
    """A body as WSGI iterates it. Unlike a generator's, its `close` closes what was never begun."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Readable, length: int) -> None:
        self._body, self._left = body, length

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._left <= 0:
            raise StopIteration
        piece = self._body.read(min(self._left, PIECE))
        if not piece:
            raise StopIteration
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


def xml(document: bytes, *, headers: Headers | None = None, status: int = 200) -> Reply:
    return Reply(status, [("content-type", XML), *(headers or ())], document)


@lru_cache(maxsize=4096)
def _http_date(seconds: int) -> str:
    t = gmtime(seconds)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04}"
        f" {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )


def http_date(milliseconds: int) -> str:
    """RFC 9110 §5.6.7. The Python library's own is four times as slow."""
    return _http_date(milliseconds // 1000)


def quoted(etag: str) -> str:
    return f'W/"{etag[2:]}"' if etag.startswith("W/") else f'"{etag}"'


def value(text: str) -> str:
    """Text as WSGI carries it in a header: UTF-8 bytes as latin-1, without control characters."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(" ", text).encode("utf-8", "replace").decode("latin-1")


def metadata_value(text: str) -> str:
    """Outside printable ASCII as an RFC 2047 encoded word, as S3 answers."""
    if text.isascii() and text.isprintable():
        return text
    return f"=?UTF-8?B?{b64encode(text.encode('utf-8', 'replace')).decode()}?="


def version(info: ObjectInfo) -> Headers:
    return [] if info.version is None else [("x-amz-version-id", info.version)]


def new_version(info: ObjectInfo) -> Headers:
    """Of an object that was just stored: the null version is not said there."""
    return [] if info.version == NULL_VERSION else version(info)


def encryption(used: Encryption | None) -> Headers:
    if used is None:
        return []
    if used.kind == "managed":
        return [("x-amz-server-side-encryption", "AES256")]
    if used.kind == "kms":
        return _by_kms(used)
    return [
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-server-side-encryption-customer-key-md5", used.key_md5),
    ]


def _by_kms(used: Encryption) -> Headers:
    prefix = "x-amz-server-side-encryption"
    said = [(prefix, "aws:kms:dsse" if used.double else "aws:kms")]
    if used.key_id:
        said.append((f"{prefix}-aws-kms-key-id", value(used.key_id)))
    if used.context:
        said.append((f"{prefix}-context", value(used.context)))
    if used.bucket_key is not None:
        said.append((f"{prefix}-bucket-key-enabled", str(used.bucket_key).lower()))
    return said


def checksums(info: ObjectInfo) -> Headers:
    if not info.checksums:
        return []
    found = [(f"x-amz-checksum-{name.lower()}", text) for name, text in info.checksums.items()]
    return [*found, ("x-amz-checksum-type", info.checksum_type or "FULL_OBJECT")]


def written(info: ObjectInfo) -> Headers:
    """What is said of an object that was just stored."""
    headers = [("etag", quoted(info.etag)), *new_version(info), *checksums(info)]
    return headers + encryption(info.encryption)


def validators(info: ObjectInfo) -> Headers:
    """What a 304 says (RFC 9110 §15.4.5)."""
    headers = [("etag", quoted(info.etag)), ("last-modified", http_date(info.modified))]
    kept = [
        (name.lower(), value(text))
        for name, text in info.headers
        if name.lower() in {"cache-control", "expires", "vary"}
    ]
    return headers + kept + version(info)


def described(info: ObjectInfo) -> Headers:
    """What GET and HEAD say of an object, but for lengths, ranges and checksums."""
    headers = [
        ("content-type", value(info.content_type)),
        ("etag", quoted(info.etag)),
        ("last-modified", http_date(info.modified)),
        ("accept-ranges", "bytes"),
    ]
    if info.version is not None:
        headers.append(("x-amz-version-id", info.version))
    if info.headers:
        headers += _folded(info.headers)
    if info.metadata:
        headers += _metadata(info)
    if info.tags:
        headers.append(("x-amz-tagging-count", str(len(info.tags))))
    if info.storage_class != "STANDARD":
        headers.append(("x-amz-storage-class", info.storage_class))
    if info.encryption is not None:
        headers += encryption(info.encryption)
    return headers


def _folded(given: Sequence[tuple[str, str]]) -> Headers:
    """Several headers of one name as one, which says the same (RFC 9110 §5.3): servers send
    only one of a name."""
    found: dict[str, str] = {}
    for name, text in given:
        lower = name.lower()
        found[lower] = f"{found[lower]}, {value(text)}" if lower in found else value(text)
    return list(found.items())


def _metadata(info: ObjectInfo) -> Headers:
    headers = [
        (f"x-amz-meta-{name}", metadata_value(text))
        for name, text in info.metadata.items()
        if _TOKEN.fullmatch(name)
    ]
    if missing := len(info.metadata) - len(headers):
        headers.append(("x-amz-missing-meta", str(missing)))
    return headers
