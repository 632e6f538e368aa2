"""From one full prefix to the next, without looking at what is below them.

One statement seeks the index for each prefix; coming back to Python for each
costs six times as much. What it finds ends with the first key that is below
none, from which rows are read again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.storage import ListQuery
from gateway.storage.paging import common_prefix, successor

Leap = Callable[[str], Iterator[tuple[str, int]]]
"""From a key on, the first key below each common prefix, and whether it is below one (else
0, and the last)."""


class Leaped(NamedTuple):
    """The last prefix that was found, and where rows are to be read again: nowhere when
    there are no more, or when there are `more` than the page holds."""

    last: str = ""
    beyond: str | None = None
    more: bool = False


def follow(
    keys: Iterator[tuple[str, int]], prefixes: list[str], prefix: str, delimiter: str, room: int
) -> Leaped:
    """Add prefixes until there are `room` of them, or a key is below none."""
    last = ""
    for key, below in keys:
        if not key.startswith(prefix):
            break
        if not below:
            return Leaped(last, key)
        if len(prefixes) == room:
            return Leaped(last, more=True)
        group = common_prefix(key, prefix, delimiter)
        assert group is not None
        prefixes.append(group)
        last = group
    return Leaped(last)


_LEAP = """
WITH RECURSIVE item (key, below) AS (
    SELECT key, instr(substr(key, :first), :delimiter) FROM (
        SELECT key FROM objects WHERE service = :service AND key >= :start ORDER BY key LIMIT 1)
    UNION ALL
    SELECT o.key, instr(substr(o.key, :first), :delimiter) FROM item JOIN objects o
    ON o.service = :service AND o.key = (
        SELECT min(key) FROM objects WHERE service = :service
        AND key >= substr(item.key, 1, :first + item.below + :rest) || :beyond)
    WHERE item.below > 0)
SELECT key, below FROM item"""
"""One seek of the index for each prefix, without coming back for it. What has a NUL before
its delimiter counts as below no prefix, for there SQLite's functions end; rows are read then."""


def leaping(connection: sqlite3.Connection, service: int, query: ListQuery) -> Leap | None:
    beyond = successor(query.delimiter[-1:])
    if beyond is None:
        return None
    values = {
        "service": service,
        "delimiter": query.delimiter,
        "first": len(query.prefix) + 1,
        "rest": len(query.delimiter) - 3,  # up to before the delimiter's last character
        "beyond": beyond,
    }
    return lambda start: connection.execute(_LEAP, {**values, "start": start})
