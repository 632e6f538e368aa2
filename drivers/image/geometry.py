"""How large a picture becomes: whole pixels, and never more than it has."""

from __future__ import annotations

from typing import NamedTuple

from drivers.image.asked import Asked


class Plan(NamedTuple):
    """It is scaled to `width` × `height`, and of that `box` is kept: left, top, width, height."""

    width: int
    height: int
    box: tuple[int, int, int, int]

    @property
    def cuts(self) -> bool:
        return self.box[2:] != (self.width, self.height)


def plan(width: int, height: int, asked: Asked) -> Plan:
    """For a picture of that size, as it is shown. Without `crop` it fits into the box that is
    asked for; with it, it fills the box, which is made smaller where the picture is."""
    if asked.crop and asked.width and asked.height:
        return _filling(width, height, asked.width, asked.height)
    scale = min(1.0, (asked.width or width) / width, (asked.height or height) / height)
    to = _pixels(width * scale), _pixels(height * scale)
    return Plan(*to, (0, 0, *to))


def largest(width: int, height: int, asked: Asked) -> int:
    """The longest side that may come of it, whether it is turned or not."""
    both = plan(width, height, asked), plan(height, width, asked)
    return max(side for one in both for side in one.box)


def _filling(width: int, height: int, wide: int, high: int) -> Plan:
    less = min(1.0, width / wide, height / high)
    wide, high = _pixels(wide * less), _pixels(high * less)
    scale = max(wide / width, high / height)
    across, down = max(wide, _pixels(width * scale)), max(high, _pixels(height * scale))
    return Plan(across, down, ((across - wide) // 2, (down - high) // 2, wide, high))


def _pixels(exact: float) -> int:
    return max(1, round(exact))
