"""How a cache answers a read: from the entry, while it is fresh and no mark names it; else
the source is asked, once for all who wait (`fills`).

Who may read is decided before (`gateway.access.access`); what a cache has is answered to
whoever gets here. Versions, parts and encryption under a customer's key pass it by.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from drivers.cache import answers
from drivers.cache.body import BlockBody, Changed
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry, again
from drivers.cache.fills import BLOCK, Ask, Fill
from drivers.cache.freshness import Freshness
from drivers.cache.hot import BODY, Hot
from drivers.cache.marks import GONE, GOOD, STALE, Marks
from drivers.cache.places import Fills, Late
from drivers.cache.stock import Stock
from gateway.storage import (
    BytesBody,
    Corrupt,
    Get,
    Layer,
    ObjectInfo,
    Opened,
    Readable,
    StorageError,
    Unavailable,
    range_of,
)

_TRIES = 5
SOON = 1.0
"""Seconds that who has stale bytes waits for the source."""


class CachedReads(Layer):
    """What it works with is there while the cache is open (see `context`). `_fold`: keys
    that differ in case only are one."""

    _parts: CacheContext
    _freshness: Freshness
    _clock: Callable[[], int]
    _fold: bool
    _stock: Stock
    _marks: Marks
    _hot: Hot
    _fills: Fills

    def get(self, key: str, want: Get = Get()) -> Opened:
        variant = self._freshness.variant(want)
        if variant is None:
            return self.source.get(key, want)
        name = key.lower() if self._fold else key
        entry = self._hot.get((name, variant))
        if entry is not None and entry.until > self._clock():
            newest = self._marks.newest()
            if entry.point >= newest and entry.info is not None:
                try:
                    return self._serve(key, name, entry, want)
                except Changed:
                    pass
        return self._look(key, name, variant, want)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        variant = self._freshness.variant(want)
        if variant is None:
            return self.source.stat(key, want)
        name = key.lower() if self._fold else key
        ask = Ask(key=key, name=name, variant=variant, want=self._freshness.asked(want), head=True)
        entry = self._fresh(ask)
        if entry is None or entry.info is None:
            return self.source.stat(key, want)
        info = _named(entry.info, key)
        if want.conditions is not None:
            want.conditions.check_read(info)
        range_of(info, want)
        return info

    # an entry

    def _find(self, name: str, variant: str) -> tuple[CacheEntry | None, bool]:
        """The entry, unless a mark says that it is gone; and whether it is fresh."""
        marks, hot, place = self._marks, self._hot, (name, variant)
        while True:
            newest, forgotten = marks.newest(), marks.forgotten
            entry = self._entry(place, forgotten)
            if entry is None:
                return None, False
            verdict = marks.judge(name, entry.tags, entry.point)
            if forgotten == marks.forgotten:
                break
        if verdict == GONE:
            hot.pop(place)
            return None, False
        if verdict == STALE:
            return entry, False
        entry.point = max(entry.point, newest)
        hot.put(entry)
        return entry, entry.until > self._clock()

    def _entry(self, place: tuple[str, str], forgotten: int) -> CacheEntry | None:
        """What this process knows, where that counts; else what the stock has: another
        worker may have made it anew."""
        hot = self._hot.get(place)
        if (
            hot is not None
            and hot.point >= forgotten
            and hot.until > self._clock()
            and self._marks.judge(hot.key, hot.tags, hot.point) == GOOD
        ):
            return hot
        entry = self._stock.find(*place)
        if entry is not None:
            if hot is not None and hot.fetched == entry.fetched and hot.retry > entry.retry:
                entry.retry, entry.failures = hot.retry, hot.failures  # it was not written down
            self._warm(entry)
        return entry

    def _warm(self, entry: CacheEntry) -> None:
        """Take a small body along with its entry."""
        held, info = entry.blocks.get(0), entry.info
        if held is None or info is None or info.size > BODY or held.data is None:
            return
        with suppress(Corrupt):  # found again, and mended, when it is read
            body = b"".join(self._stock.open(held, 0, held.size))
            entry.body = body if len(body) == info.size else None

    def _look(self, key: str, name: str, variant: str, want: Get) -> Opened:
        """What is not answered at once."""
        ask = Ask(key=key, name=name, variant=variant, want=self._freshness.asked(want))
        for _ in range(_TRIES):
            with suppress(Changed):
                opened = self._attempt(ask, want)
                if opened is not None:
                    return opened
        return answers.opened(self.source, key, want)  # it changes faster than it can be fetched

    def _attempt(self, ask: Ask, want: Get) -> Opened | None:
        """None, or `Changed`: things have moved meanwhile; try again."""
        key, name = ask.key, ask.name
        try:
            entry, fresh = self._find(name, ask.variant)
        except StorageError:  # an index that does not work: the source does
            return self.source.get(key, want)
        if entry is not None and (fresh or self._need_not_wait(ask, entry)):
            return self._answer(key, name, entry, want)
        ask = _toward(ask, entry, want)
        with self._fills.joined(ask) as fill:
            found = self._outcome(fill, entry)
            if found is None:
                return None
            brings = found is fill.entry and not ask.head
            return self._answer(key, name, found, want, fill if brings else None)

    def _fresh(self, ask: Ask) -> CacheEntry | None:
        """The entry, asked for anew where it is not fresh. None: the source's to answer."""
        for _ in range(_TRIES):
            try:
                entry, fresh = self._find(ask.name, ask.variant)
            except StorageError:
                return None
            if entry is None or not (fresh or self._need_not_wait(ask, entry)):
                with self._fills.joined(replace(ask, known=entry)) as fill:
                    entry = self._outcome(fill, entry)
            if entry is not None:
                if entry.failure is not None:
                    raise again(entry.failure)
                return entry
        return None

    # stale

    def _need_not_wait(self, ask: Ask, entry: CacheEntry) -> bool:
        """Whether a stale entry is answered without waiting for the source: it has just
        failed, or is asked behind the answer."""
        now, behind = self._clock(), self._freshness.stale_while_revalidate
        if entry.info is None:
            return False
        if self._may_be_stale(entry):
            if entry.retry > now:
                return True
            if self._fills.silent:
                self._fills.behind(replace(ask, known=entry))
                return True
        if not behind or entry.until + behind * 1000 <= now:
            return False
        self._fills.behind(replace(ask, head=True, known=entry))
        return True

    def _may_be_stale(self, entry: CacheEntry | None) -> bool:
        """Whether the entry is answered although the source fails to say that it is right."""
        if entry is None or entry.info is None:
            return False
        return entry.until + self._freshness.stale_if_error * 1000 > self._clock()

    def _outcome(self, fill: Fill, entry: CacheEntry | None) -> CacheEntry | None:
        """What the source says; or what is stale, when it fails or keeps its reader waiting.
        None: look again, things changed."""
        if not self._may_be_stale(entry):
            return self._fills.outcome(fill)
        try:
            return self._fills.outcome(fill, SOON)
        except Unavailable as error:
            found, fresh = self._find(fill.ask.name, fill.ask.variant)  # a purge may have come
            if found is not None and (fresh or self._may_be_stale(found)):
                return found
            if isinstance(error, Late):
                return None
            raise

    # an answer

    def _answer(
        self, key: str, name: str, entry: CacheEntry, want: Get, fill: Fill | None = None
    ) -> Opened:
        if entry.failure is not None:
            raise again(entry.failure)
        if entry.info is None:
            return answers.opened(self.source, key, want)
        return self._serve(key, name, entry, want, fill)

    def _serve(
        self, key: str, name: str, entry: CacheEntry, want: Get, fill: Fill | None = None
    ) -> Opened:
        info = entry.info
        assert info is not None
        if info.key != key:
            info = _named(info, key)
        if want.conditions is not None:
            want.conditions.check_read(info)
        start, length = range_of(info, want)
        self._hot.touch(entry.id, start // BLOCK, (start + length) // BLOCK)
        data = entry.body
        body: Readable
        if not length:
            body = BytesBody(b"")
        elif data is not None:
            body = BytesBody(data if length == len(data) else data[start : start + length])
        else:
            ask = Ask(key=key, name=name, variant=entry.variant, want=self._freshness.asked(want))
            body = BlockBody(self._parts, ask, entry, start, length, fill).prepare()
        return Opened(info=info, body=body, start=start, length=length)


def _named(info: ObjectInfo, key: str) -> ObjectInfo:
    return info if info.key == key else replace(info, key=key)


def _toward(ask: Ask, entry: CacheEntry | None, want: Get) -> Ask:
    """What to ask the source for one who wants that. Only the head, where the answer may
    need no bytes, or which are needed depends on the size."""
    asked = want.range
    known = entry if entry is not None and entry.info is not None else None
    if want.conditions is not None or (asked is not None and asked.first is None):
        return replace(ask, head=True, known=known)
    if asked is None or asked.first is None:
        return replace(ask, known=known)
    last = None if asked.last is None else asked.last // BLOCK
    return replace(ask, first=asked.first // BLOCK, last=last, known=known)
