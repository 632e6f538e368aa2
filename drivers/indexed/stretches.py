"""Rows of an index in stretches, each fetched in one step.

SQLite gives the GIL away at each row, and threads that page at
once would pass it around a thousand times for a page. So a stretch comes as
one row, each column of it as a JSON array: a little more work in one thread,
half of it with eight.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Row = tuple[Any, ...]


class RowSource(Protocol):
    """Rows in order, each with its key first, none beyond the prefix that is asked for."""

    def seek(self, key: str, inclusive: bool, count: int) -> list[Row]:
        """The first `count` rows from a key on; fewer when there are no more."""

    def rest(self, row: Row, count: int) -> list[Row]:
        """The first `count` rows of the same key that come behind `row`."""


def behind(source: RowSource, row: Row, count: int) -> list[Row]:
    """The first `count` rows that come behind `row`; fewer when there are no more."""
    rows = source.rest(row, count)
    if len(rows) < count:
        rows += source.seek(row[0], False, count - len(rows))
    return rows


def columns(
    connection: sqlite3.Connection,
    names: Sequence[str],
    sql: str,
    parameters: Sequence[object] | Mapping[str, object],
) -> list[list[Any]]:
    """What the query `sql` finds, column by column. There are no blobs among `names`."""
    arrays = ", ".join([f"json_group_array({name})" for name in names])
    row = connection.execute(f"SELECT {arrays} FROM ({sql})", parameters).fetchone()
    return [json.loads(array) for array in row]


class Bounds:
    """Where of a service's rows, by key: `where(…)` and its parameters."""

    def __init__(self, service: int, end: str | None) -> None:
        self._service, self._end = service, end

    def where(self, inclusive: bool) -> str:
        below = "" if self._end is None else " AND key < ?"
        return f"service = ? AND key {'>=' if inclusive else '>'} ?{below}"

    def values(self, key: str) -> tuple[object, ...]:
        values = (self._service, key)
        return values if self._end is None else (*values, self._end)
