"""The catalog's accounts. Declared ones come first and cannot be changed here.

To people an account is a user, whom they call by its name; where it has none, by its id.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sqlalchemy import Connection, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.access.identity import Account
from gateway.catalog.audit import AuditTable, Note
from gateway.catalog.schema import ACCOUNTS, is_text
from gateway.config import ID
from gateway.storage import AlreadyExists, Conflict, InvalidRequest, NotFound

_LONGEST_NAME = 256


def user_name(account: Account) -> str:
    return account.name or account.id


class AccountTable(AuditTable):
    _accounts: Mapping[str, Account]
    """Those of the configuration."""

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

    def made_accounts(self) -> list[Account]:
        """All that the configuration does not declare, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ACCOUNTS).order_by(ACCOUNTS.c.id)).all()
        found = [Account(id=row.id, name=row.name, email=row.email) for row in rows]
        return [one for one in found if one.id not in self._accounts]

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

    def account_named(self, name: str) -> Account | None:
        """The account that people call so. Raises `Conflict` when several are."""
        with self._database.reading() as connection:
            found = self._named(connection, name)
        return self.account(found) if found is not None else None

    def add_account(self, account: Account) -> None:
        """Raises `AlreadyExists`, also when the configuration declares it."""
        if account.id in self._accounts:
            raise AlreadyExists(f"The account {account.id!r} exists.")
        try:
            with self._database.writing() as connection:
                self._insert_account(connection, account)
        except IntegrityError:
            raise AlreadyExists(f"The account {account.id!r} exists.") from None

    def _rename_account(self, connection: Connection, id: str, name: str, note: Note) -> None:
        """Raises `AlreadyExists` when it is another's name."""
        known = self._accounts.get(id)
        row = connection.execute(select(ACCOUNTS).where(ACCOUNTS.c.id == id)).first()
        if known is None and row is not None:
            known = Account(id=row.id, name=row.name)
        if known is None:
            raise NotFound(f"There is no account {id!r}.")
        if user_name(known) == name:
            return
        if id in self._accounts:
            raise Conflict(f"The account {id!r} is declared in the configuration.")
        if self._is_named(connection, _checked(name)):
            raise AlreadyExists(f"There is a user {name!r}.")
        connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.id == id).values(name=name))
        note("account.change", id, name=name)

    def _account_of(self, connection: Connection, name: str) -> str:
        """The id of the account that people call so; made when there is none."""
        return self._named(connection, name) or self._new_account(connection, name)

    def _new_account(self, connection: Connection, name: str) -> str:
        """Its id: the name, where that can be one. Raises `AlreadyExists`."""
        if self._is_named(connection, _checked(name)):
            raise AlreadyExists(f"There is a user {name!r}: name whose the key is to be.")
        id = name
        if not ID.fullmatch(id) or self._is_account(connection, id):
            id = f"user-{secrets.token_hex(6)}"
        self._insert_account(connection, Account(id=id, name=name))
        return id

    def _is_named(self, connection: Connection, name: str) -> bool:
        try:
            return self._named(connection, name) is not None
        except Conflict:
            return True

    def _named(self, connection: Connection, name: str) -> str | None:
        declared = [one.id for one in self._accounts.values() if user_name(one) == name]
        nameless = and_(ACCOUNTS.c.name == "", is_text(ACCOUNTS.c.id, name))
        rows = connection.scalars(
            select(ACCOUNTS.c.id).where(or_(is_text(ACCOUNTS.c.name, name), nameless))
        )
        found = declared + [id for id in rows if id not in self._accounts]
        if len(found) > 1:
            raise Conflict(f"Several users are called {name!r}.")
        return found[0] if found else None

    def _is_account(self, connection: Connection, id: str) -> bool:
        exists = select(ACCOUNTS.c.id).where(ACCOUNTS.c.id == id)
        return id in self._accounts or connection.scalar(exists) is not None

    def _ensure_account(self, connection: Connection, id: str) -> None:
        if not self._is_account(connection, id):
            self._insert_account(connection, Account(id=id, name=id))

    def _insert_account(self, connection: Connection, account: Account) -> None:
        row = {"id": account.id, "name": account.name, "email": account.email}
        connection.execute(insert(ACCOUNTS).values(**row, created=self._clock()))
        self._note(connection, "account.add", account.id, name=account.name)


def _checked(name: str) -> str:
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidRequest(
            f"A user's name has 1 to {_LONGEST_NAME} characters, none of which is a control"
            " character, and no blank at an end."
        )
    return name
