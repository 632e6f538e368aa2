"""The catalog's keys and accounts: lookups, and changes by API and command line.

Declared ones (the configuration's, and the environment's root key) come first
and cannot be changed here. A secret is opened when its key is first used.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hmac import compare_digest
from string import ascii_letters, digits

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.access.identity import ROOT_ACCOUNT, Account, Credential, Identity, KeyAccess
from gateway.catalog.cache import Cached
from gateway.catalog.database import Database
from gateway.catalog.rows import KeyInfo, key_info
from gateway.catalog.schema import ACCOUNTS, KEYS, get_meta, is_text, set_meta
from gateway.catalog.secrets import Keyring
from gateway.storage import AlreadyExists, Conflict, NotFound, Secret

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


def new_id() -> str:
    """An access key id that nobody has: 20 letters and digits, as AWS's have."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "GW" + "".join(secrets.choice(alphabet) for _ in range(18))


def new_secret() -> Secret:
    """40 letters and digits, 238 random bits: no quoting anywhere, and no "-" in front."""
    return Secret("".join(secrets.choice(ascii_letters + digits) for _ in range(40)))


class KeyTable(Cached):
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
        self._accounts = {ROOT_ACCOUNT: Account(id=ROOT_ACCOUNT, name=ROOT_ACCOUNT)}
        self._accounts.update({one.id: one for one in declared.accounts})
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
        found = self._by_secret.get(index)
        if found is None:
            memory = self._current()
            found = memory.by_secret.get(index)
            if found is None:
                found = self._load_key(KEYS.c.lookup == index)
                if found is not None:
                    memory.by_secret.keep(index, found)
        if found is None or not compare_digest(
            found.secret.reveal_bytes(), secret.encode(errors="surrogateescape")
        ):
            return None
        return found

    def _load_key(self, which: ColumnElement[bool]) -> Credential | None:
        with self._database.reading() as connection:
            row = connection.execute(select(KEYS).where(which, KEYS.c.active)).first()
        if row is None or row.id == self._set_aside or row.id in self._keys:
            return None
        return Credential(
            id=row.id,
            secret=self.keyring.unseal(row.id, row.sealed),
            identity=Identity(key=row.id, account=row.account, access=row.access),
        )

    def all_keys(self) -> list[KeyInfo]:
        """All keys, declared ones first; revoked ones too."""
        declared = [self._declared_key(one) for one in self._keys.values()]
        with self._database.reading() as connection:
            rows = connection.execute(select(KEYS).order_by(KEYS.c.id)).all()
        return declared + [key_info(row, set_aside=row.id == self._set_aside) for row in rows]

    def _declared_key(self, key: Credential) -> KeyInfo:
        place = "environment" if key is self._root else "configuration"
        identity = key.identity
        return KeyInfo(id=key.id, account=identity.account, access=identity.access, declared=place)

    def add_key(
        self,
        *,
        account: str = ROOT_ACCOUNT,
        access: KeyAccess = "own",
        id: str = "",
        secret: Secret | None = None,
        description: str = "",
    ) -> Credential:
        """Make a key; id and secret are made up when not given, the account when it is
        not there. Raises `AlreadyExists` for an id (also a revoked one's) or a secret
        that is taken, `Conflict` when the configuration declares that id."""
        identity = Identity(key=id or new_id(), account=account, access=access)
        made = Credential(id=identity.key, secret=secret or new_secret(), identity=identity)
        if made.id in self._keys:
            raise Conflict(f"The key {made.id!r} is declared in the configuration.")
        if self.keyring.index(made.secret.reveal()) in self._by_secret:
            raise AlreadyExists("Another key has that secret.")
        try:
            with self._database.writing() as connection:
                self._ensure_account(connection, account)
                self._insert_key(connection, made, description)
        except IntegrityError:
            raise AlreadyExists(
                f"There is (or was) a key {made.id!r}, or one with that secret."
            ) from None
        return made

    def make_first(self) -> Credential | None:
        """The root key of the first start; None when it was made before."""
        identity = Identity(key=new_id(), account=ROOT_ACCOUNT, access="admin")
        made = Credential(id=identity.key, secret=new_secret(), identity=identity)
        with self._database.writing() as connection:
            if get_meta(connection, FIRST_KEY) is not None:
                return None
            self._insert_key(connection, made, "made at the first start")
            set_meta(connection, FIRST_KEY, made.id)
        return made

    def _insert_key(self, connection: Connection, made: Credential, description: str) -> None:
        access = made.identity.access
        row = {
            "id": made.id,
            "account": made.identity.account,
            "access": access if isinstance(access, str) else dict(access),
            "sealed": self.keyring.seal(made.id, made.secret),
            "lookup": self.keyring.index(made.secret.reveal()),
            "active": True,
            "created": self._clock(),
            "description": description,
        }
        connection.execute(insert(KEYS).values(row))

    def revoke_key(self, key: str) -> None:
        """From the next request on it is not found, in any worker. Raises `NotFound`, and
        `Conflict` when the configuration declares it."""
        if key in self._keys:
            raise Conflict(f"The key {key!r} is declared in the configuration: remove it there.")
        change = update(KEYS).where(KEYS.c.id == key).values(active=False)
        if not self._database.removing(lambda one: bool(one.execute(change).rowcount)):
            raise NotFound(f"There is no key {key!r}.")

    def account(self, id: str) -> Account | None:
        declared = self._accounts.get(id)
        if declared is not None:
            return declared
        memory = self._current()
        known = memory.accounts.get(id)
        if known is not None:
            return known
        with self._database.reading() as connection:
            row = connection.execute(select(ACCOUNTS).where(is_text(ACCOUNTS.c.id, id))).first()
        if row is None:
            return None
        return memory.accounts.keep(id, Account(id=row.id, name=row.name, email=row.email))

    def account_by_email(self, email: str) -> Account | None:
        """The account of that address, whatever its case. None when several have it: whom
        an address means must never be a guess."""
        wanted = email.strip().lower()
        if not wanted:
            return None
        declared = [one.id for one in self._accounts.values() if one.email.lower() == wanted]
        with self._database.reading() as connection:
            rows = connection.scalars(
                select(ACCOUNTS.c.id).where(is_text(func.lower(ACCOUNTS.c.email), wanted))
            ).all()
        # A declared account hides the catalog's of the same id, with its address.
        found = declared + [id for id in rows if id not in self._accounts]
        return self.account(found[0]) if len(found) == 1 else None

    def add_account(self, account: Account) -> None:
        """Raises `AlreadyExists`, also when the configuration declares it."""
        if account.id in self._accounts:
            raise AlreadyExists(f"The account {account.id!r} exists.")
        try:
            with self._database.writing() as connection:
                self._insert_account(connection, account)
        except IntegrityError:
            raise AlreadyExists(f"The account {account.id!r} exists.") from None

    def _ensure_account(self, connection: Connection, id: str) -> None:
        exists = select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == id)
        if id not in self._accounts and connection.scalar(exists) is None:
            self._insert_account(connection, Account(id=id, name=id))

    def _insert_account(self, connection: Connection, account: Account) -> None:
        row = {"id": account.id, "name": account.name, "email": account.email}
        connection.execute(insert(ACCOUNTS).values(**row, created=self._clock()))
