"""Bodies into blobs, before the transaction that makes an object of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from drivers.indexed.batch import Uncertain
from drivers.indexed.blobs import Blob, Crcs, encrypted
from drivers.indexed.cipher import BLOCK, new_cipher
from drivers.indexed.content import Content, ContentMaker, new_content
from drivers.indexed.records import pack_detail
from drivers.indexed.shelf import Draft
from drivers.indexed.space import Space
from gateway.storage import Encryption, Filling, Intake, Put, Readable, Secret


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
        crcs = Crcs() if self._space.blobs.checked and encryption is None else None
        intake = Intake.of(Filling(source), options, {} if crcs is None else {"CRC32": crcs})
        blob = self._store(intake, crcs, encryption, inline=inline)
        try:
            yield intake, blob
        except Uncertain:
            raise
        except Exception:
            if blob is not None and blob.name:
                with suppress(OSError):  # the collector finds what stays
                    self._space.blobs.remove(blob.name)
            raise

    def _store(
        self, intake: Intake, crcs: Crcs | None, encryption: Encryption | None, *, inline: bool
    ) -> Blob | None:
        """`crcs` are filled by the intake, where it sees the bytes as they are stored."""
        data = intake.read_all(self._inline_limit) if inline else None
        if data == b"":
            return None
        blocks = iter(partial(intake.read, BLOCK), b"") if data is None else iter((data,))
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
                self._space.blobs.remove(name)
                return None
        packed = b"" if crcs is None else bytes(crcs.packed)
        return Blob(size=intake.size, name=name, crcs=packed, seal=seal, data=data)


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
