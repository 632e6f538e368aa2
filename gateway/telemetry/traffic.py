"""What each service is asked, in numbers: requests by the class of their status, and bytes.

A service has numbers of its own when it is declared, or from its first request on that was
answered well: whoever makes names up adds to none. There are at most 1,000 in each worker; what
comes for any other service is counted under one name that none has.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.telemetry.record import Record

LIMIT = 1000
OTHERS = "(other)"
"""No service can be called so."""

REQUESTS = "gateway_service_requests"
RECEIVED = "gateway_service_received_bytes"
SENT = "gateway_service_sent_bytes"
BY_SERVICE = frozenset({REQUESTS, RECEIVED, SENT})

_CLASSES = 2
"""Where the counts of classes begin in a row, behind the bytes received and sent."""


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


class Counts(dict[str, list[int]]):
    """Rows by service: bytes received and sent, then a count for each class of a status
    (its hundreds). Whoever adds holds a lock."""

    def know(self, services: Iterable[str]) -> None:
        """Have rows for these, as far as there is room."""
        for sid in services:
            if len(self) < LIMIT:
                self.setdefault(sid, _row())

    def of(self, record: Record) -> list[int]:
        """The row of a service that has none yet: its own from now on, or that of the others."""
        if record.status < 400 and len(self) < LIMIT:
            return self.setdefault(record.sid, _row())
        return self.setdefault(OTHERS, _row())


def _row() -> list[int]:
    return [0] * (_CLASSES + 10)


def samples(rows: Mapping[str, Sequence[int]]) -> Iterator[tuple[tuple[str, ...], int]]:
    """(name and labels, value); of classes, those that were answered, and 2xx."""
    for sid, row in rows.items():
        yield (RECEIVED, sid), row[0]
        yield (SENT, sid), row[1]
        for place, count in enumerate(row[_CLASSES:]):
            if count or place == 2:
                yield (REQUESTS, sid, f"{place}xx"), count


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
