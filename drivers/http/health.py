"""Which of several origins a request asks, and how each of them is.

    well          it is asked in its turn
    passed over   it gave no answer, or three times in a row one that says that it cannot
                  answer now (502, 503, 504): others are asked for a while, from a second on and
                  twice as long each time, up to a minute
    looked at     that while is over: one request asks it, and what comes of that decides

Nobody is refused for it: a request that found no answer at those that are well goes on to those
passed over. Only who has an answer, if a bad one, does not: what cannot answer now
is not to be asked twice as much.

May surprise: one that is passed over already is so for longer only by who looks at it. Of ten
requests that were under way when it died, one counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.storage import Meters, NoMeters

log = logging.getLogger("gateway.upstream")

UNAVAILABLE = frozenset({502, 503, 504})
"""What a host says of itself; a 500 is as a rule of what was asked for."""

STRIKES = 3
SHORTEST, LONGEST = 1.0, 60.0
"""Seconds for which one is passed over."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request asks one origin. `looks`: it is the one that finds out how that is."""

    origin: int
    looks: bool


@dataclass(slots=True)
class _Origin:
    """`strikes`: bad answers in a row. `times`: that it was passed over in a row; with any it
    is, until `due` at least. `looking`: who is under way to find out."""

    name: str
    strikes: int = 0
    times: int = 0
    due: float = 0.0
    looking: Turn | None = None

    def ready(self, now: float) -> bool:
        return not self.times or (now >= self.due and self.looking is None)


class Health:
    """`names` of the origins, the first in front; `around`: each request begins with the next
    one. What befalls them is counted by `meters`, for the service `sid`. For any threads; each
    `turn` is followed by a `heard`, `failed` or `left`."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        around: bool = False,
        meters: Meters = NoMeters(),
        sid: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._origins = [_Origin(name) for name in names]
        self._around, self._clock = around, clock
        self._meters, self._sid = meters, sid
        self._first = -1
        self._lock = threading.Lock()

    def order(self) -> list[int]:
        """The origins as a request asks them, if all are well."""
        every = [*range(len(self._origins))]
        if not self._around:
            return every
        with self._lock:
            self._first = first = (self._first + 1) % len(every)
        return every[first:] + every[:first]

    def turn(self, order: Sequence[int], *, has_answer: bool = False) -> Turn | None:
        """Whom to ask next of these, who were not asked yet; None: nobody. `has_answer`: there
        is one already."""
        with self._lock:
            now = self._clock()
            found = next((one for one in order if self._origins[one].ready(now)), None)
            if found is None:
                if has_answer or not order:
                    return None
                return self._last_hope(order)
            origin = self._origins[found]
            turn = Turn(found, looks=origin.times > 0)
            origin.looking = turn if turn.looks else None
            return turn

    def _last_hope(self, order: Sequence[int]) -> Turn:
        """Of those passed over the one that failed least, or is due first."""
        found = min(order, key=lambda one: (self._origins[one].times, self._origins[one].due))
        return Turn(found, looks=False)

    def heard(self, turn: Turn, status: int) -> None:
        """An answer came."""
        if status in UNAVAILABLE:
            self._strike(turn, 1, f"it answers {status}")
        else:
            self._well(turn)

    def _well(self, turn: Turn) -> None:
        origin = self._origins[turn.origin]
        if not (origin.times or origin.strikes):
            return
        with self._lock:
            was, origin.times, origin.strikes, origin.looking = origin.times, 0, 0, None
        if was and len(self._origins) > 1:
            log.info("%s: the origin %s answers again", self._sid, origin.name)

    def failed(self, turn: Turn, why: object) -> None:
        """None came, or none that can be used."""
        self._strike(turn, STRIKES, why)

    def _strike(self, turn: Turn, strikes: int, why: object) -> None:
        origin, seconds = self._origins[turn.origin], 0.0
        self._meters.add("gateway_origin_failures", 1, self._sid, origin.name)
        with self._lock:
            looks = origin.looking is turn
            if looks:
                origin.looking = None
            if looks or not origin.times:
                origin.strikes += strikes
                if looks or origin.strikes >= STRIKES:
                    seconds = min(LONGEST, SHORTEST * 2 ** min(origin.times, 30))
                    origin.times, origin.strikes = origin.times + 1, 0
                    origin.due = self._clock() + seconds
        if seconds and len(self._origins) > 1:
            self._meters.add("gateway_origin_passed_over", 1, self._sid, origin.name)
            said = "%s: the origin %s is passed over for %g s: %s"
            log.warning(said, self._sid, origin.name, seconds, why)

    def left(self, turn: Turn) -> None:
        """It ended without telling anything of the origin: another one may look."""
        if turn.looks:
            with self._lock:
                origin = self._origins[turn.origin]
                if origin.looking is turn:
                    origin.looking = None
