"""What is stored: entries and blocks, in an index and a blob space of the engine.

A block is written before the index knows it, so a process that is killed
leaves files that nobody asks for, and never half a block. Nothing is synced:
what a power cut tears, or a disk changes, is found when it is read, by its CRCs
(or by its encryption, where it has one).
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from drivers.cache import rows, selecting
from drivers.cache.entries import BEYOND, CacheEntry, Held, Unreadable, typed
from drivers.cache.rows import NoRoom
from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import Blob
from drivers.indexed.blocks import Crcs, decrypted, encrypted, plain_range, verified
from drivers.indexed.cipher import BLOCK as BLOB_BLOCK
from drivers.indexed.cipher import Cipher, Sealing
from drivers.indexed.space import FileSpace, MemorySpace, Space
from gateway.common import looking
from gateway.storage import Corrupt, Encryption, IteratorBody, Secret, WrongKey, read_full

log = logging.getLogger("gateway.cache")

HIGH = 0.99
"""Of the limit: from there on the background makes room."""

INLINE = 64 * 1024
"""Bytes up to which a block lies in the index."""

_NEEDED = 1 << 20
"""Bytes that are to be free before databases are opened: SQLite has files of its own."""
_GIVEN = 16
"""Blocks that go where they are not: each has more than `INLINE` bytes."""

_ROW = (int, int, int, int, int, str, str)
"""What an entry's columns have."""

_BLOCK = "k.number, k.blob, b.name, b.crcs, b.seal, b.data, b.size"
_FIND = (
    "SELECT e.id, e.point, e.fetched, e.until, e.used, e.tags, e.text, "
    f"{_BLOCK} FROM cache_entries e"
    " LEFT JOIN cache_blocks k ON k.entry = e.id AND k.number = 0"
    " LEFT JOIN blobs b ON b.id = k.blob WHERE e.key = ? AND e.variant = ?"
)
_BLOCKS = (
    f"SELECT {_BLOCK} FROM cache_blocks k JOIN blobs b ON b.id = k.blob"
    " WHERE k.entry = ? AND k.number BETWEEN ? AND ?"
)


_AMONG = "FROM cache_entries WHERE key = ? AND variant > ? AND variant < ?"
_VARIANTS = f"SELECT count(*) {_AMONG}"
_UNUSED = f"SELECT id {_AMONG} ORDER BY used DESC, id DESC LIMIT -1 OFFSET ?"


def _give_way(blobs: Path) -> None:
    """Remove some blocks without an index: what asks for them finds them missing."""
    for path in islice(blobs.glob("??/*"), _GIVEN):
        with suppress(OSError):
            path.unlink()


def _blocks(pieces: Sequence[bytes], cipher: Cipher | None) -> Iterator[bytes]:
    """The pieces in blocks of the engine's blobs."""
    body = IteratorBody(iter(pieces))
    blocks = iter(lambda: read_full(body, BLOB_BLOCK), b"")
    return blocks if cipher is None else encrypted(blocks, cipher)


def _entry(key: str, variant: str, row: Sequence[Any]) -> CacheEntry:
    """What `_FIND` found. Raises `Unreadable`."""
    typed(row[:7], _ROW)
    number, point, fetched, until, used, tags, text = row[:7]
    entry = CacheEntry(
        key, variant, id=number, point=point, fetched=fetched, until=until,
        tags=tuple(tags.split("\n")) if tags else (),
    )  # fmt: skip
    entry.used = used
    entry.load(text)
    if row[-1] is not None:
        entry.blocks[0] = Held.of(row[8:])
    return entry


