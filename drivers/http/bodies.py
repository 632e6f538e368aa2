"""Bodies of origins: such that come too slowly, and such that do not say how long they are."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from itertools import chain

from gateway.common.system import translating
from gateway.common.upstream.answers import ByteSource
from gateway.storage import BytesBody, FileBody, OriginFailed, Readable, TimedOut

WINDOW = 10.0
"""Seconds of waiting after which is seen how much came in them."""

IN_MEMORY = 1 << 20
"""Bytes of a body without a length that are held; more go into a file."""


class Paced:
    """Bytes of which so many have to come for each second that somebody waits for them. The
    time in which nobody asks for more does not count: a slow reader is no slow origin."""

    __slots__ = ("_clock", "_rate", "_received", "_source", "_waited")

    def __init__(
        self, source: ByteSource, rate: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._source, self._rate, self._clock = source, rate, clock
        self._waited, self._received = 0.0, 0

    def receive(self, size: int, /) -> bytes:
        begun = self._clock()
        data = self._source.receive(size)
        self._waited += self._clock() - begun
        self._received += len(data)
        if self._waited >= WINDOW:
            if self._received < self._rate * self._waited:
                raise TimedOut(f"The origin sends fewer than {self._rate} bytes a second.")
            self._waited, self._received = 0.0, 0
        return data


def measured(body: Readable, limit: int) -> tuple[Readable, int]:
    """All of a body, read to its end, and its size: only so is it known to be whole. Raises
    `OriginFailed` beyond `limit` bytes."""
    pieces, size = list[bytes](), 0
    while piece := body.read():
        pieces.append(piece)
        size += len(piece)
        _check(size, limit)
        if size > IN_MEMORY:
            return _in_file(pieces, body, limit)
    return BytesBody(b"".join(pieces)), size


def _in_file(pieces: list[bytes], body: Readable, limit: int) -> tuple[Readable, int]:
    with translating():
        file = tempfile.TemporaryFile()  # noqa: SIM115  # it is the reader's to close
    size = 0
    try:
        for piece in chain(pieces, iter(body.read, b"")):
            size += len(piece)
            _check(size, limit)
            with translating():
                file.write(piece)
        with translating():
            file.seek(0)
    except BaseException:
        file.close()
        raise
    return FileBody(file, size), size


def _check(size: int, limit: int) -> None:
    if size > limit:
        why = "The origin does not say how long its answer is, and it is too long."
        raise OriginFailed(why, status=502)
