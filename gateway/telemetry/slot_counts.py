"""What was asked in this worker since it was last taken, for reports: a row for each slot of five
minutes, and in it for each name, door, status, country, TLS and version of HTTP.

A request adds to one row, in memory: a dictionary's look and three sums. It is in the slot in
which it ended, by the clock. There are at most `ROWS` rows: what would need another is counted in
one for each slot and status, under a name that none has (`OTHERS`), and so is what comes for
names that no service has. Whether a name is one's is asked when rows are taken, and only of those
that have had refusals alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from gateway.common.countries import NOWHERE
from gateway.telemetry.record import Record
from gateway.telemetry.traffic import OTHERS, Row

SLOT = 300
"""Seconds."""
ROWS = 20_000
DOUBTFUL = 200
"""Names of which nobody knows yet whether they are a service's, between two takings."""
KNOWN = 10_000
"""Names that are remembered to be one's."""
ADDRESSES = 4096
"""Of which the country is remembered between two takings."""


class Kind(NamedTuple):
    """What rows are told apart by. `slot` is its first second, since the epoch. `name`: that under
    which it counts, which is the service's, or what its binding says. `http` is as in "1.1", ""
    when it came by another protocol."""

    slot: int
    name: str
    service: str
    door: str
    status: int
    country: str
    tls: bool
    http: str


Key = tuple[int, str, str, str, int, str, bool, str]
"""A `Kind` before it is made one, which takes a request longer than all the rest."""

Rows = Mapping[Kind, Row]


class SlotCounts(dict[Key, Row]):
    """Whoever changes it holds a lock. `country` says where an address is, None for nowhere."""

    def __init__(self, country: Callable[[str], str | None]) -> None:
        super().__init__()
        self._country = country
        self._countries = dict[str, str]()
        self._declared, self._known = set[str](), set[str]()
        self.doubtful = set[str]()

    def know(self, names: Iterable[str]) -> None:
        """These are services', or a binding says them."""
        self._declared.update(names)

    def row(self, record: Record) -> Row:
        client = record.client
        key = (
            int(record.started + record.duration) // SLOT * SLOT,
            record.counted_as or record.sid,
            record.sid,
            record.mode,
            record.status,
            self._countries.get(client) or self._where(client),
            record.tls,
            record.http,
        )
        return self.get(key) or self._of(key)

    def _where(self, client: str) -> str:
        found = self._country(client) or NOWHERE
        if len(self._countries) < ADDRESSES:
            self._countries[client] = found
        return found

    def _of(self, key: Key) -> Row:
        """The row for one that has none yet."""
        kind = Kind._make(key)
        if len(self) >= ROWS or not self._named(kind):
            key = others(kind)
        return self.setdefault(key, [0, 0, 0])

    def _named(self, key: Kind) -> bool:
        """Whether it is counted under its name, for the time being."""
        name = key.name
        if name in self._known or name in self._declared or name in self.doubtful:
            return True
        if key.status < 400:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known.add(name)
        elif len(self.doubtful) < DOUBTFUL:
            self.doubtful.add(name)
        else:
            return False
        return True

    def by_service(self) -> Iterator[tuple[str, int, Row]]:
        """What `Counts.add` adds."""
        return ((key[2], key[4], row) for key, row in self.items())

    def take(self) -> tuple[Rows, Collection[str]]:
        """What there is, and the names in it that may be nobody's; from now on it begins anew."""
        taken = {Kind._make(key): row for key, row in self.items()}
        doubtful = self.doubtful - self._known
        self.clear()
        self._countries, self.doubtful = {}, set()
        return taken, doubtful


def others(kind: Kind) -> Kind:
    """For what is not counted by itself: its slot and status are all that is known of it."""
    return Kind(kind.slot, OTHERS, OTHERS, "", kind.status, NOWHERE, False, "")


def told_apart(rows: Rows, made_up: Collection[str]) -> Rows:
    """With what came for names that are nobody's among the others."""
    found = dict[Kind, Row]()
    for kind, row in rows.items():
        sums = found.setdefault(others(kind) if kind.name in made_up else kind, [0, 0, 0])
        for place, number in enumerate(row):
            sums[place] += number
    return found