class Stock:
    """`limit` is what may be stored; `eviction.Evictor` makes room below it."""

    def __init__(self, space: Space, *, limit: int, master: Secret | None) -> None:
        self.space, self.limit, self._sealing = space, limit, Sealing(master)
        self.shared = isinstance(space, FileSpace)
        """Other processes have it too."""
        self.total = 0
        """Bytes stored, when this process last looked."""
        self._warned = False
        space.write(rows.create)

    @classmethod
    def on_disk(
        cls, folder: Path, clock: Callable[[], int], *, limit: int, master: Secret | None
    ) -> Stock:
        if looking.is_there(folder) and shutil.disk_usage(folder).free < _NEEDED:
            _give_way(folder / "blobs")
        space = FileSpace(folder, clock, sync=False, grace=0, later=(), keep_file=rows.keep_file)
        return cls(space, limit=limit, master=master)

    @classmethod
    def in_memory(cls, clock: Callable[[], int], *, limit: int, master: Secret | None) -> Stock:
        return cls(MemorySpace(clock), limit=limit, master=master)

    def close(self) -> None:
        self.space.close()

    @property
    def now(self) -> int | None:
        """When what nothing needs may go: now; by itself, in memory."""
        return None if self.space.grace is None else self.space.clock()

    # reading

    def find(self, key: str, variant: str) -> CacheEntry | None:
        """None also for what cannot be read, or is from beyond the clock: it goes."""
        row = self.space.one(_FIND, (key, variant))
        if row is None:
            return None
        try:
            entry = _entry(key, variant, row)
        except Unreadable as error:
            self._warn(error)
        else:
            if entry.fetched <= self.space.clock() + BEYOND:
                return entry
        self.drop(row[0])
        return None

    def _warn(self, error: Unreadable) -> None:
        """Once: what cannot be read is asked for anew."""
        if not self._warned:
            self._warned = True
            log.warning("an entry of the cache cannot be read, and is fetched again: %s", error)

    def blocks(self, entry: int, first: int, last: int) -> dict[int, Held]:
        """Those that are stored, of a stretch. What cannot be read goes."""
        with self.space.reading() as connection:
            stored = connection.execute(_BLOCKS, (entry, first, last)).fetchall()
        found: dict[int, Held] = {}
        for number, *row in stored:
            try:
                found[number] = Held.of(row)
            except Unreadable as error:
                self._warn(error)
                self.drop_block(entry, number, row[0])
        return found

    def open(self, held: Held, start: int, length: int) -> Iterator[bytes]:
        """Bytes of a block. Raises `FileNotFoundError` at once when it was removed, and
        `Corrupt`, before it gives what does not fit."""
        cipher, crcs = None, held.crcs or b""
        if held.seal is not None:
            cipher, crcs = self._cipher(held.seal), b""
        if held.data is None:
            blobs = self.space.blobs
            blob = Blob(held.size, held.name or "", crcs)
            return plain_range(blobs, blob, start, length, cipher=cipher, known=blobs.known)
        pieces = iter((held.data,))
        if crcs:
            pieces = verified(pieces, crcs, 0)
        if cipher is not None:
            pieces = decrypted(pieces, cipher, 0)
        return (piece[start : start + length] for piece in pieces)

    def _cipher(self, seal: bytes) -> Cipher:
        try:
            return self._sealing.open(seal, Encryption())
        except WrongKey as error:  # the gateway's own is another now
            raise Corrupt("A block is encrypted under a key that is gone.") from error

    def make_room_for_variant(self, key: str, query: str) -> None:
        """Let go of variants beyond those that there may be beside one more: those that were
        unused longest."""
        between = (key, *selecting.bounds(query))
        if self.space.one(_VARIANTS, between)[0] < selecting.MOST:
            return

        def operation(txn: Transaction) -> None:
            unused = txn.execute(_UNUSED, (*between, selecting.MOST - 1)).fetchall()
            for (entry,) in unused:
                rows.drop_entry(txn, entry, self.now)

        self.space.write(operation)

    # storing

    def write(self, pieces: Sequence[bytes], *, sealed: bool) -> Blob:
        """A block that the index does not know yet. `sealed`: encrypted."""
        size, seal, cipher = sum(map(len, pieces)), b"", None
        if sealed:
            cipher, seal = self._sealing.new(Encryption())
        crcs = Crcs()
        blocks = _blocks(pieces, cipher)
        if cipher is None and self.space.blobs.checked:
            blocks = crcs.through(blocks)
        if size <= INLINE:
            data = b"".join(blocks)
            return Blob(size=size, data=data, crcs=bytes(crcs.packed), seal=seal)
        name = self.space.blobs.write(blocks)
        return Blob(size=size, name=name, crcs=bytes(crcs.packed), seal=seal)

    def discard(self, blobs: Sequence[Blob]) -> None:
        """Remove what was written and will not be stored."""
        for blob in blobs:
            if blob.name:
                self.space.blobs.discard(blob.name)

    def store(self, entry: CacheEntry, blocks: Sequence[tuple[int, Blob]], claim: int = 0) -> None:
        """Let the index know the entry, these blocks of it, and that `claim` has ended.

        The entry is settled. Raises `Refused`, `NoRoom`, `StorageError`, with nothing changed.
        """
        text = "" if entry.id else entry.dump()

        def operation(txn: Transaction) -> tuple[int, dict[int, Held], list[Blob]]:
            now, added, kept, twice = self.now, 0, dict[int, Held](), list[Blob]()
            number = entry.id
            if not number:
                number, added = rows.place(txn, entry, text, now)
            elif not rows.touch(txn, number, entry.used):
                raise rows.Refused
            for block, blob in blocks:
                row = rows.add_block(txn, number, block, blob, entry.used)
                if row is None:
                    twice.append(blob)
                    continue
                kept[block] = Held(
                    row, blob.name or None, blob.crcs, blob.seal or None, blob.data, blob.size
                )
                added += rows.cost_of_blob(blob.size, blob.name or None)
            if claim:
                txn.execute("DELETE FROM cache_claims WHERE id = ?", (claim,))
            total = rows.adjust(txn, added) if added else 0
            if total > self.limit and added > 0:
                raise NoRoom
            self.total = total or self.total
            return number, kept, twice

        number, kept, twice = self.space.write(operation)
        entry.id = number
        entry.blocks.update(kept)
        self.discard(twice)

    @property
    def is_high(self) -> bool:
        return self.total > HIGH * self.limit

    def drop(self, entry: int) -> None:
        self.space.write(lambda txn: rows.drop_entry(txn, entry, self.now))

    def drop_block(self, entry: int, number: int, blob: int) -> None:
        """One that turned out to be damaged or gone."""
        self.space.write(lambda txn: rows.drop_blocks(txn, [(entry, number, blob)], self.now))
