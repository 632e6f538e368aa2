"""A replica becomes what its source is, where the feed does not say what came since: both are
walked through by key, and what differs is fetched or removed.

The source is written to meanwhile. So the feed is followed afterwards from where it was at the
beginning: what is met once more is known by its number.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import groupby

from drivers.indexed.replica.fetching import Fetching
from drivers.indexed.replica.source import Source
from drivers.indexed.replica.told import Told
from drivers.indexed.replicating import ReplicatingView
from gateway.common.upstream.answers import broken
from gateway.storage import (
    Change,
    Get,
    ObjectInfo,
    Position,
    VersionEntry,
    VersionQuery,
    carried,
)
from gateway.storage.following import NEWEST

log = logging.getLogger("gateway.replica")

STEP = 100
"""Versions of one commit."""
EVERY = 10.0
"""Seconds between two lines of the log."""


class Comparing:
    """Once: `run`."""

    def __init__(
        self, store: ReplicatingView, source: Source, fetching: Fetching, sid: str
    ) -> None:
        self._store, self._source, self._fetching, self._sid = store, source, fetching, sid
        self._wanted = list[Told]()
        self._gone = list[Change]()
        self._seen = self._fetched = self._removed = 0
        self._next_line = time.monotonic() + EVERY

    def run(self) -> None:
        begin = self._source.changes(NEWEST, 1, details=False)
        self._store.begin_anew()
        theirs = groupby(self._theirs(), lambda one: one.change.key)
        mine = groupby(self._mine(), lambda one: one.key)
        their, my = next(theirs, None), next(mine, None)
        while their is not None or my is not None:
            if my is None or (their is not None and their[0] < my[0]):
                assert their is not None
                self._compare([*their[1]], [])
                their = next(theirs, None)
            elif their is None or my[0] < their[0]:
                self._compare([], [*my[1]])
                my = next(mine, None)
            else:
                self._compare([*their[1]], [*my[1]])
                their, my = next(theirs, None), next(mine, None)
        self._flush()
        self._store.settle(Position(begin.feed, begin.last))
        self._say("is what its source was at change %d", begin.last)

    def _compare(self, theirs: Sequence[Told], mine: Sequence[VersionEntry]) -> None:
        """The versions of one key, newest first."""
        known = {(one.version, one.sequence): one for one in mine}
        for one in reversed(theirs):  # each is the newest when it comes, as it was there
            found = known.pop((one.change.version or "", one.change.sequence), None)
            if found is None or not (found.marker or self._is_same(found, one.info)):
                self._wanted.append(one)
        self._gone += map(_removal, known.values())
        self._removed += len(known)
        self._seen += len(theirs)
        if len(self._wanted) + len(self._gone) >= STEP:
            self._flush()
        if time.monotonic() > self._next_line:
            self._next_line = time.monotonic() + EVERY
            self._say("is compared with its source")

    def _is_same(self, mine: VersionEntry, theirs: ObjectInfo | None) -> bool:
        if theirs is None:
            return False
        info = self._store.stat(mine.key, Get(version=mine.version, keyless=True))
        return carried(info, encryption=None) == carried(theirs, encryption=None)

    def _flush(self) -> None:
        wanted, gone = self._wanted, self._gone
        self._wanted, self._gone = [], []
        chunks = [wanted[at : at + STEP] for at in range(0, len(wanted), STEP)]
        with closing(self._fetching.all(chunks or [[]])) as fetched:
            for arrivals in fetched:
                self._store.place(arrivals, gone)
                gone = []
        self._fetched += len(wanted)

    def _theirs(self) -> Iterator[Told]:
        """Raises `OriginFailed` when they do not come in their order: it would never end."""
        page, before = self._source.versions(None), ("", 0)
        while True:
            self._fetching.go_on()
            for one in page.told:
                place = (one.change.key, -one.change.sequence)
                if place <= before:
                    raise broken("its versions do not come in their order")
                before = place
                yield one
            if page.next is None:
                return
            if not page.told:
                raise broken("a page of its versions has none, and is not the last")
            page = self._source.versions(page.next)

    def _mine(self) -> Iterator[VersionEntry]:
        query = VersionQuery()
        while True:
            self._fetching.go_on()
            page = self._store.versions(query)
            yield from page.entries
            if page.next is None:
                return
            query = VersionQuery(after=page.next, after_version=page.next_version)

    def _say(self, text: str, *values: object) -> None:
        counted = f"{self._seen} versions seen, {self._fetched} fetched, {self._removed} removed"
        log.info("replica %s: it " + text + "; %s", self._sid, *values, counted)


def _removal(entry: VersionEntry) -> Change:
    """As if it came next after that version."""
    return Change(
        entry.sequence + 1, "purge", entry.modified, entry.key, entry.version, entry.size,
        entry.etag, "",
    )  # fmt: skip
