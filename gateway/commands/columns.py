"""How commands print: lines, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
