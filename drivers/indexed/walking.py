"""One walk for all lists: through rows in the order of their keys, past common prefixes.

Rows come in stretches. What is below a prefix is stepped over while it is little; a
stretch that ends below one is followed by what is beyond it, so that a page costs seeks
of the index in the order of the page, whatever the service holds below a prefix.
"""

from __future__ import annotations

from drivers.indexed.leaping import Leap
from drivers.indexed.stretches import Row, RowSource, behind
from gateway.storage.paging import LIMIT, common_prefix, successor

FIRST = 100
"""Rows of the first stretch where there is a delimiter: it tells how much prefixes hold."""
LEAST = 16
"""Rows of a stretch where prefixes hold much."""
SPARSE = 8
"""Rows for one item from which on they are not read, but sought past: a seek costs as many."""
PLAIN = 32
"""Items of a leap to each prefix from which on rows are read again: it costs four times as
much to leap from object to object, but what the prefixes hold was much when it began."""


class Walked:
    """The rows and common prefixes of a page, as far as the walk has come."""

    __slots__ = ("_delimiter", "_last", "_prefix", "group", "next", "prefixes", "room", "rows")

    def __init__(self, prefix: str, delimiter: str, limit: int) -> None:
        self._prefix, self._delimiter = prefix, delimiter
        self._last = ""
        self.room = limit
        self.rows: list[Row] = []
        self.prefixes: list[str] = []
        self.group: str | None = None
        """The common prefix that the last row is below."""
        self.next: str | None = None
        """The last item of the page, when more follow."""

    def take(self, rows: list[Row]) -> bool:
        """Add the items of the rows that come next. Whether there may be room for more."""
        if not self._delimiter:
            return self._take_all(rows)
        delimiter, start, room = self._delimiter, len(self._prefix), self.room
        group, last = self.group, self._last
        keep, width = self.rows.append, len(delimiter)
        for row in rows:
            key: str = row[0]
            if group is not None:
                if key.startswith(group):
                    continue
                group = None
            if not room:
                self.next = last
                return False
            room -= 1
            at = key.find(delimiter, start)
            if at < 0:
                keep(row)
                last = key
            else:
                last = group = key[: at + width]
                self.prefixes.append(group)
        self.group, self._last, self.room = group, last, room
        return True

    def _take_all(self, rows: list[Row]) -> bool:
        room = self.room
        self.rows += rows[:room] if len(rows) > room else rows
        self.room = room - len(rows)
        if self.room < 0:
            self.next = self.rows[-1][0]
        return self.room >= 0


def walk(
    source: RowSource,
    *,
    prefix: str,
    delimiter: str,
    after: str,
    limit: int,
    cursor: Row | None = None,
    leap: Leap | None = None,
) -> Walked:
    """A page of what is greater than `after`; with `cursor`, of what comes behind that row
    of the key `after`. `leap` passes many full prefixes more quickly than seeks do."""
    limit = min(limit, LIMIT)
    page = Walked(prefix, delimiter, limit)
    if limit <= 0:
        return page
    count = min(limit + 1, FIRST) if delimiter else limit + 1
    rows = _begin(source, prefix, delimiter, after, cursor, count)
    room, folded, leaps = limit, 0, False
    while page.take(rows) and len(rows) == count:
        gained, room = room - page.room, page.room
        fresh, folded = len(page.prefixes) - folded, len(page.prefixes)
        sparse = fresh * PLAIN > count if leaps else gained * SPARSE < count
        if not sparse:
            count = min(count * SPARSE, (room + 1) * count // max(gained, 1) + 1, LIMIT + 1)
        else:
            count = min(count * SPARSE, room + 1) if leaps else LEAST
        leaps = sparse and leap is not None
        start = rows[-1][0] if page.group is None else successor(page.group)
        if start is None:
            break
        if leaps and leap is not None:
            rows = leap(start, page.group is not None, count)
        elif page.group is None:
            rows = behind(source, rows[-1], count)
        else:
            rows = source.seek(start, True, count)
    return page


def _begin(
    source: RowSource, prefix: str, delimiter: str, after: str, cursor: Row | None, count: int
) -> list[Row]:
    """Rows of the first item that is greater than `after`."""
    if after < prefix:
        return source.seek(prefix, True, count)
    group = common_prefix(after, prefix, delimiter) if after.startswith(prefix) else None
    if group is not None:
        beyond = successor(group)  # the group is not greater than `after`: it was listed before
        return source.seek(beyond, True, count) if beyond is not None else []
    if cursor is None or not after.startswith(prefix):
        return source.seek(after, False, count)
    return behind(source, cursor, count)
