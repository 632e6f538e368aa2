"""What a source answers is held against what it was asked.

A cache keeps what it gets, so an answer to another question would be given again and again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.storage import (
    Conditions,
    Get,
    NotModified,
    ObjectInfo,
    Opened,
    OriginAnswer,
    OriginFailed,
    PreconditionFailed,
    Store,
    resolve_range,
)

Lines = tuple[tuple[str, str], ...]


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
    return found


def head(source: Store, key: str, want: Get) -> ObjectInfo:
    with _what_was_asked(key, want):
        return source.stat(key, want)


def updated(known: ObjectInfo, told: ObjectInfo) -> ObjectInfo:
    """What a 304 says of an object that is known. One of an HTTP origin has only what may have
    changed; the rest is as before (RFC 9111 §4.3.4)."""
    if told.size >= 0 or told.etag != known.etag:
        return told
    return replace(
        known,
        modified=told.modified or known.modified,
        headers=_updated(known.headers, told.headers),
        origin=_renewed(known.origin, told.origin),
    )


def _renewed(known: OriginAnswer | None, told: OriginAnswer | None) -> OriginAnswer | None:
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
