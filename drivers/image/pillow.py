"""Pictures by Pillow, where there is no libvips: JPEGs decoded at an eighth, a quarter or half
of their size where that is enough (draft mode), others whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import Any, ClassVar

import PIL
from PIL import Image, ImageCms, ImageOps, features

from drivers.image.asked import Asked
from drivers.image.engines import BadPicture, Name
from drivers.image.geometry import Plan, plan
from drivers.image.headers import AVIF, GIF, JPEG, PNG, WEBP, Facts

_FORMATS = {JPEG: "JPEG", PNG: "PNG", GIF: "GIF", WEBP: "WEBP", AVIF: "AVIF"}
_SAVED: dict[str, dict[str, Any]] = {
    JPEG: {"optimize": True},
    PNG: {},
    GIF: {},
    WEBP: {"method": 4},
    AVIF: {"max_threads": 1},
}
_WITH_QUALITY = frozenset({JPEG, WEBP, AVIF})
_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})
_FINER = 2
"""A draft is so many times as large as what is made of it: else it shows."""

_DAMAGE = (
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    LookupError,
    ArithmeticError,
    TypeError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)
"""What Pillow raises of damaged bytes, and of what a format cannot have."""


class Pillow:
    name: ClassVar[Name] = "pillow"

    def __init__(self, most_pixels: int) -> None:
        # Pillow's own bound, against frames that grow beyond what the picture says
        Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS or 0, most_pixels)
        self.about = f"Pillow {PIL.__version__}"
        optional = {WEBP: "webp", AVIF: "avif"}
        self.writes = frozenset(
            kind for kind in _FORMATS if kind not in optional or features.check(optional[kind])
        )

    def make(self, data: bytes, facts: Facts, asked: Asked, kind: str, quality: int) -> bytes:
        try:
            with Image.open(BytesIO(data), formats=[_FORMATS[facts.kind]]) as opened:
                if opened.size != (facts.width, facts.height):
                    raise BadPicture("it has another size than it says")
                turn = opened.getexif().get(_ORIENTATION, 1)
                wide, high = opened.size[::-1] if turn in _TURNED else opened.size
                wanted = plan(wide, high, asked)
                frames = list(_frames(opened, facts, wanted, turn))
                return _saved(frames, _motion(opened, facts, kind), kind, quality)
        except BadPicture:
            raise
        except _DAMAGE as error:
            raise BadPicture("it is damaged, or ends too early") from error


def _frames(
    opened: Any, facts: Facts, wanted: Plan, turn: int
) -> Iterator[tuple[Image.Image, int]]:
    """Each made, and its milliseconds."""
    to = (wanted.height, wanted.width) if turn in _TURNED else (wanted.width, wanted.height)
    opened.draft(None, tuple(side * _FINER for side in to))
    profile = opened.info.get("icc_profile")
    for number in range(facts.frames):
        if facts.frames > 1:
            opened.seek(number)
            if opened.size != (facts.width, facts.height):
                raise BadPicture("a frame is larger than the picture")
        opened.load()
        made = _plain(opened, keep_profile=profile is not None)
        made = made.resize(to, Image.Resampling.LANCZOS, reducing_gap=3.0)
        made = _upright(made, turn)
        if wanted.cuts:
            left, top, wide, high = wanted.box
            made = made.crop((left, top, left + wide, top + high))
        yield _in_srgb(made, profile), opened.info.get("duration", 0)


def _upright(made: Image.Image, turn: int) -> Image.Image:
    if turn == 1:
        return made
    made.info = {}
    made.getexif()[_ORIENTATION] = turn
    return ImageOps.exif_transpose(made)


def _plain(opened: Image.Image, *, keep_profile: bool) -> Image.Image:
    """In a mode that can be scaled: grey or colours, with or without transparency. What
    a profile is for stays in its colours."""
    mode = opened.mode
    if mode.startswith("I"):  # 16 bits of grey: converted, it would be cut off at 255
        return opened.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    if "transparency" in opened.info or mode in ("PA", "RGBa"):
        return opened.convert("RGBA")
    if mode in ("L", "LA", "RGB", "RGBA") or (mode == "CMYK" and keep_profile):
        return opened if mode != "CMYK" else opened.copy()
    return opened.convert("L" if mode == "1" else "RGB")


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@cache
def _srgb_bytes() -> bytes:
    """The same on each day: a profile says when it was made, and what its digest is (ICC.1
    §7.2.8 and §7.2.18)."""
    told = bytearray(_srgb().tobytes())
    told[24:36], told[84:100] = b"\x07\xd0\0\1\0\1\0\0\0\0\0\0", bytes(16)
    return bytes(told)


def _in_srgb(made: Image.Image, profile: bytes | None) -> Image.Image:
    alpha = made.getchannel("A") if profile and made.mode in ("RGBA", "LA") else None
    if profile:
        colours = made.convert(made.mode.removesuffix("A")) if alpha else made
        mode = "RGB"
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            converted = ImageCms.profileToProfile(colours, source, _srgb(), outputMode=mode)
            assert converted is not None
            made = converted
            made.info = {"icc_profile": _srgb_bytes()}
        except (ImageCms.PyCMSError, OSError, ValueError):  # a profile of other colours, or none
            made = colours if colours.mode != "CMYK" else colours.convert(mode)
            made.info = {}
        if alpha is not None:
            made.putalpha(alpha)
        return made
    made.info = {}
    return made


def _motion(opened: Any, facts: Facts, kind: str) -> dict[str, Any]:
    """How often frames are shown. A GIF that does not say is shown once; 0: without end."""
    if facts.frames == 1:
        return {}
    loop = opened.info.get("loop")
    if facts.kind == GIF and kind == WEBP:  # a GIF says how often again, a WebP how often
        return {"loop": loop and loop + 1 if loop is not None else 1}
    return {} if loop is None else {"loop": loop}


def _saved(
    frames: list[tuple[Image.Image, int]], motion: dict[str, Any], kind: str, quality: int
) -> bytes:
    options = {**_SAVED[kind], **motion}
    if kind in _WITH_QUALITY:
        options["quality"] = quality
    first, *rest = (one for one, _ in frames)
    if rest:
        options |= {
            "save_all": True,
            "append_images": rest,
            "duration": [time for _, time in frames],
        }
        if kind == GIF:
            options["disposal"] = 2
    if "icc_profile" in first.info:
        options["icc_profile"] = first.info["icc_profile"]
    out = BytesIO()
    first.save(out, _FORMATS[kind], **options)
    return out.getvalue()
