"""A service that is the replica of another: what is kept of that, and how it is changed.

How far it is stands in the service's row, and is written in one with what came: `sequence` is
that of the source, and so is the change feed. May surprise: while it becomes what the source is
(`begin_anew` to `settle`), there may be versions with greater numbers than that, for the source
is written to meanwhile; they are told when it follows them.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

from drivers.indexed.arriving import Arriving, Incoming
from drivers.indexed.batch import Transaction
from drivers.indexed.upkeep import STEP, forget_some_changes
from drivers.indexed.view import View
from gateway.storage import (
    NOTHING,
    Arrival,
    Change,
    Conflict,
    Encryption,
    InvalidRequest,
    ObjectInfo,
    Position,
    Put,
    Readable,
    Received,
    Replicates,
)
from gateway.storage.checksums import HASHERS

_HEX = frozenset("0123456789abcdef")
_HELD = (
    "SELECT 1 FROM objects WHERE service = ? AND key = ? AND sequence = ? AND version = ?"
    " UNION ALL"
    " SELECT 1 FROM versions WHERE service = ? AND key = ? AND sequence = ? AND version = ?"
)
_NEWEST = """SELECT MAX(number) FROM (
    SELECT sequence AS number FROM services WHERE id = ?
    UNION ALL SELECT MAX(sequence) FROM objects WHERE service = ?
    UNION ALL SELECT MAX(sequence) FROM versions WHERE service = ?)"""


class ReplicatingView(View, Replicates):
    def _replica(self, execute: Callable[..., object]) -> tuple[int, str, str]:
        sequence, feed, replica = self.row(execute, "sequence, feed, replica")
        return sequence, feed, replica

    def adopt(self, *, replace: bool = False) -> None:
        with self.space.reading() as connection:
            sequence, _, replica = self._replica(connection.execute)
        if replica:
            return
        if sequence and not replace:
            raise Conflict(
                "It was written to before, and is no replica: with `replace = true` all that its"
                " source has not is removed."
            )

        def operation(txn: Transaction) -> None:
            self._mark(txn, "unsettled")

        self.space.write(operation)

    def promote(self) -> None:
        """Be a plain store, also where it was a replica. Its own changes get greater numbers
        than all that it has, and who follows it is told that it is another feed."""
        with self.space.reading() as connection:
            if not self._replica(connection.execute)[2]:
                return

        def operation(txn: Transaction) -> None:
            (newest,) = txn.one(_NEWEST, (self.service,) * 3)
            txn.execute(
                "UPDATE services SET sequence = ?, feed = ?, replica = '' WHERE id = ?",
                (newest, secrets.token_hex(8), self.service),
            )

        self.space.write(operation)

    def position(self) -> Position:
        with self.space.reading() as connection:
            sequence, feed, replica = self._replica(connection.execute)
        return Position(feed if replica == "settled" else "", sequence)

    def holds(self, key: str, version: str, sequence: int) -> bool:
        one = (self.service, key, sequence, version)
        return self.space.one(_HELD, one + one) is not None

    def receive(self, info: ObjectInfo, body: Readable) -> Received:
        """Under the gateway's own key what the source keeps encrypted, under whichever."""
        encryption = None if info.encryption is None else Encryption()
        return Incoming(self.writer.stored(body, _promised(info), encryption), encryption)

    def follow(self, feed: str, changes: Sequence[Arrival]) -> None:
        def operation(txn: Transaction) -> None:
            _, known, replica = self._replica(txn.execute)
            if (known, replica) != (feed, "settled"):
                raise Conflict("It does not follow that feed.")
            for one in changes:
                self._arriving(txn, one.change).take(one)

        self._write(operation, changes)
        self.announce()

    def begin_anew(self) -> None:
        def operation(txn: Transaction) -> None:
            if not self._replica(txn.execute)[2]:
                raise Conflict("It is no replica.")
            self._mark(txn, "unsettled")

        self.space.write(operation)
        while self.space.write(partial(forget_some_changes, self.service)) == STEP:
            pass  # in steps: others write between them

    def place(self, versions: Sequence[Arrival], gone: Sequence[Change]) -> None:
        def operation(txn: Transaction) -> None:
            if self._replica(txn.execute)[2] != "unsettled":
                raise Conflict("It is no replica that becomes what its source is.")
            for change in gone:
                self._arriving(txn, change).remove(change)
            for one in versions:
                self._arriving(txn, one.change).place(one)

        self._write(operation, versions)

    def settle(self, position: Position) -> None:
        def operation(txn: Transaction) -> None:
            if not self._replica(txn.execute)[2]:
                raise Conflict("It is no replica.")
            self._mark(txn, "settled")
            txn.execute(
                "UPDATE services SET feed = ?, sequence = ? WHERE id = ?",
                (position.feed, position.sequence, self.service),
            )

        self.space.write(operation)
        self.announce()

    def _mark(self, txn: Transaction, replica: str) -> None:
        txn.execute("UPDATE services SET replica = ? WHERE id = ?", (replica, self.service))

    def _arriving(self, txn: Transaction, change: Change) -> Arriving:
        due = self.space.due(self.space.clock())  # who reads it here began when it was here
        return Arriving(txn, self.service, change.time, lambda _: due)

    def _write(self, operation: Callable[[Transaction], None], taken: Sequence[Arrival]) -> None:
        with ExitStack() as stack:
            for one in taken:
                if isinstance(one.received, Incoming):
                    stack.enter_context(one.received.stored)
            self.space.write(operation, plain=True)


def _promised(info: ObjectInfo) -> Put:
    """What the bytes have to be. An ETag tells it where it is an MD5, checksums of all of them
    where they are not of parts' checksums. Raises `InvalidRequest` for one that nobody knows."""
    whole = NOTHING if info.checksum_type == "COMPOSITE" else info.checksums
    if unknown := whole.keys() - HASHERS.keys():
        raise InvalidRequest(f"{unknown.pop()!r} is no checksum.", key=info.key)
    digests = {}
    if _is_md5(info):
        digests["MD5"] = b64encode(bytes.fromhex(info.etag)).decode()
    return Put(size=info.size, checksums=dict(whole), digests=digests)


def _is_md5(info: ObjectInfo) -> bool:
    """Of what is encrypted nobody knows: a replica keeps as SSE-S3 what came with any ETag."""
    plain = info.encryption is None and not info.parts
    return plain and len(info.etag) == 32 and _HEX.issuperset(info.etag)
