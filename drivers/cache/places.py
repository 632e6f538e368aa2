"""Which reads of the source are under way in this process: each once, and a bounded number.

A read that somebody waits for holds one of `PLACES` while it is young. What takes longer
(a large object, a source that is slow or hangs) goes on beside them, and at most `MOST`
are at work in all: so a small object is not behind large ones, and one part of the source
that hangs is not in the way of the others. What nobody waits for (its readers have gone
away, or stand still) goes on while places are free, and ends where they are not; what is
only asked for behind an answer does not begin then.

A source that does not answer shall not hold all of a server's threads: who waits for
longer than `LONG` takes a place among those that may (`gateway.storage.waiting`), and is told
that it is busy when there is none; so does at once who comes when the source has said
nothing for that long. Those that pull are none of these threads.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf

from drivers.cache.entries import CacheEntry
from drivers.cache.fills import Ask, Fill
from drivers.cache.helpers import Helpers
from drivers.cache.marks import Marks
from gateway.storage import Busy, StorageError, Threads, TimedOut, Unavailable

PLACES = 16
MOST = 48

YOUNG = 2.0
"""Seconds."""

LONG = 5.0
"""Seconds."""

PATIENCE = 30.0
"""Seconds that a reader waits for a place."""

_MOMENT = 0.5
"""Seconds that closing waits for what is under way."""

_QUIET = 1.0
"""Seconds without a word after which a source that was asked counts as silent."""

_FAILED = "The cache failed while it fetched the object."
_CLOSED = "The cache is closed."


class Late(TimedOut):
    """The source has not answered in the time that its reader has for it."""


class Fills:
    """`pull` carries one out; it raises what the source raises. `threads`: those of the
    server, some of which may wait here."""

    def __init__(
        self, helpers: Helpers, marks: Marks, threads: Threads, pull: Callable[[Fill], object]
    ) -> None:
        self._helpers, self._marks, self._pull = helpers, marks, pull
        self._waiting = threads.part()
        self._lock = threading.Condition(threading.Lock())
        self._active: dict[tuple[str, str], list[Fill]] = {}
        """Those that may be joined, by what they are of."""
        self._queue: deque[Fill] = deque()
        self._running: set[Fill] = set()
        self._leaving: set[Fill] = set()
        """Those of them that are about to end."""
        self._answered = time.monotonic()
        self._ending = False
        """No fill begins any more, and those under way are to break off."""
        self._last: Callable[[], object] | None = None

    def __len__(self) -> int:
        return len(self._running) + len(self._queue)

    def close(self, then: Callable[[], object]) -> None:
        """Who waits is told so. `then` is called when the last fill has ended: here, unless
        that takes more than a moment (a source may hang), else in its thread."""
        with self._lock:
            self._ending = True
            told = [*self._running, *self._queue]
            self._queue.clear()
        for fill in told:
            fill.end(Unavailable(_CLOSED))
        with self._lock:
            if not self._lock.wait_for(lambda: not self._running, _MOMENT):
                self._last = then
                return
        then()

    # for readers

    @contextmanager
    def joined(self, ask: Ask) -> Iterator[Fill]:
        """A fill that brings it: one under way that no mark has overtaken, or a new one, of which
        `ask` is the very question. Inside, it is waited for. Raises `Unavailable`."""
        self.go_on()
        point = self._marks.newest()
        with self._lock:
            self.go_on()
            fill = self._found(ask) or self._added(ask, point)
            fill.readers += 1
            fill.look()
        try:
            self._admit()
            yield fill
        finally:
            if fill.ask is ask and (handed := fill.take()) is not None:
                handed.close()
            self.leave(fill)

    def under_way(self, ask: Ask) -> bool:
        """Whether one is that brings it."""
        with self._lock:
            return self._found(ask) is not None

    def filling(self, ask: Ask) -> bool:
        """Whether something of the object is being brought."""
        with self._lock:
            return (ask.name, ask.variant) in self._active

    def enter(self, fill: Fill) -> None:
        """Wait for a fill that one has joined, beyond that."""
        with self._lock:
            fill.readers += 1

    def leave(self, fill: Fill) -> None:
        with self._lock:
            fill.readers -= 1
            if not fill.readers and fill in self._queue:
                self._queue.remove(fill)
                self._forget(fill)

    def behind(self, ask: Ask) -> None:
        """Have it brought although nobody waits for it, if there is a place."""
        self.go_on()
        point = self._marks.newest()
        with self._lock:
            if self._ending or self._queue or len(self._running) >= PLACES or self._found(ask):
                return
            self._added(ask, point).take()
        self._admit()

    def outcome(self, fill: Fill, within: float = inf) -> CacheEntry | None:
        """What the source says: an entry, or its error. None: look again, things changed.

        Raises `Late` when it is not known `within` seconds after it was first asked for, and
        what says that it is not waited for any longer.
        """
        came, waits = time.monotonic(), False
        try:
            if not fill.wait(0.0) and self._long(fill, came):
                waits = self._wait()
            while not fill.wait(max(0.0, fill.made + within - time.monotonic())):
                now = time.monotonic()
                if now - fill.made >= within:
                    raise Late
                if not fill.begun:
                    if now - came > PATIENCE:
                        raise Busy("Too many objects are being fetched.", retry_after=1)
                    self._admit()
                elif fill.hopeless:
                    raise TimedOut("The source does not answer.", key=fill.ask.key)
                if not waits and self._long(fill, came):
                    waits = self._wait()
        finally:
            if waits:
                self._waiting.give()
        return fill.outcome()

    def _long(self, fill: Fill, came: float) -> bool:
        """Whether who came then waits for too long to do so without a place."""
        return time.monotonic() - min(came, fill.began) > LONG or self._silent(LONG)

    def _wait(self) -> bool:
        """Take a place to wait in. Raises `Busy`."""
        if not self._waiting.take():
            self._waiting.give()
            raise Busy("Too many requests wait for the source.", retry_after=1)
        return True

    @property
    def silent(self) -> bool:
        """The source was asked for something a while ago, and has said nothing since."""
        return self._silent(_QUIET)

    def _silent(self, seconds: float) -> bool:
        now = time.monotonic()
        with self._lock:
            return any(
                fill.entry is None and self._answered < fill.began < now - seconds
                for fill in self._running
            )

    # for who pulls

    def go_on(self) -> None:
        """Raise `Unavailable` when the cache was told to close: nothing of it may be touched
        for long after that."""
        if self._ending:
            raise Unavailable(_CLOSED)

    def answered(self) -> None:
        """The source has said something."""
        self._answered = time.monotonic()

    def gives_way(self, fill: Fill) -> bool:
        """Whether this one, which nobody waits for, is to end for others; nobody joins it
        then."""
        if fill.wanted():
            return False
        with self._lock:
            staying = len(self._running) - len(self._leaving)
            if staying + len(self._queue) <= PLACES or fill.wanted():
                return False
            self._leaving.add(fill)
            self._forget(fill)
            return True

    # places

    def also_at(self, fill: Fill, place: tuple[str, str]) -> None:
        """Have it found there, too."""
        with self._lock:
            if place not in fill.places and fill in self._running and not fill.ask.alone:
                fill.places.add(place)
                self._active.setdefault(place, []).append(fill)

    def _found(self, ask: Ask) -> Fill | None:
        if ask.alone:
            return None
        for fill in self._active.get((ask.name, ask.variant), ()):
            if fill.serves(ask) and not self._marks.overtaken(ask.name, fill.point):
                return fill
        return None

    def _added(self, ask: Ask, point: int) -> Fill:
        fill = Fill(ask, point)
        if not ask.alone:
            self._active.setdefault((ask.name, ask.variant), []).append(fill)
        self._queue.append(fill)
        return fill

    def _admit(self) -> None:
        """Begin those for which there is a place."""
        while (fill := self._next()) is not None:
            try:
                self._helpers.start(partial(self._run, fill))
            except Busy as error:
                fill.end(error)
                self._ended(fill)

    def _next(self) -> Fill | None:
        with self._lock:
            if not self._queue or not self._free():
                return None
            fill = self._queue.popleft()
            fill.begin()
            self._running.add(fill)
            return fill

    def _free(self) -> bool:
        running = len(self._running)
        if running < PLACES or running >= MOST:
            return running < PLACES
        young = time.monotonic() - YOUNG
        return sum(fill.began > young and fill.wanted() for fill in self._running) < PLACES

    def _run(self, fill: Fill) -> None:
        """In a helper: this one, then what waits for its place."""
        following: Fill | None = fill
        while following is not None:
            try:
                self._carry_out(following)
            except BaseException:
                self._admit()  # others go on with what waits
                raise
            following = self._next()

    def _carry_out(self, fill: Fill) -> None:
        error: StorageError | None = Unavailable(_FAILED)
        try:
            self._pull(fill)
            error = None
        except StorageError as raised:
            error = raised
        finally:
            fill.end(error)
            self._ended(fill)

    def _ended(self, fill: Fill) -> None:
        with self._lock:
            self._running.discard(fill)
            self._leaving.discard(fill)
            self._forget(fill)
            last = None
            if not self._running:
                last, self._last = self._last, None
                self._lock.notify_all()
        if last is not None:
            last()

    def _forget(self, fill: Fill) -> None:
        for place in fill.places:
            fills = self._active.get(place, [])
            if fill in fills:
                fills.remove(fill)
                if not fills:
                    del self._active[place]
