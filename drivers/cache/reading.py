"""What a cache answers a read with: the entry, while it is fresh and no mark names it; else
the source is asked, once for all who wait (`fills`).

Who may read is decided before (`gateway.access.access`); what a cache has is answered to
whoever gets here. Versions, parts and encryption under a customer's key pass it by.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from drivers.cache import selecting, showing
from drivers.cache.answering import Answering
from drivers.cache.body import Changed
from drivers.cache.entries import BEYOND, CacheEntry
from drivers.cache.fills import BLOCK, Ask, Fill
from drivers.cache.finding import Found
from drivers.cache.learning import freshen
from drivers.cache.places import Fills, Late
from drivers.cache.rfc9111 import Decision, Use
from gateway.storage import (
    Get,
    ObjectInfo,
    Opened,
    StorageError,
    Varies,
)
from gateway.storage.folding import folded

_TRIES = 5
SOON = 1.0
"""Seconds that who has stale bytes waits for the source."""


class CachedReads(Answering):
    """What it works with is there while the cache is open (see `context`)."""

    _obeys: bool
    _fills: Fills

    @cached_property
    def _varies(self) -> Varies | None:
        return self.source.find(Varies)

    def get(self, key: str, want: Get = Get()) -> Opened:
        if want.query or want.headers:
            want = self._freshness.normal(key, want, self._varies)
        variant = self._freshness.variant(want)
        if variant is None:
            return self.source.get(key, want)
        name = key
        if not self.case_sensitive:
            name, key = folded(key), self.source.fold(key)
        entry = self._hot.get((name, variant))
        if entry is not None and entry.chosen_by:
            entry = self._hot.get((name, selecting.variant(variant, entry.chosen_by, want.headers)))
        now = self._clock()
        if (
            entry is not None
            and entry.until > now >= entry.fetched - BEYOND
            and not (self._obeys and speaks(want))
        ):
            newest = self._marks.newest()
            if entry.point >= newest and entry.info is not None:
                try:
                    return self._serve(key, name, entry, want, now)
                except Changed:
                    pass
        return self._look(key, name, variant, want)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        if want.query or want.headers:
            want = self._freshness.normal(key, want, self._varies)
        variant = self._freshness.variant(want)
        if variant is None:
            return self.source.stat(key, want)
        if self._makes(key, want):
            with self.get(key, want) as opened:
                return replace(opened.info, trace=opened.trace)
        name = key
        if not self.case_sensitive:
            name, key = folded(key), self.source.fold(key)
        ask = Ask(key=key, name=name, variant=variant, want=self._freshness.asked(want), head=True)
        if not self._freshness.by_head:
            return self._stat(ask, want)
        entry, trace = self._fresh(ask, want)
        if entry is None or entry.info is None:
            return self._passed(self.source.stat(key, want))
        return self._described(key, entry, want, trace)

    def _makes(self, key: str, want: Get) -> bool:
        return self._varies is not None and self._varies.makes(key, want)

    def _passed(self, info: ObjectInfo, why: str = "bypass") -> ObjectInfo:
        return replace(info, trace=(*info.trace, showing.passed(self._called, why)))

    def _stat(self, ask: Ask, want: Get) -> ObjectInfo:
        """A HEAD is answered of what is stored, or by the origin (RFC 9110 §9.3.2)."""
        try:
            found = self._find(ask.name, ask.variant, want)
        except StorageError:
            return self._passed(self.source.stat(ask.key, want))
        entry, decision = found.entry, self._decide(found, want)
        if entry is not None and not entry.passing:
            asked = replace(ask, head=False, variant=found.variant)
            if decision.use is Use.FRESH or self._need_not_wait(asked, entry, decision):
                return self._described(ask.key, entry, want)
        begun = self._marks.newest(), self._clock()
        why = found.reason(begun[1])
        try:
            told = self.source.stat(ask.key, want)
        except StorageError as error:
            if entry is None or not (decision.if_failing and self._freshness.fails(error)):
                error.trace = showing.failed(self._called, why, collapsed=False)
                raise
            return self._described(ask.key, entry, want)
        if entry is not None:
            freshen(self._parts, entry, want, told, begun)
        return self._passed(told, why)

    def _look(self, key: str, name: str, variant: str, want: Get) -> Opened:
        """What is not answered at once."""
        ask = Ask(key=key, name=name, variant=variant, want=self._freshness.asked(want))
        for _ in range(_TRIES):
            with suppress(Changed):
                opened = self._attempt(ask, want)
                if opened is not None:
                    return opened
        return self._directly(key, want)  # it changes faster than it can be fetched

    def _attempt(self, ask: Ask, want: Get) -> Opened | None:
        """None, or `Changed`: things have moved meanwhile; try again."""
        key, name = ask.key, ask.name
        try:
            found = self._find(name, ask.variant, want)
        except StorageError:  # an index that does not work: the source does
            return self.source.get(key, want)
        entry, decision = found.entry, self._decide(found, want)
        ask = replace(ask, variant=found.variant)
        if entry is not None and self._is_answer(ask, entry, decision):
            return self._answer(key, name, entry, want)
        ask, why = self._toward(ask, found, want), found.reason(self._clock())
        with self._fills.joined(ask) as fill:
            mine = fill.ask is ask
            got = self._outcome(fill, found, decision, want, mine=mine)
            handed = fill.take() if mine else None
            if handed is not None:
                return self._handed(key, handed, why, want)
            if got is None or got.chosen_by or not (mine or self._is_for(got, want)):
                return None
            if got is not fill.entry:  # it is stale
                return self._answer(key, name, got, want)
            trace = showing.fetched(self._called, why, got, collapsed=not mine)
            return self._answer(key, name, got, want, None if ask.head else fill, trace)

    def _is_answer(self, ask: Ask, entry: CacheEntry, decision: Decision) -> bool:
        if entry.passing and self._freshness.strict:
            return False
        return decision.use is Use.FRESH or self._need_not_wait(ask, entry, decision)

    def _toward(self, ask: Ask, found: Found, want: Get) -> Ask:
        """What to ask the source for one who wants that. Of what nobody may share, each asks
        for himself: else they would wait for each other in vain."""
        entry, policy = found.entry, self._freshness
        if policy.strict:
            never = entry is not None and (entry.passing or entry.until <= entry.fetched)
            place = policy.asked_at(want, found.variant)
            if place != found.variant and not never:
                passed = self._judged(ask.name, place)
                never = passed is not None and passed.passing and passed.until > self._clock()
            ask = replace(ask, variant=place, alone=never)
        if self._makes(ask.key, ask.want):  # a look, or a part, would cost as much
            return replace(ask, known=None if entry is None or entry.info is None else entry)
        return _toward(ask, entry, want, by_head=policy.by_head)

    def _fresh(self, ask: Ask, want: Get) -> tuple[CacheEntry | None, tuple[str, ...]]:
        """The entry, asked for anew where it is not fresh, and what is said of that. None: the
        source's to answer."""
        for _ in range(_TRIES):
            try:
                found = self._find(ask.name, ask.variant, want)
            except StorageError:
                return None, ()
            entry, decision = found.entry, self._decide(found, want)
            trace: tuple[str, ...] = ()
            if entry is None or not self._is_answer(ask, entry, decision):
                asked, why = replace(ask, known=entry), found.reason(self._clock())
                with self._fills.joined(asked) as fill:
                    entry = self._outcome(fill, found, decision, want, mine=True)
                if entry is not None and entry is fill.entry:
                    collapsed = fill.ask is not asked
                    trace = showing.fetched(self._called, why, entry, collapsed=collapsed)
            if entry is not None:
                if entry.failure is not None:
                    raise self._failure(entry, entry.failure)
                return entry, trace
        return None, ()

    # stale

    def _need_not_wait(self, ask: Ask, entry: CacheEntry, decision: Decision) -> bool:
        """Whether a stale entry is answered without waiting for the source: it has just
        failed, or is asked behind the answer."""
        if entry.info is None:
            return False
        if decision.if_failing:
            if entry.retry > self._clock():
                return True
            if self._fills.silent:
                self._fills.behind(replace(ask, known=entry))
                return True
        if decision.use is not Use.BEHIND:
            return False
        by_head = self._freshness.by_head and not self._makes(ask.key, ask.want)
        self._fills.behind(replace(ask, head=by_head, known=entry))
        return True

    def _outcome(
        self, fill: Fill, found: Found, decision: Decision, want: Get, *, mine: bool
    ) -> CacheEntry | None:
        """What the source says; or what is stale, when it fails or keeps its reader waiting.
        None: look again, things changed."""
        policy = self._freshness
        stale = found.entry is not None and decision.if_failing
        try:
            return self._fills.outcome(fill, SOON) if stale else self._fills.outcome(fill)
        except StorageError as error:
            why = found.reason(self._clock())
            error.trace = showing.failed(self._called, why, collapsed=not mine)
            fails = policy.fails(error)
            if policy.strict and not mine:  # what it says may be for whoever asked
                if not fails:
                    return None
                error.origin = None
            if not stale or not fails:
                raise
            variant = self._freshness.variant(fill.ask.want) or ""
            found = self._find(fill.ask.name, variant, want)  # a purge may have come
            entry, decision = found.entry, self._decide(found, want)
            if entry is not None and (decision.use is Use.FRESH or decision.if_failing):
                return entry
            if isinstance(error, Late):
                return None
            raise


def _toward(ask: Ask, entry: CacheEntry | None, want: Get, *, by_head: bool) -> Ask:
    """Only the head, where the answer may need no bytes, or which are needed depends on the
    size."""
    asked = want.range
    known = entry if entry is not None and entry.info is not None else None
    if (want.conditions is not None and by_head) or (asked is not None and asked.first is None):
        return replace(ask, head=True, known=known)
    if asked is None or asked.first is None:
        return replace(ask, known=known)
    last = None if asked.last is None else asked.last // BLOCK
    return replace(ask, first=asked.first // BLOCK, last=last, known=known)


def speaks(want: Get) -> bool:
    """Whether a request says something of caching."""
    return "cache-control" in want.headers or "pragma" in want.headers
