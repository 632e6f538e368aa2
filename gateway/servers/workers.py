"""When a worker that died comes back: at once, and later each time that it dies again."""

from __future__ import annotations

STEADY = 60.0
"""Seconds after which a worker that dies had been well."""

LONGEST = 30.0
"""Seconds between two tries, at most: 0, 1, 2, 4, … of them."""


class Comebacks:
    """Of the workers of a parent, by place. `now` is of any clock of seconds."""

    def __init__(self) -> None:
        self._deaths: dict[int, int] = {}
        self._due: dict[int, float] = {}

    def died(self, place: int, lived: float, now: float) -> float:
        """Seconds until another is to take its place. It had lived for so many."""
        before = 0 if lived >= STEADY else self._deaths.get(place, 0)
        self._deaths[place] = before + 1
        pause = min(LONGEST, 2.0 ** (before - 1)) if before else 0.0
        self._due[place] = now + pause
        return pause

    def due(self, now: float) -> list[int]:
        """Places to be filled now; each is told once."""
        found = [place for place, time in self._due.items() if time <= now]
        for place in found:
            del self._due[place]
        return found

    def left(self, now: float) -> float | None:
        """Seconds until there is one; None: none is empty."""
        return max(0.0, min(self._due.values()) - now) if self._due else None
