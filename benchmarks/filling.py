"""Fills a bucket in the index of the gateway's engine, for through HTTP millions of keys
would take hours: copies the rows of one key, which was put as usual, to other keys.

It knows of the index only what it needs: a table with a column `key` in its primary key
holds objects or versions. The copies share the bytes of the one, and the service's counts
are not kept, so such a bucket is for listing and reading, not for deleting. The gateway
may run meanwhile.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

BATCH = 20_000


def fill(index: Path, template: str, keys: Iterable[str]) -> None:
    """Give each of `keys` what `template` has. Raises `sqlite3.Error`."""
    with closing(sqlite3.connect(index, timeout=30, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # of this connection only
        services = _services(connection, template)
        statements = [
            (_copying(table, columns), service)
            for table, columns in _tables(connection)
            for service in services
            if _holds(connection, table, service, template)
        ]
        waiting = iter(keys)
        while batch := list(islice(waiting, BATCH)):
            connection.execute("BEGIN IMMEDIATE")
            for statement, service in statements:
                rows = [(key, service, template) for key in batch]
                connection.executemany(statement, rows)
            connection.execute("COMMIT")


def _tables(connection: sqlite3.Connection) -> list[tuple[str, list[str]]]:
    """(table, columns) of those whose rows belong to a key of a service."""
    found = []
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in names:
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        primary = {column[1] for column in columns if column[5]}
        if {"service", "key"} <= primary:
            found.append((name, [column[1] for column in columns]))
    return found


def _services(connection: sqlite3.Connection, template: str) -> list[int]:
    """The one service that has the key: its own bucket was just made for it."""
    found = {
        service
        for table, _ in _tables(connection)
        for (service,) in connection.execute(
            f"SELECT DISTINCT service FROM {table} WHERE key = ?", (template,)
        )
    }
    return sorted(found)[-1:]


def _holds(connection: sqlite3.Connection, table: str, service: int, key: str) -> bool:
    row = connection.execute(
        f"SELECT 1 FROM {table} WHERE service = ? AND key = ? LIMIT 1", (service, key)
    ).fetchone()
    return row is not None


def _copying(table: str, columns: list[str]) -> str:
    chosen = ", ".join("?" if column == "key" else column for column in columns)
    return f"INSERT INTO {table} SELECT {chosen} FROM {table} WHERE service = ? AND key = ?"
