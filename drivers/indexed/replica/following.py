"""How a replica follows its source: what comes next is fetched by several threads, and taken in
order, many in one commit.

May surprise: the cursor of the gateway's followers (`Followers`) says when there is something to
do, and shows how much; where the replica is says the replica (`Replicates.position`), in one with
what it has. So a process may end anywhere, and a backup of either may be brought back.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

from drivers.indexed.replica.comparing import Comparing
from drivers.indexed.replica.fetching import Fetching
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.replica.source import PAGE, Source
from drivers.indexed.replica.told import Before, Page, Told
from drivers.indexed.replicating import ReplicatingView
from gateway.common.upstream.answers import broken
from gateway.storage import (
    ChangePage,
    Changes,
    Delivery,
    Followers,
    Position,
    VersionQuery,
)

log = logging.getLogger("gateway.replica")

CHUNK = 100
"""Changes of one commit: as many are fetched while those before are committed."""
EVERY = 10_000
"""Changes between two lines of the log, while there are many to come."""


class Following(Changes):
    """Of one replica in a process, from its opening until `end`. It is the source's feed, behind
    where the replica is, whatever it is asked for."""

    def __init__(
        self, store: ReplicatingView, of: ReplicaOf, sid: str, followers: Followers
    ) -> None:
        self._store, self._of, self._sid, self._followers = store, of, sid, followers
        self._source = Source(of)
        self._fetching = Fetching(store, self._source, sid)
        self._page: Page | None = None
        self._told = 0
        followers.follow(f"replica {sid}", self, self, batch=PAGE)

    def end(self) -> None:
        self._followers.unfollow(f"replica {self._sid}")
        self._fetching.close()
        self._source.close()

    # its feed

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        self._store.adopt(replace=self._of.replace)
        position = self._store.position()
        self._page = page = self._source.changes(position.sequence, limit, wait)
        if not position.feed and not page.cut and self._is_new(position):
            self._store.settle(Position(page.feed, 0))
            position = Position(page.feed, 0)
        lost = self._lost(position, page)
        if not lost and not _comes_next(position, page):
            raise broken("what it tells is not what comes next")
        return ChangePage(
            changes=tuple(one.change for one in page.told),
            last=page.last,
            feed=page.feed,
            cut=bool(lost),
        )

    def _is_new(self, position: Position) -> bool:
        return not (position.sequence or self._store.versions(VersionQuery(limit=1)).entries)

    def _lost(self, position: Position, page: Page) -> str:
        """Why the feed does not say what came since the replica was where it is."""
        if not position.feed:
            return "it has been of no known state of its source"
        if position.feed != page.feed:
            return "its source is another store, or has become one of its own"
        if page.cut:
            return "its source does not have the changes any more that came since"
        if page.last < position.sequence:
            return "its source is in an older state than it has been"
        if page.before is not None and not self._is_mine(position.sequence, page.before):
            return "its source has another past than it had"
        return ""

    def _is_mine(self, sequence: int, before: Before) -> bool:
        """Whether that was the last change here, as far as it is known here."""
        mine = self._store.changes(sequence - 1, 1).changes
        return not mine or Before(mine[0].kind, mine[0].key, mine[0].version or "") == before

    # what is done with it

    def __call__(self, delivery: Delivery) -> None:
        page, position = self._page, self._store.position()
        if page is None:
            return
        if why := self._lost(position, page):
            log.warning("replica %s: all is compared with its source: %s", self._sid, why)
            Comparing(self._store, self._source, self._fetching, self._sid).run()
        elif page.told:
            told = [one for one in page.told if one.change.sequence > position.sequence]
            self._take(page, told)

    def _take(self, page: Page, told: Sequence[Told]) -> None:
        chunks = [told[at : at + CHUNK] for at in range(0, len(told), CHUNK)]
        with closing(self._fetching.all(chunks)) as fetched:
            for arrivals in fetched:
                self._store.follow(page.feed, arrivals)
                done = arrivals[-1].change.sequence
                if done // EVERY != (done - len(arrivals)) // EVERY and page.last - done > PAGE:
                    log.info("replica %s: %d of %d changes", self._sid, done, page.last)


def _comes_next(position: Position, page: Page) -> bool:
    first = page.told[0].change.sequence if page.told else page.last + 1
    return first == position.sequence + 1
