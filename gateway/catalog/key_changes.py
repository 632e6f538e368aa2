"""How keys are made and revoked, by commands and APIs. Revoking is done on a full disk, too."""

from __future__ import annotations

from collections.abc import Callable, Set

from sqlalchemy import ColumnElement, Connection, String, cast, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.access.identity import ROOT_ACCOUNT, Credential, Identity, KeyAccess
from gateway.access.new_keys import new_id, new_secret
from gateway.catalog.audit import Note
from gateway.catalog.keys import FIRST_KEY, NUMBERED, KeyTable, number_key, together
from gateway.catalog.rows import MadeKey
from gateway.catalog.schema import KEY_NUMBERS, KEYS, SESSIONS, get_meta, is_text, set_meta
from gateway.storage import AlreadyExists, Conflict, NotFound, Secret


class KeyChanges(KeyTable):
    def add_key(
        self,
        *,
        account: str = ROOT_ACCOUNT,
        access: KeyAccess = "own",
        manages: bool = False,
        id: str = "",
        secret: Secret | None = None,
        description: str = "",
    ) -> Credential:
        """Make a key; id and secret are made up when not given, the account when it is
        not there. Raises `AlreadyExists` for an id (also a revoked one's) or a secret
        that is taken, `Conflict` when the configuration declares that id."""

        def account_of(connection: Connection) -> str:
            self._ensure_account(connection, account)
            return account

        info, secret = self._add_key(
            id or new_id(), secret or new_secret(), account_of, access, manages, description
        )
        identity = Identity(key=info.id, account=account, access=access, manages=manages)
        return Credential(id=info.id, secret=secret, identity=identity)

    def _add_key(
        self,
        id: str,
        secret: Secret,
        account_of: Callable[[Connection], str],
        access: KeyAccess,
        manages: bool,
        description: str,
    ) -> MadeKey:
        self._refuse_declared(id)
        self._refuse_known(secret)
        try:
            with self._database.writing() as connection:
                account = account_of(connection)
                identity = Identity(key=id, account=account, access=access, manages=manages)
                made = Credential(id=id, secret=secret, identity=identity)
                self._insert_key(connection, made, description)
                row = connection.execute(NUMBERED.where(KEYS.c.id == id)).one()
        except IntegrityError:
            raise AlreadyExists(
                f"There is (or was) a key {id!r}, or one with that secret."
            ) from None
        return MadeKey(self._info(row), secret)

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

    def _insert_key(
        self, connection: Connection, made: Credential, description: str, *, alone: bool = True
    ) -> None:
        """`alone`: the secret is enough to find it by; else it may be another key's, too."""
        identity = made.identity
        access = identity.access if isinstance(identity.access, str) else dict(identity.access)
        row = {
            "id": made.id,
            "account": identity.account,
            "access": access,
            "sealed": self.keyring.seal(made.id, made.secret),
            "lookup": self._lookup(made.id, made.secret, alone=alone),
            "active": True,
            "created": self._clock(),
            "description": description,
        }
        connection.execute(insert(KEYS).values(row))
        number_key(connection, made.id)  # it may have been a declared one's
        manages = update(KEY_NUMBERS).where(KEY_NUMBERS.c.key == made.id)
        connection.execute(manages.values(manages=identity.manages))
        said = {"account": identity.account, "access": access, "manages": identity.manages}
        self._note(connection, "key.add", made.id, **said)

    def _lookup(self, id: str, secret: Secret, *, alone: bool) -> bytes:
        """By what a key is found whose secret is presented: `alone`, or with its id."""
        text = secret.reveal()
        return self.keyring.index(text if alone else together(id, text))

    def revoke_key(self, key: str) -> None:
        """From the next request on it is not found, in any worker, and its sessions are over;
        neither its id nor its number is given again. Raises `NotFound`, and `Conflict` when the
        configuration declares it."""
        self._refuse_declared(key, ": remove it there")
        self._removing(lambda connection, note: revoke(connection, key, note))

    def _refuse_declared(self, key: str, do: str = "") -> None:
        if key in self._keys:
            raise Conflict(f"The key {key!r} is declared in the configuration{do}.")

    def _refuse_known(self, secret: Secret) -> None:
        if self.keyring.index(secret.reveal()) in self._by_secret:
            raise AlreadyExists("Another key has that secret.")


def revoke(connection: Connection, key: str, note: Note) -> None:
    change = update(KEYS).where(is_text(KEYS.c.id, key)).values(active=False)
    if not connection.execute(change).rowcount:
        raise NotFound(f"There is no key {key!r}.")
    numbered = update(KEY_NUMBERS).where(is_text(KEY_NUMBERS.c.key, key))
    connection.execute(numbered.values(revoked=True))
    end_sessions(connection, key)
    note("key.revoke", key)


def end_sessions(connection: Connection, key: str) -> int:
    """How many the key had."""
    return connection.execute(delete(SESSIONS).where(is_text(SESSIONS.c.key, key))).rowcount


def take_levels(connection: Connection, sid: str, note: Note) -> None:
    """From all keys, what a table gives them in that service: in another that is called so later
    they may nothing."""
    named = cast(KEYS.c.access, String).contains(f'"{sid}"', autoescape=True)
    _take(connection, named, {sid}, note)


def take_levels_from(account: str, connection: Connection, sids: Set[str], note: Note) -> None:
    """From the keys of an account, what tables give them in services that are its no more: whoever
    has them now sees no keys of others."""
    _take(connection, is_text(KEYS.c.account, account), sids, note)


def _take(connection: Connection, which: ColumnElement[bool], sids: Set[str], note: Note) -> None:
    for id, access in connection.execute(select(KEYS.c.id, KEYS.c.access).where(which)).all():
        if not isinstance(access, str) and not sids.isdisjoint(access):
            left = {one: level for one, level in access.items() if one not in sids}
            connection.execute(update(KEYS).where(KEYS.c.id == id).values(access=left))
            note("key.change", id, access=left)
