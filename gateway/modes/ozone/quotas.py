"""Quotas as clients write them ("10 GB"), and as they are shown: in the largest unit that divides
them.

May surprise: 1 TB is 1024 GB here, and 1,048,576 TB is no bound at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_UNITS: Mapping[str, int] = {"TB": 1 << 40, "GB": 1 << 30, "MB": 1 << 20, "BYTES": 1}
"""The largest first."""
UNLIMITED = 1 << 60
REMOVE = "remove"

_QUOTA = re.compile(rf"([0-9]{{1,19}})({'|'.join(_UNITS)})", re.ASCII | re.IGNORECASE)
_BLANKS = re.compile(r"\s+", re.ASCII)
RULE = f"a whole number with one of the units {', '.join(_UNITS)}, at most 1048576 TB"


def parse(text: str) -> int | None:
    """Bytes; None for no bound. Raises `ValueError`."""
    found = _QUOTA.fullmatch(_BLANKS.sub("", text))
    size = int(found[1]) * _UNITS[found[2].upper()] if found is not None else UNLIMITED + 1
    if size > UNLIMITED:
        raise ValueError(f"A quota is {RULE}.")
    return None if size == UNLIMITED else size


def removes(text: str) -> bool:
    return text.strip().lower() == REMOVE


def shown(quota: int | None) -> dict[str, str | int]:
    size = UNLIMITED if quota is None else quota
    unit = next(name for name, bytes_ in _UNITS.items() if size % bytes_ == 0)
    return {"unit": unit, "size": size // _UNITS[unit]}
