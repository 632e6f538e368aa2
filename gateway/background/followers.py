"""Followers of change feeds: each in one worker at a time, in a thread of its own there.

Whoever has a follower's lock file in `<data>/jobs` leads it; the lock goes with its
process, and another worker, which looks each second, takes over from the cursor (see
`cursors`). The lock is nobody's to wait for, and no transaction is open while a feed is
read or a follower handles what it was handed: both may take as long as they need.

A follower sleeps until its feed has something (`Changes.watch`), or asks each second where
the feed cannot wake it. What fails is tried again after 1, 2, 4, … seconds, a minute at
most, each follower by itself.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from gateway.background.cursors import FILE, Cursor, Cursors
from gateway.background.exclusive import Exclusive
from gateway.background.reading import Reading
from gateway.common import looking
from gateway.common.steady import Steady
from gateway.storage import Changes, Handle, StorageError
from gateway.storage.following import BATCH
from gateway.telemetry.metrics import Key, Metrics

log = logging.getLogger("gateway.followers")

LOOK = 1.0
"""Seconds between two looks at whether a leader elsewhere has ended, and the longest that a
feed which wakes nobody is waited for."""
LONGEST = 60.0
_PATIENCE, _LITTLE = 2.0, 0.02
"""Seconds for which `unfollow` waits for what is under way; and while another, which it has
waited for already, is under way still: many that hang are waited for once."""


def delay(failures: int) -> float:
    """Seconds until the next try, after so many failures in a row."""
    return float(min(1 << min(failures - 1, 10), LONGEST))


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerState:
    """What is known of a follower, by all workers. `done` is the last sync id that it has
    handled, `lag` how many changes it has not, `since` when the oldest of them was made.
    `error`: what it failed by, `failures` times in a row, and `retry` when it tries again.
    Times are milliseconds since the epoch."""

    name: str
    done: int
    lag: int
    since: int | None
    failures: int
    error: str
    retry: int | None


def states(folder: Path) -> dict[str, FollowerState]:
    """By name, of all that followed with that data folder, also those that do so no more; for
    who looks beside a gateway. Raises `StorageError`."""
    if not looking.is_file(folder / FILE):
        return {}
    cursors = Cursors(folder)
    try:
        return {name: _state(name, one) for name, one in cursors.all().items()}
    finally:
        cursors.close()


def _state(name: str, cursor: Cursor) -> FollowerState:
    return FollowerState(
        name=name,
        done=cursor.done,
        lag=max(cursor.last - cursor.done, 0),
        since=cursor.waiting,
        failures=cursor.failures,
        error=cursor.error,
        retry=cursor.retry,
    )


class Following:
    """`folder` is the data folder, None when all is in memory (and there is one worker).
    `clock` gives milliseconds since the epoch, `delay` the seconds after so many failures.
    Implements `storage.Followers`."""

    def __init__(
        self,
        folder: Path | None,
        clock: Callable[[], int],
        metrics: Metrics | None = None,
        *,
        delay: Callable[[int], float] = delay,
    ) -> None:
        self._folder, self._clock, self._delay = folder, clock, delay
        self._metrics = metrics or Metrics()
        self._cursors = Cursors(folder)
        self._exclusive = Exclusive(folder, "follower")
        self._followers: dict[str, _Follower] = {}
        self._late = list[_Follower]()
        """They were waited for in vain."""
        self._changed = threading.Condition()
        self._running = False
        self._thread: threading.Thread | None = None
        self._metrics.share(self._gauges)

    def follow(
        self, name: str, feed: Changes, handle: Handle, *, after: int | None = 0, batch: int = BATCH
    ) -> None:
        self.unfollow(name)
        if after is not None:
            self._cursors.begin(name, after)
        cursors, clock, metrics = self._cursors, self._clock, self._metrics
        reading = Reading(name, feed, handle, cursors, clock, metrics, batch, after)
        with self._changed:
            self._followers[name] = _Follower(name, feed, reading, self._delay)
            self._begin()
            self._changed.notify()

    def unfollow(self, name: str, *, forget: bool = False) -> None:
        with self._changed:
            follower = self._followers.pop(name, None)
        if follower is None:
            return
        follower.end()
        with self._changed:
            self._late = [one for one in self._late if not one.join(0)]
            patience = _LITTLE if self._late else _PATIENCE
        if not follower.join(patience):
            with self._changed:
                self._late.append(follower)
        if forget:
            follower.forget()

    def look(self) -> None:
        """Have all look at their feeds, which may be those of other stores by now."""
        with self._changed:
            for follower in self._followers.values():
                follower.wake()

    def snapshot(self) -> tuple[FollowerState, ...]:
        """All followers by name, with what any worker knows of them."""
        with self._changed:
            if not self._followers:
                return ()
            names = set(self._followers)
        found = self._cursors.all()
        return tuple(_state(name, one) for name, one in found.items() if name in names)

    def start(self) -> None:
        with self._changed:
            self._running = True
            self._begin()

    def end(self) -> None:
        """Hand nothing more."""
        with self._changed:
            self._running = False
            for follower in self._followers.values():
                follower.end()
            self._changed.notify()

    def stop(self, wait: float = 2.0) -> None:
        """Hand nothing more, and give what is under way `wait` seconds."""
        self.end()
        until = time.monotonic() + wait
        with self._changed:
            followers, thread = list(self._followers.values()), self._thread
            self._thread = None
        if thread is not None:
            thread.join(wait)
        left = [one for one in followers if not one.join(max(until - time.monotonic(), 0))]
        if not left:
            self._cursors.close()

    # who leads

    def _begin(self) -> None:
        if self._running and self._followers and self._thread is None:
            self._thread = threading.Thread(target=self._elect, name="followers", daemon=True)
            self._thread.start()

    def _elect(self) -> None:
        steady = Steady(log, "who follows cannot be found out", foreseen=(OSError,))
        with self._changed:
            while self._running:
                waiting = [one for one in self._followers.values() if not one.leads]
                for follower in waiting:
                    steady(partial(self._stand, follower))
                self._changed.wait(LOOK if waiting else None)

    def _stand(self, follower: _Follower) -> None:
        give_back = self._exclusive.take(follower.name)
        if give_back is not None:
            follower.lead(give_back, self._look_again)

    def _look_again(self) -> None:
        """Who leads no more may have died: then it is to lead again."""
        with self._changed:
            self._changed.notify()

    def _gauges(self) -> Iterable[tuple[Key, float]]:
        now = self._clock()
        with suppress(StorageError):  # it is told where it is written
            for one in self.snapshot():
                since = now if one.since is None else one.since
                yield ("gateway_follower_lag", one.name), one.lag
                yield ("gateway_follower_lag_seconds", one.name), max(now - since, 0) / 1000
                yield ("gateway_follower_failing", one.name), one.failures
                if one.retry is not None:
                    key = ("gateway_follower_next_try_timestamp_seconds", one.name)
                    yield key, one.retry / 1000


class _Follower:
    """In this process: it waits for its turn to lead, or leads in a thread of its own."""

    def __init__(
        self, name: str, feed: Changes, reading: Reading, delay: Callable[[int], float]
    ) -> None:
        self.name, self._feed, self._reading, self._delay = name, feed, reading, delay
        self._steady = Steady(
            log, f"follower {name}: it is tried again", foreseen=(StorageError, OSError)
        )
        self._changed = threading.Condition()
        self._letting_go = Steady(log, f"follower {name}: its feed cannot be let go of")
        self._news = self._ended = False
        self._unwatch: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self.leads = False

    def lead(self, give_back: Callable[[], None], over: Callable[[], None]) -> None:
        """Until it is ended, then give the lead back. `over` is called when it may lead again."""
        self._thread = threading.Thread(
            target=self._run, args=(give_back, over), name=f"follower {self.name}", daemon=True
        )
        self.leads = True
        try:
            self._thread.start()
        except RuntimeError:  # the system gives no more threads
            self._thread, self.leads = None, False
            give_back()
            raise

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()

    def join(self, wait: float) -> bool:
        """Whether nothing of it is under way any more, within so many seconds."""
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(wait)
        return not thread.is_alive()

    def wake(self) -> None:
        """There may be something to read."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def forget(self) -> None:
        """How far it is, for good: what is under way is not written down any more."""
        self._reading.forget()

    def _run(self, give_back: Callable[[], None], over: Callable[[], None]) -> None:
        try:
            self._reading.begin()
            while not self._ended:
                if self._steady(self._catch_up):
                    self._sleep(None)
                else:
                    self._watch_no_more()
                    self._sleep(self._reading.fail(self._steady.failure, self._delay))
            self._watch_no_more()
            with suppress(StorageError):  # what was begun is known: it is handed again
                self._reading.save()
        finally:
            give_back()
            self._sleep(LOOK)  # unless it was ended: what ends it may do so again
            self.leads = False
            over()

    def _catch_up(self) -> None:
        """Hand on all that there is."""
        before, self._unwatch = self._unwatch, None
        self._unwatch = self._feed.watch(self.wake)  # each time: it may be another store by now
        if before is not None:
            self._letting_go(before)
        self._news = False  # before it is read: what comes later is news
        feed = self._reading.feed
        while not self._ended and self._reading.step():
            pass
        if self._reading.feed != feed:  # it may not be the one that is watched
            self._news = True
        elif self._unwatch is None and not self._ended:
            self._reading.step(LOOK)
            self._news = True  # ask again

    def _watch_no_more(self) -> None:
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            self._letting_go(unwatch)

    def _sleep(self, seconds: float | None) -> None:
        """Until it is ended; for so many seconds, or None: until there is news."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (seconds is None and self._news), seconds)
