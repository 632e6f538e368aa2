"""Storages: services that accounts make for their files, each with a key that reaches it and
nothing else. Row, service and key come and go in one commit.

The key's secret is an account's to give to whoever writes files; several keys may have the same
one, so none of them is found by it alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gateway.access.identity import Credential, Identity
from gateway.access.new_keys import new_secret
from gateway.catalog.account_numbers import AccountNumberTable
from gateway.catalog.audit import Note
from gateway.catalog.key_changes import KeyChanges, end_sessions, revoke
from gateway.catalog.rows import ServiceRow, StorageRow
from gateway.catalog.schema import KEY_NUMBERS, KEYS, STORAGES, ZONES, count_stores, is_text
from gateway.catalog.zones import ZoneTable
from gateway.storage import (
    AlreadyExists,
    Conflict,
    InvalidRequest,
    NotFound,
    Secret,
)

_FIRST = 1_000_000
"""What is added to the numbers in the ids of keys."""
_TRIES = 10

_SELECT = select(STORAGES, KEYS.c.sealed, KEYS.c.active).join(
    KEYS, KEYS.c.id == STORAGES.c.key, isouter=True
)


class StorageTable(ZoneTable, KeyChanges, AccountNumberTable):
    # looking

    def storage(self, number: int) -> StorageRow | None:
        with self._database.reading() as connection:
            row = connection.execute(_SELECT.where(STORAGES.c.number == number)).first()
        return None if row is None else self._storage_row(row)

    def storages(
        self, account: str | None, *, before: int | None = None, limit: int | None = None
    ) -> list[StorageRow]:
        """The newest first, with numbers below `before`; of that account, if one is given."""
        query = _SELECT.limit(limit)
        if account is not None:
            query = query.where(is_text(STORAGES.c.account, account))
        if before is not None:
            query = query.where(STORAGES.c.number < before)
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(STORAGES.c.number.desc())).all()
        return [self._storage_row(row) for row in rows]

    def _storage_row(self, row: Row[Any]) -> StorageRow:
        """Raises `CatalogError` when the secret is damaged."""
        return StorageRow(
            number=row.number,
            account=row.account,
            sid=row.sid,
            region=row.region,
            key=row.key,
            created=row.created,
            secret=self.keyring.unseal(row.key, row.sealed) if row.active else None,
        )

    # changing

    def add_storage(
        self,
        sid: str,
        account: str,
        region: str,
        driver: str,
        options: Mapping[str, Any],
        *,
        most: int,
    ) -> int:
        """Its number; `options` as `add_store` has them. Raises `AlreadyExists`, and
        `InvalidRequest` where the account has `most`."""
        with self._database.writing() as connection:
            owned = select(func.count()).where(is_text(STORAGES.c.account, account))
            if (connection.scalar(owned) or 0) >= most:
                raise InvalidRequest(f"An account has at most {most} storages.")
            now = self._clock()
            row = {"account": account, "sid": sid, "region": region, "key": "", "created": now}
            made = connection.execute(insert(STORAGES).values(row))
            assert made.inserted_primary_key is not None
            number = int(made.inserted_primary_key[0])
            part_of = whole(number)
            self._insert_store(connection, sid, account, driver, options, part_of=part_of)
            count_stores(connection)
            self._give_key(connection, number, account, sid)
            self._note(connection, "storage.add", sid, number=number, owner=account, region=region)
            return number

    def _give_key(self, connection: Connection, number: int, account: str, sid: str) -> None:
        key = self._free_key(connection, self._account_number(connection, account), number)
        identity = Identity(key=key, account=account, access={sid: "write"})
        made = Credential(id=key, secret=new_secret(), identity=identity)
        self._insert_key(connection, made, f"files of the storage {sid}", alone=False)
        which = STORAGES.c.number == number
        connection.execute(update(STORAGES).where(which).values(key=key))

    def _free_key(self, connection: Connection, account: int, number: int) -> str:
        """An id that no key has, or had."""
        for one in _ids(account, number):
            taken = select(KEY_NUMBERS.c.number).where(KEY_NUMBERS.c.key == one)
            if one not in self._keys and connection.scalar(taken) is None:
                return one
        raise AlreadyExists(f"The keys that a storage {number} may have exist already.")

    def set_storage_secret(self, account: str, region: str, secret: Secret) -> int:
        """That of the keys of all the account's storages there, in place of what they had, which
        proves nothing any more; how many there are."""
        which = is_text(STORAGES.c.account, account), STORAGES.c.region == region

        def change(connection: Connection, note: Note) -> int:
            keys = connection.scalars(select(STORAGES.c.key).where(*which)).all()
            for key in keys:
                values = {
                    "sealed": self.keyring.seal(key, secret),
                    "lookup": self._lookup(key, secret, alone=False),
                }
                connection.execute(update(KEYS).where(KEYS.c.id == key).values(values))
                end_sessions(connection, key)
                note("key.rotate", key)
            return len(keys)

        return self._removing(change)

    def remove_storage(self, number: int, row: ServiceRow, *, since: int) -> None:
        """With its service, of that row, and its key, which proves nothing any more. Raises
        `NotFound`; `Conflict` while a zone has it as its origin, and where anything has changed
        since."""

        def remove(connection: Connection, note: Note) -> None:
            which = STORAGES.c.number == number
            key = connection.scalar(select(STORAGES.c.key).where(which))
            if key is None:
                raise NotFound(f"There is no storage {number}.")
            used = select(ZONES.c.number).where(ZONES.c.storage == number)
            if (zone := connection.scalar(used.limit(1))) is not None:
                raise Conflict(f"The zone {zone} has the storage {number} as its origin.")
            connection.execute(delete(STORAGES).where(which))
            revoke(connection, key, note)
            self._delete_store(connection, row)
            note("storage.remove", row.sid, number=number)

        self._remove(since, remove)


def whole(number: int) -> str:
    """What its service is part of."""
    return f"storage {number}"


def _ids(account: int, number: int) -> Iterator[str]:
    first = f"{_FIRST + account}.{_FIRST + number}"
    yield first
    yield from (f"{first}.{again}" for again in range(2, _TRIES))
