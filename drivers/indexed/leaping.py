"""From item to item of a page, whatever is below its prefixes.

One statement seeks the index once for each prefix, twice for each object, and all come
in one step; coming back to Python for each costs six times as much.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from drivers.indexed.stretches import Row, columns
from gateway.storage import ListQuery
from gateway.storage.paging import successor

Leap = Callable[[str, bool, int], list[Row]]
"""As `Source.seek`, but of the rows below a common prefix only the first, and of that only
the key. Some may be there that are below the prefix of the row before."""

_BELOW = "instr(substr({key}, :first), :delimiter)"
_NEXT = """(SELECT key FROM objects WHERE service = :service AND key {reach} {bound}
    ORDER BY key LIMIT 1)"""
_BEYOND = f""">= CASE WHEN {_BELOW.format(key="item.key")} = 0 THEN item.key || char(0)
    ELSE substr(item.key, 1, :first + {_BELOW.format(key="item.key")} + :rest) || :beyond END"""
_LEAP = f"""
WITH RECURSIVE item (key) AS (
    SELECT {{first}} UNION ALL
    SELECT {{following}} FROM item WHERE key IS NOT NULL LIMIT :count)
SELECT item.key AS key, {{columns}} FROM item LEFT JOIN objects o
ON o.service = :service AND o.key = item.key AND {_BELOW.format(key="item.key")} = 0
WHERE item.key IS NOT NULL"""
"""What has a NUL before its delimiter counts as below no prefix, for there SQLite's functions
end: such rows come all."""


def leaping(
    connection: sqlite3.Connection, service: int, query: ListQuery, names: Sequence[str]
) -> Callable[[str, bool, int], list[list[Any]]] | None:
    """A leap that gives `names` as columns; the first is the key."""
    beyond = successor(query.delimiter[-1:])
    if beyond is None:
        return None
    end = successor(query.prefix)
    bound = "" if end is None else "AND key < :end"
    following = _NEXT.format(reach=_BEYOND, bound=bound)
    wanted = ", ".join(f"o.{name} AS {name}" for name in names[1:])
    values = {
        "service": service,
        "delimiter": query.delimiter,
        "first": len(query.prefix) + 1,
        "rest": len(query.delimiter) - 3,  # up to before the delimiter's last character
        "beyond": beyond,
        "end": end,
    }

    def leap(start: str, inclusive: bool, count: int) -> list[list[Any]]:
        reach = ">= :start" if inclusive else "> :start"
        sql = _LEAP.format(
            first=_NEXT.format(reach=reach, bound=bound), following=following, columns=wanted
        )
        return columns(connection, names, sql, {**values, "start": start, "count": count})

    return leap
