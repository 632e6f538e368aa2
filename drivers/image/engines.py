"""What decodes and encodes: an `Engine`."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from drivers.image.asked import Asked
from drivers.image.headers import Facts

Name = Literal["pyvips", "pillow"]


class BadPicture(ValueError):
    """The bytes cannot be decoded."""


class Engine(Protocol):
    """`about` names it and its version: another one may make other bytes of the same.
    `writes`: the kinds that it can make."""

    name: ClassVar[Name]
    about: str
    writes: frozenset[str]

    def make(self, data: bytes, facts: Facts, asked: Asked, kind: str, quality: int) -> bytes:
        """A picture of that kind: upright, in sRGB, without metadata but its ICC profile. Raises
        `BadPicture`."""
