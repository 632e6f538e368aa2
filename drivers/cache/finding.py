"""Which entry is for a request, and whether it is the answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from drivers.cache import selecting
from drivers.cache.entries import BEYOND, CacheEntry
from drivers.cache.freshness import Freshness
from drivers.cache.hot import BODY, Hot
from drivers.cache.marks import GONE, GOOD, STALE, Marks
from drivers.cache.rfc9111 import Decision, Use
from drivers.cache.stock import Stock
from gateway.storage import Corrupt, Get, Layer, TimedOut

_NOTHING = CacheEntry("", point=0, fetched=0, until=0)


class Found(NamedTuple):
    """What was looked up: the entry, where it is or would be, and why there is none, where there
    is none."""

    entry: CacheEntry | None
    variant: str
    missing: str

    def reason(self, now: int) -> str:
        """Why the source is asked (RFC 9211 §2.2)."""
        entry = self.entry
        if entry is None:
            return self.missing
        if entry.passing:
            return "bypass"
        return "stale" if entry.marked or entry.until <= now else "request"


class Finding(Layer):
    """What a cache looks in, while it is open."""

    _freshness: Freshness
    _clock: Callable[[], int]
    _stock: Stock
    _marks: Marks
    _hot: Hot

    def _find(self, name: str, variant: str, want: Get) -> Found:
        """The entry that is for this request, unless a mark says that it is gone."""
        entry = self._judged(name, variant)
        if entry is None or not entry.chosen_by:
            return Found(entry, variant, "uri-miss")
        self._hot.touch(entry.id, 0, 0)
        variant = selecting.variant(variant, entry.chosen_by, want.headers)
        return Found(self._judged(name, variant), variant, "vary-miss")

    def _decide(self, found: Found, want: Get) -> Decision:
        """Raises `TimedOut` where nothing is stored, and no other answer wanted."""
        now, entry = self._clock(), found.entry or _NOTHING
        if entry.marked:  # it has ceased to be fresh
            now = max(now, entry.until)
        decision = self._freshness.decide(entry, want, now)
        if decision.use is Use.NOTHING:
            raise TimedOut("It is not in the cache, and nobody else was to be asked.")
        return decision

    def _judged(self, name: str, variant: str) -> CacheEntry | None:
        """What is there, unless it is gone; it knows whether a mark says that it is stale."""
        marks, hot, place = self._marks, self._hot, (name, variant)
        while True:
            newest, forgotten = marks.newest(), marks.forgotten
            entry = self._entry(place, forgotten)
            if entry is None:
                return None
            verdict = marks.judge(name, entry.tags, entry.point)
            if forgotten == marks.forgotten:
                break
        if verdict == GONE:
            hot.pop(place)
            return None
        entry.marked = verdict == STALE
        if entry.marked:
            return entry
        entry.point = max(entry.point, newest)
        hot.put(entry)
        return entry

    def _entry(self, place: tuple[str, str], forgotten: int) -> CacheEntry | None:
        """What this process knows, where that counts; else what the stock has: another
        worker may have made it anew."""
        hot, now = self._hot.get(place), self._clock()
        if (
            hot is not None
            and hot.point >= forgotten
            and hot.until > now >= hot.fetched - BEYOND
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

    def _is_for(self, entry: CacheEntry, want: Get) -> bool:
        """Whether what somebody else was answered is for this request, too."""
        policy = self._freshness
        if not policy.strict:
            return True
        told = entry.told
        if told is None or entry.until <= entry.fetched:
            return False
        chosen_by = policy.chosen_by(told)
        if not chosen_by:
            return entry.variant == want.query
        return entry.variant == selecting.variant(want.query, chosen_by, want.headers)
