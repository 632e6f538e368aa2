"""Which services stand in front of which, as a drawing: what is asked first is at the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.modes.operating import ServiceInfo

WIDTH, HEIGHT = 176, 46
"""Of a box; between two there is room for a line."""
_GAP, _EDGE = 56, 4
_COLUMN, _ROW = WIDTH + _GAP, HEIGHT + 18
_LONGEST = 20
"""Characters that fit into a box."""


class Box(NamedTuple):
    info: ServiceInfo
    label: str
    x: int
    y: int


class Line(NamedTuple):
    """It goes along its row to `bend`, which is behind the last column that it passes."""

    x1: int
    y1: int
    bend: int
    x2: int
    y2: int


class ChainMap(NamedTuple):
    """In units of pixels; `text` says the same in words."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: int
    height: int
    text: str


def chain_map(services: Sequence[ServiceInfo]) -> ChainMap | None:
    """None where nothing stands in front of anything. Links to what is not among these are left
    out."""
    known = {one.sid: one for one in services}
    links = {sid: [to for to in one.links if to in known] for sid, one in known.items()}
    if not any(links.values()):
        return None
    columns = _columns(links)
    rows: dict[int, int] = {}
    boxes: dict[str, Box] = {}
    for sid in _in_order(links, columns):
        column = columns[sid]
        passed = range(column, max([columns[to] for to in links[sid]], default=column + 1))
        row = max(rows.get(one, -1) for one in passed) + 1
        rows.update(dict.fromkeys(passed, row))  # where its line goes nothing else stands
        x, y = _EDGE + column * _COLUMN, _EDGE + row * _ROW
        boxes[sid] = Box(known[sid], _shortened(sid), x, y)
    drawn = [
        Line(
            boxes[sid].x + WIDTH,
            boxes[sid].y + HEIGHT // 2,
            boxes[to].x - _GAP,
            boxes[to].x,
            boxes[to].y + HEIGHT // 2,
        )
        for sid, behind in links.items()
        for to in behind
    ]
    said = [f"{sid} stands in front of {', '.join(to)}" for sid, to in links.items() if to]
    return ChainMap(
        list(boxes.values()),
        drawn,
        max(one.x for one in boxes.values()) + WIDTH + _EDGE,
        max(one.y for one in boxes.values()) + HEIGHT + _EDGE,
        "; ".join(said),
    )


def _columns(links: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many stand in front of each, one after another, at most."""
    columns = dict.fromkeys(links, 0)
    for _ in links:  # as often as a way is long, at most: there are no loops
        moved = False
        for sid, behind in links.items():
            for to in behind:
                if columns[to] <= columns[sid]:
                    columns[to], moved = columns[sid] + 1, True
        if not moved:
            break
    return columns


def _in_order(links: Mapping[str, Sequence[str]], columns: Mapping[str, int]) -> list[str]:
    """Each behind what stands in front of it, so that lines cross little."""
    found: dict[str, None] = {}
    todo = sorted((sid for sid in links if columns[sid] == 0), reverse=True)
    while todo:
        sid = todo.pop()
        if sid not in found:
            found[sid] = None
            todo += sorted(links[sid], reverse=True)
    return list(found)


def _shortened(sid: str) -> str:
    return sid if len(sid) <= _LONGEST else f"{sid[: _LONGEST - 1]}…"
