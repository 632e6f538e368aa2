"""A volume inside a write's transaction: what its services have together, and may have.

Nobody counts it there a second time. It is what the volume's row says, and what the ledgers
of its services have become since they were read: so whatever changes a service's numbers has
changed the volume's, and of several writers in one transaction each sees those before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from gateway.storage import QuotaExceeded


class Member(Protocol):
    """A service's ledger."""

    @property
    def added(self) -> int:
        """Bytes that it has more, or less, than the volume's row knows of."""


class SharedQuota:
    __slots__ = ("_stored", "members", "name", "quota", "volume")

    def __init__(self, one: Callable[..., Any], volume: int) -> None:
        row = one("SELECT name, quota, used FROM volumes WHERE id = ?", (volume,))
        self.name: str = row[0]
        self.quota: int | None = row[1]
        self._stored: int = row[2]
        self.volume = volume
        self.members: list[Member] = []

    @property
    def used(self) -> int:
        return self._stored + sum([one.added for one in self.members])

    def limit(self, grown: int) -> None:
        """Refuse the last so many bytes of a member where all have more than the quota."""
        used, quota = self.used, self.quota
        before = used - grown
        if quota is not None and used > max(quota, before):
            raise QuotaExceeded(quota=quota, used=before, size=grown, volume=self.name)

    def save(self, execute: Callable[..., Any], added: int) -> None:
        """Write what a member has added; it is `added` no more then."""
        execute("UPDATE volumes SET used = used + ? WHERE id = ?", (added, self.volume))
        self._stored += added
