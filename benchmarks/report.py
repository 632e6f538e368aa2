"""What was measured, as Markdown tables for people and as JSON for programs.

A cell is the median of the rounds, ± its spread, and (×) the ratio to the best peer.
`!` marks a figure with errors in any round: it is not to be compared.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.figures import Figure, Outcome, amount, best_peer, ratio
from benchmarks.processes import Usage
from benchmarks.requests import MIB
from benchmarks.servers import UNDER
from benchmarks.workloads import Workload
from gateway.common.cpu_quota import usable_processors

Workloads = Sequence[Workload]


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


def _table(
    title: str,
    outcomes: Sequence[Outcome],
    workloads: Workloads,
    cell: Callable[[Workload, Outcome], str],
) -> str:
    """Workloads down, servers that were measured across; lines without a figure are left out."""
    shown = [one for one in outcomes if not one.missing]
    rows = [[one.title, *(cell(one, outcome) for outcome in shown)] for one in workloads]
    kept = [row for row in rows if set(row[1:]) - {"–"}]
    return markdown([title, *(one.name for one in shown)], kept)


def summary_table(outcomes: Sequence[Outcome], workloads: Workloads) -> str:
    """Speeds, then memory after the workloads; below, a line for each missing server."""
    best = {one.name: best_peer(outcomes, one.name) for one in workloads}
    table = _table(
        "median ± spread (× best peer)",
        outcomes,
        workloads,
        lambda workload, outcome: _cell(workload, outcome, best[workload.name]),
    )
    memory = ["RSS sum (max)", *(memory_text(one.usage) for one in outcomes if not one.missing)]
    missing = [[one.name, f"missing: {one.missing}"] for one in outcomes if one.missing]
    return with_rows(table, [memory, *missing])


def latency_table(outcomes: Sequence[Outcome], workloads: Workloads) -> str:
    """Latencies as "p50 / p99", in milliseconds."""

    def cell(workload: Workload, outcome: Outcome) -> str:
        samples = outcome.samples.get(workload.name)
        if not samples:
            return "–"
        figure = Figure.of(samples)
        return f"{figure.p50:.1f} / {figure.p99:.1f}"

    return _table("p50 / p99, ms", outcomes, workloads, cell)


def cpu_table(outcomes: Sequence[Outcome], workloads: Workloads) -> str:
    """The CPU that a server took for each answer, in microseconds."""

    def cell(workload: Workload, outcome: Outcome) -> str:
        figure = Figure.of(outcome.samples[workload.name]) if _has(workload, outcome) else None
        return "–" if figure is None or figure.cpu is None else f"{figure.cpu:,.0f}"

    return _table("CPU µs per answer", outcomes, workloads, cell)


def waits_table(outcomes: Sequence[Outcome], workloads: Workloads) -> str:
    """How often a server's threads waited for each answer."""

    def cell(workload: Workload, outcome: Outcome) -> str:
        figure = Figure.of(outcome.samples[workload.name]) if _has(workload, outcome) else None
        return "–" if figure is None or figure.waits is None else f"{figure.waits:.1f}"

    return _table("waits per answer", outcomes, workloads, cell)


TABLES = (summary_table, latency_table, cpu_table, waits_table)


def _has(workload: Workload, outcome: Outcome) -> bool:
    return bool(outcome.samples.get(workload.name))


def memory_text(usage: Sequence[Usage] | None) -> str:
    if not usage:
        return "–"
    sizes = [one.rss / MIB for one in usage]
    return f"{sum(sizes):.0f} ({max(sizes):.0f}) MiB"


def remarks(outcomes: Sequence[Outcome], workloads: Workloads) -> list[str]:
    """Versions, the memory store beside moto, and what is refused or wrong, one line each."""
    lines = [f"{one.name}: {one.version}" for one in outcomes if one.version]
    for server in UNDER:
        lines += _beside(outcomes, workloads, f"gateway-memory-{server}", "moto")
    for outcome in outcomes:
        lines += [f"{outcome.name}, {name}: {why}" for name, why in outcome.refused.items()]
        for name, samples in outcome.samples.items():
            errors = Figure.of(samples).errors
            if errors:
                counts = ", ".join(f"{count} × {kind}" for kind, count in sorted(errors.items()))
                lines.append(f"{outcome.name}, {name}: errors: {counts}")
    return lines


def _beside(
    outcomes: Sequence[Outcome], workloads: Workloads, name: str, other: str
) -> Iterable[str]:
    named = {one.name: one for one in outcomes}
    if name not in named or other not in named:
        return
    ratios = [(one.title, ratio(one.name, named[name], named[other])) for one in workloads]
    found = [f"{title} {times:.1f}×" for title, times in ratios if times is not None]
    if found:
        yield f"{name} beside {other}: {', '.join(found)}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns are padded, so that it reads in a terminal too."""
    lines = [list(head), *map(list, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    padded = (
        [cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines
    )
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def with_rows(table: str, rows: Iterable[Sequence[str]]) -> str:
    """The table with more rows, which may be shorter; those do not widen its columns."""
    columns = table.splitlines()[1].split("|")[1:-1]
    lines = []
    for row in rows:
        cells = [*row, *[""] * (len(columns) - len(row))]
        padded = (
            f" {cell}".ljust(len(column)) for cell, column in zip(cells, columns, strict=True)
        )
        lines.append(f"|{'|'.join(f'{one} ' if not one.endswith(' ') else one for one in padded)}|")
    return "\n".join([table, *lines])


def machine() -> dict[str, Any]:
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": usable_processors(),
        "load_before": load_average(),
        "python": sys.version.split()[0],
    }


def load_average() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def as_json(
    outcomes: Sequence[Outcome],
    workloads: Workloads,
    about: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that was measured, round by round, beside the medians."""
    best = {one.name: best_peer(outcomes, one.name) for one in workloads}
    return {
        "machine": dict(about),
        "options": dict(options),
        "workloads": {one.name: {"title": one.title, "unit": one.unit} for one in workloads},
        "servers": [_server_json(one, best) for one in outcomes],
    }


def _server_json(outcome: Outcome, best: Mapping[str, Outcome | None]) -> dict[str, Any]:
    results = {}
    for name, samples in outcome.samples.items():
        results[name] = {
            **asdict(Figure.of(samples)),
            "ratio_to_best_peer": ratio(name, outcome, best[name]),
            "rounds": [asdict(one) for one in samples],
        }
    sizes = None if outcome.usage is None else [one.rss for one in outcome.usage]
    return {
        "name": outcome.name,
        "kind": outcome.kind,
        "version": outcome.version,
        "missing": outcome.missing,
        "refused": outcome.refused,
        "left_out": outcome.left_out,
        "first_answer_seconds": outcome.started,
        "rss_bytes": sizes,
        "results": results,
    }
