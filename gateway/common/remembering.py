"""What is read out of a text, remembered: clients say the same again and again.

What is known is looked up by the dictionary itself: no function of Python is called for it, which
in each signed request are three.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def remembered(*, texts: int, longest: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Of a function of a text, for so many `texts` of at most `longest` characters; one more, and
    all are read anew. A longer one is each time: what clients can fill must stay small."""
    return lambda read: _Known(read, texts, longest).__getitem__


class _Known(dict[str, T]):
    def __init__(self, read: Callable[[str], T], texts: int, longest: int) -> None:
        super().__init__()
        self._read, self._texts, self._longest = read, texts, longest

    def __missing__(self, text: str) -> T:
        found = self._read(text)
        if len(text) <= self._longest:
            if len(self) >= self._texts:
                self.clear()
            self[text] = found
        return found
