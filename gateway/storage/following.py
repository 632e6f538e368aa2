"""What follows a change feed behind the requests: see `gateway.background.followers`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from gateway.storage.capabilities import Changes
from gateway.storage.types import Change

BATCH = 100
"""Changes that are handed at once, at most, unless a follower says otherwise."""

NEWEST = 1 << 62
"""Beyond all sync ids: a page behind it has no changes, and says which is the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """Changes are missing that nobody will be given any more: whoever keeps something up to
    date with the store has to look at all of it.

    "cut": the feed no longer had what came after `seen`, the last sync id that was handled.
    "replaced": it is the feed of another store of that name (the one before was removed, or
    an older state of it was brought back). What follows has sync ids above `after`.
    """

    reason: Literal["cut", "replaced"]
    seen: int
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a follower is handed: changes, oldest first, or a `reset` without any.

    `repeated`: all of it may have been handed before, and handled, wholly or in part: the
    call before raised, or its process ended in the middle. What is not marked so was never
    handed before.
    """

    changes: tuple[Change, ...] = ()
    reset: Reset | None = None
    repeated: bool = False


Handle = Callable[[Delivery], object]


class Followers(Protocol):
    def follow(
        self, name: str, feed: Changes, handle: Handle, *, after: int | None = 0, batch: int = BATCH
    ) -> None:
        """Hand all changes of `feed` to `handle`, in order, in one worker at a time, in a
        thread of the follower's own. Each worker calls this; whoever else had that name
        in this one follows no more.

        What was handled is known by `name`, also after a restart; a name that is new
        begins with the change after sync id `after`; None: with what comes once its feed could
        be read. What `handle` raises is logged, and the
        same is handed again after a while that grows, marked as repeated: nothing is
        skipped. It may take as long as it needs, and be called while the gateway stops.
        """

    def unfollow(self, name: str, *, forget: bool = False) -> None:
        """Follow no more: returns when `handle` is not under way any more, or after some
        seconds. `forget`: also what was handled. Nothing happens when there is none."""


class NoFollowers:
    """For stores opened outside a server: nothing is followed."""

    def follow(
        self, name: str, feed: Changes, handle: Handle, *, after: int | None = 0, batch: int = BATCH
    ) -> None:
        """Forget it."""

    def unfollow(self, name: str, *, forget: bool = False) -> None:
        """There is none."""
