"""A read of the source, for all in this process who wait for it.

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
from dataclasses import dataclass
from math import inf

from drivers.cache.entries import CacheEntry, again
from gateway.storage import Get, Opened, StorageError, TimedOut

BLOCK = 1 << 20
WINDOW = 8 * BLOCK
"""Bytes of a fill that are kept for its readers."""

AHEAD = 4
"""Blocks for which a reader waits for a fill on its way there; what is further is
fetched by itself."""

STALLED = 2.0
"""Seconds after which a reader that has not come back counts as gone, where others wait for
a place."""

HOPELESS = 300.0
"""Seconds in which a source says nothing at all and nobody waits for it any longer. Sources
have time-outs of their own; this is for one that has none."""

_SMALL = 4096
"""Pieces below are joined, so that a source that dribbles costs no memory."""
_WAKE = 0.02
_LOOK = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What somebody wants of the source: blocks `first` to `last` (None: to the end) of
    `key`, or only its `head`. `known` is what the cache has, `fresh` or to be asked for
    anew. `name` is the key as the cache writes it. `alone`: nobody else is to wait for it."""

    key: str
    name: str
    variant: str
    want: Get
    alone: bool = False
    first: int = 0
    last: int | None = None
    head: bool = False
    known: CacheEntry | None = None
    fresh: bool = False


class Fill:
    """A read of the source under way. `point`: the newest mark before it began. Times are
    `time.monotonic`'s."""

    def __init__(self, ask: Ask, point: int) -> None:
        self.ask, self.point = ask, point
        self.places = {(ask.name, ask.variant)}
        """Where it is found by those who may join it."""
        self.made = self.heard = time.monotonic()
        """`heard`: when the source last said something."""
        self.began = inf
        """`inf`: it waits for a place."""
        self.readers = 0
        """Who will come back for more, kept by `places`."""
        self._looked = self.made
        self.next = ask.first
        """The block that comes next."""
        self.follows = 0
        """The entry that another worker is filling, and this one hands on."""
        self.entry: CacheEntry | None = None
        """What the source says, once that is known."""
        self._error: StorageError | None = None
        self._ended = False
        self._handed: Opened | None = None
        self._taken = False
        """Nobody takes any more what is handed over."""
        self._offsets: list[int] = []
        self._pieces: list[bytes] = []
        self._held, self._end = 0, ask.first * BLOCK
        self._changed = threading.Condition()
        self._woken = 0.0

    # for readers

    def serves(self, ask: Ask) -> bool:
        """Whether who asks that may wait for this."""
        if self._ended or self.hopeless:
            return False
        if ask.head or self.ask.head:
            return ask.head
        ours = self.ask
        return ours.first <= ask.first <= self.next + AHEAD and (
            ours.last is None or ask.first <= ours.last
        )

    def wait(self, seconds: float = _LOOK) -> bool:
        """For what the source says, a moment of so many seconds at most. Whether it is said."""
        with self._changed:
            if not self._settled:
                self.look()
                self._changed.wait(min(seconds, _LOOK))
            return self._settled

    @property
    def _settled(self) -> bool:
        return self.entry is not None or self._ended

    def outcome(self) -> CacheEntry | None:
        """What the source has said: an entry, or its error. None: look again, things
        changed."""
        with self._changed:
            if self.entry is None:
                self.check()
            return self.entry

    def check(self) -> None:
        """Raise what the source raised."""
        if self._error is not None:
            raise again(self._error)

    def read(self, at: int) -> bytes | None:
        """Bytes from `at` on, when they have come; None when they are not to be had here
        (any more). Raises what the source raised."""
        with self._changed:
            while True:
                self.look()
                if at < self._end:
                    return self._piece(at)
                self.check()
                if self._ended:
                    return None
                if self.hopeless:
                    raise TimedOut("The source has ceased to send.", key=self.ask.key)
                self._changed.wait(_LOOK)

    @property
    def hopeless(self) -> bool:
        return self.begun and time.monotonic() - self.heard > HOPELESS

    @property
    def begun(self) -> bool:
        return self.began < inf

    def _piece(self, at: int) -> bytes | None:
        index = bisect_right(self._offsets, at) - 1
        if index < 0:
            return None
        skip = at - self._offsets[index]
        piece = self._pieces[index]
        return piece[skip:] if skip else piece

    # what is not for the cache

    def hand(self, opened: Opened) -> bool:
        """Have whoever began this take over what was opened for it. False: nobody is there
        to, and it stays with who has opened it."""
        with self._changed:
            if not self._taken:
                self._handed = opened
            return not self._taken

    def take(self) -> Opened | None:
        """For who began this, once: what was handed over is theirs to close."""
        with self._changed:
            self._taken = True
            opened, self._handed = self._handed, None
            return opened

    # whether anybody does

    def look(self) -> None:
        """A reader is here."""
        self._looked = time.monotonic()

    def wanted(self) -> bool:
        """Whether somebody waits for it, or has just taken something and will come back."""
        return self.readers > 0 and time.monotonic() - self._looked < STALLED

    # for the helper

    def begin(self) -> None:
        self.began = self.heard = time.monotonic()

    def publish(self, entry: CacheEntry) -> None:
        """The head is known: readers may go on."""
        with self._changed:
            self.entry = entry
            self.heard = time.monotonic()
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
            now = self.heard = time.monotonic()
            if self._end % BLOCK == 0 or now - self._woken > _WAKE:
                self._woken = now
                self._changed.notify_all()

    def skip(self, block: int) -> None:
        """All before `block` is in the stock: another worker has put it there."""
        with self._changed:
            self.next, self._end = block, block * BLOCK
            self._offsets, self._pieces, self._held = [], [], 0
            self.heard = time.monotonic()
            self._changed.notify_all()

    def end(self, error: StorageError | None = None) -> None:
        """What is said first counts."""
        with self._changed:
            if not self._ended:
                self._error, self._ended = error, True
                self._changed.notify_all()
