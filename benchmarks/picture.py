"""The figures as one picture (SVG): for each workload, each server beside the best peer.

A line is a workload, a mark a server; where a mark stands says how many times as fast
as the best peer it is (logarithmic, so twice and half are as far from 1). The gateway is
large, and its first server's figures stand at the right, before the best peer's. Figures
with errors are not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from benchmarks.figures import Figure, Outcome, amount, best_peer, ratio
from benchmarks.workloads import Workload

LEFT, PLOT, RIGHT = 230, 620, 330
TOP, ROW, BOTTOM = 96, 30, 56
LOW, HIGH = 1 / 16, 32.0
TICKS = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32)

_OURS = ("#1663c7", "#8a3fc2", "#0c8f8f", "#c2417a")
_THEIRS = ("#d9822b", "#3a9d5d", "#b3364a", "#7a6a58", "#a79b2f", "#5b6b7a")
_SHAPES = {
    "gateway": '<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{colour}" stroke="#fff"/>',
    "peer": '<rect x="{left:.1f}" y="{top:.1f}" width="9" height="9" fill="{colour}"'
    ' fill-opacity="0.8"/>',
    "reference": '<path d="M{x:.1f} {top:.1f}l5 9h-10z" fill="none" stroke="{colour}"/>',
}


def draw(
    outcomes: Sequence[Outcome], workloads: Sequence[Workload], about: Mapping[str, Any]
) -> str:
    """The whole SVG; workloads that no peer gave are left out."""
    measured = [one for one in outcomes if one.samples]
    shown = [one for one in workloads if best_peer(measured, one.name) is not None]
    colours = _colours(measured)
    width, height = LEFT + PLOT + RIGHT, TOP + ROW * len(shown) + BOTTOM
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(20, 30, "How many times as fast as the best peer", size=18, weight="bold"),
        *_legend(measured, colours),
        *_axis(len(shown)),
    ]
    for number, workload in enumerate(shown):
        lines += _line(workload, measured, TOP + ROW * number + ROW / 2, colours)
    told = f"{about['system']}, {about['cpus']} CPUs; medians; right is faster; hover for figures"
    lines += [_text(20, height - 14, told, size=11, colour="#666"), "</svg>"]
    return "\n".join(lines) + "\n"


def _colours(outcomes: Sequence[Outcome]) -> dict[str, str]:
    ours = [one.name for one in outcomes if one.kind == "gateway"]
    others = [one.name for one in outcomes if one.kind != "gateway"]
    found = {name: _OURS[at % len(_OURS)] for at, name in enumerate(ours)}
    return found | {name: _THEIRS[at % len(_THEIRS)] for at, name in enumerate(others)}


def _x(times: float) -> float:
    bounded = min(max(times, LOW), HIGH)
    return LEFT + PLOT * math.log(bounded / LOW) / math.log(HIGH / LOW)


def _text(
    x: float, y: float, text: str, *, size: int = 13, anchor: str = "start",
    colour: str = "#222", weight: str = "normal",
) -> str:  # fmt: skip
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"'
        f' fill="{colour}" font-weight="{weight}">{escape(text)}</text>'
    )


def _mark(kind: str, x: float, y: float, colour: str, title: str) -> str:
    shape = _SHAPES[kind].format(x=x, y=y, left=x - 4.5, top=y - 4.5, colour=colour)
    return f"<g><title>{escape(title)}</title>{shape}</g>"


def _legend(outcomes: Sequence[Outcome], colours: Mapping[str, str]) -> Iterator[str]:
    x = 26.0
    for one in outcomes:
        yield _mark(one.kind, x, 52, colours[one.name], one.name)
        yield _text(x + 12, 57, one.name)
        x += 34 + 7.4 * len(one.name)


def _axis(rows: int) -> Iterator[str]:
    bottom = TOP + ROW * rows
    for tick in TICKS:
        x, best = _x(tick), tick == 1
        colour, width = ("#444", 1.5) if best else ("#e2e2e2", 1)
        yield (
            f'<line x1="{x:.1f}" y1="{TOP - 4}" x2="{x:.1f}" y2="{bottom}" stroke="{colour}"'
            f' stroke-width="{width}"/>'
        )
        label = f"{tick:g}×" if tick >= 1 else f"1/{1 / tick:g}"
        yield _text(x, TOP - 10, label, size=11, anchor="middle", colour="#444")


def _line(
    workload: Workload, outcomes: Sequence[Outcome], y: float, colours: Mapping[str, str]
) -> Iterator[str]:
    best = best_peer(outcomes, workload.name)
    assert best is not None
    yield _text(LEFT - 14, y + 4, workload.title, anchor="end")
    beside = LEFT + PLOT + 20
    told = False
    # The gateway's marks come last, on top of the others.
    for one in sorted(outcomes, key=lambda one: one.kind == "gateway"):
        times = ratio(workload.name, one, best)
        figure = Figure.of(one.samples[workload.name]) if times is not None else None
        if times is None or figure is None or not figure.trusted:
            continue
        shown, colour = amount(workload, figure.rate), colours[one.name]
        title = f"{workload.title}: {one.name} {shown}, {times:.2f}×"
        yield _mark(one.kind, _x(times), y, colour, title)
        if one.kind == "gateway" and not told:
            told = True
            told_times = f"{times:,.0f}×" if times >= 100 else f"{times:.3g}×"
            yield _text(beside, y + 4, told_times, weight="bold", colour=colour)
            yield _text(beside + 70, y + 4, shown, colour=colour)
    theirs = amount(workload, Figure.of(best.samples[workload.name]).rate)
    yield _text(beside + 160, y + 4, f"{best.name} {theirs}", size=12, colour="#444")
