"""Finding a version inside a write's transaction, and what versions are called."""

from __future__ import annotations

import secrets

from drivers.indexed.batch import Transaction
from drivers.indexed.records import COLUMNS, Row
from gateway.storage import NULL_VERSION, MethodNotAllowed, NoSuchKey, NoSuchVersion

_OBJECT = f"SELECT {COLUMNS} FROM objects WHERE service = ? AND key = ?"
_VERSIONS = f"SELECT {COLUMNS}, marker FROM versions WHERE service = ? AND key = ?"


def new_version(sequence: int) -> str:
    """Begins with the sequence, by which the row is found; the rest makes it unguessable."""
    return f"{sequence:012x}{secrets.token_hex(10)}"


def sequence_of(version: str) -> int:
    """-1 for what cannot be a version's name."""
    try:
        return int(version[:12], 16) if len(version) == 32 else -1
    except ValueError:
        return -1


def current(txn: Transaction, service: int, key: str) -> Row | None:
    found = txn.one(_OBJECT, (service, key))
    return Row._make(found) if found else None


def newest_version(txn: Transaction, service: int, key: str) -> tuple[Row, bool] | None:
    """The newest row of `versions`, and whether it is a marker."""
    found = txn.one(f"{_VERSIONS} ORDER BY sequence DESC LIMIT 1", (service, key))
    return (Row._make(found[:13]), bool(found[13])) if found else None


def older_version(
    txn: Transaction, service: int, key: str, version: str
) -> tuple[Row, bool] | None:
    """A row of `versions` by its name, and whether it is a marker."""
    if version == NULL_VERSION:
        found = txn.one(f"{_VERSIONS} AND version = 'null'", (service, key))
    else:
        found = txn.one(
            f"{_VERSIONS} AND sequence = ? AND version = ?",
            (service, key, sequence_of(version), version),
        )
    return (Row._make(found[:13]), bool(found[13])) if found else None


def find(txn: Transaction, service: int, key: str, version: str | None) -> Row:
    """The object to read, or the error that says why there is none."""
    row = current(txn, service, key)
    if version is None:
        if row is not None:
            return row
        newest = newest_version(txn, service, key)
        raise NoSuchKey(key=key, delete_marker=newest[0].version if newest else None)
    if row is not None and row.version == version:
        return row
    older = older_version(txn, service, key, version)
    if older is None:
        raise NoSuchVersion(key=key, version=version)
    if older[1]:
        raise MethodNotAllowed(key=key, delete_marker=version)
    return older[0]
