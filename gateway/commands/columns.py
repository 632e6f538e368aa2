"""How commands print: lines, and tables of them.

Whatever somebody named reaches the terminal as text: control characters are written as
escapes, for a terminal would obey them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO


def plain(text: str) -> str:
    """With escapes for all that is no printable character and no end of a line."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(one if one.isprintable() or one == "\n" else _escape(one) for one in text)


def in_line(text: str) -> str:
    """The same without ends of lines: a key may hold anything, also what would look like
    another line."""
    return plain(text).replace("\n", "\\n")


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def say(text: object, file: TextIO | None = None) -> None:
    """Without a `file` on stdout."""
    print(plain(str(text)), file=file)


def show(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns, each as wide as its widest cell."""
    cells = [[plain(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(padded).rstrip()
