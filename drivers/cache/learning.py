"""What a source says of an object becomes an entry: where it is for those who ask next, what of
it is kept, and for how long. Bytes are not looked at here.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.cache import answers, selecting
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry, validator_of
from drivers.cache.fills import Ask, Fill
from drivers.cache.freshness import PASS_FOR, Freshness
from drivers.cache.storing import Storing
from gateway.storage import Get, ObjectInfo, OriginAnswer, StorageError

_NEVER = 1 << 62


class Overtaken(Exception):
    """What was known is so no more: whoever waits is to look again."""


class Learning:
    """Of one fill's question, and its answer. `entry` begins without anything that the source
    has said, and is all of it in the end."""

    def __init__(
        self, parts: CacheContext, fill: Fill, ask: Ask, storing: Storing, entry: CacheEntry
    ) -> None:
        self._parts, self._fill, self._ask = parts, fill, ask
        self._storing, self.entry = storing, entry

    # an object

    def head(self, info: ObjectInfo) -> None:
        if not self._parts.freshness.keeps(info, self._ask.want):
            self.pass_by()
            return
        self._place(info)
        self._describe(info)
        self._settle()

    def describe(self, info: ObjectInfo) -> bool:
        """Whether it goes on with an entry that was there: bytes are to be added to that. Raises
        `Overtaken` where it is another object by now."""
        ask, entry = self._ask, self.entry
        if ask.known is None or not ask.fresh:
            self._place(info)
            self._describe(info)
            return False
        self._describe(info)
        if entry.validator != ask.known.validator:
            self.forget_known()
            raise Overtaken
        entry.id, entry.blocks = ask.known.id, ask.known.blocks
        entry.info = _summed(info, ask.known.info)
        return True

    def renew(self, info: ObjectInfo) -> None:
        """The source says that what is known is still right. Raises `Overtaken` where that is
        another object."""
        known = self._ask.known
        if known is not None and known.info is not None:
            info = answers.updated(known.info, info)
        if known is None or validator_of(info) != known.validator:
            self.forget_known()
            raise Overtaken
        self._describe(info)
        self.entry.blocks, self.entry.body = known.blocks, known.body
        self._settle()

    def pass_by(self, *, remembered: bool = True) -> None:
        """It is not for the cache; `remembered`: and so is what others ask for, for a while."""
        self._is_passing()
        if remembered:
            self._settle()
        else:
            self._fill.publish(self.entry)

    def _is_passing(self) -> None:
        entry = self.entry
        entry.passing, entry.variant = True, self._ask.variant
        entry.until = entry.fetched + round(1000 * PASS_FOR)

    def _describe(self, info: ObjectInfo) -> None:
        _describe(self.entry, info, self._parts.freshness)

    def _place(self, told: ObjectInfo | OriginAnswer) -> None:
        """Where an answer is for those who ask as this one did; and where others look first it
        is written which of their fields tell them where."""
        parts, want, entry = self._parts, self._ask.want, self.entry
        if not parts.freshness.strict:
            return
        chosen_by = parts.freshness.chosen_by(told)
        if not chosen_by:
            entry.variant = want.query
            return
        entry.variant = selecting.variant(want.query, chosen_by, want.headers)
        parts.fills.also_at(self._fill, (entry.key, entry.variant))
        self._storing.make_room_for_variant(entry.key, want.query)
        known = parts.hot.get((entry.key, want.query))
        if known is not None and known.chosen_by == chosen_by and known.point >= entry.point:
            return
        there = CacheEntry(
            entry.key, want.query, point=entry.point, fetched=entry.fetched,
            until=_NEVER, chosen_by=chosen_by,
        )  # fmt: skip
        if self._storing.store(there, ()):
            parts.hot.put(there)

    def _settle(self) -> None:
        """Store an entry that needs no bytes, and let those who wait have it."""
        if self._storing.store(self.entry, ()):
            self._parts.hot.put(self.entry)
        self._fill.publish(self.entry)

    # a failure

    def remember(self, error: StorageError) -> None:
        known, freshness, entry = self._ask.known, self._parts.freshness, self.entry
        if error.origin is not None:
            error.origin = freshness.heard(error.origin)
        if not freshness.fails(error):
            self._parts.fills.answered()
        elif known is not None:
            if not self._ask.fresh:
                self._postpone(known)
            return
        seconds = freshness.remembers(error, self._ask.want, entry.fetched)
        if seconds > 0:
            if error.origin is not None:
                self._place(error.origin)
            entry.failure = error
            entry.until = entry.fetched + round(1000 * seconds)
        elif freshness.strict and error.origin is not None:
            self._is_passing()
        else:
            return
        if self._storing.store(entry, ()):
            self._parts.hot.put(entry)

    def _postpone(self, known: CacheEntry) -> None:
        """The source has failed to say whether this is still right: no worker asks again for
        a while, and longer each time."""
        later = known.postponed(self._parts.clock(), self._parts.freshness.pause(known.failures))
        if not self._storing.store(later, ()):
            later.id = known.id
        self._parts.hot.put(later)

    def forget_known(self) -> None:
        known = self._ask.known
        self._parts.hot.pop((self._ask.name, self._ask.variant))
        if known is not None and known.id:
            try:
                self._parts.stock.drop(known.id)
            except StorageError:
                self._storing.stop(pause=True)


def freshen(
    parts: CacheContext, known: CacheEntry, want: Get, told: ObjectInfo, begun: tuple[int, int]
) -> None:
    """Bring an entry up to date with what a HEAD was answered (RFC 9111 §4.3.5); or make it
    stale, where that is about something else. `begun`: the newest mark, and the clock, before
    it was asked."""
    if known.info is None:
        return
    if parts.freshness.confirms(told, known.info, want):
        point, fetched = begun
        entry = CacheEntry(known.key, known.variant, point=point, fetched=fetched, until=fetched)
        _describe(entry, answers.renewed(known.info, told), parts.freshness)
        entry.blocks, entry.body = known.blocks, known.body
    elif known.until > begun[1]:
        entry = known.stale_since(begun[1])
    else:
        return
    storing = Storing(parts, (known.key, known.variant))
    if storing.store(entry, ()):
        parts.hot.put(entry)
    storing.end()


def _describe(entry: CacheEntry, info: ObjectInfo, freshness: Freshness) -> None:
    entry.info = freshness.told(info)
    entry.tags = freshness.tags(entry.info)
    entry.until = freshness.fresh_until(entry.info, entry.fetched)


def _summed(info: ObjectInfo, known: ObjectInfo | None) -> ObjectInfo:
    """The same object, of which an answer to a range says no checksums."""
    if info.checksums or known is None or not known.checksums:
        return info
    return replace(info, checksums=known.checksums, checksum_type=known.checksum_type)
