"""Bodies into blobs, before the transaction that makes an object of them."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from drivers.indexed.batch import Uncertain
from drivers.indexed.blobs import Blob, Blobs, Crcs, encrypted
from drivers.indexed.cipher import BLOCK, new_cipher, refuse_kms
from drivers.indexed.content import Content, ContentMaker, new_content
from drivers.indexed.records import pack_detail
from drivers.indexed.shelf import Draft
from drivers.indexed.space import Space
from gateway.storage import NOTHING, Encryption, Intake, Put, Readable, Secret


class Writer:
    """Stores bodies. Those of at most `inline_limit` bytes are to lie in the index."""

    __slots__ = ("_inline_limit", "_master", "_space")

    def __init__(self, space: Space, master: Secret | None, *, inline_limit: int) -> None:
        self._space, self._master, self._inline_limit = space, master, inline_limit

    def stored(
        self, source: Readable, options: Put, encryption: Encryption | None, *, inline: bool = True
    ) -> Stored:
        """All of the source, checked and durable."""
        if encryption is not None:
            refuse_kms(encryption)
        crcs = Crcs() if self._space.blobs.checked and encryption is None else None
        intake = Intake.of(source, options, NOTHING if crcs is None else {"CRC32": crcs})
        blob = self._store(intake, crcs, encryption, inline=inline)
        return Stored(intake, blob, self._space.blobs)

    def _store(
        self, intake: Intake, crcs: Crcs | None, encryption: Encryption | None, *, inline: bool
    ) -> Blob | None:
        """`crcs` are filled by the intake, where it sees the bytes as they are stored."""
        data = intake.read_all(self._inline_limit) if inline else None
        if data == b"":
            return None
        if data is not None and encryption is None:
            return Blob(len(data), crcs=b"" if crcs is None else bytes(crcs.packed), data=data)
        blocks = iter(partial(intake.read_full, BLOCK), b"") if data is None else iter((data,))
        seal = b""
        if encryption is not None:
            cipher, seal = new_cipher(encryption, self._master)
            blocks = encrypted(blocks, cipher)
            if self._space.blobs.checked:
                crcs = Crcs()
                blocks = crcs.through(blocks)
        name = ""
        if data is not None:
            data = next(blocks)
        else:
            name = self._space.blobs.write(blocks)
            if intake.size == 0:
                with suppress(OSError):  # the collector finds what stays
                    self._space.blobs.remove(name)
                return None
        packed = b"" if crcs is None else bytes(crcs.packed)
        return Blob(size=intake.size, name=name, crcs=packed, seal=seal, data=data)


class Stored:
    """A body that is stored (`blob` is None when it is empty), while an object is made of it.

    When the block fails (the transaction was refused), the file goes; not when the
    commit may yet turn out to have worked: then the collector decides.
    """

    __slots__ = ("_blobs", "blob", "intake")

    def __init__(self, intake: Intake, blob: Blob | None, blobs: Blobs) -> None:
        self.intake, self.blob, self._blobs = intake, blob, blobs

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or self.blob is None or not self.blob.name:
            return
        if issubclass(kind, Exception) and not issubclass(kind, Uncertain):
            with suppress(OSError):  # the collector finds what stays
                self._blobs.remove(self.blob.name)

    def draft(self, key: str, options: Put) -> Draft:
        """The object that `options` make of it."""
        intake = self.intake
        detail = pack_detail(options, intake.checksums)
        return Draft(key, intake.size, intake.etag, options, detail, content_of(self.blob))


def content_of(blob: Blob | None) -> ContentMaker:
    if blob is None:
        return lambda _txn, _replaced: Content()
    return lambda txn, replaced: new_content(txn, blob, replaced)
