"""What happens inside a write's transaction: every function here takes it first.

Conditions, versioning, protection, quota, usage and the change feed are
decided here and nowhere else, on the state that the commit will see. A
function raises before it changes anything, or its savepoint undoes it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from drivers.indexed.blobs import Blob
from drivers.indexed.commit import Transaction
from drivers.indexed.records import (
    COLUMNS,
    Row,
    change_detail,
    detail_of,
    info_of,
    pack_protection,
    protection_of,
    unpack_pieces,
)
from gateway.storage import (
    NULL_VERSION,
    Conditions,
    Delete,
    Deleted,
    Full,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchStore,
    NoSuchVersion,
    ObjectInfo,
    Protected,
    Protection,
    Versioning,
)

_OBJECT = f"SELECT {COLUMNS} FROM objects WHERE service = ? AND key = ?"  # noqa: S608  constants
_VERSIONS = f"SELECT {COLUMNS}, marker FROM versions WHERE service = ? AND key = ?"  # noqa: S608  constants
_INSERT_OBJECT = f"INSERT OR REPLACE INTO objects ({COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608  constants
_INSERT_VERSION = (
    f"INSERT INTO versions ({COLUMNS}, marker, retired) VALUES ({', '.join('?' * 15)})"  # noqa: S608  constants
)


class Content(NamedTuple):
    """Where an object's bytes are: a blob, or a manifest, or nowhere (it is empty)."""

    blob: int | None = None
    manifest: int | None = None


@dataclass(slots=True, kw_only=True)
class Draft:
    """A new current object, but for what the commit decides (sequence and version).

    `protection` is what is asked for; the rest that has no column is in `detail`.
    """

    key: str
    size: int
    etag: str
    content_type: str
    storage_class: str
    owner: str
    detail: str
    content: Callable[[Transaction], Content]
    """Makes the rows of its bytes: called once it is sure that it will be there."""


class Ledger:
    """A service's row, read at the start of an operation and written at its end."""

    __slots__ = (
        "_before",
        "bytes",
        "objects",
        "quota",
        "sequence",
        "service",
        "time",
        "versioning",
    )

    def __init__(self, txn: Transaction, service: int, time: int) -> None:
        row = txn.one(
            "SELECT versioning, sequence, objects, bytes, quota FROM services WHERE id = ?",
            (service,),
        )
        if row is None:
            raise NoSuchStore
        self.versioning: Versioning = row[0]
        self.sequence: int = row[1]
        self.objects: int = row[2]
        self.bytes: int = row[3]
        self.quota: int | None = row[4]
        self.service, self.time, self._before = service, time, self.sequence

    @property
    def versioned(self) -> bool:
        return self.versioning != "off"

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size
        if self.quota is not None and self.bytes > self.quota:
            raise Full(f"The quota of {self.quota} bytes is reached.")

    def remove(self, size: int) -> None:
        self.objects -= 1
        self.bytes -= size

    def change(
        self, txn: Transaction, kind: Literal["put", "delete", "purge", "update"], row: Row
    ) -> None:
        """Number a change and write it to the feed."""
        txn.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.service, self.sequence, kind, self.time, row.key, row.version,
                row.size, row.etag, row.content_type,
            ),
        )  # fmt: skip

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def save(self, txn: Transaction) -> None:
        if self.sequence != self._before:
            txn.execute(
                "UPDATE services SET sequence = ?, objects = ?, bytes = ? WHERE id = ?",
                (self.sequence, self.objects, self.bytes, self.service),
            )


def new_version(sequence: int) -> str:
    """Begins with the sequence, by which the row is found; the rest makes it unguessable."""
    return f"{sequence:012x}{secrets.token_hex(10)}"


def sequence_of(version: str) -> int:
    """-1 for what cannot be a version's name."""
    try:
        return int(version[:12], 16) if len(version) == 32 else -1
    except ValueError:
        return -1


# finding


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


# blobs and manifests


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


