"""What a picture says of itself: kind, size, frames. Read from its bytes before anything is
decoded, so that what would be too much is never begun.

JPEG: ITU-T T.81 annex B; PNG: W3C PNG 3rd edition §5 and §11; GIF: GIF89a; WebP: RFC 9649.
What a decoder finds must be the same (`engines`): a picture that says two things is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import repeat
from struct import unpack_from
from typing import NamedTuple

JPEG, PNG, GIF, WEBP = "image/jpeg", "image/png", "image/gif", "image/webp"
AVIF = "image/avif"
PICTURES = frozenset({JPEG, PNG, GIF, WEBP})
"""The kinds that are touched."""


class NoPicture(ValueError):
    """The bytes are none of the kinds, or end too early. The text says which."""


class Facts(NamedTuple):
    """`width` and `height` are those that are stored: an orientation may turn them. `moves`: a
    PNG that is animated has one frame for most decoders, and is not theirs to change."""

    kind: str
    width: int
    height: int
    frames: int = 1
    moves: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height * self.frames


_PARTS = 1 << 20
"""Parts of a picture that are looked at: the largest that are allowed have a quarter of it."""

_SCANS = 50
"""Of a JPEG, each of which a decoder goes over all of it for. Programs write ten, or twenty."""


def _bounded() -> Iterator[None]:
    """For each part that is looked at."""
    yield from repeat(None, _PARTS)
    raise NoPicture("it has too many parts")


def facts_of(data: bytes, most_frames: int) -> Facts:
    """Frames are counted up to one more than `most_frames`. Raises `NoPicture`."""
    try:
        facts = _read(data, most_frames)
    except (struct.error, IndexError) as error:
        raise NoPicture("the picture ends before its size") from error
    if not facts.width or not facts.height:
        raise NoPicture("the picture says that it has no pixels")
    return facts


def _read(data: bytes, most: int) -> Facts:
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _gif(data, most)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data, most)
    raise NoPicture("it is no JPEG, PNG, GIF or WebP")


_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame header (SOFn)."""
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a length."""


def _jpeg(data: bytes) -> Facts:
    if data.count(b"\xff\xda") > _SCANS:  # coded data has no such bytes (B.1.1.5)
        raise NoPicture(f"the JPEG has more than {_SCANS} scans")
    at = 2
    for _ in _bounded():
        if data[at] != 0xFF:
            raise NoPicture("the JPEG is damaged before its size")
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in (0xD9, 0xDA):
            break
        elif marker in _SIZES:
            height, width = unpack_from(">HH", data, at + 5)
            return Facts(JPEG, width, height)
        else:
            at += 2 + max(2, unpack_from(">H", data, at + 2)[0])
    raise NoPicture("the JPEG has no size")


def _png(data: bytes) -> Facts:
    if data[12:16] != b"IHDR":
        raise NoPicture("the PNG does not begin with its size")
    width, height = unpack_from(">II", data, 16)
    at, moves, parts = 8, False, _bounded()
    while at + 8 <= len(data):
        next(parts)
        length, name = unpack_from(">I4s", data, at)
        if name == b"IDAT":
            break
        moves |= name == b"acTL"
        at += 12 + length
    return Facts(PNG, width, height, moves=moves)


def _gif(data: bytes, most: int) -> Facts:
    width, height, flags = unpack_from("<HHB", data, 6)
    at, frames, parts = 13 + _colours(flags), 0, _bounded()
    while at < len(data) and frames <= most:
        block = data[at]
        if block == 0x2C:  # an image
            frames += 1
            at = _behind(data, at + 11 + _colours(data[at + 9]), parts)
        elif block == 0x21:  # an extension
            at = _behind(data, at + 2, parts)
        else:  # the trailer, or damage that the decoder judges
            break
    return Facts(GIF, width, height, max(1, frames))


def _colours(flags: int) -> int:
    """Bytes of a table of colours."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _behind(data: bytes, at: int, parts: Iterator[None]) -> int:
    """Where the sub-blocks from `at` on are over."""
    end = len(data)
    next(parts)
    while at < end and (length := data[at]):
        next(parts)
        at += 1 + length
    return at + 1


def _webp(data: bytes, most: int) -> Facts:
    name = data[12:16]
    if name == b"VP8 ":
        width, height = unpack_from("<HH", data, 26)
        return Facts(WEBP, width & 0x3FFF, height & 0x3FFF)
    if name == b"VP8L":
        (bits,) = unpack_from("<I", data, 21)
        return Facts(WEBP, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if name != b"VP8X":
        raise NoPicture("the WebP has no size")
    width, height = (1 + int.from_bytes(data[at : at + 3], "little") for at in (24, 27))
    at, frames, parts = 12, 0, _bounded()
    while at + 8 <= len(data) and frames <= most:
        next(parts)
        name, length = unpack_from("<4sI", data, at)
        frames += name == b"ANMF"
        at += 8 + length + (length & 1)
    return Facts(WEBP, width, height, max(1, frames))
