"""Answers that are sent no faster than so many bytes a second: a token bucket for each.

Who waits for its bytes depends on the server. waitress has a loop, which waits for all at once
(`servers.connection`); where a server pulls bodies in a thread (granian), that thread
sleeps (`Paced`), and only a part of the threads may do so (`admission`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

SLOWEST = 1 << 10
"""Bytes a second: who takes fewer stands still for those who look (`servers.pace`)."""

_LUMP = 0.25
"""Seconds: as many bytes go at once as may go in these."""


_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
_WRITTEN = re.compile("([0-9]{1,15})([km]?)", re.I)


def bytes_of(text: str) -> int | None:
    """As nginx has them: "75000", "228k"; None for what is no such number."""
    found = _WRITTEN.fullmatch(text)
    return None if found is None else int(found[1]) * _UNITS[found[2].lower()]


class Rate(NamedTuple):
    """`per_second` bytes, from behind the first `free` ones on."""

    per_second: int
    free: int = 0

    @property
    def at_once(self) -> int:
        """Bytes that need not wait: an answer of no more is sent as any other."""
        return self.free + self.per_second


class Bucket:
    """What may be sent of an answer. One second's bytes may be saved up."""

    __slots__ = ("_clock", "_left", "_lump", "_rate", "_since")

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate.per_second, clock
        self._left, self._since = float(rate.at_once), clock()
        self._lump = max(1.0, rate.per_second * _LUMP)

    def _fill(self) -> None:
        now = self._clock()
        if self._left < self._rate:
            self._left = min(self._rate, self._left + (now - self._since) * self._rate)
        self._since = now

    def take(self, most: int) -> int:
        """So many of them may go now."""
        self._fill()
        taken = min(most, int(self._left))
        self._left -= taken
        return taken

    def give_back(self, count: int) -> None:
        self._left += count

    def wait(self, most: int) -> float:
        """Seconds until it is worth while to take some, of which there are `most`; 0: now."""
        self._fill()
        missing = min(float(most), self._lump) - self._left
        return missing / self._rate if missing > 0 else 0.0


class Paced:
    """A body whose pieces come when they may be sent: meanwhile the thread sleeps."""

    __slots__ = ("_body", "_bucket", "_next", "_piece", "_sleep")

    def __init__(
        self, body: Iterable[bytes], bucket: Bucket, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._body, self._bucket, self._sleep = body, bucket, sleep
        self._next, self._piece = iter(body).__next__, memoryview(b"")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._piece:
            self._piece = memoryview(self._next())
        if (seconds := self._bucket.wait(len(self._piece))) > 0:
            self._sleep(seconds)
        count = max(1, self._bucket.take(len(self._piece)))
        now, self._piece = self._piece[:count], self._piece[count:]
        return bytes(now)

    def close(self) -> None:
        close = getattr(self._body, "close", None)
        if close is not None:
            close()
