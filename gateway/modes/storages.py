"""Storages, as modes see and change them: services that accounts make for their files, each with a
user of its own for who brings these by FTP.

A storage is a service like any other, which every mode reaches by its sid, its name. Who may is
asked in each method, first: what is another account's is `NotFound`, as if it were not there; who
manages everything reaches all by their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from gateway.access.identity import Identity
from gateway.storage import Secret, Stats

REGIONS = ("europe", "north-america")
"""What accounts may say: labels, for all storages are in this gateway."""


@runtime_checkable
class SayingFtp(Protocol):
    """A table of a mode that says where storages are reached by FTP."""

    @property
    def ftp(self) -> str:
        """A host, with its port; "" where nobody says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """`number` is never another's. `user` is the id of a key that reaches it and nothing else, and
    `password` the key's secret, None where the key was switched off. `region` is whatever its
    account says. `created`: milliseconds since the epoch."""

    number: int
    account: str
    sid: str
    region: str
    user: str
    password: Secret | None
    created: int


class Storages(Protocol):
    """`Gateway.storages`. Every answer is current in every worker."""

    def make(self, identity: Identity, name: str, region: str) -> Storage:
        """An empty one of the identity's account, with a password that is made up. Raises
        `Forbidden`; `BadKey` where the name is none of a bucket; `AlreadyExists`, whoever has
        something of that name, or had files in it; `InvalidRequest` when the account has as many
        as it may have."""

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        before: int | None = None,
        limit: int | None = None,
    ) -> Sequence[Storage]:
        """Those of the identity's account, the newest first, with numbers below `before`;
        `every`: all, for who manages everything, else `Forbidden`."""

    def find(self, identity: Identity, number: int) -> Storage: ...

    def size(self, identity: Identity, number: int) -> Stats:
        """How much is in it."""

    def ftp_place(self, host: str) -> str | None:
        """Where FTP is, as a table says (`SayingFtp`); else at the first listener that speaks it,
        by the name by which somebody came. With a port that is not 21. None: nowhere."""

    def change_password(self, identity: Identity, region: str) -> Secret:
        """One for all storages that the identity's account has there; whoever has the one before
        is refused from now on. Raises `NotFound` where it has none."""

    def drop(self, identity: Identity, number: int) -> None:
        """Raises `NotEmpty`; `Conflict` while something has it as its origin."""
