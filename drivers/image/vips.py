"""Pictures by libvips: decoded at the size that is wanted where the format can (shrink on load),
and streamed through, so that little of a large one is in memory at a time."""

from __future__ import annotations

from typing import Any, ClassVar

import pyvips

from drivers.image.asked import Asked
from drivers.image.engines import BadPicture, Name
from drivers.image.geometry import Plan, plan
from drivers.image.headers import AVIF, GIF, JPEG, PNG, WEBP, Facts

_TURNED = frozenset({5, 6, 7, 8})
"""Values of EXIF's orientation that make width of height."""

_SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    JPEG: (".jpg", {"optimize_coding": True}),
    PNG: (".png", {}),
    GIF: (".gif", {}),
    WEBP: (".webp", {}),
    AVIF: (".avif", {"effort": 3}),
}
_WITH_QUALITY = frozenset({JPEG, WEBP, AVIF})


class Vips:
    name: ClassVar[Name] = "pyvips"

    def __init__(self) -> None:
        pyvips.block_untrusted_set(True)  # decoders that were not made for what strangers send
        pyvips.concurrency_set(1)  # a request is one thread's work; others have theirs
        pyvips.cache_set_max(0)  # what was made is a cache's to keep
        self.about = "libvips " + ".".join(str(pyvips.version(one)) for one in range(3))
        self.writes = frozenset(kind for kind in _SAVED if _writes(kind))

    def make(self, data: bytes, facts: Facts, asked: Asked, kind: str, quality: int) -> bytes:
        try:
            return self._make(data, facts, asked, kind, quality)
        except pyvips.Error as error:
            raise BadPicture("it is damaged, or ends too early") from error

    def _make(self, data: bytes, facts: Facts, asked: Asked, kind: str, quality: int) -> bytes:
        # thumbnail_buffer has a fail_on of its own, which does nothing (libvips 8.18)
        loading = "fail_on=error" + (",n=-1" if facts.frames > 1 else "")
        head = pyvips.Image.new_from_buffer(data, loading, access="sequential")
        if (head.width, head.get_page_height(), head.get_n_pages()) != (
            facts.width,
            facts.height,
            facts.frames,
        ):
            raise BadPicture("it has another size than it says")
        turned = bool(head.get_typeof("orientation")) and head.get("orientation") in _TURNED
        wide, high = (facts.height, facts.width) if turned else (facts.width, facts.height)
        wanted = plan(wide, high, asked)
        colours = {"export_profile": "srgb"} if head.get_typeof("icc-profile-data") else {}
        made = pyvips.Image.thumbnail_buffer(
            data, wanted.width, height=wanted.height, size="force",
            option_string=loading, **colours,
        )  # fmt: skip
        if wanted.cuts:
            made = _cut(made, wanted, facts.frames)
        suffix, options = _SAVED[kind]
        if kind in _WITH_QUALITY:
            options = {**options, "Q": quality}
        saved: bytes = made.write_to_buffer(suffix, keep="icc", **options)
        return saved


def _writes(kind: str) -> bool:
    """Tried: a libvips may know a format and have no encoder for it."""
    try:
        pyvips.Image.black(8, 8, bands=3).write_to_buffer(_SAVED[kind][0])
    except pyvips.Error:
        return False
    return True


def _cut(made: Any, wanted: Plan, frames: int) -> Any:
    if frames == 1:
        return made.crop(*wanted.box)
    pages = [page.crop(*wanted.box) for page in made.pagesplit()]
    joined = pages[0].pagejoin(pages[1:])
    for name in ("delay", "loop"):
        if made.get_typeof(name):
            joined = joined.copy()
            joined.set_type(made.get_typeof(name), name, made.get(name))
    return joined
