"""Writing: a body becomes a blob first, and then, in a transaction, an object."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from drivers.indexed.annotation_rows import Payload, Payloads, pack_checksums
from drivers.indexed.batch import Room, Transaction
from drivers.indexed.blobs import Blob, Blobs
from drivers.indexed.blocks import Crcs, encrypted
from drivers.indexed.cipher import BLOCK, Sealing
from drivers.indexed.compression import Compressor
from drivers.indexed.records import new_info, pack_detail
from drivers.indexed.rows import add_blob, new_content
from drivers.indexed.shelf import Draft, Shelf
from drivers.indexed.space import Space
from drivers.indexed.sql_errors import Uncertain
from gateway.storage import (
    NOTHING,
    BadKey,
    BytesBody,
    Encryption,
    Intake,
    InvalidRequest,
    ObjectInfo,
    Put,
    QuotaExceeded,
    Readable,
    ReadOnly,
)
from gateway.storage.folding import folded

T = TypeVar("T")

INLINE_LIMIT = 64 * 1024
LONGEST_KEY = 1024
"""Bytes in UTF-8."""

_ROOM = """
    SELECT s.quota, s.bytes, s.waiting, s.versioning = 'on' OR (s.versioning = 'off' AND NOT EXISTS
    (SELECT 1 FROM objects WHERE service = ? AND key = ?)), v.quota, v.used, v.name
    FROM services s LEFT JOIN volumes v ON v.id = s.volume WHERE s.id = ?"""


class Writer:
    """Stores bodies. Those of at most `inline_limit` bytes are to lie in the index.
    `compress`: what becomes shorter by it is compressed."""

    __slots__ = ("_compress", "_inline_limit", "_sealing", "_space")

    def __init__(
        self, space: Space, sealing: Sealing, *, inline_limit: int, compress: bool
    ) -> None:
        self._space, self._sealing, self._inline_limit = space, sealing, inline_limit
        self._compress = compress

    def stored(
        self, source: Readable, options: Put, encryption: Encryption | None, *, inline: bool = True
    ) -> Stored:
        """All of the source, checked and durable."""
        as_it_is = encryption is None and not self._compress
        crcs = Crcs() if self._space.blobs.checked and as_it_is else None
        hashers = NOTHING if crcs is None else {"CRC32": crcs}
        intake = Intake.of(source, options, hashers, keeps=True)
        blob = self._store(intake, crcs, encryption, inline=inline)
        return Stored(intake, blob, self._space.blobs, etag_of(intake, encryption))

    @contextmanager
    def annotations(self, options: Put) -> Iterator[Payloads]:
        """Those that an object is made with, stored one by one as it will be itself. When the
        block fails, see `Stored`."""
        encryption = annotation_encryption(options.encryption)
        with ExitStack() as opened:
            made: list[tuple[str, Stored]] = []
            for one, read in options.annotations or ():
                body, put = BytesBody(read()), Put(size=one.size, checksums=one.checksums)
                stored = opened.enter_context(self.stored(body, put, encryption))
                made.append((one.name, stored))
            yield lambda txn: [stored.payload(txn, name) for name, stored in made]

    def _store(
        self, intake: Intake, crcs: Crcs | None, encryption: Encryption | None, *, inline: bool
    ) -> Blob | None:
        """`crcs` are filled by the intake, where it sees the bytes as they are stored."""
        data = intake.read_all(self._inline_limit) if inline else None
        if data == b"":
            return None
        if data is not None and encryption is None and not self._compress:
            return Blob(len(data), crcs=b"" if crcs is None else bytes(crcs.packed), data=data)
        blocks = iter(partial(intake.read_full, BLOCK), b"") if data is None else iter((data,))
        seal, compressor = b"", Compressor() if self._compress else None
        if compressor is not None:
            blocks = compressor.through(blocks)
        if encryption is not None:
            cipher, seal = self._sealing.new(encryption)
            blocks = encrypted(blocks, cipher)
        if crcs is None and self._space.blobs.checked:
            crcs = Crcs()
            blocks = crcs.through(blocks)
        name = ""
        if data is not None:
            data = next(blocks)
        else:
            name = self._space.blobs.write(blocks)
            if intake.size == 0:
                self._space.blobs.discard(name)
                return None
        packed = b"" if crcs is None else bytes(crcs.packed)
        ends = b"" if compressor is None else compressor.ends
        return Blob(intake.size, name, packed, seal, data, ends)


def etag_of(intake: Intake, encryption: Encryption | None) -> str:
    """The MD5; of what is under a key that the gateway's own users may not have, something that
    tells nothing of the bytes, as S3 has it (API_Object, `ETag`)."""
    if encryption is None or encryption.kind == "managed":
        return intake.etag
    return secrets.token_hex(16)


def annotation_encryption(used: Encryption | None) -> Encryption | None:
    """That of the annotations of an object with that encryption. The customer's key would have
    to come with each of their requests, which has no place for it."""
    if used is not None and used.kind == "customer":
        raise InvalidRequest("Objects encrypted with a customer's key cannot have annotations.")
    return used


class Stored:
    """A body that is stored (`blob` is None when it is empty), while an object is made of it.

    When the block fails (the transaction was refused), the file goes; not when the
    commit may yet turn out to have worked: then the collector decides.
    """

    __slots__ = ("_blobs", "blob", "etag", "intake")

    def __init__(self, intake: Intake, blob: Blob | None, blobs: Blobs, etag: str) -> None:
        self.intake, self.blob, self._blobs, self.etag = intake, blob, blobs, etag

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Exception) and not issubclass(kind, Uncertain):
            self.drop()

    def drop(self) -> None:
        """No object is made of it."""
        if self.blob is not None and self.blob.name:
            self._blobs.discard(self.blob.name)

    def draft(self, key: str, options: Put) -> Draft:
        """The object that `options` make of it."""
        intake = self.intake
        detail = pack_detail(options, intake.checksums)
        content = partial(new_content, self.blob)
        return Draft(key, intake.size, self.etag, options, detail, content)

    def payload(self, txn: Transaction, name: str) -> Payload:
        """The annotation that is made of it."""
        blob = None if self.blob is None else add_blob(txn, self.blob)
        checksums = pack_checksums(self.intake.checksums)
        return Payload(name, self.intake.size, self.etag, checksums, blob)


class WritingView:
    """How objects of one service of a space are put, and all of it is changed."""

    space: Space
    service: int
    writer: Writer
    sealing: Sealing
    case_sensitive: bool
    limited: bool = False
    """It has a quota, or its volume may have one: there may be no room."""

    def require_room(self, size: int | None, key: str | None = None) -> None:
        """Refuse a long body before it is read where it is sure that a quota is too small for
        it; the commit decides the rest. `key`: of the object that it is to be, if no part."""
        if size is None or size <= INLINE_LIMIT:
            return
        row = self.space.one(_ROOM, (self.service, key, self.service))
        if row is None:
            return
        own, stored, waiting, adds, shared, used, volume = row
        frees = waiting if key is None else 0 if adds else stored  # at most
        for quota, there, named in ((own, stored + waiting, ""), (shared, used, volume)):
            if quota is not None and there - frees + size > quota:
                raise QuotaExceeded(key=key, quota=quota, used=there, size=size, volume=named)

    read_only = ""
    """Why nobody may write; "" where it is written to."""

    def require_writable(self) -> None:
        """Before a body is read: what is stored for nothing has to go again."""
        if self.read_only:
            raise ReadOnly(self.read_only)

    def named(self, options: Put) -> Put:
        """With its encryption as it is kept."""
        asked = options.encryption
        if asked is None or (kept := self.sealing.named(asked)) is asked:
            return options
        return replace(options, encryption=kept)

    def to_keep(self, key: str) -> str:
        """What an object is called that is to have that key. Raises `BadKey`: some characters
        are longer in lower case, and nobody could ask for what is too long."""
        if self.case_sensitive:
            return key
        found = folded(key)
        if len(found.encode()) > LONGEST_KEY:
            raise BadKey(f"In lower case a key has {LONGEST_KEY} bytes at most.", key=key)
        return found

    def change(self, operation: Callable[[Shelf], T], *, room: Room = "") -> T:
        """The operation's result, once it is durable; who waits for changes is woken.
        `room`: what it is given on a full disk."""
        self.require_writable()
        space, service = self.space, self.service

        def on_shelf(txn: Transaction) -> T:
            return operation(Shelf(txn, service, space.clock(), space.due))

        result = space.write(on_shelf, plain=True, room=room)
        self.announce()
        return result

    def announce(self) -> None:
        """There are changes."""
        if self.service in self.space.watchers.wakes:
            self.space.watchers.announce(self.service)

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        self.require_writable()
        if options.encryption is not None:
            options = self.named(options)
        if not self.case_sensitive:
            key = self.to_keep(key)
        if self.limited:
            self.require_room(options.size, key)
        with self.writer.stored(source, options, options.encryption) as stored:
            draft = stored.draft(key, options)

            def operation(shelf: Shelf) -> ObjectInfo:
                row = shelf.put(draft, options.conditions)
                versioned = shelf.ledger.versioned
                return new_info(row, options, stored.intake.checksums, versioned=versioned)

            if not options.annotations:
                return self.change(operation)
            with self.writer.annotations(options) as annotations:
                draft = draft._replace(annotations=annotations)
                return self.change(operation)
