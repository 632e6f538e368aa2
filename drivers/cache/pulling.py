"""The helper's part of a fill: asks the source, hands on what comes, and stores it.

- What the source says makes an entry (see `learning`).
- Blocks are stored as they are complete (see `storing`).
- The last bytes are handed on when all have come and fit their checksum: an
  answer that ends early or is wrong is never complete, neither stored nor sent.
- What cannot be stored (the disk is full, a mark or a newer fetch has overtaken
  it) is still handed on to those who wait.
- While another worker has claimed the fill, this one waits for its blocks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from drivers.cache import answers, checks
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry, joins
from drivers.cache.fills import BLOCK, Fill
from drivers.cache.hot import BODY
from drivers.cache.learning import Learning, Overtaken
from drivers.cache.marks import GOOD
from drivers.cache.storing import Storing
from gateway.storage import (
    PIECE,
    Conditions,
    Get,
    NotModified,
    Opened,
    OriginFailed,
    PreconditionFailed,
    Range,
    StorageError,
)

_POLL = 0.02
"""Seconds between two looks at what another worker has stored."""

_STRETCH = 64
"""Blocks that are looked up at once."""


class Pull:
    """One fill, from its claim to its end. Call it in a helper thread."""

    def __init__(self, parts: CacheContext, fill: Fill) -> None:
        self._parts, self._fill, self._ask = parts, fill, fill.ask
        self._place = (fill.ask.name, fill.ask.variant)
        self._goes_on = False
        """Blocks are added to an entry that was there: it stays when the rest fails."""
        self._storing = Storing(parts, self._place)

    def __call__(self) -> None:
        """Raises what the source raises."""
        try:
            if self._claimed():
                self._fetch()
        except Overtaken:
            pass  # it ends without an outcome
        finally:
            self._storing.end()

    # with other workers

    def _claimed(self) -> bool:
        """Whether it is ours to fetch; False when another worker has done it all."""
        parts, ask = self._parts, self._ask
        while parts.stock.shared and self._storing.on and not (ask.head or ask.alone):
            claimed = self._storing.claim((self._fill.next, ask.last), self._fill.point)
            if self._follow_all():  # also when it is ours: the other may just have ended
                return False
            if claimed:
                return True
            if not self._fill.readers:
                return False  # the other worker does it all
            self._parts.fills.go_on()
            time.sleep(_POLL)
        return True

    def _follow_all(self) -> bool:
        """Hand on what another worker has stored by now, a stretch at a time. Whether that
        is all that was asked for."""
        while True:
            before = self._fill.next
            if self._follow():
                return True
            if self._fill.next == before:
                return False

    def _follow(self) -> bool:
        parts, fill, ask = self._parts, self._fill, self._ask
        try:
            entry = parts.stock.find(*self._place)
            counts = entry is not None and self._counts(entry)
            last = fill.next + _STRETCH - 1
            blocks = (
                parts.stock.blocks(entry.id, fill.next, last)
                if entry is not None and counts and entry.id
                else {}
            )
        except StorageError:
            self._storing.stop(pause=True)
            return False
        if fill.follows not in (0, entry.id if entry is not None else -1):
            raise OriginFailed("What another worker fetched was wrong.", key=ask.key)
        if entry is None or not counts:
            self._leave_alone(entry)
            return False
        if entry.failure is not None or entry.info is None:
            fill.publish(entry)
            return True
        there = fill.next
        while there in blocks:
            there += 1
        if there == fill.next and entry.info.size:
            return False
        entry.blocks.update(blocks)
        fill.publish(entry)
        fill.follows = entry.id
        fill.skip(there)
        self._ask = replace(ask, known=entry, fresh=True)
        end = -(-entry.info.size // BLOCK) if ask.last is None else ask.last + 1
        return there >= end

    def _leave_alone(self, known: CacheEntry | None) -> None:
        """Raise, when another worker has just failed to make it fresh."""
        if known is not None and not self._ask.fresh and known.retry > self._parts.clock():
            raise OriginFailed("The source has failed a moment ago.", key=self._ask.key)

    def _counts(self, entry: CacheEntry) -> bool:
        marks = self._parts.marks
        marks.newest()
        good = marks.judge(entry.key, entry.tags, entry.point) == GOOD
        return good and entry.until > self._parts.clock()

    # asking the source

    def _fetch(self) -> None:
        parts, ask = self._parts, self._ask
        point, fetched = parts.marks.newest(), parts.clock()
        self._fill.point = max(self._fill.point, point)
        variant = ask.variant if ask.known is None else ask.known.variant
        draft = CacheEntry(ask.name, variant, point=point, fetched=fetched, until=fetched)
        learning = Learning(parts, self._fill, ask, self._storing, draft)
        try:
            if ask.head:
                want = replace(ask.want, range=None)
                learning.head(answers.head(parts.source, ask.key, want))
                return
            opened = answers.opened(parts.source, ask.key, self._want())
        except NotModified as error:
            parts.fills.answered()
            learning.renew(error.info)
            return
        except PreconditionFailed:
            parts.fills.answered()
            learning.forget_known()
            raise Overtaken from None
        except StorageError as error:
            learning.remember(error)
            raise
        parts.fills.answered()
        try:
            self._parts.fills.go_on()
            handed = self._take(learning, opened)
        except BaseException:
            opened.close()
            raise
        if not handed:
            opened.close()

    def _want(self) -> Get:
        ask, first = self._ask, self._fill.next
        whole = first == 0 and ask.last is None
        last = None if ask.last is None else (ask.last + 1) * BLOCK - 1
        return replace(
            ask.want,
            range=None if whole else Range(first * BLOCK, last),
            conditions=self._conditions(),
        )

    def _conditions(self) -> Conditions | None:
        known, fresh = self._ask.known, self._ask.fresh
        info = known.info if known is not None else None
        if info is None:
            return None
        if info.etag:
            if not fresh:
                return Conditions(if_none_match=(info.etag,))
            return None if info.etag.startswith("W/") else Conditions(if_match=(info.etag,))
        if not info.modified:
            return None
        if not fresh:
            return Conditions(modified_since=info.modified)
        return Conditions(unmodified_since=info.modified)

    def _take(self, learning: Learning, opened: Opened) -> bool:
        """Whether it is somebody else's now."""
        if not self._parts.freshness.storable(opened, self._ask.want):
            handed = self._fill.hand(opened)
            learning.pass_by()
            return handed
        apart = not joins(opened.info)
        if apart and self._ask.fresh:
            learning.forget_known()
            raise Overtaken
        if apart and opened.length < opened.info.size:
            handed = self._fill.hand(opened)
            learning.pass_by(remembered=False)
            return handed
        self._goes_on = learning.describe(opened.info)
        self._fill.publish(learning.entry)
        whole = False
        try:
            whole = self._stream(learning.entry, opened)
        finally:
            if apart and not whole:
                self._storing.spoil(learning.entry)
        return False

    # the bytes

    def _stream(self, entry: CacheEntry, opened: Opened) -> bool:
        """Whether that was all of it."""
        fill, at, end = self._fill, opened.start, opened.start + opened.length
        check = checks.of_whole(opened.info) if opened.length == opened.info.size else None
        block: list[bytes] = []
        while at < end:
            piece = opened.body.read(PIECE)
            self._parts.fills.go_on()
            if not piece or at + len(piece) > end:
                if not self._goes_on:
                    self._storing.spoil(entry)
                raise OriginFailed(
                    f"The source announced {opened.length} bytes and gave"
                    f" {'fewer' if not piece else 'more'}.",
                    key=self._ask.key,
                )
            at += len(piece)
            if check is not None:
                check.add(piece)
                if at == end and not check.fits():
                    self._storing.spoil(entry)
                    raise OriginFailed(
                        f"The bytes do not fit the object's {check.name}.", key=self._ask.key
                    )
            fill.add(piece)
            while at // BLOCK > fill.next:
                cut = len(piece) - (at - (fill.next + 1) * BLOCK)
                self._block(entry, [*block, piece[:cut]])
                block, piece = [], piece[cut:]
            if piece:
                block.append(piece)
            if at < end and self._needless():
                self._storing.commit(entry)
                return False
        if block:
            self._block(entry, block)
        self._storing.commit(entry, finished=True)
        self._keep_hot(entry, block)
        return True

    def _needless(self) -> bool:
        """Whether nobody has anything of the rest, or others have more of its place."""
        fill = self._fill
        if not self._storing.on and not fill.readers:
            return True
        return self._parts.fills.gives_way(fill)

    def _block(self, entry: CacheEntry, pieces: Sequence[bytes]) -> None:
        """A block is complete."""
        self._storing.write(entry, self._fill.next, pieces)
        self._fill.next += 1
        self._storing.commit_soon(entry)

    def _keep_hot(self, entry: CacheEntry, block: list[bytes]) -> None:
        if not self._storing.on:
            return
        info = entry.info
        if info is not None and info.size <= BODY:
            entry.body = b"".join(block)
        self._parts.hot.put(entry)
