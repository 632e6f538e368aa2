"""The catalog's keys as people and APIs know them: by number, as one of several of a user.

Whatever takes something from a key counts from the next request on, in every worker, ends its
sessions where its secret proves nothing any more, and is done on a full disk, too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.access.identity import KeyAccess
from gateway.access.new_keys import new_id, new_secret
from gateway.catalog.accounts import user_name as name_of
from gateway.catalog.audit import Note, readable
from gateway.catalog.key_changes import KeyChanges, end_sessions, revoke
from gateway.catalog.keys import NUMBERED
from gateway.catalog.rows import KeyInfo, MadeKey
from gateway.catalog.schema import ACCOUNTS, KEY_NUMBERS, KEYS, SERVICES, is_text
from gateway.storage import AlreadyExists, Conflict, NotFound, Secret


class UserTable(KeyChanges):
    # by number

    def credentials(
        self, after: int = 0, limit: int = 1000, *, account: str | None = None, text: str = ""
    ) -> list[KeyInfo]:
        """By number, those above `after`, without those that are revoked; of that account, if
        one is given; that have `text` in their id, user or description, in any case."""
        text = readable(text).lower()
        wanted = (KEY_NUMBERS.c.number > after, *self._made(account), *self._having(text))
        query = NUMBERED.where(*wanted).order_by(KEY_NUMBERS.c.number).limit(limit)
        with self._database.reading() as connection:
            found = [self._info(row) for row in connection.execute(query)]
        for one in self._declared_keys():
            has = text in one.id.lower() or text in one.user_name.lower()
            if one.number > after and account in (None, one.account) and has:
                found.append(one)
        return sorted(found, key=lambda one: one.number)[:limit]

    def count_credentials(self, *, account: str | None = None) -> int:
        """How many `credentials` gives, without a limit."""
        made = select(func.count()).select_from(NUMBERED.where(*self._made(account)).subquery())
        declared = [one.identity.account for one in self._keys.values()]
        with self._database.reading() as connection:
            counted = connection.scalar(made) or 0
        return counted + sum(account in (None, one) for one in declared)

    def _made(self, account: str | None) -> list[ColumnElement[bool]]:
        """Those of the catalog that count, of that account or of all."""
        wanted = [~KEY_NUMBERS.c.revoked]
        if self._keys:
            wanted.append(KEYS.c.id.not_in(self._keys))
        if account is not None:
            wanted.append(is_text(KEYS.c.account, account))
        return wanted

    def _having(self, text: str) -> list[ColumnElement[bool]]:
        if not text:
            return []
        columns = (KEYS.c.id, KEYS.c.account, KEYS.c.description, ACCOUNTS.c.name)
        declared = [one.id for one in self._accounts.values() if text in name_of(one).lower()]
        return [
            or_(
                *(column.icontains(text, autoescape=True) for column in columns),
                KEYS.c.account.in_(declared),
            )
        ]

    def numbered_credential(self, number: int) -> KeyInfo:
        """Raises `NotFound`, also for one that is revoked."""
        for one in self._declared_keys():
            if one.number == number:
                return one
        with self._database.reading() as connection:
            return self._info(_found(connection, number))

    def number_of(self, key: str) -> int:
        """Raises `NotFound`."""
        for one in self._declared_keys():
            if one.id == key:
                return one.number
        which = (is_text(KEYS.c.id, key), ~KEY_NUMBERS.c.revoked)
        with self._database.reading() as connection:
            row = connection.execute(NUMBERED.where(*which)).first()
        if row is None:
            raise NotFound(f"There is no key {key!r}.")
        return int(row.number)

    # made

    def add_credential(
        self,
        *,
        user_name: str = "",
        account: str = "",
        id: str = "",
        secret: Secret | None = None,
        access: KeyAccess = "own",
        manages: bool = False,
        description: str = "",
    ) -> MadeKey:
        """A key of that account; or of the one that people call `user_name`, made when there is
        none; or else of a new account that is called as the key. Raises as `add_key`, and
        `AlreadyExists` when there is one called so, `Conflict` when there are several."""
        id, secret = id or new_id(), secret or new_secret()

        def account_of(connection: Connection) -> str:
            if account:
                self._ensure_account(connection, account)
                return account
            if user_name:
                return self._account_of(connection, user_name)
            return self._new_account(connection, id)

        return self._add_key(id, secret, account_of, access, manages, description)

    # changed

    def change_credential(
        self,
        number: int,
        *,
        user_name: str | None = None,
        active: bool | None = None,
        access: KeyAccess | None = None,
        manages: bool | None = None,
        description: str | None = None,
        seen: KeyAccess | None = None,
    ) -> KeyInfo:
        """What is None stays. `user_name`: how its account is called from now on. One that is
        not `active` is found by nobody until it is again; its sessions are over. `seen`: what it
        may, as whoever changes it was allowed to. Raises `NotFound`, `Conflict` when the
        configuration declares it or it may something else than was seen, `AlreadyExists` for a
        name that another user has."""
        key = self._changeable(number)
        said = {"active": active, "description": description}
        values: dict[str, Any] = {one: value for one, value in said.items() if value is not None}
        if access is not None:
            values["access"] = access if isinstance(access, str) else dict(access)

        def change(connection: Connection, note: Note) -> KeyInfo:
            before = _found(connection, number, seen)
            told = {name: value for name, value in values.items() if before._mapping[name] != value}
            if told:
                connection.execute(update(KEYS).where(KEYS.c.id == key).values(told))
            if manages is not None and manages != before.manages:
                which = update(KEY_NUMBERS).where(KEY_NUMBERS.c.number == number)
                connection.execute(which.values(manages=manages))
                told["manages"] = manages
            if active is False:
                end_sessions(connection, key)
            if told:
                note("key.change", key, **told)
            if user_name is not None:
                self._rename_account(connection, before.account, user_name, note)
            return self._info(_found(connection, number))

        return self._removing(change)

    def rotate_credential(
        self, number: int, secret: Secret | None = None, *, seen: KeyAccess | None = None
    ) -> MadeKey:
        """Another secret, in place of the one that it had, which proves nothing any more. Raises
        as `change_credential`, and `AlreadyExists` when another key has that secret."""
        key, secret = self._changeable(number), secret or new_secret()
        self._refuse_known(secret)
        values = {
            "sealed": self.keyring.seal(key, secret),
            "lookup": self.keyring.index(secret.reveal()),
        }

        def rotate(connection: Connection, note: Note) -> KeyInfo:
            _found(connection, number, seen)
            connection.execute(update(KEYS).where(KEYS.c.id == key).values(values))
            end_sessions(connection, key)
            note("key.rotate", key)
            return self._info(_found(connection, number))

        try:
            return MadeKey(self._removing(rotate), secret)
        except IntegrityError:
            raise AlreadyExists("Another key has that secret.") from None

    def remove_credential(self, number: int, *, seen: KeyAccess | None = None) -> None:
        """Revoke it, unless it is the last active one of an account that owns buckets: nobody
        could reach these any more. Raises as `change_credential`, and `Conflict`."""
        key = self._changeable(number)

        def remove(connection: Connection, note: Note) -> None:
            row = _found(connection, number, seen)
            owned = select(func.count()).where(SERVICES.c.owner == row.account)
            if count := connection.scalar(owned):
                others = select(KEYS.c.id).where(
                    KEYS.c.account == row.account, KEYS.c.active, KEYS.c.id != key
                )
                usable = {one.identity.account for one in self._keys.values()}
                if row.account not in usable and connection.scalar(others.limit(1)) is None:
                    raise Conflict(
                        f"It is the last active key of the user"
                        f" {row.name or row.account!r}, who owns {count} buckets: remove these,"
                        " or make another key first."
                    )
            revoke(connection, key, note)

        self._removing(remove)

    def _changeable(self, number: int) -> str:
        info = self.numbered_credential(number)
        self._refuse_declared(info.id, ": change it there")
        return info.id


def _found(connection: Connection, number: int, seen: KeyAccess | None = None) -> Row[Any]:
    which = (KEY_NUMBERS.c.number == number, ~KEY_NUMBERS.c.revoked)
    row = connection.execute(NUMBERED.where(*which)).first()
    if row is None:
        raise NotFound(f"There is no key with the number {number}.")
    if seen is not None and row.access != seen:
        raise Conflict("What the key may was changed meanwhile.")
    return row
