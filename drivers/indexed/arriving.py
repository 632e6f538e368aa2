"""The keys of a replica inside a write's transaction: what its source did is done again.

Versions keep the numbers that they have there, and change what came before them only: so it
does not matter that some of what is told was here already (see `replicating`).
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.records import (
    Piece,
    Row,
    info_of,
    pack_detail,
    pack_parts,
    pack_pieces,
)
from drivers.indexed.rows import (
    Content,
    add_blob,
    current,
    new_content,
    newest_version,
    older_version,
    sequence_of,
)
from drivers.indexed.shelf import INSERT_OBJECT, Shelf
from drivers.indexed.writing import Stored
from gateway.storage import (
    NULL_VERSION,
    Arrival,
    Change,
    Conflict,
    Encryption,
    InvalidRequest,
    ObjectInfo,
    Put,
    carried,
)


class Incoming(NamedTuple):
    """Bytes of a version that wait for its row. Implements `storage.Received`."""

    stored: Stored
    encryption: Encryption | None

    def drop(self) -> None:
        self.stored.drop()


def check_number(change: Change) -> None:
    """Raise `InvalidRequest` for a version that cannot have been made by that change."""
    version = change.version
    if version != NULL_VERSION and sequence_of(version or "") != change.sequence:
        raise InvalidRequest(
            f"The version {version!r} is not of change {change.sequence}.", key=change.key
        )


class Arriving(Shelf):
    """As of the time of each change. Whether what is protected may go was decided there."""

    __slots__ = ()

    def take(self, one: Arrival) -> None:
        """Do what was done there, and tell it under the same number. Raises `Conflict`."""
        change = one.change
        if change.sequence != self.ledger.sequence + 1:
            raise Conflict(f"Change {self.ledger.sequence + 1} was to come, not {change.sequence}.")
        self.ledger.sequence = change.sequence
        if change.kind == "update":
            self._change(change, one.info)
        elif change.kind == "purge" or (change.kind == "delete" and not one.marker):
            self.remove(change)
        else:
            self.place(one)
        self.txn.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.service, change.sequence, change.kind, change.time, change.key,
                change.version or NULL_VERSION, change.size, change.etag, change.content_type,
                change.cause,
            ),
        )  # fmt: skip

    def place(self, one: Arrival) -> None:
        """Have the version or the marker, and what it replaced no more; that alone where there
        is none any more, or it cannot come."""
        change, info = one.change, one.info
        if info is None and not one.marker:
            self.remove(change)
            return
        check_number(change)
        version = change.version or NULL_VERSION
        before = current(self.txn, self.service, change.key)
        if version != NULL_VERSION and info is not None and self._is_newest(change, before):
            row = self._row(change, info, one.received)  # as nearly always
            if before is None:
                self.ledger.current += 1
            else:
                self._retire(before)
            self.txn.execute(INSERT_OBJECT, row)
            return
        found = self._found(change.key, version)
        if found is not None:
            if found[0].sequence == change.sequence:
                self._refresh(found[0], info)
            if found[0].sequence >= change.sequence:  # it was replaced since, by what is here
                return
            self._drop(*found)
        row = self._marker(change) if info is None else self._row(change, info, one.received)
        self._retire(row, marker=one.marker)
        self._order(change.key)

    def _is_newest(self, change: Change, before: Row | None) -> bool:
        newest = newest_version(self.txn, self.service, change.key)
        rows = (before, None if newest is None else newest[0])
        return all(row is None or row.sequence < change.sequence for row in rows)

    def remove(self, change: Change) -> None:
        """Have that version or marker no more, if it was made before."""
        found = self._found(change.key, change.version or NULL_VERSION)
        if found is not None and found[0].sequence < change.sequence:
            self._drop(*found)
            self._order(change.key)

    def _change(self, change: Change, info: ObjectInfo | None) -> None:
        found = self._found(change.key, change.version or NULL_VERSION)
        if found is not None and found[0].sequence < change.sequence:
            self._refresh(found[0], info)

    def _found(self, key: str, version: str) -> tuple[Row, bool] | None:
        """Wherever it is, and whether it is a marker."""
        before = current(self.txn, self.service, key)
        if before is not None and before.version == version:
            return before, False
        return older_version(self.txn, self.service, key, version)

    def _refresh(self, row: Row, info: ObjectInfo | None) -> None:
        """Its labels are those of the source; how its bytes are kept is not."""
        if info is None:
            return
        kept = info_of(row, versioned=True)
        put = Put(checksum_type=kept.checksum_type, **carried(info, encryption=kept.encryption))
        detail = pack_detail(put, kept.checksums)
        for table in ("objects", "versions"):
            self.txn.execute(
                f"UPDATE {table} SET detail = ? WHERE service = ? AND key = ? AND sequence = ?",
                (detail, self.service, row.key, row.sequence),
            )

    def _drop(self, row: Row, marker: bool) -> None:
        of = "service = ? AND key = ? AND sequence = ?"
        named = (self.service, row.key, row.sequence)
        gone = self.txn.execute(f"DELETE FROM objects WHERE {of}", named).rowcount
        self.ledger.current -= gone
        if not gone:
            self.txn.execute(f"DELETE FROM versions WHERE {of}", named)
        if not marker:
            self._forget(row)

    def _row(self, change: Change, info: ObjectInfo, received: object) -> Row:
        if not isinstance(received, Incoming):
            raise Conflict("Its bytes are not here any more.", key=change.key)
        put = Put(checksum_type=info.checksum_type, **carried(info, encryption=received.encryption))
        content = _content(self.txn, received.stored.blob, info)
        used = self.ledger.used
        self.ledger.add(info.size)
        self.ledger.limit(used)
        return Row(
            self.service, change.key, change.sequence, change.version or NULL_VERSION, info.size,
            info.etag, change.time, info.content_type, info.storage_class, info.owner,
            content.blob, content.manifest, pack_detail(put, info.checksums),
        )  # fmt: skip

    def _marker(self, change: Change) -> Row:
        return Row(
            self.service, change.key, change.sequence, change.version or NULL_VERSION, 0, "",
            change.time, "", "", "", None, None, "",
        )  # fmt: skip

    def _order(self, key: str) -> None:
        """The newest version is the object, unless it is a marker."""
        newest, before = newest_version(self.txn, self.service, key), None
        if newest is not None:
            before = current(self.txn, self.service, key)
        if before is not None and newest is not None and newest[0].sequence > before.sequence:
            self._retire(before)
            self._clear(key)
            before = None
        if before is None:
            self._promote(key)


def _content(txn: Transaction, blob: Blob | None, info: ObjectInfo) -> Content:
    """Of one that was uploaded in parts, where these were, too."""
    if blob is None or not info.parts:
        return new_content(blob, txn, None)
    pieces = pack_pieces([Piece(add_blob(txn, blob), 0, blob.size)])
    cursor = txn.execute(
        "INSERT INTO manifests (refs, pieces, parts) VALUES (1, ?, ?)",
        (pieces, pack_parts(info.parts)),
    )
    return Content(manifest=cursor.lastrowid)
