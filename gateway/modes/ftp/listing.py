"""Rows as the lines of LIST, NLST and MLSD."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.common.moments import MONTHS, utc
from gateway.modes.ftp.paths import sayable
from gateway.modes.ftp.tree import Row

Form = Callable[[Row, int], str]
"""A line without its end; the time is now, in milliseconds."""

_HALF_A_YEAR = 182 * 86_400_000
_PIECE = 64 << 10


def moment(milliseconds: int) -> str:
    """RFC 3659 §2.3."""
    return f"{utc(milliseconds):%Y%m%d%H%M%S}"


def facts(row: Row, _now: int) -> str:
    """RFC 3659 §7: what MLSD and MLST say."""
    if row.folder:
        return f"type=dir; {row.name}"
    modified = f"modify={moment(row.modified)};" if row.modified else ""
    return f"type=file;size={row.size};{modified} {row.name}"


def long(row: Row, now: int) -> str:
    """As `ls -l` writes it, which is what clients that know no MLSD read."""
    t = utc(row.modified)
    recent = 0 <= now - row.modified < _HALF_A_YEAR
    when = f"{t.hour:02}:{t.minute:02}" if recent else f" {t.year:04}"
    kind = "drwxr-xr-x" if row.folder else "-rw-r--r--"
    return f"{kind} 1 owner group {row.size:>12} {MONTHS[t.month - 1]} {t.day:2} {when} {row.name}"


def name(row: Row, _now: int) -> str:
    return row.name


def lines(rows: Iterable[Row], form: Form, now: int) -> Iterator[bytes]:
    """In pieces, as the rows come. Keys that no line can say are left out: nobody could ask for
    them either."""
    waiting, size = list[str](), 0
    for row in rows:
        if not sayable(row.name):
            continue
        line = f"{form(row, now)}\r\n"
        waiting.append(line)
        size += len(line)
        if size >= _PIECE:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()
