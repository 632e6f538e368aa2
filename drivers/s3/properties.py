"""What an answer says of an object: headers → the contract's values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from gateway.common import words
from gateway.common.upstream.answers import Headers, broken
from gateway.common.upstream.fields import etag_of, parse_date, plain
from gateway.storage import NOTHING, REDIRECT, Encryption, ObjectInfo, Part, Period, Protection
from gateway.storage.checksums import CHECKSUMS

META = "x-amz-meta-"
SSE = "x-amz-server-side-encryption"
CUSTOMER = "x-amz-server-side-encryption-customer-"
CHECKSUM = "x-amz-checksum-"

_CHECKSUMS = frozenset(CHECKSUM + name.lower() for name in CHECKSUMS)
_EVENT = "x-amz-object-lock-event-hold"
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")
KEPT_HEADERS = tuple((name.lower(), name) for name in _KEPT)
"""(in lower case, as the field's standard writes it) of what S3 keeps with an object."""

REDIRECT_HEADER = "x-amz-website-redirect-location"

_PARTS = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")


def parse_iso(value: str) -> int:
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def size_of(headers: Headers) -> int:
    """The length that an answer to HEAD names."""
    found = headers.get("content-length", "")
    if not (found.isascii() and found.isdigit() and len(found) < 19):
        raise broken("it does not say how large the object is")
    return int(found)


def checksums_of(headers: Headers) -> tuple[Mapping[str, str], Any]:
    """(checksums, their type)."""
    found = {
        name[len(CHECKSUM) :].upper(): value
        for name, value in headers.items()
        if name in _CHECKSUMS
    }
    if not found:
        return NOTHING, None
    kind = headers.get("x-amz-checksum-type")
    if kind not in ("FULL_OBJECT", "COMPOSITE"):
        kind = "COMPOSITE" if any("-" in value for value in found.values()) else "FULL_OBJECT"
    return found, kind


def algorithm_of(row: Mapping[str, str]) -> tuple[Mapping[str, str], Any]:
    """(the checksum of an upload's parts, as what is to be computed; the type of the whole).
    Of an upload that has none S3 says `null`, in so many letters."""
    name = row.get("ChecksumAlgorithm", "")
    if name not in CHECKSUMS:
        return NOTHING, None
    kind = row.get("ChecksumType")
    return {name: ""}, kind if kind in ("FULL_OBJECT", "COMPOSITE") else None


def encryption_of(headers: Headers) -> Encryption | None:
    if f"{CUSTOMER}algorithm" in headers:
        return Encryption(kind="customer", key_md5=headers.get(f"{CUSTOMER}key-md5", ""))
    kind = headers.get(SSE)
    if kind is None:
        return None
    if not kind.startswith("aws:kms"):
        return Encryption(kind="managed")
    bucket_key = headers.get(f"{SSE}-bucket-key-enabled")
    return Encryption(
        kind="kms",
        key_id=headers.get(f"{SSE}-aws-kms-key-id", ""),
        context=headers.get(f"{SSE}-context", ""),
        double=kind == "aws:kms:dsse",
        bucket_key=None if bucket_key is None else bucket_key == "true",
    )


def protection_of(headers: Headers) -> Protection | None:
    mode = headers.get("x-amz-object-lock-mode", "").lower()
    hold = headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON"
    if mode not in ("governance", "compliance"):
        return Protection(hold=True) if hold else None
    until = parse_iso(headers.get("x-amz-object-lock-retain-until-date", ""))
    event = _event_of(headers)
    return Protection(mode=mode, until=until, hold=hold, event=event)  # type: ignore[arg-type]  # one of its two


def _event_of(headers: Headers) -> Period | None:
    """`until` is what it comes to just now."""
    for unit in ("days", "years") if headers.get(_EVENT, "").upper() == "ON" else ():
        number = headers.get(f"{_EVENT}-duration-{unit}", "")
        if number.isascii() and number.isdigit() and len(number) < 6:
            return Period(int(number), unit)
    return None


def parts_count(headers: Headers, etag: str) -> int:
    """Of how many parts the object was made; 0 for one that was put whole."""
    told = headers.get("x-amz-mp-parts-count", "")
    if told.isascii() and told.isdigit() and len(told) < 6:
        return int(told)
    match = _PARTS.fullmatch(etag)
    return int(match[1]) if match else 0


def info_of(
    key: str,
    size: int,
    headers: Headers,
    *,
    tags: Callable[[int], Mapping[str, str]],
    parts: Callable[[int], Sequence[Part]],
) -> ObjectInfo:
    """`tags` and `parts` give, by their number, what the headers only count."""
    kept = [(name, plain(headers[lower])) for lower, name in KEPT_HEADERS if lower in headers]
    metadata = {
        name[len(META) :]: words.decoded(plain(value))
        for name, value in headers.items()
        if name.startswith(META)
    }
    etag = etag_of(headers.get("etag", ""))
    checksums, kind = checksums_of(headers)
    count, tagged = parts_count(headers, etag), headers.get("x-amz-tagging-count", "0")
    redirect = headers.get(REDIRECT_HEADER)
    locked = "x-amz-object-lock-mode" in headers or "x-amz-object-lock-legal-hold" in headers
    return ObjectInfo(
        key=key,
        size=size,
        etag=etag,
        modified=parse_date(headers.get("last-modified", "")),
        content_type=plain(headers.get("content-type", "")) or "binary/octet-stream",
        version=headers.get("x-amz-version-id"),
        headers=tuple(kept),
        metadata=metadata or NOTHING,
        tags=tags(int(tagged)) if tagged.isdigit() and tagged != "0" else NOTHING,
        checksums=checksums,
        checksum_type=kind,
        parts=parts(count) if count else (),
        protection=protection_of(headers) if locked else None,
        encryption=encryption_of(headers),
        storage_class=headers.get("x-amz-storage-class", "STANDARD"),
        attributes=NOTHING if redirect is None else {REDIRECT: plain(redirect)},
    )
