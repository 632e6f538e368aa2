"""What somebody may have meant who wrote a name that nobody knows.

Strict: a suggestion that is nothing like what was written ("scratch": "cache"?) leads
astray, and is worse than none.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_CUTOFF = 0.7
"""Of difflib's ratio. "scratch" and "cache" have 0.67; "chace" and "cache" 0.8."""


def nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """ " Did you mean …?", or "" when nothing known is like it. All that is known begins with
    `prefix`, which is therefore no likeness."""
    rests = [one.removeprefix(prefix) for one in known]
    close = difflib.get_close_matches(name.removeprefix(prefix), rests, n=1, cutoff=_CUTOFF)
    return f' Did you mean "{prefix}{close[0]}"?' if close else ""