class Shelf:
    """The keys of one service, as a write's transaction changes them.

    `grace`: milliseconds that a file outlives its last object, or None.
    """

    def __init__(self, txn: Transaction, service: int, time: int, grace: int | None) -> None:
        self.txn, self.service, self.time = txn, service, time
        self.ledger = Ledger(txn, service, time)
        self.due = None if grace is None else time + grace

    def current(self, key: str) -> Row | None:
        return current(self.txn, self.service, key)

    def check(self, key: str, row: Row | None, conditions: Conditions | None) -> None:
        if conditions is not None:
            conditions.check_write(key, info_of(row, versioned=True) if row else None)

    # put

    def put(self, draft: Draft, conditions: Conditions | None) -> Row:
        """Make the draft the current object."""
        ledger, txn = self.ledger, self.txn
        before = self.current(draft.key)
        self.check(draft.key, before, conditions)
        sequence = ledger.next()
        version = new_version(sequence) if ledger.versioning == "on" else NULL_VERSION
        self._make_room(draft.key, before, version)
        ledger.add(draft.size)
        content = draft.content(txn)
        row = Row(
            self.service, draft.key, sequence, version, draft.size, draft.etag, self.time,
            draft.content_type, draft.storage_class, draft.owner,
            content.blob, content.manifest, draft.detail,
        )  # fmt: skip
        txn.execute(_INSERT_OBJECT, row)
        ledger.change(txn, "put", row)
        ledger.save(txn)
        return row

    def _make_room(self, key: str, before: Row | None, version: str) -> None:
        """Retire the current object, or drop what a new null version replaces."""
        if version != NULL_VERSION:
            if before is not None:
                self._retire(before)
            return
        if before is not None and before.version == NULL_VERSION:
            self._replace(before)
        elif self.ledger.versioned:
            if before is not None:
                self._retire(before)
            self._drop_null_version(key)

    def _retire(self, row: Row, *, marker: bool = False) -> None:
        self.txn.execute(_INSERT_VERSION, (*row, int(marker), self.time))

    def _replace(self, row: Row) -> None:
        """Let go of the current object's bytes; its row is overwritten or deleted next."""
        self._require_unprotected(row, bypass=False)
        self._forget(row)

    def _clear(self, key: str) -> None:
        self.txn.execute("DELETE FROM objects WHERE service = ? AND key = ?", (self.service, key))

    def _drop_null_version(self, key: str) -> None:
        found = older_version(self.txn, self.service, key, NULL_VERSION)
        if found is not None:
            self._drop_version(*found)

    def _drop_version(self, row: Row, marker: bool) -> None:
        self._require_unprotected(row, bypass=False)
        self.txn.execute(
            "DELETE FROM versions WHERE service = ? AND key = ? AND sequence = ?",
            (self.service, row.key, row.sequence),
        )
        if not marker:
            self._forget(row)

    def _forget(self, row: Row) -> None:
        self.ledger.remove(row.size)
        release(self.txn, row, self.due)

    # delete

    def delete(self, key: str, options: Delete) -> Deleted:
        if options.version is None:
            return self._hide(key, options)
        return self._purge(key, options.version, options)

    def _hide(self, key: str, options: Delete) -> Deleted:
        """Remove the object, or put a delete marker before it."""
        before, ledger = self.current(key), self.ledger
        self.check(key, before, options.conditions)
        if not ledger.versioned:
            if before is None:
                return Deleted(key, existed=False)
            self._replace(before)
            self._clear(key)
            ledger.next()
            ledger.change(self.txn, "delete", before)
            ledger.save(self.txn)
            return Deleted(key, existed=True)
        sequence = ledger.next()
        version = new_version(sequence) if ledger.versioning == "on" else NULL_VERSION
        self._make_room(key, before, version)
        self.txn.execute("DELETE FROM objects WHERE service = ? AND key = ?", (self.service, key))
        marker = Row(
            self.service, key, sequence, version, 0, "", self.time, "", "", "", None, None, ""
        )
        self._retire(marker, marker=True)
        ledger.change(self.txn, "delete", marker)
        ledger.save(self.txn)
        return Deleted(key, existed=before is not None, version=version, marker=True)

    def _purge(self, key: str, version: str, options: Delete) -> Deleted:
        """Remove a version for good; the next older one takes its place."""
        before = self.current(key)
        if before is not None and before.version == version:
            self._check_purge(before, options)
            self._clear(key)
            self._forget(before)
            return self._purged(before, marker=False, promote=True)
        found = older_version(self.txn, self.service, key, version)
        if found is None:
            return Deleted(key, existed=False, version=version)
        row, marker = found
        self._check_purge(row, options)
        self.txn.execute(
            "DELETE FROM versions WHERE service = ? AND key = ? AND sequence = ?",
            (self.service, key, row.sequence),
        )
        if not marker:
            self._forget(row)
        return self._purged(row, marker=marker, promote=before is None)

    def _check_purge(self, row: Row, options: Delete) -> None:
        self.check(row.key, row, options.conditions)
        self._require_unprotected(row, bypass=options.bypass)

    def _purged(self, row: Row, *, marker: bool, promote: bool) -> Deleted:
        if promote:
            self._promote(row.key)
        self.ledger.next()
        self.ledger.change(self.txn, "purge", row)
        self.ledger.save(self.txn)
        named = row.version if self.ledger.versioned else None
        return Deleted(row.key, existed=True, version=named, marker=marker)

    def _promote(self, key: str) -> None:
        """Where no object is current and the newest version is no marker, it becomes so."""
        newest = newest_version(self.txn, self.service, key)
        if newest is None or newest[1]:
            return
        row = newest[0]
        self.txn.execute(
            "DELETE FROM versions WHERE service = ? AND key = ? AND sequence = ?",
            (self.service, key, row.sequence),
        )
        self.txn.execute(_INSERT_OBJECT, row)

    # labels and protection

    def relabel(
        self,
        key: str,
        version: str | None,
        tags: Mapping[str, str] | None,
        attributes: Mapping[str, Any] | None,
    ) -> ObjectInfo:
        row = find(self.txn, self.service, key, version)
        changes: dict[str, object] = {}
        if tags is not None:
            changes["t"] = dict(tags)
        if attributes is not None:
            merged = {**detail_of(row).get("a", {}), **attributes}
            changes["a"] = {name: value for name, value in merged.items() if value is not None}
        return self._update(row, change_detail(row.detail, **changes))

    def protect(
        self, key: str, version: str | None, protection: Protection, *, bypass: bool
    ) -> ObjectInfo:
        row = find(self.txn, self.service, key, version)
        before = protection_of(row) or Protection()
        if retained(before, self.time) and not (before.mode == "governance" and bypass):
            weaker = before.mode == "compliance" and protection.mode != "compliance"
            if weaker or (protection.until or 0) < (before.until or 0):
                raise Protected("A retention may be made longer, not shorter.", key=key)
        return self._update(row, change_detail(row.detail, p=pack_protection(protection)))

    def _update(self, row: Row, detail: str) -> ObjectInfo:
        updated = row._replace(detail=detail)
        for table in ("objects", "versions"):
            self.txn.execute(
                f"UPDATE {table} SET detail = ?"  # noqa: S608  constants
                " WHERE service = ? AND key = ? AND sequence = ?",
                (detail, self.service, row.key, row.sequence),
            )
        self.ledger.next()
        self.ledger.change(self.txn, "update", updated)
        self.ledger.save(self.txn)
        return info_of(updated, versioned=self.ledger.versioned)

    def _require_unprotected(self, row: Row, *, bypass: bool) -> None:
        protection = protection_of(row)
        if protection is None:
            return
        if protection.hold or (
            retained(protection, self.time) and not (protection.mode == "governance" and bypass)
        ):
            raise Protected(key=row.key)


def retained(protection: Protection, time: int) -> bool:
    return protection.mode is not None and protection.until is not None and protection.until > time
