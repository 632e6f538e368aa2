"""An answer's bytes: blocks from the stock, and from a fill those that are still to come.

What a block misses is fetched for it, with the validator of the bytes that were
sent before: an object that changes in the middle breaks the answer off.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from drivers.cache import answers
from drivers.cache.entries import joins, validator_of
from drivers.cache.fills import BLOCK, Ask, Fill
from gateway.storage import (
    PIECE,
    Conditions,
    Corrupt,
    Opened,
    OriginFailed,
    PreconditionFailed,
    Range,
    StorageError,
    Stretch,
    lent,
    whole_file,
)

if TYPE_CHECKING:
    from drivers.cache.context import CacheContext
    from drivers.cache.entries import CacheEntry, Held

_STRETCH = 64
"""Blocks that are looked up at once."""
_TRIES = 3
"""Of getting one block through the cache; then the source is read directly."""


class Changed(OriginFailed):
    """The bytes that are missing are of another object than those that are there."""

    message = "The object was changed while it was read."


class BlockBody:
    """`length` bytes from `start` of an entry's object. `ask` says how it is asked for."""

    __slots__ = (
        "_ask",
        "_at",
        "_bad",
        "_block",
        "_blocks",
        "_direct",
        "_end",
        "_entry",
        "_fill",
        "_left",
        "_parts",
        "_rest",
        "_stored",
        "_tries",
        "_until",
    )  # fmt: skip

    def __init__(
        self,
        parts: CacheContext,
        ask: Ask,
        entry: CacheEntry,
        start: int,
        length: int,
        fill: Fill | None,
    ) -> None:
        self._parts, self._ask, self._entry = parts, ask, entry
        self._at, self._end, self._fill = start, start + length, fill
        self._left: Fill | None = None
        self._blocks = entry.blocks
        self._rest = b""
        self._stored: Iterator[bytes] | None = None
        self._until = 0
        """Where what is stored ends."""
        self._direct: Opened | None = None
        self._block, self._tries, self._bad = -1, 0, -1
        if fill is not None:
            parts.fills.enter(fill)

    def prepare(self) -> BlockBody:
        """Be sure of the first bytes, while an error can still be told, and `Changed`
        only means to look again."""
        if self._fill is None and self._at < self._end:
            self._find()
        return self

    @property
    def is_fetched(self) -> bool:
        """Whether the next bytes are from the source, and not from what is stored."""
        return self._fill is not None or self._direct is not None

    def read(self, size: int = PIECE, /) -> bytes:
        at, end = self._at, self._end
        if at >= end:
            return b""
        piece, self._rest = self._rest, b""
        if not piece and self._stored is not None and at < self._until:
            piece = self._from_stock(self._stored)
        if not piece:
            piece = self._next()
        if len(piece) > size or at + len(piece) > end:
            size = min(size, end - at)
            piece, self._rest = piece[:size], piece[size:]
        self._at = at + len(piece)
        return piece

    def stretch(self, most: int, /) -> Stretch | None:
        """Of a block that lies in a file. It is open until the next is asked for."""
        if self._rest or self._at >= self._end or self.is_fetched:
            return None
        self._leave_stored()
        if self._stored is None:
            self._find()
        found = lent(self._stored, min(most, self._end - self._at))
        if found is not None:
            self._at += found.length
        return found

    def whole_file(self) -> str:
        """Where the object is one block."""
        info = self._entry.info
        if self._rest or self._stored is None or info is None or info.size > BLOCK:
            return ""
        return whole_file(self._stored)

    def close(self) -> None:
        self._end = 0
        self._leave()
        self._close_stored()
        if self._direct is not None:
            self._direct.close()

    def _leave_stored(self) -> None:
        """When the last of it was lent: what was read to its end has closed itself."""
        if self._stored is not None and self._at >= self._until:
            self._close_stored()

    def _next(self) -> bytes:
        self._leave_stored()
        while True:
            if self._stored is not None:
                piece = self._from_stock(self._stored)
            elif self._direct is not None:
                piece = self._direct.body.read(PIECE)
                if not piece:
                    raise OriginFailed("The source ended early.", key=self._ask.key)
            elif self._fill is not None:
                piece = self._fill.read(self._at) or b""
                if not piece:
                    self._leave()
            else:
                self._find()
                continue
            if piece:
                return piece

    def _from_stock(self, stored: Iterator[bytes]) -> bytes:
        error: Exception | None = None
        try:
            piece = next(stored, b"")
        except (StorageError, OSError) as raised:
            piece, error = b"", raised
        if not piece:
            self._close_stored()
            self._distrust(self._at // BLOCK, error or Corrupt(key=self._ask.key))
        elif self._at + len(piece) >= self._until:
            self._stored = None  # it has closed itself
        return piece

    # where the next bytes are

    def _find(self) -> None:
        """Where it has been for this block does not help again: after some tries it is the
        source itself, and the answer goes on or breaks off."""
        number, skip = divmod(self._at, BLOCK)
        held = self._held(number)
        if held is not None:
            length = min(held.size - skip, self._end - self._at)
            try:
                self._stored = self._parts.stock.open(held, skip, length)
            except (StorageError, OSError) as error:
                self._distrust(number, error)
            else:
                self._until = self._at + length
                return
        if self._left is not None:
            self._left.check()  # what it gave is as good as the rest of it
        if self._entry.id in self._parts.spoiled:
            raise OriginFailed("The source gave wrong bytes.", key=self._ask.key)
        if number != self._block:
            self._block, self._tries = number, 0
        self._tries += 1
        if self._tries > _TRIES:
            self._go_direct()
        else:
            self._join(number)

    def _held(self, number: int) -> Held | None:
        held = self._blocks.get(number)
        if held is None and self._entry.id:  # also what was not there before: a fill goes on
            last = min(number + _STRETCH - 1, (self._end - 1) // BLOCK)
            with suppress(StorageError):  # an index that fails has nothing
                self._blocks.update(self._parts.stock.blocks(self._entry.id, number, last))
            held = self._blocks.get(number)
        if held is None or held.blob == self._bad:
            return None
        if held.size != self._size(number):
            self._distrust(number, Corrupt(key=self._ask.key))
            return None
        return held

    def _size(self, number: int) -> int:
        """What a whole block has."""
        info = self._entry.info
        return min(BLOCK, info.size - number * BLOCK) if info is not None else BLOCK

    def _join(self, number: int) -> None:
        """Take part in fetching from this block to the next that is there."""
        last = (self._end - 1) // BLOCK
        until = number
        while until < last and until + 1 not in self._blocks:
            until += 1
        entry = self._entry
        ask = replace(self._ask, first=number, last=until, head=False, known=entry, fresh=True)
        fills = self._parts.fills
        if not (entry.info is None or joins(entry.info) or fills.under_way(ask)):
            self._set_apart(ask)
        with fills.joined(ask) as fill:
            found = fills.outcome(fill)
            if found is None or found.validator != entry.validator:
                raise Changed(key=self._ask.key)
            self._entry, self._blocks = found, found.blocks  # which the fill adds to
            fills.enter(fill)
            self._fill = fill

    def _set_apart(self, ask: Ask) -> NoReturn:
        """What is there of an object, and is not to be had together with the rest of it, is
        given up: unless the rest is on its way."""
        parts, entry = self._parts, self._entry
        if not parts.fills.filling(ask):
            parts.hot.pop((entry.key, entry.variant))
            with suppress(StorageError):
                parts.stock.drop(entry.id)
        raise Changed(key=ask.key)

    def _go_direct(self) -> None:
        etag = self._entry.info.etag if self._entry.info else ""
        strong = etag and not etag.startswith("W/")
        want = replace(
            self._ask.want,
            range=Range(self._at, self._end - 1),
            conditions=Conditions(if_match=(etag,)) if strong else None,
        )
        try:
            self._direct = answers.opened(self._parts.source, self._ask.key, want)
        except PreconditionFailed:
            raise Changed(key=self._ask.key) from None
        if validator_of(self._direct.info) != self._entry.validator:
            raise Changed(key=self._ask.key)

    def _distrust(self, number: int, error: Exception) -> None:
        """Take this block from the source. What is damaged or gone is so for all; where it
        only cannot be read now, or not be removed, this answer does without it."""
        held = self._blocks.pop(number, None)
        if held is None:
            return
        self._bad = held.blob
        if isinstance(error, Corrupt | FileNotFoundError):
            with suppress(StorageError):
                self._parts.stock.drop_block(self._entry.id, number, held.blob)

    def _leave(self) -> None:
        if self._fill is not None:
            self._parts.fills.leave(self._fill)
            self._fill, self._left = None, self._fill

    def _close_stored(self) -> None:
        close = getattr(self._stored, "close", None)
        self._stored = None
        if close is not None:
            close()
