"""Sizes and durations as people write them: "64KiB", "20GiB", "10m", "30d".

Sizes are whole bytes; durations are seconds. Parsing raises `ValueError` with
one sentence that says what would be right. Formatting is exact: what it gives
parses to the same number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

_SIZES: Mapping[str, int] = {
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGTPE", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("KMGTPE", 1)},
}
_DURATIONS: Mapping[str, Fraction] = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
    "d": Fraction(86400),
    "w": Fraction(604800),
}
_LONGEST = 1000 * 365 * 86400
_LARGEST = 2**63 - 1
_SIZE_UNITS: Mapping[str, int] = {unit.lower(): number for unit, number in _SIZES.items()}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)

SIZE = 'a size such as "64KiB", "20GiB" or "5TB", or a number of bytes'
DURATION = 'a duration such as "500ms", "30s", "10m", "24h" or "30d", or a number of seconds'


def _split(text: str, expected: str) -> tuple[Fraction, str]:
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is not {expected}')
    return Fraction(found[1]), found[2]


def parse_size(value: str | int) -> int:
    """Bytes. The unit may be in any case; without one the number is bytes."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{value!r} is not {SIZE}")
    if isinstance(value, int):
        if value < 0:
            raise ValueError(f"{value} is negative: not {SIZE}")
        return _bounded(value, value)
    number, unit = _split(value, SIZE)
    if unit and unit.lower() not in _SIZE_UNITS:
        raise ValueError(f'"{value}" has the unknown unit "{unit}"; known are {", ".join(_SIZES)}')
    size = number * _SIZE_UNITS[unit.lower()] if unit else number
    if size.denominator != 1:
        raise ValueError(f'"{value}" is not a whole number of bytes')
    return _bounded(int(size), value)


def _bounded(size: int, value: str | int) -> int:
    if size > _LARGEST:
        raise ValueError(f"{value!r} is more bytes than there are (9 EB)")
    return size


def parse_duration(value: str | float) -> float:
    """Seconds. Units are lower case: "m" is minutes; without one the number is seconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{value!r} is not {DURATION}")
    if not isinstance(value, str):
        if not 0 <= value <= _LONGEST:  # NaN is neither
            raise ValueError(f"{value} is not {DURATION}")
        return float(value)
    number, unit = _split(value, DURATION)
    if unit and unit not in _DURATIONS:
        raise ValueError(
            f'"{value}" has the unknown unit "{unit}"; known are {", ".join(_DURATIONS)}'
        )
    seconds = number * _DURATIONS[unit] if unit else number
    if seconds > _LONGEST:
        raise ValueError(f'"{value}" is longer than a thousand years')
    return float(seconds)


def format_size(size: int) -> str:
    """In the largest power-of-two unit that divides it: 65536 is "64KiB"."""
    for letter, power in zip("EPTGMK", range(6, 0, -1), strict=True):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{letter}iB"
    return f"{size}B"


def about_size(size: int) -> str:
    """For people, rounded: 1,234,567 is "1.2 MiB"."""
    number, unit = float(size), "B"
    for letter in "KMGTPE":
        if number < 1024:
            break
        number, unit = number / 1024, f"{letter}iB"
    return f"{size} B" if unit == "B" else f"{number:.1f} {unit}"


def format_duration(seconds: float) -> str:
    """In the largest unit that divides it: 600 is "10m"."""
    exact = Fraction(repr(float(seconds)))
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count = exact / _DURATIONS[unit]
        if exact and count.denominator == 1:
            return f"{count}{unit}"
    return f"{exact}s" if exact.denominator == 1 else repr(float(seconds))
