"""The annotations of versions, as rows: found, written, shared, let go.

A row hangs on its version by the sequence of that, which never changes. Who has any says how
many in its `detail`; so who replaces or removes one without, as nearly all are, looks nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from drivers.indexed.batch import Transaction
from drivers.indexed.records import DAMAGED, Row, change_detail, detail_of
from drivers.indexed.rows import Due, release_blob
from gateway.storage import Annotation, Brought, Conflict, Corrupt

COUNT = "n"
"""What counts them, in a `detail`."""

MARK = f'"{COUNT}":'
"""Is in every `detail` that counts any, and seldom in another."""

OF_VERSION = "service = ? AND key = ? AND sequence = ?"
COLUMNS = "name, size, etag, modified, checksums"


class Kept(NamedTuple):
    """One as its row has it."""

    name: str
    size: int
    etag: str
    modified: int
    checksums: str
    blob: int | None

    @property
    def value(self) -> Annotation:
        return annotation(self[:5])


class Payload(NamedTuple):
    """One that is to be, whose bytes are there."""

    name: str
    size: int
    etag: str
    checksums: str
    blob: int | None


Payloads = Callable[[Transaction], list[Payload]]
"""Makes the rows of the bytes of all that an object is made with, or has them shared."""


def pack_checksums(found: Mapping[str, str]) -> str:
    return json.dumps(dict(found)) if found else ""


def annotation(columns: Any) -> Annotation:
    """Of a row's `COLUMNS`. Raises `Corrupt`."""
    name, size, etag, modified, checksums = columns
    try:
        found = json.loads(checksums) if checksums else {}
    except ValueError as error:
        raise Corrupt(DAMAGED) from error
    return Annotation(name=name, size=size, etag=etag, modified=modified, checksums=found)


def counted(row: Row) -> int:
    return int(detail_of(row).get(COUNT, 0)) if MARK in row.detail else 0


def with_count(detail: str, count: int) -> str:
    return change_detail(detail, **{COUNT: count})


def one(txn: Transaction, row: Row, name: str) -> Kept | None:
    found = txn.one(
        f"SELECT {COLUMNS}, blob FROM annotations WHERE {OF_VERSION} AND name = ?",
        (row.service, row.key, row.sequence, name),
    )
    return Kept._make(found) if found else None


def write(txn: Transaction, row: Row, payload: Payload, time: int) -> Annotation:
    """Where there is none of its name, or none any more."""
    name, size, etag, checksums, blob = payload
    kept = Kept(name, size, etag, time, checksums, blob)
    txn.execute(
        f"INSERT INTO annotations (service, key, sequence, {COLUMNS}, blob)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (row.service, row.key, row.sequence, *kept),
    )
    return kept.value


def drop(txn: Transaction, row: Row, kept: Kept, due: Due) -> None:
    txn.execute(
        f"DELETE FROM annotations WHERE {OF_VERSION} AND name = ?",
        (row.service, row.key, row.sequence, kept.name),
    )
    if kept.blob is not None:
        release_blob(txn, kept.blob, due.whole)


def forget(txn: Transaction, row: Row, due: Due) -> int:
    """All of a version that goes; how many bytes they had."""
    gone = txn.execute(
        f"DELETE FROM annotations WHERE {OF_VERSION} RETURNING size, blob",
        (row.service, row.key, row.sequence),
    ).fetchall()
    for _, blob in gone:
        if blob is not None:
            release_blob(txn, blob, due.whole)
    return sum(size for size, _ in gone)


def shared(txn: Transaction, row: Row, brought: Iterable[Brought]) -> list[Payload]:
    """Those of a version for one more, whose bytes both will need. Raises `Conflict` when they
    are not those that were `brought`."""
    rows = txn.execute(
        f"SELECT {COLUMNS}, blob FROM annotations WHERE {OF_VERSION} ORDER BY name",
        (row.service, row.key, row.sequence),
    ).fetchall()
    found = [Kept._make(columns) for columns in rows]
    if [kept.value for kept in found] != [wanted.annotation for wanted in brought]:
        raise Conflict("The annotations of the source were changed at the same time.", key=row.key)
    for kept in found:
        if kept.blob is not None:
            txn.execute("UPDATE blobs SET refs = refs + 1 WHERE id = ?", (kept.blob,))
    return [Payload(kept.name, kept.size, kept.etag, kept.checksums, kept.blob) for kept in found]
