"""Who makes a request: a key that belongs to an account, or nobody.

A mode's `auth.py` turns a request into an `Identity`; `access.py` beside it decides what
an identity may do. Keys come from the catalog and the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hmac import compare_digest
from typing import Literal, NamedTuple, Protocol

from gateway.storage import Forbidden, Secret

Level = Literal["own", "read-all", "write-all", "admin"]
ServiceLevel = Literal["read", "write", "admin"]
KeyAccess = Level | Mapping[str, ServiceLevel]
"""What a key may do: a level for all services, or a table of services.

own: create services, administer its account's, and what grants give; read-all,
write-all: that in every service, and nothing else, whatever its account owns; admin:
everything.
"""

LEVELS: tuple[Level, ...] = ("own", "read-all", "write-all", "admin")
SERVICE_LEVELS: tuple[ServiceLevel, ...] = ("read", "write", "admin")
ROOT_ACCOUNT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """`id` is the canonical user id in S3 answers."""

    id: str
    name: str = ""
    email: str = ""


class NumberedAccount(NamedTuple):
    """An account as interfaces know it that call accounts by a number. `created`: milliseconds
    since the epoch; 0 of one that is declared."""

    number: int
    account: Account
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`account` is "" for an anonymous request, and only then `key` is too. `manages`: the keys
    and services of its account; one with `admin` manages everything, whatever this says."""

    key: str = ""
    account: str = ""
    access: KeyAccess = "own"
    manages: bool = False

    @property
    def manages_everything(self) -> bool:
        return self.access == "admin"

    @property
    def reaches_everything(self) -> bool:
        """Every service there is, whoever owns it and whatever that gives to others."""
        return isinstance(self.access, str) and self.access != "own"

    @property
    def manages_something(self) -> bool:
        return self.manages or self.manages_everything


ANONYMOUS = Identity()


@lru_cache(maxsize=1024)
def visitor(sid: str, level: ServiceLevel = "read") -> Identity:
    """Nobody in particular, who comes to that service by a door that was opened to everybody. The
    permission is that somebody has declared the door: as if all had a key with that access. What
    the service's rules deny to everybody is denied to them, too."""
    return Identity(access={sid: level})


def acting_for(identity: Identity) -> str:
    """The account whose rights the key has; "" when it has only those that its access
    names (a table, `read-all`, `write-all`), whatever its account owns."""
    return identity.account if identity.access in ("own", "admin") else ""


def account_of(identity: Identity) -> str:
    """The same for what only an account can have. Raises `Forbidden`."""
    account = acting_for(identity)
    if not account:
        raise Forbidden("This key acts for no account.")
    return account


def owner_listed(identity: Identity, *, every: bool) -> str | None:
    """Whose things are listed: its account's, or (`every`, None) everybody's, for who manages
    everything. Raises `Forbidden`."""
    account = account_of(identity)
    if every and not identity.manages_everything:
        raise Forbidden("This key may not see what everybody has.")
    return None if every else account


def managing(account: str) -> Level:
    """The access of a key that is made to manage that account, unless another is asked for."""
    return "admin" if account == ROOT_ACCOUNT else "own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A key that can prove itself: its secret, and whom it stands for."""

    id: str
    secret: Secret
    identity: Identity


class Keys(Protocol):
    """Where a mode looks keys up; a revoked key is not found, in any worker."""

    def credential(self, key: str) -> Credential | None: ...

    def credential_by_secret(self, secret: str) -> Credential | None: ...

    def credential_by_both(self, key: str, secret: str) -> Credential | None:
        """One that is found by id and secret together alone: others may have the same secret."""


def proved(keys: Keys, id: str, secret: str) -> Credential | None:
    """The key of that id, when that is its secret. It is found by the secret: so the time that
    this takes says nothing of whether there is a key of that id."""
    found = None
    if secret:
        found = keys.credential_by_secret(secret) or keys.credential_by_both(id, secret)
    same = found is not None and compare_digest(id.encode("utf-8", "replace"), found.id.encode())
    return found if same else None
