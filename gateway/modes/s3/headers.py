"""A request's headers → `Get`, `Put`, `Conditions`. Nothing that has an effect in S3
is ignored here: what the gateway does not do is refused with NotImplemented.

May surprise: WSGI gives headers as latin-1 text. What is valid UTF-8 is read
as that. And as S3 does, a Range or a date that is malformed is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.modes.s3 import access_lists, encryption, grants, protection, redirects, tags
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import NOTHING, Conditions, Put
from gateway.storage.objects import ChecksumType
from gateway.storage.types import Checksum
from gateway.web import http_fields
from gateway.web.http_fields import (
    kept,
    parse_date,
    prefixed,
    utf8,
)
from gateway.web.request_head import header_name, whole_number

METADATA_LIMIT = 2048
"""Bytes of all names and values in UTF-8 (Amazon S3 User Guide, "Object metadata")."""

STORAGE_CLASSES = frozenset(
    [
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER",
        "DEEP_ARCHIVE",
        "GLACIER_IR",
    ]
)
MOST_PARTS = 10_000

_META = "HTTP_X_AMZ_META_"
_REFUSED = frozenset(
    {
        "HTTP_X_AMZ_WRITE_OFFSET_BYTES",
    }
)
# conditions


def delete_conditions(request: S3Request) -> Conditions | None:
    """A condition of a delete that cannot be understood is an error, never ignored."""
    environ = request.environ
    return deletion(
        http_fields.write_conditions(environ),
        environ.get("HTTP_X_AMZ_IF_MATCH_SIZE"),
        environ.get("HTTP_X_AMZ_IF_MATCH_LAST_MODIFIED_TIME"),
    )


def deletion(found: Conditions | None, size: str | None, time: str | None) -> Conditions | None:
    """Conditions of a delete: the `found` ones, and those that only S3's deletes have."""
    if size is None and time is None:
        return found
    wanted_size = None if size is None else whole_number(size.strip(), 0, 1 << 62)
    wanted_time = None if time is None else parse_date(time)
    if size is not None and wanted_size is None:
        raise malformed_condition("x-amz-if-match-size", size)
    if time is not None and wanted_time is None:
        raise malformed_condition("x-amz-if-match-last-modified-time", time)
    return replace(found or Conditions(), if_size=wanted_size, if_modified=wanted_time)


def malformed_condition(name: str, text: str) -> S3Problem:
    return S3Problem(
        "InvalidArgument",
        "A condition of the delete is malformed.",
        ArgumentName=name,
        ArgumentValue=text,
    )


# reading


def part_number(request: S3Request) -> int | None:
    text = request.query.get("partNumber")
    return None if text is None else int(text)


# writing


def content_type(request: S3Request) -> str:
    return utf8(request.environ.get("CONTENT_TYPE") or "") or "binary/octet-stream"


def stored(environ: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers that are kept with an object and come back with it."""
    found = kept(environ)
    if "aws-chunked" not in environ.get("HTTP_CONTENT_ENCODING", "").lower():
        return found
    plain = ((n, _without_chunked(t) if n == "Content-Encoding" else t) for n, t in found)
    return tuple((name, text) for name, text in plain if text)


def _without_chunked(text: str) -> str:
    """`aws-chunked` is how the request was framed, not what the object is."""
    codings = [one.strip() for one in text.split(",")]
    return ", ".join(one for one in codings if one.lower() != "aws-chunked")


def metadata(environ: Mapping[str, Any]) -> Mapping[str, str]:
    """`x-amz-meta-*`, by their names (see `auth` for those with `_`)."""
    found = prefixed(environ, _META)
    if not found:
        return found
    size = sum(len(name.encode()) + len(text.encode()) for name, text in found.items())
    if size > METADATA_LIMIT:
        raise S3Problem("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(METADATA_LIMIT))
    return found


def storage_class(request: S3Request) -> str:
    return str(request.environ.get("HTTP_X_AMZ_STORAGE_CLASS") or "STANDARD")


def refuse_unknown(request: S3Request) -> None:
    """Raise NotImplemented for a header whose effect the gateway does not have."""
    if not request.environ.keys().isdisjoint(_REFUSED):
        key = next(key for key in request.environ if key in _REFUSED)
        raise S3Problem(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
            Header=header_name(key),
        )


_WRITING = (
    _REFUSED
    | encryption.HEADERS
    | grants.HEADERS
    | protection.HEADERS
    | {
        redirects.HEADER,
        "HTTP_X_AMZ_TAGGING",
        "HTTP_X_AMZ_STORAGE_CLASS",
        *(key for key, _ in http_fields.KEPT),
    }
)
"""The headers that say something of a new object, but for its type and metadata."""


def new_object(
    request: S3Request,
    *,
    size: int | None = None,
    checksums: Mapping[str, Checksum] = NOTHING,
    checksum_type: ChecksumType | None = None,
    digests: Mapping[str, str] = NOTHING,
    conditions: Conditions | None = None,
    cause: str = "",
) -> Put:
    """What the headers say of an object that is to be stored."""
    environ = request.environ
    plain = environ.keys().isdisjoint(_WRITING)  # as for most uploads
    return Put(
        size=size,
        content_type=content_type(request),
        metadata=metadata(environ),
        checksums=checksums,
        checksum_type=checksum_type,
        digests=digests,
        conditions=conditions,
        cause=cause,
        # or `Access` would make all of it once more
        **({"owner": request.identity.account} | ({} if plain else _stated(request))),
    )


def _stated(request: S3Request) -> dict[str, Any]:
    """What few uploads say. Raises S3Problem."""
    refuse_unknown(request)
    environ = request.environ
    owned = {} if environ.keys().isdisjoint(grants.HEADERS) else access_lists.of_new(request)
    return {
        **owned,
        "attributes": {**owned.get("attributes", NOTHING), **redirects.attributes(environ)}
        or NOTHING,
        "headers": stored(environ),
        "tags": tags.from_header(environ.get("HTTP_X_AMZ_TAGGING", "")),
        "protection": protection.asked(request),
        "encryption": encryption.for_writing(request),
        "storage_class": storage_class(request),
    }
