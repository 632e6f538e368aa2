"""The bytes of a blob that lies in a file as it was written: read and checked, or lent.

A block is read and given in halves, none before the whole of it fits its CRC: so what lies in
queues, and in the processor's cache, is half as much, and nothing is copied for it.

Blocks that were checked lately are lent to who asks (`checked_files`). Who asks and gets none has
them read; what fits is remembered when the body ends, so the next one is lent them. Nobody else's
reading is remembered, for which no call of the system is made.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from zlib_ng.zlib_ng import crc32

from drivers.indexed.blobs import Blob, FileBlocks, called, too_short
from drivers.indexed.checked_files import CheckedFiles, FileState
from drivers.indexed.cipher import BLOCK
from drivers.indexed.layout import HALF
from gateway.storage import Corrupt, Stretch

_CRC = struct.Struct("<I")


class Halves:
    """`length` bytes of a blob behind the first `skip` from block `first` on. Without CRCs nothing
    is checked. `known`: what may be lent; None: nothing is. Of a file it holds what
    `blocks.plain_range` says; while it lends one, also the last of it."""

    __slots__ = (
        "_at",
        "_blob",
        "_first",
        "_known",
        "_left",
        "_second",
        "_since",
        "_skip",
        "_source",
        "_state",
        "_value",
    )

    def __init__(
        self,
        source: Iterator[bytes],
        skip: int,
        length: int,
        blob: Blob,
        first: int,
        known: CheckedFiles | None = None,
    ) -> None:
        self._source, self._skip, self._left, self._blob = source, skip, length, blob
        self._known = known
        self._since = 0 if known is None else known.clock()
        self._state: FileState | None = None
        """What it was when somebody asked for what was not lent."""
        self._go_to(first)
        self._second = b""

    def _go_to(self, block: int) -> None:
        self._first, self._at = block, (at := block * _CRC.size)
        crcs = self._blob.crcs
        self._value = _CRC.unpack_from(crcs, at - _CRC.size)[0] if block and crcs else 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._second = self._second, b""
        if piece:
            return piece
        left = self._left
        if not left:
            self.close()
            raise StopIteration
        piece, second = self._checked()
        if self._skip or left < len(piece) + len(second):
            piece, second = self._cut(piece, second)
        self._left = left = left - len(piece) - len(second)
        if not left:
            self.close()
        self._second = second
        return piece

    def _checked(self) -> tuple[bytes, bytes]:
        """The next block."""
        source, at, crcs = self._source, self._at, self._blob.crcs
        piece, second = next(source, b""), b""
        if not piece:
            raise too_short(self._blob.name)
        value = crc32(piece, self._value) if crcs else 0
        if len(piece) == HALF:
            second = next(source, b"")
            value = crc32(second, value) if crcs else 0
        if crcs and crcs[at : at + _CRC.size] != _CRC.pack(value):
            if self._known is not None:
                self._known.forget(self._blob.name)
            raise Corrupt(
                f"Block {at // _CRC.size} of {called(self._blob.name)} was changed on disk."
            )
        self._at, self._value = at + _CRC.size, value
        return piece, second

    def _cut(self, piece: bytes, second: bytes) -> tuple[bytes, bytes]:
        """What is wanted of a block: never its second half alone."""
        start, end, half = self._skip, self._skip + self._left, len(piece)
        self._skip = 0
        piece, second = piece[start:end], second[max(start - half, 0) : max(end - half, 0)]
        return (piece, second) if piece else (second, b"")

    # lending

    @property
    def is_sure(self) -> bool:
        """Whether its first bytes can be lent now, so that nobody needs to look at them."""
        return bool(self._lendable(1))

    @property
    def is_over(self) -> bool:
        return not (self._left or self._second)

    def stretch(self, most: int, /) -> Stretch | None:
        if self._second:
            return None
        length = self._lendable(most)
        if not length:
            self._was_asked()
            return None
        self._remember()
        start = self._place
        block, self._skip = divmod(start + length, BLOCK)
        self._left -= length
        self._go_to(block)
        self._file.go_to(block * BLOCK)
        return self._file.lend(start, length)

    def whole_file(self) -> str:
        if not self._second and self._left and self._lendable(self._left) == self._left:
            return self._file.path
        self._was_asked()
        return ""

    def _was_asked(self) -> None:
        if self._known is not None and self._state is None:
            self._state = self._file.state()

    @property
    def _file(self) -> FileBlocks:
        assert isinstance(self._source, FileBlocks), "what is known is of files"
        return self._source

    @property
    def _place(self) -> int:
        """Where in the file the next byte is."""
        return self._at // _CRC.size * BLOCK + self._skip

    def _lendable(self, most: int) -> int:
        """How many of the next bytes may be lent: none of a file that has another size."""
        known, blob = self._known, self._blob
        if known is None or not self._left or (blob.crcs and blob.name not in known):
            return 0
        state, length = self._file.state(), min(most, self._left)
        if state is None or state.size != blob.size:
            return 0
        if blob.crcs:
            stop = known.until(blob.name, state, self._at // _CRC.size)
            length = min(length, stop * BLOCK - self._place)
        return max(length, 0)

    def _remember(self) -> None:
        """What was checked, where somebody asked. A file that has not changed for a while has not
        since it was opened."""
        state, self._state = self._state, None
        if state is not None and self._known is not None and self._blob.crcs:
            stop = self._at // _CRC.size
            self._known.note(self._blob.name, state, self._since, self._first, stop)

    def close(self) -> None:
        self._second = b""
        self._remember()
        close = getattr(self._source, "close", None)
        if close is not None:
            close()
