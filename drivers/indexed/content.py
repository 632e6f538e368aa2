"""Blobs and manifests as rows that are shared: who needs them, and when they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.records import Row, unpack_pieces


class Content(NamedTuple):
    """Where an object's bytes are: a blob, or a manifest, or nowhere (it is empty).
    `overwrote`: they took the place of the ones that the object had."""

    blob: int | None = None
    manifest: int | None = None
    overwrote: bool = False


ContentMaker = Callable[[Transaction, "Row | None"], Content]
"""Makes the rows of an object's bytes, once it is sure that the object will be there.
It is given the row that the object replaces, when nothing will need that any more."""


def new_content(txn: Transaction, blob: Blob, replaced: Row | None) -> Content:
    """Bytes in the index take the place of those they replace, when nobody shares these:
    one statement instead of three."""
    if blob.data is not None and replaced is not None and replaced.blob is not None:
        done = txn.execute(
            "UPDATE blobs SET size = ?, crcs = ?, seal = ?, data = ?"
            " WHERE id = ? AND refs = 1 AND name IS NULL",
            (blob.size, blob.crcs or None, blob.seal or None, blob.data, replaced.blob),
        )
        if done.rowcount:
            return Content(blob=replaced.blob, overwrote=True)
    return Content(blob=add_blob(txn, blob))


def add_blob(txn: Transaction, blob: Blob) -> int:
    cursor = txn.execute(
        "INSERT INTO blobs (refs, size, name, crcs, seal, data) VALUES (1, ?, ?, ?, ?, ?)",
        (blob.size, blob.name or None, blob.crcs or None, blob.seal or None, blob.data),
    )
    return cast(int, cursor.lastrowid)


def share(txn: Transaction, row: Row) -> Content:
    """The same bytes for one object more."""
    if row.blob is not None:
        txn.execute("UPDATE blobs SET refs = refs + 1 WHERE id = ?", (row.blob,))
    if row.manifest is not None:
        txn.execute("UPDATE manifests SET refs = refs + 1 WHERE id = ?", (row.manifest,))
    return Content(row.blob, row.manifest)


def release(txn: Transaction, row: Row, due: int | None) -> None:
    """One object less needs these bytes. `due`: when a file may go (None: at once)."""
    if row.blob is not None:
        release_blob(txn, row.blob, due)
    if row.manifest is not None:
        release_manifest(txn, row.manifest, due)


def release_blob(txn: Transaction, blob: int, due: int | None) -> None:
    refs, name = txn.one(
        "UPDATE blobs SET refs = refs - 1 WHERE id = ? RETURNING refs, name", (blob,)
    )
    if refs > 0:
        return
    if name is None or due is None:
        txn.execute("DELETE FROM blobs WHERE id = ?", (blob,))
        if name is not None:
            txn.released.append(name)
    else:
        txn.execute("UPDATE blobs SET due = ? WHERE id = ?", (due, blob))


def release_manifest(txn: Transaction, manifest: int, due: int | None) -> None:
    refs, pieces = txn.one(
        "UPDATE manifests SET refs = refs - 1 WHERE id = ? RETURNING refs, pieces", (manifest,)
    )
    if refs == 0:
        txn.execute("DELETE FROM manifests WHERE id = ?", (manifest,))
        for piece in unpack_pieces(pieces):
            release_blob(txn, piece.blob, due)
