"""The contract on top of the engine: a view on one service of a space.

`IndexedStore` is what `local` and `memory` inherit; the buckets that they
make are plain ones. A view without a service (`service` 0) is only `Buckets`.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

from drivers.indexed import uploads
from drivers.indexed.commit import Transaction
from drivers.indexed.listing import list_objects, list_uploads, list_versions
from drivers.indexed.mutations import Content, Shelf, find, share
from drivers.indexed.reading import (
    Found,
    Reader,
    check_encryption,
    lookup,
    opened,
    pieces_of,
    wanted_range,
    within,
)
from drivers.indexed.records import Row, info_of, pack_detail
from drivers.indexed.space import Space
from drivers.indexed.writing import Writer, draft, draft_of
from gateway.storage import (
    AlreadyExists,
    BucketInfo,
    Buckets,
    Change,
    ChangePage,
    Changes,
    Complete,
    Copies,
    Delete,
    Deleted,
    Encryption,
    Get,
    InvalidRequest,
    Labels,
    Listable,
    ListPage,
    ListQuery,
    Measures,
    Multipart,
    NoSuchStore,
    NotEmpty,
    ObjectInfo,
    Opened,
    Part,
    PartRef,
    Protection,
    Protects,
    Put,
    Readable,
    Secret,
    Stats,
    StorageError,
    Store,
    Upload,
    UploadPage,
    UploadQuery,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
    Writable,
)

C = TypeVar("C")
T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
_POLL = 0.05
"""Seconds between two looks for changes that another process makes."""


class IndexedStore(
    Store, Writable, Listable, Copies, Multipart, Versions, Labels, Protects, Changes, Measures,
    Buckets,
):  # fmt: skip
    space: Space
    service: int = 0
    reader: Reader
    writer: Writer
    master: Secret | None

    def attach(
        self,
        space: Space,
        service: int,
        master: Secret | None,
        *,
        inline_limit: int = INLINE_LIMIT,
        verify: bool = False,
    ) -> None:
        """Become a view on `service`; 0 for the buckets as a whole."""
        self.space, self.service, self.master = space, service, master
        self.reader = Reader(space, master, verify=verify)
        self.writer = Writer(space, master, inline_limit=inline_limit)

    def find(self, capability: type[C]) -> C | None:
        if (capability is Buckets) == bool(self.service):
            return None
        return super().find(capability)

    def _shelf(self, txn: Transaction) -> Shelf:
        return Shelf(txn, self.service, self.space.clock(), self.space.grace)

    def _change(self, operation: Callable[[Shelf], T]) -> T:
        result = self.space.write(lambda txn: operation(self._shelf(txn)))
        self.space.announce()
        return result

    # reading

    def _lookup(self, key: str, version: str | None) -> Found:
        return lookup(self.space, self.service, key, version)

    def get(self, key: str, want: Get = Get()) -> Opened:
        return opened(lambda: self._lookup(key, want.version), self.reader, want)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        info = self._lookup(key, want.version).info
        check_encryption(info, want.encryption)
        if want.conditions is not None:
            want.conditions.check_read(info)
        wanted_range(info, want)
        return info

    # writing

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        with self.writer.stored(source, options, options.encryption) as (intake, blob):
            made = draft_of(key, intake, blob, options)

            def operation(shelf: Shelf) -> ObjectInfo:
                row = shelf.put(made, options.conditions)
                return info_of(row, versioned=shelf.ledger.versioned)

            return self._change(operation)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        return self._change(lambda shelf: shelf.delete(key, options))

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        wanted = list(items)

        def operation(shelf: Shelf) -> list[Deleted | StorageError]:
            results: list[Deleted | StorageError] = []
            for key, options in wanted:
                try:  # a delete raises before it changes anything
                    results.append(shelf.delete(key, options))
                except StorageError as error:
                    results.append(error)
            return results

        return self._change(operation)

    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> ObjectInfo:
        return self._change(lambda shelf: shelf.relabel(key, version, tags, attributes))

    def protect(
        self, key: str, version: str | None, protection: Protection, *, bypass: bool = False
    ) -> ObjectInfo:
        return self._change(lambda shelf: shelf.protect(key, version, protection, bypass=bypass))

    # copying: within a space no bytes move, unless they must be hashed or encrypted anew

    def reaches(self, source: Any) -> bool:
        return isinstance(source, IndexedStore) and source.space is self.space

    def copy(
        self, source: Any, source_key: str, key: str, want: Get = Get(), options: Put = Put()
    ) -> ObjectInfo:
        found = source._lookup(source_key, want.version)
        checksums = _kept_checksums(found.info, options)
        if not _shareable(found.info, options.encryption) or checksums is None:
            return self._copy_bytes(source, source_key, key, want, options)

        def operation(shelf: Shelf) -> ObjectInfo:
            row = find(shelf.txn, source.service, source_key, want.version)
            info = info_of(row, versioned=True)
            if want.conditions is not None:
                want.conditions.check_copy(info)
            kept = _kept_checksums(info, options)
            made = draft(
                key,
                size=row.size,
                etag=row.etag,
                options=options,
                detail=pack_detail(replace(options, checksum_type=info.checksum_type), kept or {}),
                content=_sharing(row),
            )
            return info_of(shelf.put(made, options.conditions), versioned=shelf.ledger.versioned)

        return self._change(operation)

    def _copy_bytes(
        self, source: Any, source_key: str, key: str, want: Get, options: Put
    ) -> ObjectInfo:
        conditions, want = want.conditions, replace(want, conditions=None)
        with source.get(source_key, want) as found:
            if conditions is not None:
                conditions.check_copy(found.info)
            return self.put(key, found.body, replace(options, size=found.length))

    # in parts

    def begin(self, key: str, options: Put = Put()) -> Upload:
        def operation(shelf: Shelf) -> Upload:
            return uploads.begin(shelf.txn, self.service, key, options, shelf.time)

        return self._change(operation)

    def upload(self, key: str, upload: str) -> Upload:
        return uploads.under_way(self.space.one, self.service, key, upload)

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        uploads.check_number(number)
        begun = self.upload(key, upload).options
        encryption = _part_encryption(begun.encryption, options.encryption)
        checked = replace(options, checksums={**begun.checksums, **options.checksums})
        with self.writer.stored(source, checked, encryption, inline=False) as (intake, blob):

            def operation(shelf: Shelf) -> Part:
                part = Part(number, intake.size, intake.etag, shelf.time, intake.checksums)
                return uploads.keep_blob(
                    shelf.txn, self.service, key, upload, part, blob, shelf.due
                )

            return self._change(operation)

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Any,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        uploads.check_number(number)
        begun = self.upload(key, upload).options
        found = source._lookup(source_key, want.version)
        start, length = wanted_range(found.info, want)
        shareable = _shareable(found.info, begun.encryption) and found.data is None
        if not shareable or begun.checksums or options.checksums or not length:
            conditions, want = want.conditions, replace(want, conditions=None)
            with source.get(source_key, want) as body:
                if conditions is not None:
                    conditions.check_copy(body.info)
                options = replace(options, size=body.length)
                return self.put_part(key, upload, number, body.body, options)

        def operation(shelf: Shelf) -> Part:
            row = find(shelf.txn, source.service, source_key, found.row.version)
            if want.conditions is not None:
                want.conditions.check_copy(info_of(row, versioned=True))
            etag = _etag_of_stretch(found.info, start, length)
            part = Part(number, length, etag, shelf.time)
            pieces = within(pieces_of(found), start, length)
            return uploads.keep_shared(
                shelf.txn, self.service, key, upload, part, pieces, shelf.due
            )

        return self._change(operation)

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        self.upload(key, upload)
        with self.space.reading() as connection:
            return uploads.list_parts(
                connection.execute(uploads.PARTS_AFTER, (upload, after, limit))
            )

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        with self.space.reading() as connection:
            return list_uploads(connection, self.service, query)

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        return self._change(lambda shelf: uploads.complete(shelf, key, upload, parts, options))

    def abort(self, key: str, upload: str) -> None:
        self._change(lambda shelf: uploads.abort(shelf.txn, self.service, key, upload, shelf.due))

    # listing, versions, changes

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        with self.space.reading() as connection:
            (versioning,) = self._row(connection.execute, "versioning")
            return list_objects(connection, self.service, query, versioned=versioning != "off")

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        with self.space.reading() as connection:
            self._row(connection.execute, "id")
            return list_versions(connection, self.service, query)

    def _row(self, execute: Callable[..., Any], columns: str) -> Any:
        sql = f"SELECT {columns} FROM services WHERE id = ?"  # noqa: S608  constants
        row = execute(sql, (self.service,)).fetchone()
        if row is None:
            raise NoSuchStore
        return row

    @property
    def versioning(self) -> Versioning:
        with self.space.reading() as connection:
            return cast(Versioning, self._row(connection.execute, "versioning")[0])

    def set_versioning(self, state: Versioning) -> None:
        def operation(txn: Transaction) -> None:
            (before,) = self._row(txn.execute, "versioning")
            if state == "off" and before != "off":
                raise InvalidRequest("Versioning can be suspended, not undone.")
            txn.execute("UPDATE services SET versioning = ? WHERE id = ?", (state, self.service))

        self.space.write(operation)

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        deadline = time.monotonic() + wait
        while True:
            page = self._changes(after, limit)
            left = deadline - time.monotonic()
            if page.changes or left <= 0:
                return page
            with self.space.changed:
                self.space.changed.wait(min(left, _POLL))

    def _changes(self, after: int, limit: int) -> ChangePage:
        with self.space.reading() as connection:
            (last,) = self._row(connection.execute, "sequence")
            rows = connection.execute(
                "SELECT sequence, kind, time, key, version, size, etag, content_type"
                " FROM changes WHERE service = ? AND sequence > ? ORDER BY sequence LIMIT ?",
                (self.service, after, limit),
            ).fetchall()
        return ChangePage(changes=tuple(map(Change._make, rows)), last=last)

    def stats(self) -> Stats:
        with self.space.reading() as connection:
            objects, size = self._row(connection.execute, "objects, bytes")
            return Stats(objects=objects, bytes=size)

    # buckets

    def buckets(self) -> Sequence[BucketInfo]:
        with self.space.reading() as connection:
            rows = connection.execute(
                "SELECT name, created FROM services WHERE namespace = '' ORDER BY name"
            ).fetchall()
        return [BucketInfo(*row) for row in rows]

    def create(self, name: str) -> BucketInfo:
        def operation(txn: Transaction) -> BucketInfo:
            created = self.space.clock()
            if _service(txn.one, name) is not None:
                raise AlreadyExists
            _insert_service(txn, name, created)
            return BucketInfo(name, created)

        return self.space.write(operation)

    def drop(self, name: str) -> None:
        def operation(txn: Transaction) -> None:
            service = _service(txn.one, name)
            if service is None:
                raise NoSuchStore(name=name)
            for table in ("objects", "versions"):
                sql = f"SELECT 1 FROM {table} WHERE service = ? LIMIT 1"  # noqa: S608  constants
                if txn.one(sql, (service,)) is not None:
                    raise NotEmpty
            uploads.drop_all(txn, service, self._shelf_due())
            txn.execute("DELETE FROM changes WHERE service = ?", (service,))
            txn.execute("DELETE FROM services WHERE id = ?", (service,))

        self.space.write(operation)

    def _shelf_due(self) -> int | None:
        return None if self.space.grace is None else self.space.clock() + self.space.grace

    def bucket(self, name: str) -> Store:
        service = _service(self.space.one, name)
        if service is None:
            raise NoSuchStore(name=name)
        return self._view(service)

    def _view(self, service: int) -> Store:
        view = IndexedBucket()
        view.attach(self.space, service, self.master)
        view.reader, view.writer = self.reader, self.writer
        return view

    def declare(self, name: str, *, keep: bool) -> int:
        """The id of the declared service of that name, made when it is not there."""

        def operation(txn: Transaction) -> int:
            service = _service(txn.one, name)
            if service is None:
                service = _insert_service(txn, name, self.space.clock())
            (before,) = txn.one("SELECT versioning FROM services WHERE id = ?", (service,))
            after = "on" if keep else "off" if before == "off" else "suspended"
            if after != before:
                txn.execute("UPDATE services SET versioning = ? WHERE id = ?", (after, service))
            return service

        return self.space.write(operation)


class IndexedBucket(IndexedStore):
    """A bucket that an API made."""


def _service(one: Callable[..., Any], name: str) -> int | None:
    row = one("SELECT id FROM services WHERE namespace = '' AND name = ?", (name,))
    return row[0] if row else None


def _insert_service(txn: Transaction, name: str, created: int) -> int:
    cursor = txn.execute(
        "INSERT INTO services (namespace, name, created) VALUES ('', ?, ?)", (name, created)
    )
    return cast(int, cursor.lastrowid)


def _sharing(row: Row) -> Callable[[Transaction], Content]:
    return lambda txn: share(txn, row)


def _shareable(info: ObjectInfo, encryption: Encryption | None) -> bool:
    """Whether the stored bytes serve as they are. Each object's key is its own, but the
    gateway's opens all that are encrypted under it."""
    if info.encryption is None:
        return encryption is None
    managed = Encryption()
    return info.encryption == managed and encryption == managed


def _kept_checksums(info: ObjectInfo, options: Put) -> dict[str, str] | None:
    """The checksums that a copy has; None when the bytes must be read for them."""
    wanted = options.checksums or info.checksums
    if any(name not in info.checksums for name in wanted):
        return None
    return {name: info.checksums[name] for name in wanted}


def _part_encryption(begun: Encryption | None, given: Encryption | None) -> Encryption | None:
    """The encryption of a part: as the upload began, with the customer's key given now."""
    if begun is None or begun.kind == "managed":
        if given is not None and given.kind == "customer":
            raise InvalidRequest("The upload was not begun with a customer's key.")
        return begun
    info = ObjectInfo(key="", size=0, etag="", modified=0, encryption=begun)
    return check_encryption(info, given)


def _etag_of_stretch(info: ObjectInfo, start: int, length: int) -> str:
    """The MD5 where it is known without reading; else what is no MD5 and says so."""
    if (start, length) == (0, info.size) and "-" not in info.etag:
        return info.etag
    named = f"{info.etag}:{start}:{length}".encode()
    return f"{hashlib.md5(named, usedforsecurity=False).hexdigest()}-0"
