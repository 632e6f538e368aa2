"""What reports say: how much was served in each slot of a time, in all or told apart.

Slots are of five minutes, an hour or a day, as UTC has them. One is in a period when it begins
before the end of that, and ends after its beginning: the first may begin before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from gateway.telemetry.slot_counts import SLOT

By = Literal["5min", "hour", "day"]
LENGTHS: Mapping[By, int] = {"5min": SLOT, "hour": 3600, "day": 86_400}
"""Seconds. Each is a multiple of the one before."""

Split = Literal["", "status", "country", "tls", "http"]
"""What is told apart: nothing, "404", "CH" ("ZZ": nobody knows), "tls" and "plain", "1.1"."""

MOST_SLOTS = 35_000
"""Of one report: 120 days of five minutes."""
MOST_NUMBERS = 1_000_000
"""Slots of all series of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Seconds since the epoch, the second excluded."""

    since: int
    until: int
    by: By = "hour"

    def __post_init__(self) -> None:
        if not 0 <= self.since < self.until:
            raise ValueError("a report ends after it begins")
        if len(self.slots) > MOST_SLOTS:
            raise ValueError(
                f"a report has at most {MOST_SLOTS} slots: ask for less time, or longer slots"
            )

    @property
    def slots(self) -> range:
        """When each begins."""
        length = LENGTHS[self.by]
        return range(self.since // length * length, self.until, length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is of: of these names, which are services', or what bindings have it counted
    under; of that door (the name of a mode), or of all; `only` these of what is told apart."""

    names: Collection[str]
    split: Split = ""
    only: Collection[str] | None = None
    door: str | None = None

    def __post_init__(self) -> None:
        if self.only is not None and not (self.split and self.only):
            raise ValueError("only: some of what is told apart")


class Series(NamedTuple):
    """A number for each slot; `bytes` of answers' bodies."""

    hits: list[int]
    bytes: list[int]


class Sum(NamedTuple):
    hits: int
    bytes: int


class Size(NamedTuple):
    bytes: int
    objects: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """`until`: what ended before that is in, in seconds since the epoch. `lost`: when workers
    last told of what they had counted which were killed, so that the seconds after that may miss
    something."""

    until: int
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """`series` by what is told apart; "" where nothing is. Slots without a request have zeros,
    and what never was in this time has no series."""

    slots: range
    series: Mapping[str, Series]
    complete: Completeness


def pieces(since: int, until: int) -> list[tuple[int, int, int]]:
    """(length, beginning, end): the longest slots that together are those of five minutes that
    begin in this time, the first of which may begin before it."""
    found, lengths = list[tuple[int, int, int]](), sorted(LENGTHS.values())
    since, until = since // SLOT * SLOT, -(-until // SLOT) * SLOT
    ends = list[tuple[int, int, int]]()
    for length, longer in zip(lengths, [*lengths[1:], 0], strict=True):
        first = min(-(-since // longer) * longer, until) if longer else until
        if since < first:
            found.append((length, since, first))
        since = first
        last = max(until // longer * longer, since) if longer else until
        if last < until:
            ends.append((length, last, until))
        until = last
    return [*found, *reversed(ends)]


def report(
    asked: Asked, period: Period, found: Iterable[tuple[int, str, int, int]], complete: Completeness
) -> Report:
    """Of slots, what is told apart in them, hits and bytes, some of which there may be more than
    once. Raises `ValueError` when it is too much for one report."""
    slots = period.slots
    series = {name: _empty(slots) for name in asked.only or (() if asked.split else ("",))}
    for slot, name, hits, size in found:
        one = series.get(name)
        if one is None:
            if len(slots) * (len(series) + 1) > MOST_NUMBERS:
                raise ValueError(
                    f"a report has at most {MOST_NUMBERS} numbers: ask for less time, or longer"
                    " slots"
                )
            one = series[name] = _empty(slots)
        place = (slot - slots.start) // slots.step
        one.hits[place] += hits
        one.bytes[place] += size
    return Report(slots=slots, series=dict(sorted(series.items())), complete=complete)


def _empty(slots: range) -> Series:
    return Series([0] * len(slots), [0] * len(slots))
