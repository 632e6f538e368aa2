"""When a client counts as standing still: one rule for bodies, answers and both servers."""

from __future__ import annotations

from dataclasses import dataclass

LEAST_RATE = 256
"""Bytes a second. A client that moves fewer holds a place for nothing."""

PRESSED = 5.0
"""Seconds of patience while threads are short because of those who stand still."""


class Pace:
    """How many bytes had `moved` at a time, `since` when it counts. Any clock of seconds."""

    __slots__ = ("moved", "since")

    def __init__(self, moved: int, since: float) -> None:
        self.moved, self.since = moved, since

    def late(self, moved: int, now: float, patience: float) -> bool:
        """Whether fewer than `LEAST_RATE` bytes a second moved in `patience` seconds.

        `moved` is a running total. It is enough to call this once a second.
        """
        if moved - self.moved >= LEAST_RATE * patience:
            self.moved, self.since = moved, now
            return False
        return now - self.since >= patience


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds for a request's head as a whole, for a body and for an answer that do not
    move, and for the next request."""

    head: float
    body: float
    answer: float
    idle: float
