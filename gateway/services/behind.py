"""What stores and modes run behind the requests, each by a name.

While a configuration takes another's place, both are open, and may run something under one
name. Then the newer does; when it is closed first, for its configuration was not taken
over, the older goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from gateway.storage import Changes, Followers, Handle, Jobs, Threads
from gateway.storage.following import BATCH

P = ParamSpec("P")
T = TypeVar("T")

Step = Callable[[], None]


class Behind:
    """Who runs what, of all that are open in this process. `threads`: those that serve, to
    which none of this belongs: it may wait for what hangs without being counted."""

    def __init__(self) -> None:
        self.threads = Threads()
        self._lock = threading.RLock()
        self._running: dict[str, list[tuple[object, Step]]] = {}

    def begin(self, owner: object, name: str, run: Step) -> None:
        with self._lock:
            others = [one for one in self._running.get(name, ()) if one[0] is not owner]
            self._running[name] = [*others, (owner, run)]
            run()

    def end(self, owner: object, name: str, stop: Step) -> None:
        """Nothing happens to what others run."""
        with self._lock:
            running = self._running.pop(name, [])
            others = [one for one in running if one[0] is not owner]
            if others:
                self._running[name] = others
            if running and running[-1][0] is owner:
                (others[-1][1] if others else stop)()

    def outside(self, work: Callable[P, T]) -> Callable[P, T]:
        """The same, for a thread that answers no requests."""

        def run(*arguments: P.args, **options: P.kwargs) -> T:
            self.threads.step_out()
            return work(*arguments, **options)

        return run


class OwnJobs:
    """The jobs of one store, or of the modes of one configuration."""

    def __init__(self, jobs: Jobs, behind: Behind) -> None:
        self._jobs, self._behind = jobs, behind
        self._names = set[str]()

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        self._names.add(name)
        run = partial(self._jobs.add, name, interval, self._behind.outside(work))
        self._behind.begin(self, f"job {name}", run)

    def remove(self, name: str) -> None:
        self._names.discard(name)
        self._behind.end(self, f"job {name}", partial(self._jobs.remove, name))

    def close(self) -> None:
        """Run no more, whatever is left."""
        for name in tuple(self._names):
            self.remove(name)


class OwnFollowers:
    """The followers of one store, or of the modes of one configuration."""

    def __init__(self, followers: Followers, behind: Behind) -> None:
        self._followers, self._behind = followers, behind
        self._names = set[str]()

    def follow(
        self, name: str, feed: Changes, handle: Handle, *, after: int | None = 0, batch: int = BATCH
    ) -> None:
        self._names.add(name)
        handle = self._behind.outside(handle)
        run = partial(self._followers.follow, name, feed, handle, after=after, batch=batch)
        self._behind.begin(self, f"follower {name}", run)

    def unfollow(self, name: str, *, forget: bool = False) -> None:
        self._names.discard(name)
        stop = partial(self._followers.unfollow, name, forget=forget)
        self._behind.end(self, f"follower {name}", stop)

    def close(self) -> None:
        """Follow no more, whatever is left."""
        for name in tuple(self._names):
            self.unfollow(name)
