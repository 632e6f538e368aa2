"""A request's headers → `Get`, `Put`, `Conditions`. Nothing that has an effect in S3
is ignored here: what the gateway does not do is refused with NotImplemented.

May surprise: WSGI gives headers as latin-1 text. What is valid UTF-8 is read
as that. And as S3 does, a Range or a date that is malformed is ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.modes.s3 import encryption, tags
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import Request
from gateway.modes.s3.wire import parse_date, whole_number
from gateway.storage import NOTHING, Conditions, Get, Put, Range
from gateway.storage.types import Checksum, ChecksumType

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
_STORED = (
    ("HTTP_CACHE_CONTROL", "Cache-Control"),
    ("HTTP_CONTENT_DISPOSITION", "Content-Disposition"),
    ("HTTP_CONTENT_ENCODING", "Content-Encoding"),
    ("HTTP_CONTENT_LANGUAGE", "Content-Language"),
    ("HTTP_EXPIRES", "Expires"),
)
_REFUSED = frozenset(
    {
        "HTTP_X_AMZ_OBJECT_LOCK_MODE",
        "HTTP_X_AMZ_OBJECT_LOCK_RETAIN_UNTIL_DATE",
        "HTTP_X_AMZ_OBJECT_LOCK_LEGAL_HOLD",
        "HTTP_X_AMZ_WEBSITE_REDIRECT_LOCATION",
        "HTTP_X_AMZ_WRITE_OFFSET_BYTES",
    }
)
_ETAG = re.compile(r'(W/)?"([^"]*)"|(\*|[^\s,"]+)')
_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})\s*-\s*([0-9]{0,18})\s*", re.I)
_CONDITIONAL = frozenset(
    {
        "HTTP_IF_MATCH",
        "HTTP_IF_NONE_MATCH",
        "HTTP_IF_MODIFIED_SINCE",
        "HTTP_IF_UNMODIFIED_SINCE",
    }
)


def utf8(text: str) -> str:
    """A header's text, of which the bytes are read as UTF-8 when they are that."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


# conditions


def etags(text: str) -> tuple[str, ...]:
    """A list of entity tags (RFC 9110 §13.1.1), without quotes; bare ones are taken too."""
    found = tuple((weak or "") + (inner or bare or "") for weak, inner, bare in _ETAG.findall(text))
    return found or ((text.strip(),) if text.strip() else ())


def _date(environ: Mapping[str, Any], name: str) -> int | None:
    text = environ.get(name)
    return parse_date(text) if text else None


def read_conditions(environ: Mapping[str, Any], prefix: str = "HTTP_") -> Conditions | None:
    """`prefix` is another one for the source of a copy."""
    found = Conditions(
        if_match=etags(environ.get(f"{prefix}IF_MATCH", "")),
        if_none_match=etags(environ.get(f"{prefix}IF_NONE_MATCH", "")),
        modified_since=_date(environ, f"{prefix}IF_MODIFIED_SINCE"),
        unmodified_since=_date(environ, f"{prefix}IF_UNMODIFIED_SINCE"),
    )
    return None if found == Conditions() else found


def write_conditions(request: Request) -> Conditions | None:
    environ = request.environ
    if "HTTP_IF_MATCH" not in environ and "HTTP_IF_NONE_MATCH" not in environ:
        return None
    found = Conditions(
        if_match=etags(environ.get("HTTP_IF_MATCH", "")),
        if_none_match=etags(environ.get("HTTP_IF_NONE_MATCH", "")),
    )
    return None if found == Conditions() else found


def delete_conditions(request: Request) -> Conditions | None:
    """A condition of a delete that cannot be understood is an error, never ignored."""
    match = request.header("if-match")
    size = request.header("x-amz-if-match-size")
    time = request.header("x-amz-if-match-last-modified-time")
    if not (match or size or time):
        return None
    return deletion(match, size, time)


def deletion(match: str, size: str, time: str) -> Conditions | None:
    """Conditions of a delete, from texts that are "" where there is none."""
    if not (match or size or time):
        return None
    wanted_size = whole_number(size, 0, 1 << 62) if size else None
    wanted_time = parse_date(time) if time else None
    if (size and wanted_size is None) or (time and wanted_time is None):
        raise S3Problem("InvalidArgument", "A condition of the delete is malformed.")
    return Conditions(if_match=etags(match), if_size=wanted_size, if_modified=wanted_time)


