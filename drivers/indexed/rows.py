"""Rows in a write's transaction: versions are found, and named; blobs and manifests are shared
by those who need them, and let go."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable
from typing import NamedTuple, cast

from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.records import COLUMNS, Row, unpack_pieces
from gateway.storage import NULL_VERSION, Corrupt, MethodNotAllowed, NoSuchKey, NoSuchVersion

log = logging.getLogger("gateway.engine")

# versions

_OBJECT = f"SELECT {COLUMNS} FROM objects WHERE service = ? AND key = ?"
_VERSION = re.compile("[0-9A-Za-z]{26,64}")
_VERSIONS = f"SELECT {COLUMNS}, marker FROM versions WHERE service = ? AND key = ?"


def new_version(sequence: int) -> str:
    """Begins with the sequence, by which the row is found; the rest makes it unguessable."""
    return f"{sequence:012x}{secrets.token_hex(10)}"


def is_version(text: str) -> bool:
    """Of the form of a version's name, here or at another server whose objects came here: who
    still has that name is told that there is no such version."""
    return _VERSION.fullmatch(text) is not None


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


def retired_version(
    txn: Transaction, service: int, key: str, sequence: int, until: int
) -> tuple[Row, bool] | None:
    """A row of `versions` that is there since `until` at the latest, and whether it is a marker."""
    found = txn.one(
        f"{_VERSIONS} AND sequence = ? AND retired <= ?", (service, key, sequence, until)
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


# bytes


class Content(NamedTuple):
    """Where an object's bytes are: a blob, or a manifest, or nowhere (it is empty).
    `overwrote`: they took the place of the ones that the object had."""

    blob: int | None = None
    manifest: int | None = None
    overwrote: bool = False


ContentMaker = Callable[[Transaction, "Row | None"], Content]
"""Makes the rows of an object's bytes, once it is sure that the object will be there.
It is given the row that the object replaces, when nothing will need that any more."""


def new_content(blob: Blob | None, txn: Transaction, replaced: Row | None) -> Content:
    """`blob` is None for no bytes. Those in the index take the place of those they replace,
    when nobody shares these: one statement instead of three."""
    if blob is None:
        return Content()
    if blob.data is not None and replaced is not None and replaced.blob is not None:
        done = txn.execute(
            "UPDATE blobs SET size = ?, crcs = ?, seal = ?, data = ?, ends = ?"
            " WHERE id = ? AND refs = 1 AND name IS NULL",
            (
                blob.size, blob.crcs or None, blob.seal or None, blob.data, blob.ends or None,
                replaced.blob,
            ),
        )  # fmt: skip
        if done.rowcount:
            return Content(blob=replaced.blob, overwrote=True)
    return Content(blob=add_blob(txn, blob))


def add_blob(txn: Transaction, blob: Blob) -> int:
    cursor = txn.execute(
        "INSERT INTO blobs (refs, size, name, crcs, seal, data, ends) VALUES (1, ?, ?, ?, ?, ?, ?)",
        (
            blob.size, blob.name or None, blob.crcs or None, blob.seal or None, blob.data,
            blob.ends or None,
        ),
    )  # fmt: skip
    return cast(int, cursor.lastrowid)


def share(txn: Transaction, row: Row) -> Content:
    """The same bytes for one object more."""
    if row.blob is not None:
        txn.execute("UPDATE blobs SET refs = refs + 1 WHERE id = ?", (row.blob,))
    if row.manifest is not None:
        txn.execute("UPDATE manifests SET refs = refs + 1 WHERE id = ?", (row.manifest,))
    return Content(row.blob, row.manifest)


def keep_file(txn: Transaction, name: str, size: int, due: int) -> bool:
    """A row for a file that nothing needs, so that it goes when it can be removed. Whether there
    was none."""
    sql = "INSERT OR IGNORE INTO blobs (refs, size, name, due) VALUES (0, ?, ?, ?)"
    return bool(txn.execute(sql, (size, name, due)).rowcount)


class Due(NamedTuple):
    """When files may go that nothing needs any more; None: at once, for who has opened a
    file can read it to its end. `pieces`: those of a manifest, whose readers open one
    after the other."""

    whole: int | None
    pieces: int | None


def release(txn: Transaction, row: Row, due: Due) -> None:
    """One object less needs these bytes."""
    if row.blob is not None:
        release_blob(txn, row.blob, due.whole)
    if row.manifest is not None:
        release_manifest(txn, row.manifest, due.pieces)


def release_blob(txn: Transaction, blob: int, due: int | None) -> None:
    """One row less needs it. What nobody needed, or is not there, is let go of already."""
    alone = "DELETE FROM blobs WHERE id = ? AND refs = 1 AND name IS NULL"
    if txn.execute(alone, (blob,)).rowcount:
        return  # most are small, and shared by nobody
    row = txn.one(
        "UPDATE blobs SET refs = refs - 1 WHERE id = ? AND refs > 0 RETURNING refs, name, due",
        (blob,),
    )
    if row is None or row[0] > 0:
        return
    _, name, held = row
    if name is None or due is held is None:
        txn.execute("DELETE FROM blobs WHERE id = ?", (blob,))
        if name is not None:
            txn.released.append(name)
    else:
        later = max(due or 0, held or 0)
        txn.execute("UPDATE blobs SET due = ? WHERE id = ?", (later, blob))


def _release_piece(txn: Transaction, blob: int, due: int | None) -> None:
    """Until `due` the file stays, also when another object gives it up before."""
    if due is not None:
        txn.execute("UPDATE blobs SET due = ? WHERE id = ? AND name IS NOT NULL", (due, blob))
    release_blob(txn, blob, due)


def release_manifest(txn: Transaction, manifest: int, due: int | None) -> None:
    row = txn.one(
        "UPDATE manifests SET refs = refs - 1 WHERE id = ? AND refs > 0 RETURNING refs, pieces",
        (manifest,),
    )
    if row is None or row[0] > 0:
        return
    txn.execute("DELETE FROM manifests WHERE id = ?", (manifest,))
    try:
        pieces = unpack_pieces(row[1])
    except Corrupt as error:  # what needed it can be removed all the same
        log.error("%s The files that it names stay.", error)
        return
    for piece in pieces:
        _release_piece(txn, piece.blob, due)
