"""A blob is blocks of 256 KiB, each checked, decrypted and decompressed by itself.

For every block, as it is stored, the index has the CRC-32 of all bytes up to its end: so a
block is checked from the value before it, and the last value is the CRC-32 of the whole.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator

from cryptography.exceptions import InvalidTag
from zlib_ng.zlib_ng import crc32

from drivers.indexed.blobs import Blob, Blobs, called, too_short
from drivers.indexed.checked_files import CheckedFiles
from drivers.indexed.cipher import BLOCK, TAG, Cipher
from drivers.indexed.compression import BadFrame, decompressed
from drivers.indexed.halves import Halves
from drivers.indexed.layout import Layout
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
            raise Corrupt(f"Block {number} of {called(name)} was changed on disk.")
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
            said = f"Block {number} of {called(name)}, which is encrypted, was changed on disk."
            raise Corrupt(said) from error


def plain_blocks(
    blocks: Iterator[bytes], layout: Layout, first: int, name: str = ""
) -> Iterator[bytes]:
    """Those of a compressed blob."""
    for number, block in enumerate(blocks, first):
        try:
            yield decompressed(block, layout.plain_length(number))
        except BadFrame as error:
            said = f"Block {number} of {called(name)}, which is compressed, was changed on disk."
            raise Corrupt(said) from error


def plain_range(
    blobs: Blobs,
    blob: Blob,
    start: int,
    length: int,
    *,
    cipher: Cipher | None = None,
    known: CheckedFiles | None = None,
) -> Iterator[bytes]:
    """`length` plain bytes from `start` of a blob. Where it has CRCs each block is verified. With
    `known` it may lend them where they lie in a file as they were written.

    Raises `FileNotFoundError` at once when it is gone; a blob that ends early
    is `Corrupt`, never a short answer.
    """
    first, skip = divmod(start, BLOCK)
    plain = cipher is None and not blob.ends
    as_written = plain and (bool(blob.crcs) or known is not None)
    layout = Layout(blob.size, TAG if cipher else 0, blob.ends, as_written).check()
    blocks = source = blobs.blocks(blob.name, first, layout)
    if as_written:
        return Halves(source, skip, length, blob, first, known)
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
            raise too_short(self._name)
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