# reading


def byte_range(text: str) -> Range | None:
    """One range of bytes; None for none, several, or one that is malformed: then the
    whole body is sent (RFC 9110 §14.2)."""
    match = _RANGE.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return None
    first = int(match[1]) if match[1] else None
    last = int(match[2]) if match[2] else None
    if first is not None and last is not None and last < first:
        return None
    return Range(first, last)


def part_number(request: Request) -> int | None:
    text = request.query.get("partNumber")
    if text is None:
        return None
    number = whole_number(text, 1, MOST_PARTS)
    if number is None:
        raise S3Problem(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
            ArgumentName="partNumber",
            ArgumentValue=text,
        )
    return number


_WHOLE = Get()
_READING = _CONDITIONAL | encryption.READING | {"HTTP_RANGE"}


def reading(request: Request) -> Get:
    """GET and HEAD of an object."""
    environ, query = request.environ, request.query
    if not query and _READING.isdisjoint(environ):
        return _WHOLE
    wanted = environ.get("HTTP_RANGE")
    part = part_number(request) if query else None
    span = byte_range(wanted) if wanted else None
    if part is not None and span is not None:
        raise S3Problem(
            "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
        )
    conditions = None if _CONDITIONAL.isdisjoint(environ) else read_conditions(environ)
    return Get(
        range=span,
        conditions=conditions,
        version=request.version if query else None,
        part=part,
        encryption=encryption.for_reading(request),
    )


# writing


def content_type(request: Request) -> str:
    return utf8(request.environ.get("CONTENT_TYPE") or "") or "binary/octet-stream"


def stored(environ: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The headers that are kept with an object and come back with it."""
    found = []
    for key, name in _STORED:
        text = environ.get(key)
        if text and name == "Content-Encoding":
            text = _without_chunked(text)
        if text:
            found.append((name, utf8(text)))
    return tuple(found)


def _without_chunked(text: str) -> str:
    """`aws-chunked` is how the request was framed, not what the object is."""
    if "aws-chunked" not in text.lower():
        return text
    codings = [one.strip() for one in text.split(",")]
    return ", ".join(one for one in codings if one.lower() != "aws-chunked")


def metadata(environ: Mapping[str, Any]) -> Mapping[str, str]:
    """`x-amz-meta-*`. WSGI says `-` and `_` alike: names have `-`."""
    if _META not in "\n".join(environ):  # five times as fast as a look at each
        return NOTHING
    found = {
        key[len(_META) :].lower().replace("_", "-"): utf8(text)
        for key, text in environ.items()
        if key.startswith(_META)
    }
    size = sum(len(name.encode()) + len(text.encode()) for name, text in found.items())
    if size > METADATA_LIMIT:
        raise S3Problem("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(METADATA_LIMIT))
    return found


def storage_class(request: Request) -> str:
    named = request.environ.get("HTTP_X_AMZ_STORAGE_CLASS")
    if not named:
        return "STANDARD"
    if named not in STORAGE_CLASSES:
        raise S3Problem("InvalidStorageClass", StorageClassRequested=str(named))
    return str(named)


def refuse_unknown(request: Request) -> None:
    """Raise NotImplemented for a header whose effect the gateway does not have."""
    if not _REFUSED.isdisjoint(request.environ):
        key = next(key for key in request.environ if key in _REFUSED)
        raise S3Problem(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
            Header=key.removeprefix("HTTP_").replace("_", "-").lower(),
        )


def new_object(
    request: Request,
    *,
    size: int | None = None,
    checksums: Mapping[str, Checksum] = NOTHING,
    checksum_type: ChecksumType | None = None,
    digests: Mapping[str, str] = NOTHING,
    conditions: Conditions | None = None,
    attributes: Mapping[str, Any] = NOTHING,
) -> Put:
    """What the headers say of an object that is to be stored."""
    refuse_unknown(request)
    environ = request.environ
    return Put(
        size=size,
        content_type=content_type(request),
        headers=stored(environ),
        metadata=metadata(environ),
        tags=tags.from_header(environ.get("HTTP_X_AMZ_TAGGING", "")),
        checksums=checksums,
        checksum_type=checksum_type,
        digests=digests,
        conditions=conditions,
        encryption=encryption.for_writing(request),
        storage_class=storage_class(request),
        owner=request.identity.account,
        attributes=attributes,
    )
