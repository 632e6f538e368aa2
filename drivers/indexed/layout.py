"""Where the stored blocks of a blob begin and end.

All have the length of a block, but the last, unless the blob is compressed: then the index
has the end of each, so that any is found without the others. Encryption adds a tag to each,
which is not counted in these ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import chain, repeat
from typing import NamedTuple

from drivers.indexed.cipher import BLOCK
from gateway.storage import Corrupt

HALF = BLOCK // 2
_END = struct.Struct("<Q")
_UNKNOWN = "The index does not know where the blocks of a blob end."


def pack_ends(ends: list[int]) -> bytes:
    return b"".join(map(_END.pack, ends))


class Layout(NamedTuple):
    """Of the blocks of a blob of `size` plain bytes. `tag`: the bytes that each has more.
    `ends`: packed; b"" where it is not compressed. `halved`: blocks are read in two pieces, where
    they are as they were written."""

    size: int
    tag: int = 0
    ends: bytes = b""
    halved: bool = False

    def check(self) -> Layout:
        """Raise `Corrupt` when there are not as many ends as blocks: a row may be damaged."""
        if self.ends and not (
            isinstance(self.ends, bytes) and len(self.ends) == _END.size * self._count
        ):
            raise Corrupt(_UNKNOWN)
        return self

    @property
    def _count(self) -> int:
        return -(-self.size // BLOCK)

    def plain_length(self, number: int) -> int:
        """Of a block. 0 for one that there is not."""
        return max(min(BLOCK, self.size - number * BLOCK), 0)

    @property
    def stored(self) -> int:
        """The bytes of all blocks, as they are stored."""
        return self.start(self._count) if self.ends else self.size + self._count * self.tag

    def start(self, number: int) -> int:
        """Where a block begins, in bytes from the first one. Raises `Corrupt` where those before it
        would be longer than they were."""
        before = number * BLOCK
        if self.ends and number:
            (end,) = _END.unpack_from(self.ends, (number - 1) * _END.size)
            if end > before:
                raise Corrupt(_UNKNOWN)
            before = end
        return before + number * self.tag

    def lengths(self, first: int) -> Iterator[int]:
        """How many bytes are to be read for each block, or half of one, from number `first` on. It
        does not end, so that who reads finds what is behind the last one. Raises `Corrupt`, now
        or later."""
        if self.halved:
            return repeat(HALF)
        full = repeat(BLOCK + self.tag)
        return chain(self._between_ends(first), full) if self.ends else full

    def _between_ends(self, first: int) -> Iterator[int]:
        start = self.start(first)
        for number in range(first, self._count):
            end = self.start(number + 1)
            if not self.tag < end - start <= BLOCK + self.tag:
                raise Corrupt(_UNKNOWN)
            yield end - start
            start = end
