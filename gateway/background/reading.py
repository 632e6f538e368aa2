"""One follower's way through its feed, step by step.

A step reads a page behind the cursor, writes down what it begins, and hands it on.
What was handled is written down with what is begun next, or when there is nothing more:
should a crash lose that, the same is handed again, and marked, for it was begun.

A cursor that was brought back from a backup begins with a reset: what was handed on since
is known to nobody but to who took it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from gateway.background.cursors import Cursor, Cursors
from gateway.storage import ChangePage, Changes, Delivery, Handle, Reset, StorageError
from gateway.storage.following import NEWEST
from gateway.telemetry.metrics import Metrics


class Reading:
    """From the cursor of that name on, or behind `after` where there is none (any more): another
    process may have forgotten it. Where `after` is None, behind what the feed has when it is
    first read. `batch` changes are handed at once, at most. For one thread, while no other
    process follows by that name; only `forget` is for any."""

    def __init__(
        self,
        name: str,
        feed: Changes,
        handle: Handle,
        cursors: Cursors,
        clock: Callable[[], int],
        metrics: Metrics,
        batch: int,
        after: int | None = 0,
    ) -> None:
        self._name, self._feed, self._handle, self._batch = name, feed, handle, batch
        self._cursors, self._clock, self._metrics = cursors, clock, metrics
        self._after = after
        self._cursor: Cursor | None = None
        self._owed = False
        """The file is to be told something."""
        self._brought_back = False
        """From a backup, which the follower does not know yet."""
        self._failures = 0
        self._forgotten = False
        self._writing = threading.Lock()

    @property
    def feed(self) -> str:
        """Which it has read last, as far as that is known."""
        return "" if self._cursor is None else self._cursor.feed

    def begin(self) -> None:
        """From where the cursor is by now: another process may have followed meanwhile."""
        self._cursor, self._owed = None, False

    def step(self, wait: float = 0) -> bool:
        """Whether anything was handed. `wait` so many seconds for something. Raises what
        the feed, the handler or the file of the cursors raises: then nothing is skipped."""
        cursor = self._cursor
        if cursor is None:
            cursor = self._cursors.load(self._name) or self._begun()
            self._brought_back = self._cursors.is_older(self._name, cursor)
            self._cursor = cursor
        page = self._feed.changes(cursor.done, self._batch, wait)
        self._cursor = cursor = cursor._replace(last=page.last)
        reset = _reset(cursor, page, self._brought_back)
        if reset is not None:
            self._begin_anew(cursor, page, reset)
        elif page.changes:
            self._hand_on(cursor, page)
        else:
            # Nothing up to `last` is for us: a part of a service has others' changes, too.
            self._owed |= self._failures > 0 or cursor.feed != page.feed
            self._succeed(cursor._replace(feed=page.feed, done=page.last))
            if self._owed:
                self.save()
            return False
        return True

    def _begun(self) -> Cursor:
        after = self._after
        if after is None:
            after = self._feed.changes(NEWEST, 1).last
            self._cursors.begin(self._name, after)
        return Cursor(done=after, begun=after, last=after)

    def save(self) -> None:
        """Write down what was done, but for what is forgotten."""
        with self._writing:
            if self._cursor is None or self._forgotten:
                return
            self._cursor = self._cursor._replace(saves=self._cursor.saves + 1)
            self._cursors.save(self._name, self._cursor)
            if not self._brought_back:  # else the mark must tell it to who comes next, too
                self._cursors.mark(self._name, self._cursor)
            self._owed = False

    def forget(self) -> None:
        """Have no cursor of that name, whatever is under way."""
        with self._writing:
            self._forgotten = True
            self._cursors.forget(self._name)

    def fail(self, error: str, delay: Callable[[int], float]) -> float:
        """Note what a step raised; seconds until the next, by how many have failed in a row."""
        self._failures += 1
        seconds = delay(self._failures)
        self._metrics.add("gateway_follower_failures", 1, self._name)
        if self._cursor is not None:
            retry = self._clock() + round(1000 * seconds)
            noted = self._cursor._replace(failures=self._failures, error=error, retry=retry)
            self._cursor = noted
            with suppress(StorageError):  # it is known here, and in the log
                self.save()
        return seconds

    def _begin_anew(self, cursor: Cursor, page: ChangePage, reset: Reset) -> None:
        name = f"{reset.reason} {page.feed} {reset.after}"
        repeated = cursor.reset == name
        self._cursor = cursor._replace(reset=name, waiting=self._clock())
        self.save()
        self._metrics.add("gateway_follower_resets", 1, self._name)
        self._handle(Delivery(reset=reset, repeated=repeated))
        at = reset.after
        if self._brought_back:
            newest = max(self._cursor.saves, self._cursors.newest(self._name))
            self._cursor = self._cursor._replace(saves=newest)
            self._brought_back = False
        self._succeed(self._cursor._replace(feed=page.feed, done=at, begun=at, reset=""))
        self.save()

    def _hand_on(self, cursor: Cursor, page: ChangePage) -> None:
        changes = page.changes
        repeated = changes[0].sequence <= cursor.begun
        if repeated:
            changes = tuple(one for one in changes if one.sequence <= cursor.begun)
            self._metrics.add("gateway_follower_repeated", len(changes), self._name)
        last = changes[-1].sequence
        self._cursor = cursor._replace(
            feed=page.feed, begun=max(cursor.begun, last), waiting=changes[0].time
        )
        self.save()
        self._handle(Delivery(changes=changes, repeated=repeated))
        self._metrics.add("gateway_follower_changes", len(changes), self._name)
        self._owed = True
        self._succeed(self._cursor._replace(done=last))

    def _succeed(self, cursor: Cursor) -> None:
        self._cursor = cursor._replace(waiting=None, failures=0, error="", retry=None)
        self._failures = 0


def _reset(cursor: Cursor, page: ChangePage, brought_back: bool) -> Reset | None:
    """What a follower has to be told before it can go on."""
    same = page.feed == cursor.feed or not cursor.feed
    if not same or page.last < cursor.done or brought_back:
        after = page.last if same and page.feed else 0
        return Reset(reason="replaced", seen=cursor.done, after=after)
    if page.cut:
        after = page.changes[0].sequence - 1 if page.changes else page.last
        return Reset(reason="cut", seen=cursor.done, after=after)
    return None
