"""Compression of a blob, block by block, so that a range costs its own blocks only.

A compressed block is one frame of Zstandard (RFC 8878), shorter than its plain bytes. A block
that would hardly become shorter lies as it is: so what a stored block is, its length says.
Compression comes before encryption, which leaves nothing to compress.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from drivers.indexed.cipher import BLOCK
from drivers.indexed.layout import pack_ends
from gateway.storage import Unavailable

LEVEL = 1
"""Of text it takes 30 % of the bytes at half of the time of level 3, which takes 28 %."""
_LEAST = 4096
"""Bytes below which nothing is gained: disks and the index have pages of that size."""
_WINDOW = BLOCK.bit_length() - 1
"""The logarithm of the most memory that a frame may ask for: what its block needs."""

_NEEDED = (
    "the module compression.zstd, without which this Python was built"
    if sys.version_info >= (3, 14)
    else "the package backports.zstd (pip install backports.zstd)"
)


class BadFrame(Exception):
    """A stored block is not what was compressed."""


@cache
def _zstd() -> Any:
    """The standard library's, or what has its place before Python 3.14. Raises `ImportError`."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def require() -> None:
    """Raises `ValueError` when nothing can be compressed here."""
    try:
        _zstd()
    except ImportError as error:
        raise ValueError(f'compress = "zstd" needs {_NEEDED}') from error


def library() -> Any:
    """What decompresses. Raises `Unavailable` where it is not there: bytes that are compressed
    are still what they were."""
    try:
        return _zstd()
    except ImportError as error:
        raise Unavailable(f"To read what is compressed needs {_NEEDED}.") from error


def compressed(block: bytes) -> bytes:
    """A frame, or the block itself where that saves less than a sixteenth."""
    if len(block) < _LEAST:
        return block
    frame: bytes = _zstd().compress(block, LEVEL)
    return frame if len(frame) <= len(block) - len(block) // 16 else block


def decompressed(block: bytes, length: int) -> bytes:
    """The plain bytes of a block, which are `length`, and never more. Raises `BadFrame`, and
    `Unavailable` where there is nothing to decompress with."""
    if len(block) == length:
        return block
    zstd = library()
    frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})
    try:
        plain: bytes = frame.decompress(block, length)
    except zstd.ZstdError as error:
        raise BadFrame from error
    if len(plain) != length or not frame.eof or frame.unused_data:
        raise BadFrame
    return plain


class Compressor:
    """Compresses the blocks of one blob."""

    __slots__ = ("_ends", "_shorter")

    def __init__(self) -> None:
        self._ends, self._shorter = [0], False

    def through(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        for block in blocks:
            stored = compressed(block)
            self._shorter |= stored is not block
            self._ends.append(self._ends[-1] + len(stored))
            yield stored

    @property
    def ends(self) -> bytes:
        """For `Layout`, of all blocks that went through: b"" where none became shorter, for then
        the blob is as if it had never been tried."""
        return pack_ends(self._ends[1:]) if self._shorter else b""
