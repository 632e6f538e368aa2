"""What was measured, as Markdown tables for people and as JSON for programs.

A figure is the median of its rounds; ± is half the distance between the best and
the worst round, in percent of the median; × is the ratio to the best peer, by round.
`!` marks a figure with errors in any round: it is not to be compared.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.load import Sample
from benchmarks.processes import Usage
from benchmarks.workloads import WORKLOADS, Workload

MIB = 1 << 20


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One server: why it is missing, or what it gave. `samples` by workload, one a round."""

    name: str
    peer: bool
    version: str = ""
    missing: str = ""
    started: float = 0.0
    usage: Sequence[Usage] | None = None
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    """Why a workload could not be measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Medians of one workload on one server. Rates per second, latencies in milliseconds."""

    rate: float
    spread: float
    p50: float
    p99: float
    errors: Mapping[str, int]

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Figure:
        rates = [one.rate for one in samples]
        middle = median(rates)
        kinds = {kind for one in samples for kind in one.errors}
        return cls(
            rate=middle,
            spread=(max(rates) - min(rates)) / 2 / middle if middle else 0.0,
            p50=median(one.p50 for one in samples),
            p99=median(one.p99 for one in samples),
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
        if one.peer and one.samples.get(workload)
    ]
    trusted = [(figure.rate, one) for figure, one in figures if figure.trusted]
    return max(trusted, key=lambda pair: pair[0])[1] if trusted else None


def ratio(workload: str, outcome: Outcome, best: Outcome | None) -> float | None:
    """The median of each round's ratio: what slows a whole round slows both."""
    if best is None:
        return None
    pairs = zip(outcome.samples[workload], best.samples[workload], strict=True)
    return median(mine.rate / theirs.rate if theirs.rate else 0.0 for mine, theirs in pairs)


def amount(workload: Workload, rate: float) -> str:
    """A rate as the tables show it: `17.7 k/s`, `231 /s`, or bytes per second."""
    if workload.large:
        return f"{rate * workload.size / 1e9:.2f} GB/s"
    return f"{rate / 1000:.1f} k/s" if rate >= 1000 else f"{rate:.0f} /s"


def _cell(workload: Workload, outcome: Outcome, best: Outcome | None) -> str:
    if workload.name in outcome.refused:
        return "refused"
    samples = outcome.samples.get(workload.name)
    if not samples:
        return "–"
    figure = Figure.of(samples)
    times = ratio(workload.name, outcome, best)
    compared = "" if times is None else f" ({times:.2f}×)"
    mark = "" if figure.trusted else " !"
    return f"{amount(workload, figure.rate)} ±{figure.spread:.0%}{compared}{mark}"


def summary_table(outcomes: Sequence[Outcome], workloads: Sequence[Workload]) -> str:
    """Servers down, workloads across, then memory after the workloads and the time to start."""
    best = {one.name: best_peer(outcomes, one.name) for one in workloads}
    head = ["server", *(one.title for one in workloads), "RSS sum (max)", "first answer"]
    rows = []
    for outcome in outcomes:
        cells = [_cell(one, outcome, best[one.name]) for one in workloads]
        if outcome.missing:
            cells, memory, start = ["–"] * len(workloads), "–", "missing"
        else:
            memory, start = memory_text(outcome.usage), f"{outcome.started * 1e3:.0f} ms"
        rows.append([outcome.name, *cells, memory, start])
    return markdown(head, rows)


def latency_table(outcomes: Sequence[Outcome], workloads: Sequence[Workload]) -> str:
    """Latencies of each workload as "p50 / p99", in milliseconds."""
    rows = []
    for outcome in (one for one in outcomes if one.samples):
        figures = [Figure.of(s) if (s := outcome.samples.get(w.name)) else None for w in workloads]
        rows.append([outcome.name, *(f"{f.p50:.1f} / {f.p99:.1f}" if f else "–" for f in figures)])
    return markdown(["p50 / p99, ms", *(one.title for one in workloads)], rows)


def memory_text(usage: Sequence[Usage] | None) -> str:
    if not usage:
        return "–"
    sizes = [one.rss / MIB for one in usage]
    return f"{sum(sizes):.0f} ({max(sizes):.0f}) MiB"


def remarks(outcomes: Sequence[Outcome]) -> list[str]:
    """Versions, and what is missing, refused or wrong, one line each."""
    lines = [f"{one.name}: {one.version}" for one in outcomes if one.version]
    for outcome in outcomes:
        if outcome.missing:
            lines.append(f"{outcome.name}: {outcome.missing}")
        lines += [f"{outcome.name}, {name}: {why}" for name, why in outcome.refused.items()]
        for name, samples in outcome.samples.items():
            errors = Figure.of(samples).errors
            if errors:
                counts = ", ".join(f"{count} × {kind}" for kind, count in sorted(errors.items()))
                lines.append(f"{outcome.name}, {name}: errors: {counts}")
    return lines


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns are padded, so that it reads in a terminal too."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "python": sys.version.split()[0],
    }


def as_json(
    outcomes: Sequence[Outcome], about: Mapping[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that was measured, round by round, beside the medians."""
    best = {name: best_peer(outcomes, name) for name in WORKLOADS}
    return {
        "machine": dict(about),
        "options": dict(options),
        "servers": [_server_json(one, best) for one in outcomes],
    }


def _server_json(outcome: Outcome, best: Mapping[str, Outcome | None]) -> dict[str, Any]:
    results = {}
    for name, samples in outcome.samples.items():
        figure = Figure.of(samples)
        results[name] = {
            **asdict(figure),
            "ratio_to_best_peer": ratio(name, outcome, best[name]),
            "rounds": [asdict(one) for one in samples],
        }
    sizes = None if outcome.usage is None else [one.rss for one in outcome.usage]
    return {
        "name": outcome.name,
        "peer": outcome.peer,
        "version": outcome.version,
        "missing": outcome.missing,
        "refused": outcome.refused,
        "first_answer_seconds": outcome.started,
        "rss_bytes": sizes,
        "results": results,
    }
