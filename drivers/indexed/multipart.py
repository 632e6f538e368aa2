"""Uploads in parts, as the contract has them; what they do inside is in `uploads.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from drivers.indexed import uploads
from drivers.indexed.listing import list_uploads
from drivers.indexed.reading import Found
from drivers.indexed.records import Piece, info_of, pack_upload, unpack_pieces, within
from drivers.indexed.rows import find
from drivers.indexed.sharing import etag_of_stretch, part_encryption, shareable
from drivers.indexed.shelf import Shelf
from drivers.indexed.view import View
from gateway.storage import (
    Complete,
    Conflict,
    Full,
    Get,
    Multipart,
    ObjectInfo,
    Part,
    PartRef,
    Put,
    Readable,
    Upload,
    UploadPage,
    UploadQuery,
    range_of,
)
from gateway.storage.checksums import UNNAMED


class MultipartView(View, Multipart):
    def begin(self, key: str, options: Put = Put()) -> Upload:
        options, key = self.named(options), self.to_keep(key)
        text = pack_upload(options)

        def operation(shelf: Shelf) -> Upload:
            return uploads.begin(shelf.txn, self.service, key, text, shelf.time)

        return self.change(operation)

    def upload(self, key: str, upload: str) -> Upload:
        return uploads.under_way(self.space.one, self.service, self.fold(key), upload)

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        self.require_writable()
        uploads.check_number(number)
        key = self.fold(key)
        begun = self.upload(key, upload).options
        encryption = part_encryption(begun.encryption, options.encryption)
        checksums = {**(begun.checksums or UNNAMED), **options.checksums}
        checked = replace(options, checksums=checksums)
        if self.limited:
            self.require_room(options.size)
        with self.writer.stored(source, checked, encryption, inline=False) as stored:
            intake, blob = stored.intake, stored.blob

            def operation(shelf: Shelf) -> Part:
                part = Part(number, intake.size, stored.etag, shelf.time, intake.checksums)
                return uploads.keep_blob(
                    shelf.txn, self.service, key, upload, part, blob, shelf.due.whole
                )

            return self.change(operation)

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
        """No bytes move, unless they must be hashed or encrypted, or are few."""
        uploads.check_number(number)
        key = self.fold(key)
        begun = self.upload(key, upload).options
        if begun.checksums or options.checksums or not isinstance(source, View):
            return super().copy_part(key, upload, number, source, source_key, want, options)
        found = source.lookup(source_key, want.version)
        if found.data is not None or not shareable(found.info, begun.encryption):
            return super().copy_part(key, upload, number, source, source_key, want, options)
        return self._share_part(key, upload, number, source, found, want)

    def _share_part(
        self, key: str, upload: str, number: int, source: View, found: Found, want: Get
    ) -> Part:
        start, length = range_of(found.info, want)
        pieces = within(pieces_of(found), start, length)

        def operation(shelf: Shelf) -> Part:
            # Once more, inside: the version found may have gone, and its blobs with it.
            row = find(shelf.txn, source.service, found.row.key, found.row.version)
            if want.conditions is not None:
                want.conditions.check_copy(info_of(row, versioned=True))
            if (row.sequence, row.blob, row.manifest) != (
                found.row.sequence, found.row.blob, found.row.manifest
            ):  # fmt: skip
                raise Conflict(key=found.row.key)
            part = Part(number, length, etag_of_stretch(found.info, start, length), shelf.time)
            return uploads.keep_shared(
                shelf.txn, self.service, key, upload, part, pieces, shelf.due.whole
            )

        return self.change(operation)

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        self.upload(key, upload)
        with self.space.reading() as connection:
            return uploads.list_parts(
                connection.execute(uploads.PARTS_AFTER, (upload, after, limit))
            )

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        with self.space.reading() as connection:
            return list_uploads(connection, self.service, self._query(query))

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        key = self.fold(key)
        return self.change(lambda shelf: uploads.complete(shelf, key, upload, parts, options))

    def abort(self, key: str, upload: str) -> None:
        key = self.fold(key)

        def operation(shelf: Shelf) -> None:
            uploads.abort(shelf.txn, self.service, key, upload, shelf.due.whole)

        try:
            self.change(operation, room="remove")
        except Full:
            uploads.drop_in_steps(self.space, self.service, upload)
            self.change(operation, room="remove")


def pieces_of(found: Found) -> list[Piece]:
    if found.pieces is not None:
        return unpack_pieces(found.pieces)
    return [Piece(found.row.blob, 0, found.row.size)] if found.row.blob is not None else []
