"""From one full prefix to the next, without looking at what is below them.

One statement seeks the index for each prefix, and all come in one step;
coming back to Python for each costs six times as much.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from gateway.storage import ListQuery
from gateway.storage.paging import successor

Leap = Callable[[str, int], list[str | None]]
"""From a key on, the first key below each common prefix, at most so many. It ends with a
key that is below none, or that may be below one; or with None, when there are no more."""

_NEXT = """(SELECT key FROM objects WHERE service = :service AND key >= {start} {bound}
    ORDER BY key LIMIT 1)"""
_LEAP = """
WITH RECURSIVE item (key) AS (
    SELECT {first} UNION ALL
    SELECT {following} FROM item WHERE instr(substr(key, :first), :delimiter) > 0 LIMIT :count)
SELECT json_group_array(key) FROM item"""
_BEYOND = """substr(item.key, 1, :first + instr(substr(item.key, :first), :delimiter) + :rest)
    || :beyond"""
"""One seek of the index for each prefix. What has a NUL before its delimiter counts as below
no prefix, for there SQLite's functions end."""


def leaping(connection: sqlite3.Connection, service: int, query: ListQuery) -> Leap | None:
    beyond = successor(query.delimiter[-1:])
    if beyond is None:
        return None
    end = successor(query.prefix)
    bound = "" if end is None else "AND key < :end"
    sql = _LEAP.format(
        first=_NEXT.format(start=":start", bound=bound),
        following=_NEXT.format(start=_BEYOND, bound=bound),
    )
    values = {
        "service": service,
        "delimiter": query.delimiter,
        "first": len(query.prefix) + 1,
        "rest": len(query.delimiter) - 3,  # up to before the delimiter's last character
        "beyond": beyond,
        "end": end,
    }

    def leap(start: str, count: int) -> list[str | None]:
        row = connection.execute(sql, {**values, "start": start, "count": count}).fetchone()
        keys: list[str | None] = json.loads(row[0])
        return keys

    return leap
