"""Annotations of a service's objects: put, opened, listed, deleted."""

from __future__ import annotations

from functools import partial

from drivers.indexed import annotation_rows as rows
from drivers.indexed.annotation_rows import COLUMNS, OF_VERSION, annotation
from drivers.indexed.reading import Found
from drivers.indexed.records import info_of
from drivers.indexed.shelf import Shelf
from drivers.indexed.view import View
from drivers.indexed.writing import Stored, annotation_encryption
from gateway.storage import (
    Annotate,
    Annotated,
    Annotates,
    AnnotationPage,
    AnnotationQuery,
    BytesBody,
    Conflict,
    Corrupt,
    Delete,
    Encryption,
    Full,
    NoSuchAnnotation,
    ObjectInfo,
    OpenedAnnotation,
    Put,
    TooManyAnnotations,
)

_TRIES = 3
_LOOKS = 10

_ONE = (
    f"SELECT {', '.join(f'a.{name}' for name in COLUMNS.split(', '))}, b.name, b.crcs, b.seal,"
    " b.data, b.ends FROM annotations a LEFT JOIN blobs b ON b.id = a.blob"
    " WHERE a.service = ? AND a.key = ? AND a.sequence = ? AND a.name = ?"
)
_PAGE = (
    f"SELECT {COLUMNS} FROM annotations WHERE {OF_VERSION} AND name > ? AND name >= ?"
    " AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?"
)


class AnnotatingView(View, Annotates):
    def put_annotation(
        self, key: str, name: str, data: bytes, options: Annotate = Annotate()
    ) -> Annotated:
        """It is encrypted as its object is; so when that is another by the time of the commit,
        it is done once more."""
        self.require_writable()
        key = self.fold(key)
        for again in reversed(range(_TRIES)):
            encryption = annotation_encryption(self.lookup(key, options.version).info.encryption)
            put = Put(size=len(data), checksums=options.checksums)
            try:
                with self.writer.stored(BytesBody(data), put, encryption) as stored:
                    return self.change(partial(_put, key, name, stored, encryption, options))
            except Conflict:
                if not again:
                    raise
        raise AssertionError("the last try returns or raises")

    def annotation(self, key: str, name: str, version: str | None = None) -> OpenedAnnotation:
        """As an object's bytes, they may be replaced between the look-up and the opening."""
        for left in reversed(range(_LOOKS)):
            found = self.lookup(key, version)
            row = found.row
            values = self.space.one(_ONE, (row.service, row.key, row.sequence, name))
            if values is None:
                if left and self.lookup(key, version).row.sequence != row.sequence:
                    continue
                raise NoSuchAnnotation(key=key, name=name)
            one = annotation(values[:5])
            blob, crcs, seal, data, ends = values[5:]
            row = row._replace(size=one.size)
            place = Found(row, found.info, blob, crcs, seal, data, ends, pieces=None)
            try:
                body = self.reader.open(place, 0, one.size, found.info.encryption)
            except FileNotFoundError as error:
                if not left:
                    raise Corrupt("The bytes of an annotation are gone.", key=key) from error
                continue
            return OpenedAnnotation(one, found.info, body)
        raise AssertionError("the last look returns or raises")

    def annotations(self, key: str, query: AnnotationQuery = AnnotationQuery()) -> AnnotationPage:
        found = self.lookup(key, query.version)
        row, prefix = found.row, query.prefix
        with self.space.looking() as connection:
            values = connection.execute(
                _PAGE,
                (
                    row.service, row.key, row.sequence, query.after, prefix, len(prefix), prefix,
                    query.limit + 1,
                ),
            ).fetchall()  # fmt: skip
        page = tuple(annotation(one) for one in values[: query.limit])
        more = len(values) > len(page)
        following = (page[-1].name if page else query.after) if more else None
        return AnnotationPage(object=found.info, annotations=page, next=following)

    def delete_annotation(self, key: str, name: str, options: Delete = Delete()) -> ObjectInfo:
        operation = partial(_delete, self.fold(key), name, options)
        try:
            return self.change(operation)
        except Full:
            return self.change(operation, room="remove")


def _put(
    key: str,
    name: str,
    stored: Stored,
    encryption: Encryption | None,
    options: Annotate,
    shelf: Shelf,
) -> Annotated:
    row = shelf.found(key, options.version, options.conditions)
    if info_of(row, versioned=True).encryption != encryption:
        raise Conflict(key=key)
    before, count = rows.one(shelf.txn, row, name), rows.counted(row)
    if before is None and options.most is not None and count >= options.most:
        raise TooManyAnnotations(key=key, limit=options.most)
    if before is not None:
        shelf.require_unprotected(row, bypass=options.bypass)
        rows.drop(shelf.txn, row, before, shelf.due)
    payload, used = stored.payload(shelf.txn, name), shelf.ledger.used
    shelf.ledger.resize(payload.size - (before.size if before is not None else 0))
    shelf.ledger.limit(used)
    made = rows.write(shelf.txn, row, payload, shelf.time)
    detail = rows.with_count(row.detail, count + (before is None))
    return Annotated(made, shelf.update(row, detail, f"annotation {name}"))


def _delete(key: str, name: str, options: Delete, shelf: Shelf) -> ObjectInfo:
    row = shelf.found(key, options.version, options.conditions)
    before = rows.one(shelf.txn, row, name)
    if before is None:
        return info_of(row, versioned=shelf.ledger.versioned)
    shelf.require_unprotected(row, bypass=options.bypass)
    rows.drop(shelf.txn, row, before, shelf.due)
    shelf.ledger.resize(-before.size)
    detail = rows.with_count(row.detail, rows.counted(row) - 1)
    return shelf.update(row, detail, f"no annotation {name}")
