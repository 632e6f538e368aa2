"""Single flight: one read of the source, for all in this process who wait for it.

A helper thread pulls (see `pulling`); readers take the bytes from a bounded
window as they arrive. Who is too slow for the window finds the blocks in the
stock, and nobody waits for it; who goes away stops nothing.

Waking a reader costs more than giving it bytes. So readers are woken when a
block is complete, at the end, and otherwise every few milliseconds.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from drivers.cache.entries import Entry, again
from drivers.cache.helpers import Helpers
from drivers.cache.marks import Marks
from gateway.storage import Busy, Get, StorageError, Unavailable

BLOCK = 1 << 20
WINDOW = 8 * BLOCK
"""Bytes of a fill that are kept for its readers."""

AHEAD = 4
"""Blocks for which a reader waits for a fill on its way there; what is further is
fetched by itself."""

_SMALL = 4096
"""Pieces below are joined, so that a source that dribbles costs no memory."""
_WAKE = 0.02
_LOOK = 0.1
_LAST = 10.0
PATIENCE = 30.0
"""Seconds that a reader waits for a helper to be free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody wants of the source: blocks `first` to `last` (None: to the end) of
    `key`, or only its `head`. `known` is what the cache has, `fresh` or to be asked for
    anew. `name` is the key as the cache writes it."""

    key: str
    name: str
    variant: str
    want: Get
    first: int = 0
    last: int | None = None
    head: bool = False
    known: Entry | None = None
    fresh: bool = False


class Fill:
    """A read of the source under way. `point`: the newest mark before it began."""

    def __init__(self, ask: Ask, point: int) -> None:
        self.ask, self.point = ask, point
        self.readers = 0
        self.next = ask.first
        """The block that comes next."""
        self.follows = 0
        """The entry that another worker is filling, and this one hands on."""
        self._entry: Entry | None = None
        self._error: StorageError | None = None
        self._begun = self._ended = False
        self._offsets: list[int] = []
        self._pieces: list[bytes] = []
        self._held, self._end = 0, ask.first * BLOCK
        self._changed = threading.Condition()
        self._woken = 0.0

    # for readers

    def serves(self, ask: Ask) -> bool:
        """Whether who asks that may wait for this."""
        if ask.head or self.ask.head:
            return ask.head and not self._ended
        ours = self.ask
        return (
            not self._ended
            and ours.first <= ask.first <= self.next + AHEAD
            and (ours.last is None or ask.first <= ours.last)
        )

    def outcome(self) -> Entry | None:
        """What the source says: an entry, or its error. None: look again, things changed."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while self._entry is None and not self._ended:
                self._changed.wait(_LOOK if self._begun else 1.0)
                if not self._begun and time.monotonic() > deadline:
                    raise Busy("Too many objects are being fetched.", retry_after=1)
            if self._entry is None:
                self.check()
            return self._entry

    def check(self) -> None:
        """Raise what the source raised."""
        if self._error is not None:
            raise again(self._error)

    def read(self, at: int) -> bytes | None:
        """Bytes from `at` on, when they have come; None when they are not to be had here
        (any more). Raises what the source raised."""
        with self._changed:
            while True:
                if at < self._end:
                    return self._piece(at)
                self.check()
                if self._ended:
                    return None
                self._changed.wait(_LOOK)

    def _piece(self, at: int) -> bytes | None:
        index = bisect_right(self._offsets, at) - 1
        if index < 0:
            return None
        skip = at - self._offsets[index]
        piece = self._pieces[index]
        return piece[skip:] if skip else piece

    # for the helper

    def begin(self) -> None:
        self._begun = True

    def publish(self, entry: Entry) -> None:
        """The head is known: readers may go on."""
        with self._changed:
            self._entry = entry
            self._changed.notify_all()

    def add(self, piece: bytes) -> None:
        """Bytes that follow those before."""
        with self._changed:
            if self._pieces and len(self._pieces[-1]) < _SMALL and len(piece) < _SMALL:
                self._pieces[-1] += piece
            else:
                self._offsets.append(self._end)
                self._pieces.append(piece)
            self._held += len(piece)
            self._end += len(piece)
            while self._held > WINDOW:
                self._held -= len(self._pieces.pop(0))
                del self._offsets[0]
            now = time.monotonic()
            if self._end % BLOCK == 0 or now - self._woken > _WAKE:
                self._woken = now
                self._changed.notify_all()

    def skip(self, block: int) -> None:
        """All before `block` is in the stock: another worker has put it there."""
        with self._changed:
            self.next, self._end = block, block * BLOCK
            self._offsets, self._pieces, self._held = [], [], 0
            self._changed.notify_all()

    def end(self, error: StorageError | None = None) -> None:
        with self._changed:
            self._error, self._ended = error, True
            self._changed.notify_all()


class Fills:
    """Those under way, by what they are of. `pull` carries one out."""

    def __init__(self, helpers: Helpers, marks: Marks, pull: Callable[[Fill], object]) -> None:
        self._helpers, self._marks, self._pull = helpers, marks, pull
        self._lock = threading.Condition()
        self._active: dict[tuple[str, str], list[Fill]] = {}
        self.ending = False
        """No fill begins any more, and those under way are to break off."""

    def close(self) -> bool:
        """Whether all have ended, after some seconds at most: a source may hang."""
        deadline = time.monotonic() + _LAST
        with self._lock:
            self.ending = True
            while self._active and (left := deadline - time.monotonic()) > 0:
                self._lock.wait(left)
            return not self._active

    def __len__(self) -> int:
        return len(self._active)

    def join(self, ask: Ask) -> Fill:
        """A fill that brings it: one under way that no mark has overtaken, or a new one."""
        place = (ask.name, ask.variant)
        if self.ending:
            raise Unavailable("The cache is closed.")
        point = self._marks.newest()
        with self._lock:
            for fill in self._active.get(place, ()):
                if fill.serves(ask) and not self._marks.overtaken(ask.name, fill.point):
                    return fill
            if self.ending:
                raise Unavailable("The cache is closed.")
            fill = Fill(ask, point)
            self._active.setdefault(place, []).append(fill)
        self._helpers.start(lambda: self._run(place, fill))
        return fill

    def _run(self, place: tuple[str, str], fill: Fill) -> None:
        try:
            self._pull(fill)
        finally:
            with self._lock:
                active = self._active[place]
                active.remove(fill)
                if not active:
                    del self._active[place]
                    self._lock.notify_all()
