"""What a request says of an object: the contract's values → headers.

What S3 has no header for is refused with `Unsupported`, never dropped; the one
exception is `owner`, which an upstream's objects have of their own.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import Any
from unicodedata import category
from urllib.parse import quote

from drivers.s3.properties import CUSTOMER, KEPT_HEADERS, META, REDIRECT_HEADER, SSE
from gateway.common import words
from gateway.common.moments import http_date, utc
from gateway.common.upstream.answers import Headers
from gateway.common.upstream.fields import byte_range, etag_list
from gateway.storage import (
    REDIRECT,
    Conditions,
    Encryption,
    Get,
    Protection,
    Put,
    Unsupported,
    stated,
)
from gateway.storage.types import Checksum

SOURCE_CUSTOMER = "x-amz-copy-source-server-side-encryption-customer-"

_TOKEN = re.compile(r"[a-z0-9!#$%&'*+.^`|~_-]+")
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SIGNS = frozenset("+-=._:/@")
_BLANKS = frozenset({"Zs", "Zl", "Zp"})


def refused(what: str, why: str, key: str | None = None) -> Unsupported:
    return Unsupported(f"An S3 upstream cannot keep {why}.", key=key, capability=what)


def text(value: str, what: str) -> str:
    """A header's value in latin-1 form. Raises `Unsupported` for what no header can carry."""
    if _CONTROL.search(value) or value != value.strip(" \t"):
        raise refused(what, f"a value in {what} with control characters or blanks at its ends")
    return value if value.isascii() else value.encode().decode("latin-1")


def word(value: str) -> str:
    """A value of metadata, in ASCII. Raises `Unsupported`."""
    if _CONTROL.search(value):
        raise refused("metadata", "a value in metadata with control characters")
    return words.encoded(value)


_STATED = frozenset(
    [
        "content_type",
        "headers",
        "metadata",
        "tags",
        "storage_class",
        "encryption",
        "protection",
        "attributes",
        "owner",
    ]
)
"""What `of_put` knows of: all else is refused."""


def of_put(options: Put) -> Headers:
    """All but length, checksums and conditions. Raises `Unsupported`."""
    for name in stated(options) - _STATED:
        raise refused(name, f"what came with the object ({name})")
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
        headers.update(_of_attributes(options.attributes))
    return headers


def _of_attributes(attributes: Mapping[str, Any]) -> Headers:
    """S3 has a place for one of them."""
    if others := ", ".join(sorted(attributes.keys() - {REDIRECT})):
        raise refused("attributes", f"what the gateway's modes add to objects ({others})")
    return {REDIRECT_HEADER: text(attributes[REDIRECT], "attributes")}


def _add_kept(headers: Headers, given: Sequence[tuple[str, str]]) -> None:
    known = dict(KEPT_HEADERS)
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
        headers[META + name] = word(value)


def check_tags(tags: Mapping[str, str]) -> None:
    """S3's rule (User Guide, "Categorizing your objects using tags"). Raises `Unsupported`."""
    for key, value in tags.items():
        if not key or not all(
            one.isalnum() or category(one) in _BLANKS or one in _SIGNS for one in key + value
        ):
            raise refused("tags", f"a tag {key!r} with such characters")


def tagging(tags: Mapping[str, str]) -> str:
    check_tags(tags)
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in tags.items())


def of_encryption(encryption: Encryption, prefix: str = CUSTOMER) -> Headers:
    if encryption.kind == "customer":
        if encryption.key is None:
            return {}
        key = encryption.key.reveal_bytes()
        digest = b64encode(md5(key, usedforsecurity=False).digest()).decode()
        return {
            f"{prefix}algorithm": "AES256",
            f"{prefix}key": b64encode(key).decode(),
            f"{prefix}key-md5": digest,
        }
    if encryption.kind == "managed":
        return {SSE: "AES256"}
    headers = {SSE: "aws:kms:dsse" if encryption.double else "aws:kms"}
    if encryption.key_id:
        headers[f"{SSE}-aws-kms-key-id"] = text(encryption.key_id, "encryption")
    if encryption.context:
        headers[f"{SSE}-context"] = text(encryption.context, "encryption")
    if encryption.bucket_key is not None:
        headers[f"{SSE}-bucket-key-enabled"] = str(encryption.bucket_key).lower()
    return headers


def of_key(encryption: Encryption | None, prefix: str = CUSTOMER) -> Headers:
    """The customer's key, where there is one: what reading needs."""
    if encryption is None or encryption.kind != "customer":
        return {}
    return of_encryption(encryption, prefix)


EVENT_HOLDS = "an object until an event: older ones take that and do not do it"


def _of_protection(protection: Protection) -> Headers:
    headers = {}
    if protection.event is not None:
        raise refused("event holds", EVENT_HOLDS)
    if protection.mode is not None and protection.until is not None:
        headers["x-amz-object-lock-mode"] = protection.mode.upper()
        headers["x-amz-object-lock-retain-until-date"] = iso(protection.until)
    if protection.hold:
        headers["x-amz-object-lock-legal-hold"] = "ON"
    return headers


def iso(milliseconds: int) -> str:
    """Rounded up to whole seconds: nothing is protected for less than it was asked for."""
    return utc(-(-milliseconds // 1000) * 1000).strftime("%Y-%m-%dT%H:%M:%SZ")


def of_read_conditions(conditions: Conditions, prefix: str = "") -> Headers:
    """`prefix` is another one for the source of a copy. Raises `Unsupported`."""
    headers = {}
    if conditions.if_seen is not None:
        raise refused("conditions", "to a condition on what was seen")
    if conditions.if_match:
        headers[f"{prefix}if-match"] = text(etag_list(conditions.if_match), "conditions")
    if conditions.if_none_match:
        headers[f"{prefix}if-none-match"] = text(etag_list(conditions.if_none_match), "conditions")
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


def of_delete_conditions(conditions: Conditions | None, key: str | None = None) -> Headers:
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


def of_checksum(checksums: Mapping[str, Checksum]) -> tuple[str, Checksum] | None:
    """The one checksum that S3 keeps with an object. Raises `Unsupported` for several."""
    if not checksums:
        return None
    if len(checksums) > 1:
        raise refused("checksums", "several checksums of one object")
    return next(iter(checksums.items()))
