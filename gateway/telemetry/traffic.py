"""What each service is asked, in numbers: requests by the class of their status, and bytes.

A service has numbers of its own when it is declared, or from its first request on that was
answered well: whoever makes names up adds to none. There are at most 1,000 in each worker; what
comes for any other service is counted under one name that none has.

A request is counted once. Where reports are kept it is in the row of its slot (`slot_counts`),
and `add` brings what such rows have in here, when they are taken.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

LIMIT = 1000
OTHERS = "(other)"
"""No service can be called so."""

REQUESTS = "gateway_service_requests"
RECEIVED = "gateway_service_received_bytes"
SENT = "gateway_service_sent_bytes"
BY_SERVICE = frozenset({REQUESTS, RECEIVED, SENT})

Row = list[int]
"""Requests, and bytes received and sent."""

OfClass = tuple[str, int]
"""A service, and the class of a status (its hundreds)."""


class Traffic(NamedTuple):
    """Since the gateway started. `refused`: what was the client's fault (4xx); `failed`: what
    was not (5xx). Bytes are those of bodies."""

    requests: int = 0
    refused: int = 0
    failed: int = 0
    received: int = 0
    sent: int = 0

    @classmethod
    def together(cls, some: Iterable[Traffic]) -> Traffic:
        return cls(*map(sum, zip(cls(), *some, strict=True)))


_NOTHING = Traffic()


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Of all workers together. `total` has what is of no service, too; `in_flight` is None for
    who is told of some services only. `time`: when it was so, in seconds since the epoch, to
    within some seconds."""

    time: float = 0.0
    in_flight: int | None = None
    total: Traffic = _NOTHING
    services: Mapping[str, Traffic] = field(default_factory=dict)

    def of(self, services: Container[str]) -> Numbers:
        """What who may see these alone is told."""
        seen = {sid: one for sid, one in self.services.items() if sid in services}
        return Numbers(time=self.time, total=Traffic.together(seen.values()), services=seen)


class Counts(dict[OfClass, Row]):
    """Since the start. Whoever adds holds a lock."""

    def __init__(self) -> None:
        super().__init__()
        self._known = set[str]()

    def know(self, services: Iterable[str]) -> None:
        """Have rows for these, as far as there is room."""
        for sid in services:
            if sid in self._known or len(self._known) < LIMIT:
                self._known.add(sid)
                self.setdefault((sid, 2), [0, 0, 0])

    def of(self, sid: str, status: int) -> Row:
        """The row for one that has none yet: its own from now on, or that of the others."""
        if sid not in self._known and (status >= 400 or len(self._known) >= LIMIT):
            return self.setdefault((OTHERS, status // 100), [0, 0, 0])
        self._known.add(sid)
        return self.setdefault((sid, status // 100), [0, 0, 0])

    def with_(self, some: Iterable[tuple[str, int, Row]]) -> list[tuple[str, int, Row]]:
        """Service, class and row of each, with what was counted elsewhere."""
        whole = Counts()
        whole._known = set(self._known)
        whole.update((key, row[:]) for key, row in self.items())
        whole.add(some)
        return [(sid, of_class, row) for (sid, of_class), row in whole.items()]

    def add(self, some: Iterable[tuple[str, int, Row]]) -> None:
        """What was counted elsewhere: service, status and row of each."""
        for sid, status, counted in some:
            row = self.get((sid, status // 100)) or self.of(sid, status)
            for place, number in enumerate(counted):
                row[place] += number


def samples(
    rows: Iterable[tuple[str, int, Sequence[int]]],
) -> Iterator[tuple[tuple[str, ...], int]]:
    """(name and labels, value) of services, classes and their rows."""
    for sid, of_class, (requests, received, sent) in rows:
        yield (RECEIVED, sid), received
        yield (SENT, sid), sent
        yield (REQUESTS, sid, f"{of_class}xx"), requests


def numbers_of(time: float, totals: Mapping[tuple[str, ...], float]) -> Numbers:
    """Of the sums of all that is counted (see `metrics`)."""
    total, in_flight, services = [0] * 5, 0, dict[str, list[int]]()
    for (name, *labels), value in totals.items():
        count = int(value)
        if name == "gateway_requests_in_flight":
            in_flight = count
        elif name == "gateway_requests":
            _add_requests(total, labels[-1], count)
        elif name in _BYTES:
            total[_BYTES[name]] += count
        elif name == REQUESTS:
            _add_requests(services.setdefault(labels[0], [0] * 5), labels[-1], count)
        elif name in _BYTES_OF_ONE:
            services.setdefault(labels[0], [0] * 5)[_BYTES_OF_ONE[name]] += count
    found = {sid: Traffic(*row) for sid, row in services.items()}
    return Numbers(time=time, in_flight=in_flight, total=Traffic(*total), services=found)


_BYTES = {"gateway_received_bytes": 3, "gateway_sent_bytes": 4}
_BYTES_OF_ONE = {RECEIVED: 3, SENT: 4}
_FAULTS = {"4xx": 1, "5xx": 2}


def _add_requests(row: list[int], status: str, count: int) -> None:
    row[0] += count
    if status in _FAULTS:
        row[_FAULTS[status]] += count
