"""Which bytes of an object an answer has; and a range of an upstream that knows no ranges."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from gateway.common.upstream.answers import Headers, broken
from gateway.storage import (
    PIECE,
    Get,
    InvalidRange,
    ObjectInfo,
    Opened,
    Range,
    Readable,
    range_of,
    resolve_range,
)

_EXTENT = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


def extent(want: Get, status: int, headers: Headers, length: int) -> tuple[int, int, int]:
    """(start, length, size of the whole) of what an answer has, which is what was asked for, or
    all of it. Raises `OriginFailed`."""
    if status != 206:
        return 0, length, length
    match = _EXTENT.fullmatch(headers.get("content-range", ""))
    if match is None:
        raise broken("it has a part of the object, and does not say which")
    first, last, size = (int(one) for one in match.groups())
    if not first <= last < size or last - first + 1 != length:
        raise broken("its range and its length do not fit")
    if want.range is not None and resolve_range(want.range, size) != (first, length):
        raise broken("it has other bytes than were asked for")
    return first, length, size


def cut_out(info: ObjectInfo, body: Readable, wanted: Range) -> Opened:
    """A range of an upstream that sent the whole instead: what is before it is passed over."""
    start, length = range_of(info, Get(range=wanted))
    left = start
    while left and (piece := body.read(min(left, PIECE))):
        left -= len(piece)
    return Opened(info=info, body=_Stretch(body, length), start=start, length=length)


class _Stretch:
    """The next `length` bytes of a body."""

    __slots__ = ("_body", "_left")

    def __init__(self, body: Readable, length: int) -> None:
        self._body, self._left = body, length

    def read(self, size: int = PIECE, /) -> bytes:
        if self._left <= 0:
            return b""
        piece = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


def last_bytes(want: Get) -> Range | None:
    """A range that any object has, if that is wanted: upstreams refuse it of an empty one."""
    asked = want.range
    return asked if asked is not None and asked.first is None and asked.last else None


def with_last_bytes(ask: Callable[[Get], Opened], want: Get) -> Opened:
    """What is asked for; where its last bytes are refused, they are cut out of all of it."""
    try:
        return ask(want)
    except InvalidRange:
        if (asked := last_bytes(want)) is None:
            raise
    opened = ask(replace(want, range=None))
    return cut_out(opened.info, opened.body, asked)
