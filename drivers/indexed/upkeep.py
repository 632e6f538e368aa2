"""What goes on behind the requests: removals, orphans, forgotten uploads and changes.

Each function is one bounded step of a job, and may be called by any worker.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

from drivers.indexed import uploads
from drivers.indexed.batch import Transaction
from drivers.indexed.space import FileSpace, Space

log = logging.getLogger("gateway.engine")

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
                "SELECT id, name FROM blobs WHERE due <= ? AND refs = 0 AND id > ?"
                " ORDER BY id LIMIT ?",
                (space.clock(), after, STEP),
            ).fetchall()
        if not due:
            break
        after = due[-1][0]
        removed += _remove(space, due)
    return removed


def _remove(space: FileSpace, due: Sequence[tuple[int, str]]) -> int:
    gone, left = [], []
    for blob, name in due:
        try:
            space.blobs.remove(name)
        except OSError as error:
            left.append(error)
        else:
            gone.append((blob,))
    if left:
        why = left[0].strerror or left[0]
        log.warning("%d files that nothing needs cannot be removed yet: %s", len(left), why)

    def forget(txn: Transaction) -> None:
        for row in gone:
            txn.execute("DELETE FROM blobs WHERE id = ? AND refs = 0", row)

    if gone:
        space.write(forget, room="remove")
    return len(gone)


def remove_orphans(space: FileSpace, *, age: float = ORPHAN_AGE) -> int:
    """Remove old files that the index does not know (a process died before its commit)."""
    steps = orphans(space, age=age)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return cast(int, end.value)


def orphans(space: FileSpace, *, age: float = ORPHAN_AGE) -> Generator[int, None, int]:
    """The same in steps, each a file: how many were looked at, and in the end how many went."""
    oldest = time.time() - age
    removed = 0
    for number, (name, changed) in enumerate(space.files.names()):
        yield number
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
    return space.write(lambda txn: uploads.forget_ended(txn, space.clock()), room="remove")


_DROPPED = """
    WITH RECURSIVE found (service) AS (
        SELECT min(service) FROM changes
        UNION ALL
        SELECT (SELECT min(service) FROM changes WHERE service > found.service)
        FROM found WHERE service IS NOT NULL)
    SELECT service FROM found WHERE service NOT IN (SELECT id FROM services)"""
"""One seek for each service that has changes, however many it has. An id is never used
again, and a write is refused where there is no service: what is found stays dropped."""

_FORGET = """
    DELETE FROM changes WHERE service = ? AND sequence <= (
        SELECT max(sequence) FROM (
            SELECT sequence FROM changes WHERE service = ? ORDER BY sequence LIMIT ?))"""


def forget_changes(space: Space) -> int:
    """Remove the changes of services that were dropped, in steps between which others
    write; how many went."""
    removed, until = 0, time.monotonic() + PATIENCE
    with space.reading() as connection:
        dropped = connection.execute(_DROPPED).fetchall()
    for (service,) in dropped:
        gone = STEP
        while gone == STEP and time.monotonic() < until:
            gone = space.write(partial(forget_some_changes, service), room="remove")
            removed += gone
    return removed


def forget_some_changes(service: int, txn: Transaction) -> int:
    """The oldest; how many went."""
    return txn.execute(_FORGET, (service, service, STEP)).rowcount
