"""What a source answers is held against what it was asked.

A cache keeps what it gets, so an answer to another question would be given again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.storage import (
    PIECE,
    Conditions,
    Get,
    NotModified,
    ObjectInfo,
    Opened,
    OriginAnswer,
    OriginFailed,
    PreconditionFailed,
    Readable,
    Store,
    range_of,
    resolve_range,
)

Lines = tuple[tuple[str, str], ...]
_OF_PART = frozenset({"content-range", "content-length"})


def opened(source: Store, key: str, want: Get) -> Opened:
    """Open an object of the source: those bytes of it that are wanted, and no others. Raises
    `OriginFailed` when it answers otherwise."""
    with _what_was_asked(key, want):
        found = source.get(key, want)
    if found.status == 200:
        size = found.info.size
        wanted = (0, size) if want.range is None else resolve_range(want.range, size)
        if (found.start, found.length) != wanted:
            found.close()
            raise OriginFailed("The source gave another range than was asked for.", key=key)
    return replace(found, info=_whole(found.info))


def _whole(info: ObjectInfo) -> ObjectInfo:
    """An answer to a range is kept as what it is a part of (RFC 9111 §3.3)."""
    origin = info.origin
    if origin is None or origin.status != 206:
        return info
    lines = [one for one in origin.headers if one[0].lower() not in _OF_PART]
    lines.append(("Content-Length", str(info.size)))
    return replace(info, origin=replace(origin, status=200, headers=tuple(lines)))


def for_reader(found: Opened, want: Get) -> Opened | None:
    """Those of its bytes that are wanted; None where they are not among them."""
    if want.conditions is not None:
        want.conditions.check_read(found.info)
    start, length = range_of(found.info, want)
    if start < found.start or start + length > found.start + found.length:
        return None
    if (start, length) == (found.start, found.length):
        return found
    body = Cut(found.body, start - found.start, length)
    return replace(found, body=body, start=start, length=length)


class Cut:
    """`length` bytes of a body behind the first `skip`."""

    def __init__(self, body: Readable, skip: int, length: int) -> None:
        self._body, self._skip, self._left = body, skip, length

    def read(self, size: int = PIECE, /) -> bytes:
        while self._skip:
            piece = self._body.read(min(PIECE, self._skip))
            if not piece:
                return b""
            self._skip -= len(piece)
        piece = self._body.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


def head(source: Store, key: str, want: Get) -> ObjectInfo:
    with _what_was_asked(key, want):
        info = source.stat(key, want)
    return replace(info, trace=()) if info.trace else info  # it is of this answer


def updated(known: ObjectInfo, told: ObjectInfo) -> ObjectInfo:
    """What a 304 says of an object that is known. One of an HTTP origin has only what may have
    changed; the rest is as before (RFC 9111 §4.3.4)."""
    if told.size >= 0 or told.etag != known.etag:
        return told
    return renewed(known, told)


def renewed(known: ObjectInfo, told: ObjectInfo) -> ObjectInfo:
    """What an origin has said, with what it says now in place of that (RFC 9111 §3.2)."""
    return replace(
        known,
        modified=told.modified or known.modified,
        headers=_updated(known.headers, told.headers),
        origin=_origin(known.origin, told.origin),
    )


def _origin(known: OriginAnswer | None, told: OriginAnswer | None) -> OriginAnswer | None:
    if known is None or told is None:
        return known
    lines = tuple(one for one in told.headers if one[0].lower() != "content-length")
    headers = _updated(known.headers, lines)
    return replace(known, headers=headers, asked=told.asked, answered=told.answered)


def _updated(known: Lines, told: Lines) -> Lines:
    """Lines in place of those of their names."""
    names = {name.lower() for name, _ in told}
    return (*(one for one in known if one[0].lower() not in names), *told)


@contextmanager
def _what_was_asked(key: str, want: Get) -> Iterator[None]:
    """RFC 9110 §13.2.2: what each of the conditions is answered with."""
    asked = want.conditions or Conditions()
    try:
        yield
    except NotModified as error:
        if not asked.if_none_match and asked.modified_since is None:
            raise _unasked(key) from error
        raise
    except PreconditionFailed as error:
        if not asked.if_match and asked.unmodified_since is None:
            raise _unasked(key) from error
        raise


def _unasked(key: str) -> OriginFailed:
    return OriginFailed("The source answered a condition that nobody had set.", key=key)
