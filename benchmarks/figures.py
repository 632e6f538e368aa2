"""What the rounds of a workload give: medians, spreads, and ratios to the best peer.

A figure is the median of its rounds; its spread is half the distance between the best
and the worst round, as a part of the median; a ratio is taken round by round, for what
slows a whole round slows both, and then the median.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.load import Sample
from benchmarks.processes import Usage
from benchmarks.servers import Kind
from benchmarks.workloads import Workload


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One server: why it is missing, or what it gave. `samples` by workload, one a round."""

    name: str
    kind: Kind
    version: str = ""
    missing: str = ""
    started: float = 0.0
    usage: Sequence[Usage] | None = None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Why a workload could not be measured."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Why a workload is not for this server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Medians of one workload on one server. Rates per second, latencies in milliseconds,
    `cpu` in microseconds of the server's for each answer, `waits` of its threads for each."""

    rate: float
    spread: float
    p50: float
    p99: float
    cpu: float | None
    waits: float | None
    errors: Mapping[str, int]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Figure:
        rates = [one.rate for one in samples]
        middle = median(rates)
        kinds = {kind for one in samples for kind in one.errors}
        spent = [one.cpu / one.requests for one in samples if one.cpu is not None and one.requests]
        waited = [
            one.waits / one.requests for one in samples if one.waits is not None and one.requests
        ]
        return cls(
            rate=middle,
            spread=(max(rates) - min(rates)) / 2 / middle if middle else 0.0,
            p50=median(one.p50 for one in samples),
            p99=median(one.p99 for one in samples),
            cpu=median(spent) * 1e6 if spent else None,
            waits=median(waited) if waited else None,
            errors={kind: sum(one.errors.get(kind, 0) for one in samples) for kind in kinds},
        )

    @property
    def trusted(self) -> bool:
        return not self.errors and self.rate > 0


def best_peer(outcomes: Iterable[Outcome], workload: str) -> Outcome | None:
    """The peer with the highest median rate without errors."""
    figures = [
        (Figure.of(one.samples[workload]), one)
        for one in outcomes
        if one.kind == "peer" and one.samples.get(workload)
    ]
    trusted = [(figure.rate, one) for figure, one in figures if figure.trusted]
    return max(trusted, key=lambda pair: pair[0])[1] if trusted else None


def ratio(workload: str, outcome: Outcome, other: Outcome | None) -> float | None:
    """How many times as fast; None without figures of both."""
    mine = outcome.samples.get(workload)
    theirs = other.samples.get(workload) if other is not None else None
    if not mine or not theirs:
        return None
    pairs = zip(mine, theirs, strict=True)
    return median(one.rate / two.rate if two.rate else 0.0 for one, two in pairs)


def amount(workload: Workload, rate: float) -> str:
    """A rate as the tables show it: `17.7 k/s`, `231 /s`, `0.73 GB/s`, or how long one takes."""
    if workload.unit == "bytes":
        return f"{rate * workload.size / 1e9:.2f} GB/s"
    if workload.unit == "ms":
        return _duration(workload.connections / rate) if rate else "–"
    return f"{rate / 1000:.1f} k/s" if rate >= 1000 else f"{rate:.0f} /s"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
