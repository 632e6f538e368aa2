"""Who makes room when places are short: those who have stood still longest.

A client that is refused a place comes again after `RETRY_AFTER`. Meanwhile
some of those who hold what it asked for are cut, if they stand still: at its
own address when that has its share, else at any. No more are cut than give
`Admission.spare` places, and none before `STILL`; so one that pauses is cut
only after all who have paused longer, and one that moves never is.
"""

from __future__ import annotations

from gateway.web.admission import RETRY_AFTER, Admission

STILL = 1.5
"""Seconds without movement after which a place may be taken away: a packet that is lost three
times in a row is there before (0.2, 0.4 and 0.8 s)."""

EAGER = 0.25
"""Seconds between looks while somebody wants room: 1 ms for 50 connections at each."""

LASTS = STILL + RETRY_AFTER
"""Seconds for which room is made for one that was refused and did not come again."""


class LoadShedder:
    """For a watch, which asks `makers` at each look and says when some were `cut`."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._wanted: dict[str | None, float] = {}

    @property
    def count(self) -> int:
        """How many are cut at a time."""
        return self._admission.spare

    def makers(self, now: float) -> set[str]:
        """Peers with places that others asked for. `now` is of any clock."""
        self._wanted.update(dict.fromkeys(self._admission.short(), now))
        self._wanted = {
            client: asked for client, asked in self._wanted.items() if now - asked < LASTS
        }
        if not self._wanted:
            return set()
        everybody = None in self._wanted
        return {
            one.peer
            for one in list(self._admission.under_way)
            if one.held and not one.waits and (everybody or one.client in self._wanted)
        }

    def cut(self) -> None:
        """There is room now; who does not find it asks again."""
        self._wanted.clear()

    def wait(self, seconds: float) -> None:
        """Until the next look: so long, or until somebody was refused."""
        if not self._wanted:
            self._admission.wanted.wait(seconds)
