"""What a request says of an object, and what an answer says: headers ⇄ the contract's values.

What S3 has no header for is refused with `Unsupported`, never dropped; the one
exception is `owner`, which an upstream's objects have of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.utils import parsedate_to_datetime
from functools import lru_cache
from time import gmtime
from typing import Any
from urllib.parse import quote

from drivers.s3.answers import Headers, broken
from gateway.storage import (
    NOTHING,
    Conditions,
    Encryption,
    Get,
    ObjectInfo,
    Part,
    Protection,
    Put,
    Range,
    Unsupported,
)
from gateway.storage.checksums import CHECKSUMS
from gateway.storage.types import Checksum

META = "x-amz-meta-"
_SSE = "x-amz-server-side-encryption"
CUSTOMER = "x-amz-server-side-encryption-customer-"
SOURCE_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer-"
CHECKSUM = "x-amz-checksum-"

_CHECKSUMS = frozenset(CHECKSUM + name.lower() for name in CHECKSUMS)
_KEPT = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires")
_KEPT_HEADERS = tuple((name.lower(), name) for name in _KEPT)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^`|~_-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PARTS = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")
_SIGNS = frozenset("+-=._:/@")
_MOST = 10**15
"""More bytes than an object has: larger numbers in a range say the same."""


def refused(what: str, why: str, key: str | None = None) -> Unsupported:
    return Unsupported(f"An S3 upstream cannot keep {why}.", key=key, capability=what)


# a request's headers


def text(value: str, what: str) -> str:
    """A header's value in latin-1 form. Raises `Unsupported` for what no header can carry."""
    if _CONTROL.search(value) or value != value.strip(" \t"):
        raise refused(what, f"a value in {what} with control characters or blanks at its ends")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("latin-1")


def of_put(options: Put) -> Headers:
    """All but length, checksums and conditions. Raises `Unsupported`."""
    headers = {"content-type": text(options.content_type, "content_type")}
    if options.headers:
        _add_kept(headers, options.headers)
    if options.metadata:
        _add_metadata(headers, options.metadata)
    if options.tags:
        headers["x-amz-tagging"] = tagging(options.tags)
    if options.storage_class != "STANDARD":
        headers["x-amz-storage-class"] = text(options.storage_class, "storage_class")
    if options.encryption is not None:
        headers.update(of_encryption(options.encryption))
    if options.protection is not None:
        headers.update(_of_protection(options.protection))
    if options.attributes:
        names = ", ".join(sorted(options.attributes))
        raise refused("attributes", f"what the gateway's modes add to objects ({names})")
    return headers


def _add_kept(headers: Headers, given: Sequence[tuple[str, str]]) -> None:
    known = dict(_KEPT_HEADERS)
    for name, value in given:
        lower = name.lower()
        if lower not in known:
            raise refused("headers", f"the header {name}")
        coded = text(value, "headers")
        headers[lower] = f"{headers[lower]}, {coded}" if lower in headers else coded


def _add_metadata(headers: Headers, metadata: Mapping[str, str]) -> None:
    for name, value in metadata.items():
        if not _TOKEN.fullmatch(name):
            raise refused("metadata", f"metadata of the name {name!r}")
        headers[META + name] = text(value, "metadata")


def check_tags(tags: Mapping[str, str]) -> None:
    """S3's rule (User Guide, "Categorizing your objects using tags"). Raises `Unsupported`."""
    for key, value in tags.items():
        if not key or not all(
            one.isalnum() or one.isspace() or one in _SIGNS for one in key + value
        ):
            raise refused("tags", f"a tag {key!r} with such characters")


def tagging(tags: Mapping[str, str]) -> str:
    check_tags(tags)
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in tags.items())


def of_encryption(encryption: Encryption, prefix: str = CUSTOMER) -> Headers:
    if encryption.kind == "customer":
        if encryption.key is None:
            return {}
        from base64 import b64encode  # few requests have a key with them
        from hashlib import md5

        key = encryption.key.reveal_bytes()
        digest = b64encode(md5(key, usedforsecurity=False).digest()).decode()
        return {
            f"{prefix}algorithm": "AES256",
            f"{prefix}key": b64encode(key).decode(),
            f"{prefix}key-md5": digest,
        }
    if encryption.kind == "managed":
        return {_SSE: "AES256"}
    headers = {_SSE: "aws:kms:dsse" if encryption.double else "aws:kms"}
    if encryption.key_id:
        headers[f"{_SSE}-aws-kms-key-id"] = text(encryption.key_id, "encryption")
    if encryption.context:
        headers[f"{_SSE}-context"] = text(encryption.context, "encryption")
    if encryption.bucket_key is not None:
        headers[f"{_SSE}-bucket-key-enabled"] = str(encryption.bucket_key).lower()
    return headers


def of_key(encryption: Encryption | None, prefix: str = CUSTOMER) -> Headers:
    """The customer's key, where there is one: what reading needs."""
    if encryption is None or encryption.kind != "customer":
        return {}
    return of_encryption(encryption, prefix)


def _of_protection(protection: Protection) -> Headers:
    headers = {}
    if protection.mode is not None and protection.until is not None:
        headers["x-amz-object-lock-mode"] = protection.mode.upper()
        headers["x-amz-object-lock-retain-until-date"] = iso(protection.until)
    if protection.hold:
        headers["x-amz-object-lock-legal-hold"] = "ON"
    return headers


