"""What was served, as whoever may know it is told: `Gateway.reports`.

What is asked for is named by services, or by what bindings have their requests counted under
(`CountedApart`). A report is of all workers; what they counted in the last seconds is not in it
yet, and it says until when it is complete.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.telemetry.reports import Asked, Period, Report, Size, Sum


class Reports(Protocol):
    """Each raises `NoSuchStore` for what the identity may not know of, and where there is no
    service of that name, but for who manages everything; `Unsupported` where none are kept;
    `Unavailable`."""

    kept: bool
    """Whether there are any: the configuration has a table `[reports]`, or a mode that has them."""

    def read(
        self, identity: Identity, asked: Asked, period: Period, facts: Facts = UNKNOWN
    ) -> Report:
        """Needs `read-requests` of each name. Raises `InvalidRequest` for one that is too large."""

    def total(
        self,
        identity: Identity,
        names: Collection[str],
        since: int,
        until: int,
        door: str | None = None,
        facts: Facts = UNKNOWN,
    ) -> Sum:
        """Of all slots of five minutes of that time (seconds since the epoch), however long it
        is. Needs the same. `door`: see `Asked`."""

    def sizes(
        self,
        identity: Identity,
        services: Collection[str],
        period: Period,
        facts: Facts = UNKNOWN,
    ) -> Sequence[Size]:
        """How much was in these services together, for each slot of the period, in hours or days:
        as it was last measured in it, nothing where it was not. Needs `read-stats` of each."""
