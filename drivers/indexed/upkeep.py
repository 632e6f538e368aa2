"""What goes on behind the requests: removals, orphans, forgotten uploads, scrub.

Each function is one bounded step of a job, and may be called by any worker.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from drivers.indexed import uploads
from drivers.indexed.batch import Transaction
from drivers.indexed.blobs import verified
from drivers.indexed.cipher import BLOCK, TAG
from drivers.indexed.space import FileSpace, Space
from gateway.storage import Corrupt

STEP = 1000
PATIENCE = 20.0
"""Seconds after which a job lets others have their turn."""

ORPHAN_AGE = 24 * 3600
"""Seconds for which a file that the index does not know is left alone: an upload
that is being written has one, and writes to it."""


def remove_due(space: FileSpace) -> int:
    """Remove the files that nothing needs any more; how many went.

    The file goes first: its row keeps it from being an orphan until then, and
    what cannot be removed yet (it is open, on Windows) stays for the next time.
    """
    removed, after, until = 0, 0, time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with space.reading() as connection:
            due = connection.execute(
                "SELECT id, name FROM blobs WHERE due <= ? AND id > ? ORDER BY id LIMIT ?",
                (space.clock(), after, STEP),
            ).fetchall()
        if not due:
            break
        after = due[-1][0]
        removed += _remove(space, due)
    return removed


def _remove(space: FileSpace, due: Sequence[tuple[int, str]]) -> int:
    gone = []
    for blob, name in due:
        with suppress(OSError):
            space.blobs.remove(name)
            gone.append((blob,))

    def forget(txn: Transaction) -> None:
        for row in gone:
            txn.execute("DELETE FROM blobs WHERE id = ? AND refs = 0", row)

    if gone:
        space.write(forget)
    return len(gone)


def remove_orphans(space: FileSpace, *, age: float = ORPHAN_AGE) -> int:
    """Remove old files that the index does not know (a process died before its commit)."""
    oldest = time.time() - age
    removed = 0
    for name, changed in space.files.names():
        if changed > oldest or _known(space, name):
            continue

        def remove(txn: Transaction, name: str = name) -> int:
            # Under the write lock nobody commits a blob of that name meanwhile.
            if txn.one("SELECT 1 FROM blobs WHERE name = ?", (name,)) is not None:
                return 0
            with suppress(OSError):
                space.blobs.remove(name)
                return 1
            return 0

        removed += space.write(remove)
    return removed


def _known(space: Space, name: str) -> bool:
    return space.one("SELECT 1 FROM blobs WHERE name = ?", (name,)) is not None


def forget_uploads(space: Space) -> int:
    """Drop the answers of uploads that were completed long ago."""
    return space.write(lambda txn: uploads.forget_ended(txn, space.clock()))


class Damage(NamedTuple):
    """A blob whose bytes are not those that were written, and what it belongs to."""

    blob: int
    message: str
    keys: tuple[tuple[str, str], ...]
    """(service, key) of the objects that need it."""


def scrub(space: Space) -> Iterator[Damage]:
    """Check every block of every blob against its CRC."""
    after = 0
    while True:
        with space.reading() as connection:
            row = connection.execute(
                "SELECT id, name, crcs, seal, data FROM blobs"
                " WHERE id > ? AND refs > 0 ORDER BY id LIMIT 1",
                (after,),
            ).fetchone()
        if row is None:
            return
        after = row[0]
        message = _damage(space, *row[1:])
        if message:
            yield Damage(after, message, tuple(_keys(space, after)))


def _damage(
    space: Space, name: str | None, crcs: bytes | None, seal: bytes | None, data: bytes | None
) -> str:
    try:
        if data is not None:
            blocks = iter((data,))
        else:
            blocks = space.blobs.blocks(name or "", 0, BLOCK + TAG if seal else BLOCK)
        count = sum(1 for _ in verified(blocks, crcs or b"", 0)) if crcs else 0
    except Corrupt as error:
        return error.message
    except FileNotFoundError:
        return "Its file is gone."
    return "Its file is too short." if count * 4 != len(crcs or b"") else ""


def _keys(space: Space, blob: int) -> Iterator[tuple[str, str]]:
    from drivers.indexed.records import unpack_pieces

    with space.reading() as connection:
        manifests = [
            number
            for number, pieces in connection.execute("SELECT id, pieces FROM manifests")
            if any(piece.blob == blob for piece in unpack_pieces(pieces))
        ]
        for table in ("objects", "versions"):
            sql = (
                f"SELECT s.name, o.key FROM {table} o JOIN services s ON s.id = o.service"
                " WHERE o.blob = ? OR o.manifest IN (SELECT value FROM json_each(?))"
            )
            yield from connection.execute(sql, (blob, str(manifests)))
