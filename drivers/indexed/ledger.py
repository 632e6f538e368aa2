"""A service's row while an operation changes it: numbers, usage, quota, and the feed."""

from __future__ import annotations

from typing import Literal

from drivers.indexed.commit import Transaction
from drivers.indexed.records import Row
from gateway.storage import Full, NoSuchStore, Versioning


class Ledger:
    """A service's row, read at the start of an operation and written at its end."""

    __slots__ = (
        "_before",
        "bytes",
        "objects",
        "quota",
        "sequence",
        "service",
        "time",
        "versioning",
    )

    def __init__(self, txn: Transaction, service: int, time: int) -> None:
        row = txn.one(
            "SELECT versioning, sequence, objects, bytes, quota FROM services WHERE id = ?",
            (service,),
        )
        if row is None:
            raise NoSuchStore
        self.versioning: Versioning = row[0]
        self.sequence: int = row[1]
        self.objects: int = row[2]
        self.bytes: int = row[3]
        self.quota: int | None = row[4]
        self.service, self.time, self._before = service, time, self.sequence

    @property
    def versioned(self) -> bool:
        return self.versioning != "off"

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size
        if self.quota is not None and self.bytes > self.quota:
            raise Full(f"The quota of {self.quota} bytes is reached.")

    def remove(self, size: int) -> None:
        self.objects -= 1
        self.bytes -= size

    def change(
        self, txn: Transaction, kind: Literal["put", "delete", "purge", "update"], row: Row
    ) -> None:
        """Number a change and write it to the feed."""
        txn.execute(
            "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self.service, self.sequence, kind, self.time, row.key, row.version,
                row.size, row.etag, row.content_type,
            ),
        )  # fmt: skip

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def save(self, txn: Transaction) -> None:
        if self.sequence != self._before:
            txn.execute(
                "UPDATE services SET sequence = ?, objects = ?, bytes = ? WHERE id = ?",
                (self.sequence, self.objects, self.bytes, self.service),
            )
