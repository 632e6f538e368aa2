"""Bodies into blobs, before the transaction that makes an object of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from drivers.indexed.batch import Uncertain
from drivers.indexed.blobs import Blob, crcs_of, encrypted, in_blocks
from drivers.indexed.cipher import new_cipher
from drivers.indexed.content import Content, ContentMaker, new_content
from drivers.indexed.records import pack_detail
from drivers.indexed.shelf import Draft
from drivers.indexed.space import Space
from gateway.storage import Encryption, Intake, Put, Readable, Secret


class Writer:
    """Stores bodies. Those of at most `inline_limit` bytes are to lie in the index."""

    __slots__ = ("_inline_limit", "_master", "_space")

    def __init__(self, space: Space, master: Secret | None, *, inline_limit: int) -> None:
        self._space, self._master, self._inline_limit = space, master, inline_limit

    @contextmanager
    def stored(
        self, source: Readable, options: Put, encryption: Encryption | None, *, inline: bool = True
    ) -> Iterator[tuple[Intake, Blob | None]]:
        """All of the source, checked and durable; None for an empty body.

        When the block fails (the transaction was refused), the file goes; not when the
        commit may yet turn out to have worked: then the collector decides.
        """
        intake = Intake.of(source, options)
        blob = self._store(intake, encryption, inline=inline)
        try:
            yield intake, blob
        except Uncertain:
            raise
        except Exception:
            if blob is not None and blob.name:
                with suppress(OSError):  # the collector finds what stays
                    self._space.blobs.remove(blob.name)
            raise

    def _store(self, intake: Intake, encryption: Encryption | None, *, inline: bool) -> Blob | None:
        data = intake.read_all(self._inline_limit) if inline else None
        if data is not None:
            return self._inline(data, encryption) if data else None
        pieces: Iterable[bytes] = in_blocks(iter(intake.read, b""))
        seal = b""
        if encryption is not None:
            cipher, seal = new_cipher(encryption, self._master)
            pieces = encrypted(pieces, cipher)
        name, crcs = self._space.blobs.write(pieces)
        if intake.size == 0:
            self._space.blobs.remove(name)
            return None
        return Blob(size=intake.size, name=name, crcs=crcs, seal=seal)

    def _inline(self, data: bytes, encryption: Encryption | None) -> Blob:
        seal, size = b"", len(data)
        if encryption is not None:
            cipher, seal = new_cipher(encryption, self._master)
            data = cipher.encrypt(0, data)
        return Blob(size=size, crcs=crcs_of((data,)), seal=seal, data=data)


def draft_of(key: str, intake: Intake, blob: Blob | None, options: Put) -> Draft:
    return draft(
        key,
        size=intake.size,
        etag=intake.etag,
        options=options,
        detail=pack_detail(options, intake.checksums),
        content=content_of(blob),
    )


def draft(
    key: str,
    *,
    size: int,
    etag: str,
    options: Put,
    detail: str,
    content: ContentMaker,
) -> Draft:
    return Draft(
        key=key,
        size=size,
        etag=etag,
        content_type=options.content_type,
        storage_class=options.storage_class,
        owner=options.owner,
        detail=detail,
        content=content,
    )


def content_of(blob: Blob | None) -> ContentMaker:
    if blob is None:
        return lambda _txn, _replaced: Content()
    return lambda txn, replaced: new_content(txn, blob, replaced)
