"""Blobs and manifests as rows that are shared: who needs them, and when they go."""

from __future__ import annotations

from typing import NamedTuple, cast

from drivers.indexed.blobs import Blob
from drivers.indexed.commit import Transaction
from drivers.indexed.records import Row, unpack_pieces


class Content(NamedTuple):
    """Where an object's bytes are: a blob, or a manifest, or nowhere (it is empty)."""

    blob: int | None = None
    manifest: int | None = None


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
