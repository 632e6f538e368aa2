"""Numbers of accounts, for interfaces that call them by one: made when they are first asked
for, and no other account's afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.access.identity import Identity, NumberedAccount


class AccountNumbers(Protocol):
    def number(self, account: str) -> int:
        """Raises `Full` and `Unavailable`, where it could not be given one."""

    def account(self, number: int) -> str | None:
        """Which has it, or had it while it was there."""

    def seen_by(self, identity: Identity) -> Sequence[NumberedAccount]:
        """The accounts that are the identity's to know, by number: all, for who may do
        everything; its own, for who acts for one. Raises `Forbidden` for who acts for none."""
