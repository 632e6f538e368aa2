"""When a client counts as standing still: one rule for bodies, answers and both servers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal, NamedTuple

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
    work: float = inf


class Phase(NamedTuple):
    """What is to happen next on a connection; `of` is another for each request."""

    what: Literal["head", "body", "work", "answer", "idle"]
    of: object = None


_AS_A_WHOLE = {"head", "idle", "work"}
"""Must be over in time; the others must move."""


class Progress:
    """Of a connection, from one phase to the next. `moved` is a running total of bytes."""

    __slots__ = ("_pace", "_phase", "_still")

    def __init__(self) -> None:
        self._pace = self._still = Pace(0, 0.0)
        self._phase: Phase | None = None

    def late(self, phase: Phase, moved: int, now: float, patience: Patience) -> bool:
        """Whether that phase takes too long. It is enough to call this once a second."""
        seconds: float = getattr(patience, phase.what)
        if phase != self._phase:
            self._phase, self._pace, self._still = phase, Pace(moved, now), Pace(moved, now)
            return False
        if phase.what in _AS_A_WHOLE:
            return now - self._pace.since >= seconds
        return self._pace.late(moved, now, seconds)

    def stands(self, moved: int, now: float, seconds: float) -> float | None:
        """Since when nothing was taken of an answer, if it is so long; else None."""
        answers = self._phase is not None and self._phase.what == "answer"
        return self._still.since if answers and self._still.late(moved, now, seconds) else None
