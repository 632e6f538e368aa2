"""What a client would rather have (RFC 9110 §12.4.2, §12.5.1, §12.5.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

_WEIGHT = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)", re.I)
_LONGEST = 4096
"""Characters of a field that are looked at: browsers write two hundred at most."""


def weights(text: str) -> Mapping[str, float]:
    """What a list names, in lower case and without parameters, with its weight. One that is
    malformed counts for nothing."""
    return _weights(text[:_LONGEST])


@lru_cache(maxsize=256)
def _weights(text: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for one in text.split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter[:2].lower() == "q=":
                match = _WEIGHT.fullmatch(parameter)
                weight = 0.0 if match is None else float(match[1])
        if name:
            found[name.lower()] = weight
    return found
