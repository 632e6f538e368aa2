"""Rows by name: all of them, or those that are named, however many these are."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

_AT_ONCE = 500
"""Names in one statement: SQLite bounds how many parameters one has."""


def named_rows(
    connection: sqlite3.Connection, select: str, names: Collection[str] | None
) -> Iterator[Any]:
    """`select` ends in a condition, and reads from a table with a `name`."""
    if names is None:
        yield from connection.execute(select)
        return
    wanted = [*names]
    for at in range(0, len(wanted), _AT_ONCE):
        some = wanted[at : at + _AT_ONCE]
        places = ", ".join("?" * len(some))
        yield from connection.execute(f"{select} AND name IN ({places})", some)
