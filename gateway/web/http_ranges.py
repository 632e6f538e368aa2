"""A part of an object over HTTP, the same in every mode: `Range` and `If-Range` (RFC 9110 §14,
§13.1.5), and what is said of the bytes that are sent.

May surprise: `If-Range` is judged by the very answer whose bytes would be sent, never by a
look before it. So no store has to know of it, and an object that is replaced in between is
sent whole: bytes of two objects are never joined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gateway.storage import Get, InvalidRange, ObjectInfo, Opened
from gateway.web.http_fields import Headers, etags, parse_date

T = TypeVar("T", Opened, ObjectInfo)


def read(ask: Callable[[Get], T], want: Get, if_range: str | None) -> tuple[T, Get]:
    """What `ask` gives of `want.range`, and what it was asked for in the end: all of the
    object, where `if_range` (the field's value) names another one."""
    if if_range is None:
        return ask(want), want
    whole = replace(want, range=None)
    try:
        found = ask(want)
    except InvalidRange:
        found = ask(whole)
        if not is_same(_info(found), if_range):
            return found, whole
        _close(found)
        raise
    if is_same(_info(found), if_range):
        return found, want
    _close(found)
    return ask(whole), whole


def is_same(info: ObjectInfo, if_range: str) -> bool:
    """Whether the client has a part of this very object: the one strong entity tag that it
    names is the object's, or the date is the object's exactly (to the second)."""
    if info.etag and etags(if_range) == (info.etag,):
        return not info.etag.startswith("W/")
    date = parse_date(if_range)
    known = info.modified > 0  # an upstream may not say when
    return date is not None and known and info.modified // 1000 == date // 1000


def _info(found: Opened | ObjectInfo) -> ObjectInfo:
    return found.info if isinstance(found, Opened) else found


def _close(found: Opened | ObjectInfo) -> None:
    if isinstance(found, Opened):
        found.close()


def extent(info: ObjectInfo, start: int, length: int) -> Headers:
    """Content-Range; of no bytes there is none, and the answer is 200 (an empty object's
    last bytes are a range that can be satisfied, RFC 9110 §14.1.2)."""
    if not length:
        return []
    return [("content-range", f"bytes {start}-{start + length - 1}/{info.size}")]
