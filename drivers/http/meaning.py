"""What an origin's answer means: an object, or one of the contract's errors. Each goes along with
the answer itself (`OriginAnswer`).

    2xx                 an object; 206 where a range was asked for, with just that
    304, 412, 416       where a condition or a range was asked for
    404, 410            `NoSuchKey`
    401, 403, 407       `OriginDenied`: the gateway may not, whoever asks it
    all others          `OriginFailed`; a 304, 206, 412 or 416 that nobody asked for is one, too
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from drivers.http.exchange import Heard
from drivers.http.questions import end_to_end
from gateway.common.upstream.answers import broken
from gateway.common.upstream.fields import etag_of, parse_date, plain
from gateway.storage import (
    Conditions,
    Get,
    InvalidRange,
    NoSuchKey,
    NotModified,
    ObjectInfo,
    OriginAnswer,
    OriginDenied,
    OriginFailed,
    PreconditionFailed,
    StorageError,
)

GONE = frozenset({404, 410})
_DENIED = frozenset({401, 403, 407})
_KEPT: Mapping[str, str] = {
    name.lower(): name
    for name in (
        "Cache-Control",
        "CDN-Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Expires",
        "Vary",
        "Surrogate-Key",
        "Cache-Tag",
        "Cache-Groups",
    )
}
"""What is said of the object, and not of this answer."""

_TAG = re.compile(r'(?:W/)?(?:"[^"\x00-\x20\x7f]*"|[^"\x00-\x20\x7f,]+)')
_UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})")


def answer_of(heard: Heard, *, page: bool = False) -> OriginAnswer:
    """`page`: with the body, which is all there."""
    found = None
    if page and heard.body is not None:
        found = b"".join(iter(heard.body.read, b""))
    return OriginAnswer(
        status=heard.status,
        headers=tuple(end_to_end(_lines(heard.text))),
        asked=heard.asked,
        answered=heard.answered,
        page=found,
    )


def _lines(text: str) -> list[tuple[str, str]]:
    split = (line.partition(":") for line in text.split("\r\n")[1:])
    return [(name, value.strip(" \t")) for name, _, value in split]


def info_of(key: str, size: int, heard: Heard) -> ObjectInfo:
    """`size` is -1 where the answer does not tell."""
    headers, origin = heard.headers, answer_of(heard)
    tag = headers.get("etag", "")
    return ObjectInfo(
        key=key,
        size=size,
        etag=etag_of(tag) if _TAG.fullmatch(tag) else "",
        modified=max(0, parse_date(headers.get("last-modified", ""))),
        content_type=plain(headers.get("content-type", "")) or "application/octet-stream",
        headers=tuple(
            (_KEPT[name.lower()], plain(value))
            for name, value in origin.headers
            if name.lower() in _KEPT
        ),
        origin=origin,
    )


def check(heard: Heard, want: Get, *, ranges: bool) -> None:
    """Raises `OriginFailed` for an answer to what nobody has asked."""
    conditions = want.conditions or Conditions()
    status, ranged = heard.status, ranges and want.range is not None and want.part is None
    asked = {
        206: ranged,
        416: ranged,
        304: conditions.if_none_match or conditions.modified_since is not None,
        412: conditions != Conditions(),
    }
    if not asked.get(status, True):
        raise broken(f"it answered {status}, and nobody had asked for that")


def error_of(key: str, heard: Heard, want: Get) -> StorageError:
    """What an answer that is no success means; with its page."""
    error = _error(key, heard, want)
    error.origin = answer_of(heard, page=True)
    return error


def _error(key: str, heard: Heard, want: Get) -> StorageError:
    status = heard.status
    if status in GONE:
        return NoSuchKey(key=key)
    if status == 304:
        return NotModified(info=_unchanged(key, heard, want.conditions or Conditions()))
    if status == 412:
        name = "If-Match" if want.conditions and want.conditions.if_match else "If-Unmodified-Since"
        return PreconditionFailed(key=key, condition=name)
    if status == 416 and (size := _size(heard)) is not None:
        return InvalidRange(key=key, size=size)
    why = f"The origin answered {status}."
    if status in _DENIED:
        return OriginDenied(why, key=key, status=status)
    return OriginFailed(why, key=key, status=status, retry_after=_retry_after(heard))


def _unchanged(key: str, heard: Heard, conditions: Conditions) -> ObjectInfo:
    """A 304 need not say what the one tag is that was asked for."""
    info = info_of(key, -1, heard)
    tags = conditions.if_none_match
    if info.etag or len(tags) != 1 or tags[0] == "*":
        return info
    return replace(info, etag=tags[0])


def size_of(heard: Heard) -> int | None:
    """What an answer to HEAD says of it; None: nothing."""
    text = heard.headers.get("content-length")
    if text is None or not 200 <= heard.status < 300:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise broken("its length is not a number")
    return int(text)


def _size(heard: Heard) -> int | None:
    match = _UNSATISFIED.fullmatch(heard.headers.get("content-range", ""))
    return None if match is None else int(match[1])


def _retry_after(heard: Heard) -> int | None:
    """Seconds; a date is left to who asks to guess."""
    text = heard.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
