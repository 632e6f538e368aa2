"""What a fill does with the stock: claims, blocks a few with each commit, and giving up.

The entry is stored with the first of its blocks, so that other workers can begin. What
cannot be stored (the disk is full, a mark or a newer fetch has overtaken it) ends the
storing of this fill, and not the fill.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from drivers.cache import claims
from drivers.cache.context import CacheContext
from drivers.cache.entries import CacheEntry
from drivers.cache.rows import NoRoom, Refused
from drivers.indexed.blobs import Blob
from gateway.storage import StorageError, settled

log = logging.getLogger("gateway.cache")

_TOGETHER = 4
"""Blocks in one commit, at most."""
_SOON = 0.05
"""Seconds after which fewer are committed."""
_SPOILED = 1000
"""Entries of which it is remembered that they were wrong: the newest."""


class Storing:
    """`on`: what comes is stored. `place` is (name, variant)."""

    def __init__(self, parts: CacheContext, place: tuple[str, str]) -> None:
        self._parts, self._place = parts, place
        self.on = parts.room.storing
        self._claim = self._admitted = 0
        self._pending: list[tuple[int, Blob]] = []
        self._committed = time.monotonic()

    def claim(self, blocks: tuple[int, int | None], point: int) -> bool:
        """Whether these blocks are ours to fetch; if so, others wait for them."""
        parts = self._parts
        try:
            self._claim = claims.claim(
                parts.stock.space, parts.marks, parts.holder, self._place, blocks, point, parts.died
            )
        except StorageError:
            self.stop(pause=True)
        return bool(self._claim)

    def write(self, entry: CacheEntry, number: int, pieces: Sequence[bytes]) -> None:
        """A block, to be committed with the next few."""
        if not self.on:
            return
        sealed = entry.info is not None and entry.info.encryption is not None
        size = sum(map(len, pieces))
        try:
            if not self._parts.room.admit(size):
                self.stop()
                return
            self._admitted += size
            blob = self._parts.stock.write(pieces, sealed=sealed)
        except StorageError:
            self.stop(pause=True)
        else:
            self._pending.append((number, blob))

    def commit_soon(self, entry: CacheEntry) -> None:
        waiting = time.monotonic() - self._committed
        if len(self._pending) >= _TOGETHER or waiting > _SOON:
            self.commit(entry)

    def commit(self, entry: CacheEntry, *, finished: bool = False) -> None:
        if not self.on or not (self._pending or finished):
            return
        pending, self._pending = self._pending, []
        if not self.store(entry, pending, self._claim if finished else 0):
            self._parts.stock.discard([blob for _, blob in pending])
        elif finished:
            self._claim = 0
        self._settle()
        self._committed = time.monotonic()

    def store(self, entry: CacheEntry, blocks: Sequence[tuple[int, Blob]], claim: int = 0) -> bool:
        """Whether it is stored; if not, nothing more of this fill will be."""
        stock, room = self._parts.stock, self._parts.room
        if self.on and not entry.id:
            self._settle_info(entry)
        for attempt in (1, 2):
            if not self.on:
                break
            try:
                stock.store(entry, blocks, claim)
                if stock.is_high:
                    room.wanted.set()
                return True
            except Refused:
                self.stop()
            except NoRoom:
                if attempt == 2:
                    self.stop()
                else:
                    self._make_room(sum(blob.size for _, blob in blocks))
            except StorageError:
                self.stop(pause=True)
        return False

    def make_room_for_variant(self, key: str, query: str) -> None:
        if self.on:
            try:
                self._parts.stock.make_room_for_variant(key, query)
            except StorageError:
                self.stop(pause=True)

    def _settle_info(self, entry: CacheEntry) -> None:
        """The stock has all of an object's tags and parts. The source may have to be asked for
        them: now, and not in the commit, for which every worker's fills wait."""
        try:
            entry.info = entry.info and settled(entry.info)
        except StorageError as error:
            if not self._parts.unsettled:
                self._parts.unsettled = True
                log.warning("what the source does not tell in full is not stored: %s", error)
            self.stop()

    def _make_room(self, size: int) -> None:
        try:
            self._parts.room.make(size + len(self._place[0]) * 2 + 10_000)
        except StorageError:
            self.stop(pause=True)

    def stop(self, *, pause: bool = False) -> None:
        """Store nothing more. `pause`: no other fill either, for a while."""
        self.on = False
        self._discard()
        if pause:
            self._parts.room.pause()

    def spoil(self, entry: CacheEntry) -> None:
        """What has come may be wrong: nothing of it stays."""
        self.stop()
        self._parts.hot.pop((entry.key, entry.variant))
        if entry.id:
            spoiled = self._parts.spoiled
            spoiled.add(entry.id)
            if len(spoiled) > _SPOILED:
                spoiled.discard(min(spoiled))
            try:
                self._parts.stock.drop(entry.id)
            except StorageError:
                self._parts.room.pause()

    def end(self) -> None:
        """The fill has ended, somehow."""
        self._discard()
        if self._claim:
            try:
                claims.give_up(self._parts.stock.space, self._claim)
            except StorageError:
                self._parts.room.pause()  # it expires

    def _discard(self) -> None:
        self._parts.stock.discard([blob for _, blob in self._pending])
        self._pending = []
        self._settle()

    def _settle(self) -> None:
        """What was written is known to the index, or gone."""
        self._parts.room.written(self._admitted)
        self._admitted = 0
