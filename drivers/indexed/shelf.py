"""The keys of a service inside a write's transaction.

Conditions, versioning, protection, quota, usage and the change feed are
decided here and nowhere else, on the state that the commit will see. What a
method changed before it raises is undone (see `batch`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from drivers.indexed import annotation_rows
from drivers.indexed.batch import Transaction
from drivers.indexed.records import (
    COLUMNS,
    UNPROTECTED,
    Row,
    change_detail,
    change_protection,
    detail_of,
    info_of,
    protection_of,
)
from drivers.indexed.retention import changed
from drivers.indexed.rows import (
    ContentMaker,
    Due,
    current,
    find,
    new_version,
    newest_version,
    older_version,
    release,
    retired_version,
)
from gateway.storage import (
    NULL_VERSION,
    Conditions,
    Delete,
    Deleted,
    EventHold,
    ObjectInfo,
    Protected,
    Put,
    RetentionMode,
)

INSERT_OBJECT = f"INSERT OR REPLACE INTO objects ({COLUMNS}) VALUES ({', '.join('?' * 13)})"
_INSERT_VERSION = (
    f"INSERT INTO versions ({COLUMNS}, marker, retired) VALUES ({', '.join('?' * 15)})"
)


class Draft(NamedTuple):
    """A new current object, but for what the commit decides (sequence and version).

    What `options` say and has no column is in `detail`. `annotations`: what it is made with.
    `waited`: bytes of parts that wait no more when it is there.
    """

    key: str
    size: int
    etag: str
    options: Put
    detail: str
    content: ContentMaker
    annotations: annotation_rows.Payloads | None = None
    waited: int = 0


class Shelf:
    """The keys of one service, as a write's transaction changes them at `time`."""

    __slots__ = ("_due", "ledger", "service", "time", "txn")

    def __init__(
        self, txn: Transaction, service: int, time: int, due: Callable[[int], Due]
    ) -> None:
        self.txn, self.service, self.time = txn, service, time
        self.ledger = txn.ledger(service)
        self._due = due

    @property
    def due(self) -> Due:
        """When files may go that nothing needs any more."""
        return self._due(self.time)

    def _log(self, kind: Literal["put", "delete", "purge", "update"], row: Row, cause: str) -> None:
        """Write a change to the feed, under the number that the ledger gave last."""
        self.txn.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.service, self.ledger.sequence, kind, self.time, row.key, row.version,
                row.size, row.etag, row.content_type, cause,
            ),
        )  # fmt: skip

    def _check(self, key: str, row: Row | None, conditions: Conditions) -> None:
        conditions.check_write(key, info_of(row, versioned=True) if row else None)

    # put

    def put(self, draft: Draft, conditions: Conditions | None) -> Row:
        """Make the draft the current object."""
        ledger, txn, options = self.ledger, self.txn, draft.options
        before = current(txn, self.service, draft.key)
        if conditions is not None:
            self._check(draft.key, before, conditions)
        used = ledger.used
        sequence = ledger.next()
        version = new_version(sequence) if ledger.versioning == "on" else NULL_VERSION
        replaced = before if self._replaces(before, version) else None
        # Before room is made: they may share, or overwrite, what is replaced.
        content = draft.content(txn, replaced)
        brought = None if draft.annotations is None else draft.annotations(txn)
        if not content.overwrote:
            self._make_room(draft.key, before, version)
        elif before is not None:
            self._uncount(before)
        ledger.add(draft.size)
        ledger.waiting -= draft.waited
        row = Row(
            self.service, draft.key, sequence, version, draft.size, draft.etag, self.time,
            options.content_type, options.storage_class, options.owner,
            content.blob, content.manifest, draft.detail,
        )  # fmt: skip
        if brought:
            row = self._annotated(row, brought)
        if ledger.limited:
            ledger.limit(used)
        txn.execute(INSERT_OBJECT, row)
        if before is None:
            ledger.current += 1
        self._log("put", row, options.cause)
        return row

    def _annotated(self, row: Row, brought: list[annotation_rows.Payload]) -> Row:
        for one in brought:
            annotation_rows.write(self.txn, row, one, self.time)
            self.ledger.resize(one.size)
        return row._replace(detail=annotation_rows.with_count(row.detail, len(brought)))

    def _replaces(self, before: Row | None, version: str) -> bool:
        """Whether a new object of that version takes the place of the current one, whose
        bytes nothing needs then. Raises `Protected`."""
        if before is None or not version == before.version == NULL_VERSION:
            return False
        self.require_unprotected(before, bypass=False)
        return True

    def _make_room(self, key: str, before: Row | None, version: str) -> None:
        """Retire the current object, or drop what a new null version replaces."""
        if version != NULL_VERSION:
            if before is not None:
                self._retire(before)
            return
        if before is not None and before.version == NULL_VERSION:
            self._replace(before)
        elif self.ledger.versioned:
            self._drop_null_version(key)  # first, for it may be protected
            if before is not None:
                self._retire(before)

    def _retire(self, row: Row, *, marker: bool = False) -> None:
        self.txn.execute(_INSERT_VERSION, (*row, int(marker), self.time))

    def _replace(self, row: Row) -> None:
        """Let go of the current object's bytes; its row is overwritten or deleted next."""
        self.require_unprotected(row, bypass=False)
        self._forget(row)

    def _clear(self, key: str) -> None:
        """Have no current object of a key that has one."""
        self.txn.execute("DELETE FROM objects WHERE service = ? AND key = ?", (self.service, key))
        self.ledger.current -= 1

    def _drop_null_version(self, key: str) -> None:
        found = older_version(self.txn, self.service, key, NULL_VERSION)
        if found is not None:
            self._drop_version(*found)

    def _drop_version(self, row: Row, marker: bool) -> None:
        self.require_unprotected(row, bypass=False)
        self.txn.execute(
            "DELETE FROM versions WHERE service = ? AND key = ? AND sequence = ?",
            (self.service, row.key, row.sequence),
        )
        if not marker:
            self._forget(row)

    def _forget(self, row: Row) -> None:
        self._uncount(row)
        release(self.txn, row, self.due)

    def _uncount(self, row: Row) -> None:
        """It goes, and its annotations go with it."""
        self.ledger.remove(row.size)
        if annotation_rows.MARK in row.detail:
            self.ledger.resize(-annotation_rows.forget(self.txn, row, self.due))

    # delete

    def delete(self, key: str, options: Delete) -> Deleted:
        if options.version is None:
            return self._hide(key, options)
        return self._purge(key, options.version, options)

    def _hide(self, key: str, options: Delete) -> Deleted:
        """Remove the object, or put a delete marker before it."""
        before, ledger = current(self.txn, self.service, key), self.ledger
        if options.conditions is not None:
            if before is None and self._is_hidden(key):
                options.conditions.check_marker(key)
            self._check(key, before, options.conditions)
        if not ledger.versioned:
            if before is None:
                return Deleted(key, existed=False)
            self._replace(before)
            self._clear(key)
            ledger.next()
            self._log("delete", before, options.cause)
            return Deleted(key, existed=True)
        following = ledger.sequence + 1
        version = new_version(following) if ledger.versioning == "on" else NULL_VERSION
        self._make_room(key, before, version)  # first, for it may refuse: no number is lost then
        sequence = ledger.next()
        if before is not None:
            self._clear(key)
        marker = Row(
            self.service, key, sequence, version, 0, "", self.time, "", "", "", None, None, ""
        )
        self._retire(marker, marker=True)
        self._log("delete", marker, options.cause)
        return Deleted(key, existed=before is not None, version=version, marker=True)

    def _is_hidden(self, key: str) -> bool:
        newest = newest_version(self.txn, self.service, key)
        return newest is not None and newest[1]

    def _purge(self, key: str, version: str, options: Delete) -> Deleted:
        """Remove a version for good; the next older one takes its place."""
        before = current(self.txn, self.service, key)
        if before is not None and before.version == version:
            self._check_purge(before, options)
            self._clear(key)
            self._forget(before)
            return self._purged(before, options.cause, marker=False, promote=True)
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
        return self._purged(row, options.cause, marker=marker, promote=before is None)

    def _check_purge(self, row: Row, options: Delete) -> None:
        if options.conditions is not None:
            self._check(row.key, row, options.conditions)
        self.require_unprotected(row, bypass=options.bypass)

    def _purged(self, row: Row, cause: str, *, marker: bool, promote: bool) -> Deleted:
        if promote:
            self._promote(row.key)
        self.ledger.next()
        self._log("purge", row, cause)
        named = row.version if self.ledger.versioned else None
        return Deleted(row.key, existed=True, version=named, marker=marker)

    def expire(self, key: str, sequence: int, until: int, cause: str) -> bool:
        """Remove a version or delete marker for good that is not current since `until` at the
        latest. Whether it went: a marker does not while there is anything older. Raises
        `Protected`."""
        found = retired_version(self.txn, self.service, key, sequence, until)
        if found is None or (found[1] and self._is_older(key, sequence)):
            return False
        self._drop_version(*found)
        self.ledger.next()
        self._log("purge", found[0], cause)
        return True

    def _is_older(self, key: str, sequence: int) -> bool:
        sql = "SELECT 1 FROM versions WHERE service = ? AND key = ? AND sequence < ? LIMIT 1"
        return self.txn.one(sql, (self.service, key, sequence)) is not None

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
        self.txn.execute(INSERT_OBJECT, row)
        self.ledger.current += 1

    # labels and protection

    def found(self, key: str, version: str | None, conditions: Conditions | None) -> Row:
        """A version that is to be changed. Raises what conditions raise."""
        row = find(self.txn, self.service, key, version)
        if conditions is not None:
            self._check(key, row, conditions)
        return row

    def relabel(
        self,
        key: str,
        version: str | None,
        tags: Mapping[str, str] | None,
        attributes: Mapping[str, Any] | None,
        conditions: Conditions | None,
    ) -> ObjectInfo:
        row = self.found(key, version, conditions)
        changes: dict[str, object] = {}
        if tags is not None:
            changes["t"] = dict(tags)
        if attributes is not None:
            merged = {**detail_of(row).get("a", {}), **attributes}
            changes["a"] = {name: value for name, value in merged.items() if value is not None}
        return self.update(row, change_detail(row.detail, **changes), _relabelled(tags, attributes))

    def set_retention(
        self,
        key: str,
        version: str | None,
        mode: RetentionMode | None,
        until: int | None,
        event: EventHold | None,
        conditions: Conditions | None,
        *,
        bypass: bool,
    ) -> ObjectInfo:
        row = self.found(key, version, conditions)
        kept = changed(protection_of(row), mode, until, event, self.time, bypass=bypass, key=key)
        return self.update(row, change_protection(row.detail, kept), "retention")

    def set_hold(
        self, key: str, version: str | None, hold: bool, conditions: Conditions | None
    ) -> ObjectInfo:
        row = self.found(key, version, conditions)
        kept = replace(protection_of(row), hold=hold)
        return self.update(row, change_protection(row.detail, kept), "hold")

    def update(self, row: Row, detail: str, cause: str) -> ObjectInfo:
        """Give a version another `detail`; the change feed has the `cause`."""
        updated = row._replace(detail=detail)
        for table in ("objects", "versions"):
            self.txn.execute(
                f"UPDATE {table} SET detail = ? WHERE service = ? AND key = ? AND sequence = ?",
                (detail, self.service, row.key, row.sequence),
            )
        self.ledger.next()
        self._log("update", updated, cause)
        return info_of(updated, versioned=self.ledger.versioned)

    def require_unprotected(self, row: Row, *, bypass: bool) -> None:
        protection = protection_of(row)
        if protection is not UNPROTECTED and protection.keeps(self.time, bypass=bypass):
            raise Protected(key=row.key)


def _relabelled(tags: Mapping[str, str] | None, attributes: Iterable[str] | None) -> str:
    """What a change calls it."""
    if tags is None:
        return " ".join(["attributes", *sorted(attributes or ())])
    return "tags" if tags else "no tags"
