"""Numbers of accounts, for interfaces that call them by one.

An account gets its number when that is first asked for, declared ones too, and no other has it
afterwards, whatever becomes of the account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Connection, insert, select

from gateway.access.identity import Account, NumberedAccount
from gateway.catalog.accounts import AccountTable
from gateway.catalog.cache import Kept
from gateway.catalog.schema import ACCOUNT_NUMBERS, ACCOUNTS, is_text


class AccountNumberTable(AccountTable):
    _known_numbers: Kept[int]
    """By account. They never change."""

    def account_number(self, account: str) -> int:
        """Made when there is none. Raises `Full` and `Unavailable`."""
        known = self._known_numbers.get(account)
        if known is not None:
            return known
        with self._database.reading() as connection:
            found = _number(connection, account)
        if found is None:
            with self._database.writing() as connection:
                found = self._account_number(connection, account)
        return self._known_numbers.keep(account, found)

    def _account_number(self, connection: Connection, account: str) -> int:
        """The same within a transaction."""
        if (known := _number(connection, account)) is not None:
            return known
        made = connection.execute(insert(ACCOUNT_NUMBERS).values(account=account))
        assert made.inserted_primary_key is not None
        number: int = made.inserted_primary_key.number
        return number

    def numbered_account(self, number: int) -> str | None:
        """The account that has or had it."""
        which = select(ACCOUNT_NUMBERS.c.account).where(ACCOUNT_NUMBERS.c.number == number)
        with self._database.reading() as connection:
            return connection.scalar(which)

    def numbered_accounts(self) -> list[NumberedAccount]:
        """All that there are now, by number; those get one that had none. Raises `Full` and
        `Unavailable`."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ACCOUNTS)).all()
        made = {
            row.id: (Account(id=row.id, name=row.name, email=row.email), row.created)
            for row in rows
        }
        found = {**made, **{id: (one, 0) for id, one in self._accounts.items()}}
        numbers = self._numbers_of(found)
        listed = (NumberedAccount(numbers[id], *one) for id, one in found.items())
        return sorted(listed, key=lambda one: one.number)

    def _numbers_of(self, accounts: Collection[str]) -> Mapping[str, int]:
        """And of all others that have one."""
        with self._database.reading() as connection:
            found = _numbers(connection)
        missing = [one for one in accounts if one not in found]
        if not missing:
            return found
        with self._database.writing() as connection:
            for one in missing:  # another worker may have been faster
                self._account_number(connection, one)
            return _numbers(connection)


def _number(connection: Connection, account: str) -> int | None:
    which = select(ACCOUNT_NUMBERS.c.number).where(is_text(ACCOUNT_NUMBERS.c.account, account))
    return connection.scalar(which)


def _numbers(connection: Connection) -> dict[str, int]:
    rows = connection.execute(select(ACCOUNT_NUMBERS))
    return {row.account: row.number for row in rows}
