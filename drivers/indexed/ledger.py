"""What a service's row counts, while a transaction changes it: sequence, usage, quota."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.storage import Full, NoSuchStore, Versioning


class Ledger:
    """A service's row, read when a transaction first needs it, and written at its end."""

    __slots__ = (
        "_saved", "bytes", "objects", "quota", "sequence", "service", "versioning", "waiting",
    )  # fmt: skip

    def __init__(self, one: Callable[..., Any], service: int) -> None:
        row = one(
            "SELECT versioning, sequence, objects, bytes, quota, waiting FROM services"
            " WHERE id = ?",
            (service,),
        )
        if row is None:
            raise NoSuchStore
        self.versioning: Versioning = row[0]
        self.sequence: int = row[1]
        self.objects: int = row[2]
        self.bytes: int = row[3]
        self.quota: int | None = row[4]
        self.waiting: int = row[5]
        """Bytes of the parts of uploads under way."""
        self.service, self._saved = service, self.state

    @property
    def versioned(self) -> bool:
        return self.versioning != "off"

    @property
    def state(self) -> tuple[int, int, int, int]:
        return self.sequence, self.objects, self.bytes, self.waiting

    @state.setter
    def state(self, state: tuple[int, int, int, int]) -> None:
        self.sequence, self.objects, self.bytes, self.waiting = state

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size
        self._check(self.bytes)

    def wait(self, size: int) -> None:
        """A part comes. Objects, and all parts that wait, are within the quota."""
        self._check(self.bytes + self.waiting + size)
        self.waiting += size

    def _check(self, total: int) -> None:
        if self.quota is not None and total > self.quota:
            raise Full(f"The quota of {self.quota} bytes is reached.")

    def remove(self, size: int) -> None:
        self.objects -= 1
        self.bytes -= size

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def save(self, execute: Callable[..., Any]) -> None:
        state = self.state
        if state != self._saved:
            execute(
                "UPDATE services SET sequence = ?, objects = ?, bytes = ?, waiting = ?"
                " WHERE id = ?",
                (*state, self.service),
            )
            self._saved = state
