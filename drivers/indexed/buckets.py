"""The services of a space as buckets: made, found, dropped; and those declared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, cast

from drivers.indexed import uploads
from drivers.indexed.batch import Transaction
from drivers.indexed.view import View
from gateway.storage import AlreadyExists, BucketInfo, Buckets, Full, NoSuchStore, NotEmpty


class BucketsView(View, Buckets):
    def buckets(self) -> Sequence[BucketInfo]:
        with self.space.reading() as connection:
            rows = connection.execute(
                "SELECT name, created FROM services WHERE namespace = '' ORDER BY name"
            ).fetchall()
        return [BucketInfo(*row) for row in rows]

    def create(self, name: str, *, protects: bool = False) -> BucketInfo:
        def operation(txn: Transaction) -> BucketInfo:
            created = self.space.clock()
            if find_service(txn.one, name) is not None:
                raise AlreadyExists
            insert_service(txn, name, created)
            return BucketInfo(name, created)

        return self.space.write(operation)

    def drop(self, name: str) -> None:
        due = self.space.due(self.space.clock()).whole

        def operation(txn: Transaction) -> int:
            service = find_service(txn.one, name)
            if service is None:
                raise NoSuchStore(name=name)
            for table in ("objects", "versions"):
                sql = f"SELECT 1 FROM {table} WHERE service = ? LIMIT 1"
                if txn.one(sql, (service,)) is not None:
                    raise NotEmpty
            uploads.drop_all(txn, service, due)
            if self.space.grace is None:  # else a job forgets them in steps: there may be millions
                txn.execute("DELETE FROM changes WHERE service = ?", (service,))
            txn.execute("DELETE FROM services WHERE id = ?", (service,))
            return service

        try:
            dropped = self.space.write(operation, room="remove")
        except Full:
            service = find_service(self.space.one, name)
            if service is not None:
                uploads.drop_in_steps(self.space, service)
            dropped = self.space.write(operation, room="remove")
        self.space.watchers.announce(dropped)

    def bucket(self, name: str) -> View:
        service = find_service(self.space.one, name)
        if service is None:
            raise NoSuchStore(name=name)
        view = self.new_view()
        view.attach(self.space, service, self.sealing)
        view.reader, view.writer = self.reader, self.writer
        return view

    @abstractmethod
    def new_view(self) -> View:
        """An empty view of the class that has all that a bucket can do."""

    def declare(self, name: str, *, keep: bool, quota: int | None = None) -> int:
        """The id of the declared service of that name, made when it is not there, with
        the settings that the configuration gives it. Writes only what is new, so that a
        folder can be looked at when its disk is full."""
        service = find_service(self.space.one, name)
        if service is not None:
            sql = "SELECT versioning, quota FROM services WHERE id = ?"
            before, kept = self.space.one(sql, (service,))
            if (_declared(before, keep=keep), quota) == (before, kept):
                return service

        def operation(txn: Transaction) -> int:
            service = find_service(txn.one, name)
            if service is None:
                service = insert_service(txn, name, self.space.clock())
            (before,) = txn.one("SELECT versioning FROM services WHERE id = ?", (service,))
            txn.execute(
                "UPDATE services SET versioning = ?, quota = ? WHERE id = ?",
                (_declared(before, keep=keep), quota, service),
            )
            return service

        return self.space.write(operation)


def _declared(before: str, *, keep: bool) -> str:
    """The versioning state of a declared service, by the one it had."""
    return "on" if keep else "off" if before == "off" else "suspended"


def find_service(one: Callable[..., Any], name: str) -> int | None:
    row = one("SELECT id FROM services WHERE namespace = '' AND name = ?", (name,))
    return row[0] if row else None


def insert_service(txn: Transaction, name: str, created: int) -> int:
    cursor = txn.execute(
        "INSERT INTO services (namespace, name, created) VALUES ('', ?, ?)", (name, created)
    )
    return cast(int, cursor.lastrowid)