def iso(milliseconds: int) -> str:
    """Rounded up to whole seconds: nothing is protected for less than it was asked for."""
    moment = datetime.fromtimestamp(-(-milliseconds // 1000), UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def http_date(milliseconds: int) -> str:
    t = gmtime(milliseconds // 1000)
    return (
        f"{_DAYS[t.tm_wday]}, {t.tm_mday:02} {_MONTHS[t.tm_mon - 1]} {t.tm_year:04}"
        f" {t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
    )


def _tags_list(etags: Sequence[str]) -> str:
    return ", ".join(
        one if one == "*" else f'W/"{one[2:]}"' if one.startswith("W/") else f'"{one}"'
        for one in etags
    )


def of_read_conditions(conditions: Conditions, prefix: str = "") -> Headers:
    """`prefix` is another one for the source of a copy. Raises `Unsupported`."""
    headers = {}
    if conditions.if_match:
        headers[f"{prefix}if-match"] = text(_tags_list(conditions.if_match), "conditions")
    if conditions.if_none_match:
        headers[f"{prefix}if-none-match"] = text(_tags_list(conditions.if_none_match), "conditions")
    if conditions.modified_since is not None:
        headers[f"{prefix}if-modified-since"] = http_date(conditions.modified_since)
    if conditions.unmodified_since is not None:
        headers[f"{prefix}if-unmodified-since"] = http_date(conditions.unmodified_since)
    return headers


def of_write_conditions(conditions: Conditions | None, key: str) -> Headers:
    """Those that S3 has for writes: ETags. Raises `Unsupported` for the others."""
    if conditions is None:
        return {}
    if conditions.modified_since is not None or conditions.unmodified_since is not None:
        raise refused("conditions", "to a condition on the time of a write", key)
    if conditions.if_size is not None or conditions.if_modified is not None:
        raise refused("conditions", "to a condition on size or time of a write", key)
    return of_read_conditions(conditions)


def of_delete_conditions(conditions: Conditions | None, key: str) -> Headers:
    if conditions is None:
        return {}
    if (
        conditions.if_none_match
        or conditions.modified_since is not None
        or conditions.unmodified_since is not None
    ):
        raise refused("conditions", "to such a condition of a delete", key)
    headers = of_read_conditions(conditions)
    if conditions.if_size is not None:
        headers["x-amz-if-match-size"] = str(conditions.if_size)
    if conditions.if_modified is not None:
        headers["x-amz-if-match-last-modified-time"] = http_date(conditions.if_modified)
    return headers


def of_get(want: Get) -> Headers:
    headers = {"x-amz-checksum-mode": "ENABLED"}
    if want.range is not None:
        headers["range"] = byte_range(want.range)
    if want.conditions is not None:
        headers.update(of_read_conditions(want.conditions))
    if want.encryption is not None:
        headers.update(of_key(want.encryption))
    return headers


def byte_range(wanted: Range) -> str:
    first, last = (None if one is None else min(one, _MOST) for one in wanted)
    return f"bytes={'' if first is None else first}-{'' if last is None else last}"


def of_checksum(checksums: Mapping[str, Checksum]) -> tuple[str, Checksum] | None:
    """The one checksum that S3 keeps with an object. Raises `Unsupported` for several."""
    if not checksums:
        return None
    if len(checksums) > 1:
        raise refused("checksums", "several checksums of one object")
    return next(iter(checksums.items()))


# an answer's headers


@lru_cache(maxsize=4096)
def parse_date(value: str) -> int:
    """Milliseconds; 0 for what is no date."""
    try:
        return int(parsedate_to_datetime(value).timestamp()) * 1000
    except (ValueError, TypeError, OverflowError):
        return 0


def parse_iso(value: str) -> int:
    try:
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


def etag_of(value: str) -> str:
    """Without its quotes; a weak one keeps its `W/`."""
    if value.startswith("W/"):
        return "W/" + value[2:].strip('"')
    return value.strip('"')


def plain(value: str) -> str:
    """A header's value as text: UTF-8 where it is that, and RFC 2047's encoded words decoded,
    in which S3 gives back what is not ASCII."""
    if value.isascii():
        return _decoded_words(value) if "=?" in value else value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def _decoded_words(value: str) -> str:
    try:
        return "".join(
            one if isinstance(one, str) else one.decode(coding or "latin-1")
            for one, coding in decode_header(value)
        )
    except (HeaderParseError, LookupError, UnicodeError):
        return value


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


def encryption_of(headers: Headers) -> Encryption | None:
    if f"{CUSTOMER}algorithm" in headers:
        return Encryption(kind="customer", key_md5=headers.get(f"{CUSTOMER}key-md5", ""))
    kind = headers.get(_SSE)
    if kind is None:
        return None
    if not kind.startswith("aws:kms"):
        return Encryption(kind="managed")
    bucket_key = headers.get(f"{_SSE}-bucket-key-enabled")
    return Encryption(
        kind="kms",
        key_id=headers.get(f"{_SSE}-aws-kms-key-id", ""),
        context=headers.get(f"{_SSE}-context", ""),
        double=kind == "aws:kms:dsse",
        bucket_key=None if bucket_key is None else bucket_key == "true",
    )


def protection_of(headers: Headers) -> Protection | None:
    mode = headers.get("x-amz-object-lock-mode", "").lower()
    hold = headers.get("x-amz-object-lock-legal-hold", "").upper() == "ON"
    if mode not in ("governance", "compliance"):
        return Protection(hold=True) if hold else None
    until = parse_iso(headers.get("x-amz-object-lock-retain-until-date", ""))
    return Protection(mode=mode, until=until, hold=hold)  # type: ignore[arg-type]  # one of its two


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
    kept = [(name, plain(headers[lower])) for lower, name in _KEPT_HEADERS if lower in headers]
    metadata = {
        name[len(META) :]: plain(value) for name, value in headers.items() if name.startswith(META)
    }
    etag = etag_of(headers.get("etag", ""))
    checksums, kind = checksums_of(headers)
    count, tagged = parts_count(headers, etag), headers.get("x-amz-tagging-count", "0")
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
    )
