"""A blob is blocks of 256 KiB, each checked, decrypted and decompressed by itself.

For every block, as it is stored, the index has the CRC-32 of all bytes up to its end: so a
block is checked from the value before it, and the last value is the CRC-32 of the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from zlib_ng.zlib_ng import crc32

from drivers.indexed.blobs import Blob, Blobs
from drivers.indexed.cipher import BLOCK, TAG, Cipher
from drivers.indexed.compression import BadFrame, decompressed
from drivers.indexed.layout import HALF, Layout
from gateway.storage import Corrupt

_CRC = struct.Struct("<I")


def check(data: bytes, crcs: bytes) -> None:
    """Raise `Corrupt` when a blob of one block is not what was recorded."""
    if crcs != _CRC.pack(crc32(data)):
        raise Corrupt("A body in the index was changed on disk.")


class Crcs:
    """The CRC-32 after each block. It is a hasher: its digest is that of all blocks."""

    __slots__ = ("packed", "value")

    def __init__(self, value: int = 0) -> None:
        self.value, self.packed = value, bytearray()

    def update(self, block: bytes, /) -> None:
        self.value = crc32(block, self.value)
        self.packed += _CRC.pack(self.value)

    def digest(self) -> bytes:
        return self.value.to_bytes(4, "big")

    def through(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.update(block)
            yield block


def verified(blocks: Iterator[bytes], crcs: bytes, first: int, name: str = "") -> Iterator[bytes]:
    """The same blocks; `Corrupt` at the first whose CRC is not the one recorded."""
    value = _CRC.unpack_from(crcs, first * 4 - 4)[0] if first else 0
    for number, block in enumerate(blocks, first):
        value = crc32(block, value)
        if crcs[number * 4 : number * 4 + 4] != _CRC.pack(value):
            raise Corrupt(f"Block {number} of {_called(name)} was changed on disk.")
        yield block


def encrypted(blocks: Iterable[bytes], cipher: Cipher) -> Iterator[bytes]:
    for number, block in enumerate(blocks):
        yield cipher.encrypt(number, block)


def decrypted(
    blocks: Iterator[bytes], cipher: Cipher, first: int, name: str = ""
) -> Iterator[bytes]:
    for number, block in enumerate(blocks, first):
        try:
            yield cipher.decrypt(number, block)
        except InvalidTag as error:
            said = f"Block {number} of {_called(name)}, which is encrypted, was changed on disk."
            raise Corrupt(said) from error


def plain_blocks(
    blocks: Iterator[bytes], layout: Layout, first: int, name: str = ""
) -> Iterator[bytes]:
    """Those of a compressed blob."""
    for number, block in enumerate(blocks, first):
        try:
            yield decompressed(block, layout.plain_length(number))
        except BadFrame as error:
            said = f"Block {number} of {_called(name)}, which is compressed, was changed on disk."
            raise Corrupt(said) from error


def _called(name: str) -> str:
    """A blob, for who looks for its file."""
    return f"the blob {name}" if name else "a blob in the index"


def plain_range(
    blobs: Blobs, blob: Blob, start: int, length: int, *, cipher: Cipher | None = None
) -> Iterator[bytes]:
    """`length` plain bytes from `start` of a blob. Where it has CRCs each block is verified.

    Raises `FileNotFoundError` at once when it is gone; a blob that ends early
    is `Corrupt`, never a short answer.
    """
    first, skip = divmod(start, BLOCK)
    as_written = bool(blob.crcs) and cipher is None and not blob.ends
    layout = Layout(blob.size, TAG if cipher else 0, blob.ends, as_written).check()
    blocks = source = blobs.blocks(blob.name, first, layout)
    if as_written:
        return _Halves(source, skip, length, blob, first)
    if blob.crcs:
        blocks = verified(blocks, blob.crcs, first, blob.name)
    if cipher:
        blocks = decrypted(blocks, cipher, first, blob.name)
    if blob.ends:
        blocks = plain_blocks(blocks, layout, first, blob.name)
    return _Cut(blocks, skip, length, blob.name, getattr(source, "close", None))


def plain_data(blob: Blob, cipher: Cipher | None = None) -> bytes:
    """All of a blob that lies in the index. Raises `Corrupt`."""
    data = blob.data or b""
    if blob.crcs:
        check(data, blob.crcs)
    if cipher is not None:
        data = next(decrypted(iter((data,)), cipher, 0))
    if blob.ends:
        data = next(plain_blocks(iter((data,)), Layout(blob.size), 0))
    return data


def _short(name: str) -> Corrupt:
    return Corrupt(f"{_called(name).capitalize()} is shorter than the index says.")


class _Cut:
    """`length` bytes of blocks behind the first `skip`. Whoever takes the last piece slowly holds
    no file; nor does who never begins, and closes it."""

    __slots__ = ("_blocks", "_close", "_left", "_name", "_skip")

    def __init__(
        self,
        blocks: Iterator[bytes],
        skip: int,
        length: int,
        name: str,
        close: Callable[[], object] | None,
    ) -> None:
        self._blocks, self._skip, self._left = blocks, skip, length
        self._name, self._close = name, close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._left:
            raise StopIteration
        block = next(self._blocks, None)
        if block is None:
            raise _short(self._name)
        piece = block
        if self._skip or self._left < len(block):
            piece = block[self._skip : self._skip + self._left]
            self._skip = 0
        self._left -= len(piece)
        if not self._left:
            self.close()
        return piece

    def close(self) -> None:
        if self._close is not None:
            self._close()


class _Halves:
    """`length` bytes of a blob that lies there as it was written, behind the first `skip` from
    block `first` on. A block is read and given in halves, none before the whole of it fits its
    CRC: so what lies in queues, and in the processor's cache, is half as much, and nothing is
    copied for it. Of a file it holds what `_Cut` does."""

    __slots__ = ("_at", "_blob", "_close", "_left", "_second", "_skip", "_source", "_value")

    def __init__(
        self, source: Iterator[bytes], skip: int, length: int, blob: Blob, first: int
    ) -> None:
        self._source, self._skip, self._left, self._blob = source, skip, length, blob
        self._close: Callable[[], object] | None = getattr(source, "close", None)
        self._at = at = first * _CRC.size
        self._value = _CRC.unpack_from(blob.crcs, at - _CRC.size)[0] if first else 0
        self._second = b""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece, self._second = self._second, b""
        if piece:
            return piece
        left = self._left
        if not left:
            raise StopIteration
        piece, second = self._checked()
        if self._skip or left < len(piece) + len(second):
            piece, second = self._cut(piece, second)
        self._left = left = left - len(piece) - len(second)
        if not left and self._close is not None:
            self._close()
        self._second = second
        return piece

    def _checked(self) -> tuple[bytes, bytes]:
        """The next block."""
        source, at = self._source, self._at
        piece, second = next(source, b""), b""
        if not piece:
            raise _short(self._blob.name)
        value = crc32(piece, self._value)
        if len(piece) == HALF:
            second = next(source, b"")
            value = crc32(second, value)
        if self._blob.crcs[at : at + _CRC.size] != _CRC.pack(value):
            raise Corrupt(
                f"Block {at // _CRC.size} of {_called(self._blob.name)} was changed on disk."
            )
        self._at, self._value = at + _CRC.size, value
        return piece, second

    def _cut(self, piece: bytes, second: bytes) -> tuple[bytes, bytes]:
        """What is wanted of a block: never its second half alone."""
        start, end, half = self._skip, self._skip + self._left, len(piece)
        self._skip = 0
        piece, second = piece[start:end], second[max(start - half, 0) : max(end - half, 0)]
        return (piece, second) if piece else (second, b"")

    def close(self) -> None:
        self._second = b""
        if self._close is not None:
            self._close()
