"""What a request asks of a picture: `w`, `h`, `c=1`, `webp=1`, `avif=1`, and what it accepts.

All that mean the same have one form (`Asked.query`, `Asked.accept`): a cache in front tells
the variants of a picture apart by that, and not by how somebody wrote it, or by what
else is in a query.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl

from gateway.storage import InvalidRequest

PARAMETERS = frozenset({"w", "h", "c", "webp", "avif"})
Modern = Literal["image/avif", "image/webp"]
MODERN: tuple[Modern, ...] = ("image/avif", "image/webp")
"""Formats that a reader has to say it knows; the better one first."""

_NUMBER = re.compile(r"[0-9]{1,9}")
_NO_QUALITY = re.compile(r"q=0(\.0{0,3})?", re.IGNORECASE)


class Misasked(ValueError):
    """`name`: the parameter that is wrong. The text says what would be right."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """`width` and `height` are those of the box; `crop`: it is filled, and what does not fit is
    cut off. `formats`: those that the query asks for. `accepted`: those that the reader knows
    besides; empty where nothing is negotiated."""

    width: int | None = None
    height: int | None = None
    crop: bool = False
    formats: frozenset[Modern] = frozenset()
    accepted: frozenset[Modern] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.width or self.height or self.formats or self.accepted)

    @property
    def query(self) -> str:
        """The parameters in their one form."""
        said = {
            "w": self.width,
            "h": self.height,
            "c": int(self.crop),
            "webp": int("image/webp" in self.formats),
            "avif": int("image/avif" in self.formats),
        }
        return "&".join(f"{name}={value}" for name, value in said.items() if value)

    @property
    def accept(self) -> str:
        return ",".join(one for one in MODERN if one in self.accepted - self.formats)

    def known(self, format: Modern) -> bool:
        return format in self.formats or format in self.accepted


def parsed(query: str, headers: Mapping[str, str], *, most: int, negotiate: bool) -> Asked:
    """`most`: pixels that `w` and `h` may be at most. Raises `Misasked`."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True) if query else ():
        if name in PARAMETERS:
            if found.get(name, value) != value:
                raise Misasked(name, "it is there twice, and says two things")
            found[name] = value
    width, height = (_pixels(name, found.get(name), most) for name in ("w", "h"))
    crop, webp, avif = (_switch(name, found.get(name)) for name in ("c", "webp", "avif"))
    asked = {"image/webp": webp, "image/avif": avif}
    return Asked(
        width=width,
        height=height,
        crop=crop and width is not None and height is not None,
        formats=frozenset(one for one in MODERN if asked[one]),
        accepted=_accepted(headers.get("accept", "")) if negotiate else frozenset(),
    )


def _pixels(name: str, text: str | None, most: int) -> int | None:
    if text is None:
        return None
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not 1 <= number <= most:
        raise Misasked(name, f"it must be a whole number of pixels, 1 to {most}")
    return number


def _switch(name: str, text: str | None) -> bool:
    if text not in (None, "0", "1"):
        raise Misasked(name, "it must be 1, or left out")
    return text == "1"


def _accepted(accept: str) -> frozenset[Modern]:
    """The formats that are named. `*/*` and `image/*` name none: readers that know nothing new
    say so, too (RFC 9110 §12.5.1)."""
    named = set()
    for one in accept.split(","):
        media, *parameters = (part.strip() for part in one.split(";"))
        if not any(_NO_QUALITY.fullmatch(part) for part in parameters):
            named.add(media.lower())
    return frozenset(one for one in MODERN if one in named)


def refused(error: Misasked, key: str) -> InvalidRequest:
    return InvalidRequest(f"The query is wrong: {error}.", key=key)
