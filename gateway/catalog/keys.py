"""The catalog's keys as they are looked up and listed; `users` has their changes.

Declared ones (the configuration's, and the environment's root key) come first
and cannot be changed here. A secret is opened when its key is first used.

Each key that was ever seen has a number, declared ones too: neither it nor the id is another
key's afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, insert, select

from gateway.access.identity import ROOT_ACCOUNT, Account, Credential, Identity
from gateway.catalog.accounts import AccountTable, user_name
from gateway.catalog.database import Database
from gateway.catalog.rows import KeyInfo
from gateway.catalog.schema import (
    ACCOUNTS,
    KEY_NUMBERS,
    KEYS,
    get_meta,
    is_text,
)
from gateway.catalog.secrets import Keyring
from gateway.config import VolumeOptions
from gateway.storage import NOTHING, Full, Unavailable

FIRST_KEY = "first_key"
"""In `meta`: the id of the key that was made at the first start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declarations:
    """What the configuration says. While the environment gives a `root` key, the one
    that was made at the first start does not count."""

    accounts: Sequence[Account] = ()
    keys: Sequence[Credential] = ()
    root: Credential | None = None
    sids: frozenset[str] = frozenset()
    volumes: Mapping[str, VolumeOptions] = NOTHING


NUMBERED = select(
    KEYS,
    KEY_NUMBERS.c.number,
    KEY_NUMBERS.c.manages,
    KEY_NUMBERS.c.revoked,
    ACCOUNTS.c.name,
).select_from(
    KEY_NUMBERS.join(KEYS, KEYS.c.id == KEY_NUMBERS.c.key).outerjoin(
        ACCOUNTS, ACCOUNTS.c.id == KEYS.c.account
    )
)
"""What a `KeyInfo` is made of."""


class KeyTable(AccountTable):
    """Implements `gateway.access.identity.Keys`."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        declared: Declarations,
        clock: Callable[[], int],
    ) -> None:
        super().__init__(database, clock)
        self.keyring, self._root = keyring, declared.root
        keys = [*declared.keys, *([declared.root] if declared.root else [])]
        self._keys = {one.id: one for one in keys}
        self._by_secret = {keyring.index(one.secret.reveal()): one for one in keys}
        self._accounts = {
            ROOT_ACCOUNT: Account(id=ROOT_ACCOUNT, name=ROOT_ACCOUNT),
            **{one.id: one for one in declared.accounts},
        }
        self._numbers: Mapping[str, int] = {}
        with database.reading() as connection:
            first = get_meta(connection, FIRST_KEY)
        self._set_aside = first if declared.root else None

    def credential(self, key: str) -> Credential | None:
        """The key of that id that may be used now."""
        declared = self._keys.get(key)
        if declared is not None:
            return declared
        memory = self._current()
        known = memory.credentials.get(key)
        if known is not None:
            return known
        loaded = self._load_key(is_text(KEYS.c.id, key))
        return loaded and memory.credentials.keep(key, loaded)

    def credential_by_secret(self, secret: str) -> Credential | None:
        """The key that has that secret. What is looked up is its HMAC, so that the time
        it takes says nothing of other secrets."""
        index = self.keyring.index(secret)
        return _having(secret, self._by_secret.get(index) or self._found_by(index))

    def credential_by_both(self, key: str, secret: str) -> Credential | None:
        return _having(secret, self._found_by(self.keyring.index(together(key, secret))))

    def _found_by(self, index: bytes) -> Credential | None:
        memory = self._current()
        found = memory.by_secret.get(index)
        if found is None:
            found = self._load_key(KEYS.c.lookup == index)
            if found is not None:
                memory.by_secret.keep(index, found)
        return found

    def _load_key(self, which: ColumnElement[bool]) -> Credential | None:
        with self._database.reading() as connection:
            row = connection.execute(NUMBERED.where(which, KEYS.c.active)).first()
        if row is None or row.id == self._set_aside or row.id in self._keys:
            return None
        return Credential(
            id=row.id,
            secret=self.keyring.unseal(row.id, row.sealed),
            identity=Identity(
                key=row.id, account=row.account, access=row.access, manages=row.manages
            ),
        )

    def all_keys(self) -> list[KeyInfo]:
        """All keys, declared ones first; revoked ones too."""
        with self._database.reading() as connection:
            rows = connection.execute(NUMBERED.order_by(KEYS.c.id)).all()
        return self._declared_keys() + [self._info(row) for row in rows]

    def _info(self, row: Row[Any]) -> KeyInfo:
        """Of a row of `NUMBERED`."""
        declared = self._accounts.get(row.account)
        return KeyInfo(
            id=row.id,
            account=row.account,
            access=row.access,
            number=row.number,
            user_name=user_name(declared) if declared else row.name or row.account,
            manages=row.manages,
            active=row.active,
            revoked=row.revoked,
            created=row.created,
            description=row.description,
            set_aside=row.id == self._set_aside,
        )

    def _declared_keys(self) -> list[KeyInfo]:
        numbers = self._declared_numbers()
        return [self._declared_key(one, numbers.get(one.id, 0)) for one in self._keys.values()]

    def _declared_key(self, key: Credential, number: int) -> KeyInfo:
        identity = key.identity
        account = self.account(identity.account)
        return KeyInfo(
            id=key.id,
            account=identity.account,
            access=identity.access,
            number=number,
            user_name=user_name(account) if account else identity.account,
            manages=identity.manages,
            declared="environment" if key is self._root else "configuration",
        )

    def _declared_numbers(self) -> Mapping[str, int]:
        """Of those that have one: a full disk, or a database that is read only, gives none."""
        if len(self._numbers) < len(self._keys):
            named = select(KEY_NUMBERS.c.key, KEY_NUMBERS.c.number)
            which = named.where(KEY_NUMBERS.c.key.in_(self._keys))
            with self._database.reading() as connection:
                found = {row.key: row.number for row in connection.execute(which)}
            if len(found) < len(self._keys):
                try:
                    with self._database.writing() as connection:
                        for key in self._keys:
                            number_key(connection, key)
                        found = {row.key: row.number for row in connection.execute(which)}
                except (Full, Unavailable):  # the next who asks tries again
                    return found
            self._numbers = found
        return self._numbers


def number_key(connection: Connection, key: str) -> None:
    """Unless it was seen before."""
    if connection.scalar(select(KEY_NUMBERS.c.number).where(KEY_NUMBERS.c.key == key)) is None:
        row = {"key": key, "manages": False, "revoked": False}
        connection.execute(insert(KEY_NUMBERS).values(row))


def together(key: str, secret: str) -> str:
    """What a key is found by whose secret may be another's, too: what no secret is."""
    return f"{key}/{secret}"


def _having(secret: str, found: Credential | None) -> Credential | None:
    given = secret.encode(errors="surrogateescape")
    return (
        found if found is not None and compare_digest(found.secret.reveal_bytes(), given) else None
    )
