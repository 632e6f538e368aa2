"""Which of the added services rest: they are known by their rows, and closed.

A service whose driver does nothing by itself (`Store.on_demand`) costs nobody anything until it is
asked for, so there may be thousands. The first few are opened ahead of requests, as all others are;
the rest by the first request for each. What nobody has asked for in a while is closed again,
and before that what was unused for longest, where a process cannot have as many files open.

May surprise: one that keeps files tidies them up while it is open only. So each of those that rest
is opened for a while, one after the other, whoever asks for it (`next_visit`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from gateway.catalog import ServiceRow
from gateway.common.system import most_files
from gateway.services.opening import Added
from gateway.storage import Store

AHEAD = 64
"""Services that are opened ahead of requests, and stay open."""

IDLE = 60.0
"""Seconds without a request after which one beyond these is closed."""

VISIT = 10.0
"""Seconds between two that are opened for nobody."""

_MOST = 512
"""That are open at once, where files do not bound it: each cache has a MiB."""

_FILES = 12
"""That one has open, about: a cache has 24, and an origin behind it none."""

_SHARE = 4
"""The part of a process's files that is for them: the others are for connections."""


class Resting:
    """`drivers`: what their stores are, by name."""

    def __init__(
        self, drivers: Mapping[str, type[Store]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._drivers, self._clock = drivers, clock
        self._visited, self._last = clock(), ""

    def may_wait(self, row: ServiceRow) -> bool:
        """Whether it need not be open before it is asked for."""
        driver = None if row.store is None else self._drivers.get(row.store.driver)
        return driver is not None and driver.on_demand

    def waiting(
        self, rows: Iterable[ServiceRow], is_open: Callable[[str], bool], before: set[str]
    ) -> set[str]:
        """Ids of those that wait to be asked for, with those that did `before`."""
        able = [row.sid for row in rows if self.may_wait(row)]
        room = min(AHEAD, self.most) - sum(map(is_open, able))
        closed = [sid for sid in able if not is_open(sid)]
        ahead = [sid for sid in closed if sid not in before][: max(0, room)]
        return {*closed}.difference(ahead)

    @property
    def most(self) -> int:
        return min(_MOST, max(1, most_files() // _SHARE // _FILES))

    def tired(self, opened: Collection[Added]) -> list[Added]:
        """Those of what is open that are to rest now: nobody uses them, and nothing that is open
        stands in front of them."""
        if len(opened) <= min(AHEAD, self.most):
            return []
        able, most = [one for one in opened if one.lasting.store.may_rest], self.most
        beyond = len(able) - min(AHEAD, most)
        if beyond <= 0:
            return []
        now, needed = self._clock(), {id(link) for one in opened for link in one.links}
        unused = [one for one in able if id(one) not in needed and _is_unused(one, now)]
        unused.sort(key=lambda one: one.service.uses.since)
        too_many = len(able) - most
        return [
            one
            for number, one in enumerate(unused[:beyond])
            if number < too_many or now - one.service.uses.since >= IDLE
        ]

    def is_full(self, opened: int) -> bool:
        return opened > self.most

    def next_visit(self, waiting: set[str]) -> str | None:
        """The one that is to be opened now for nobody."""
        now = self._clock()
        if not waiting or now - self._visited < VISIT:
            return None
        self._visited = now
        self._last = min((sid for sid in waiting if sid > self._last), default=min(waiting))
        return self._last


def _is_unused(one: Added, now: float) -> bool:
    """Since the last time it was asked, too."""
    uses = one.service.uses
    if uses.used or uses.holders:
        uses.used, uses.since = False, now
        return False
    return True
