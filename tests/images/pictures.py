"""Pictures, made here; and an `image` service in front of a source that tells what it was asked."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from PIL import Image as Pictures
from PIL import ImageCms

from drivers.image import Image
from gateway.storage import NOTHING, Context, Get, ObjectInfo, Opened, pieces
from tests.layers.origin import Origin

Picture = Any  # of Pillow, which need not be installed to check types
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
ORIENTATION, MAKER = 0x0112, 0x010F


@cache
def photo(width: int = 160, height: int = 120) -> Picture:
    """Its left half is red, its right half blue; with a little noise."""
    grain = Pictures.effect_noise((width, height), 20)
    dark = Pictures.new("L", (width, height), 10)
    left = Pictures.new("L", (width, height), 0)
    left.paste(255, (0, 0, width // 2, height))
    red, blue = dark.copy(), grain.copy()
    red.paste(grain, mask=left)
    blue.paste(dark, mask=left)
    return Pictures.merge("RGB", (red, dark, blue))


def written(picture: Picture, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


@cache
def jpeg(width: int = 160, height: int = 120) -> bytes:
    return written(photo(width, height), "JPEG", quality=95)


@cache
def moving(format: str, frames: int = 3, side: int = 64) -> bytes:
    colours = ("red", "green", "blue")
    each = [photo(side, side).copy() for _ in range(frames)]
    for number, one in enumerate(each):
        one.paste(colours[number % 3], (0, 0, side // 2, side // 2))
    times = [100 * (number + 1) for number in range(frames)]
    return written(
        each[0], format, save_all=True, append_images=each[1:], duration=times, loop=2
    )  # fmt: skip


def png_of(width: int, height: int) -> bytes:
    """One that says that it has that size, and has no pixel."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (
            (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
            (b"IDAT", zlib.compress(b"\0" * 100)),
            (b"IEND", b""),
        )
    )


def gif_of(width: int, height: int, frames: int, *, frame: tuple[int, int] = (1, 1)) -> bytes:
    """A GIF of so many frames, of little more than nothing each."""
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x02\x44\x01\x00"
    colours = bytes(6)
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return head + colours + one * frames + b";"


class Site:
    """`put` behind it, `get` from it."""

    def __init__(self, **options: Any) -> None:
        self.origin = Origin()
        self.origin.open(Context(sid="origin"))
        self.image = Image(source=self.origin, **options)
        self.image.open(Context(sid="image"))

    def put(self, key: str, data: bytes, kind: str = "image/jpeg", **options: Any) -> ObjectInfo:
        return self.origin.has(key, data, content_type=kind, **options)

    def get(
        self, key: str, query: str = "", accept: str = "", **more: Any
    ) -> tuple[ObjectInfo, bytes]:
        headers: Mapping[str, str] = {"accept": accept} if accept else NOTHING
        with self.image.get(key, Get(query=query, headers=headers, **more)) as opened:
            return opened.info, body_of(opened)

    def close(self) -> None:
        self.image.close()
        self.origin.close()


def body_of(opened: Opened) -> bytes:
    data = b"".join(pieces(opened.body))
    assert len(data) == opened.length
    return data


def seen(data: bytes) -> Picture:
    picture = Pictures.open(io.BytesIO(data))
    picture.load()
    return picture


def shade(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    """Red, green, blue there."""
    found = picture.convert("RGB").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def times(picture: Picture) -> Sequence[int]:
    found = []
    for number in range(getattr(picture, "n_frames", 1)):
        picture.seek(number)
        picture.load()
        found.append(picture.info["duration"])
    return found
