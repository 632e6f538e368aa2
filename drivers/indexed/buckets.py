"""The services of a space as buckets: made, found, dropped; and those declared."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

from drivers.indexed import uploads
from drivers.indexed.batch import Transaction
from drivers.indexed.named import named_rows
from drivers.indexed.records import STATS, stats_of
from drivers.indexed.view import View
from drivers.indexed.volumes import take_out, volume_of
from gateway.storage import (
    AlreadyExists,
    BucketInfo,
    Buckets,
    Full,
    NoSuchStore,
    NotEmpty,
    Stats,
)

_NAMED = " FROM services WHERE namespace = '' AND name = ?"
_FIXED = (
    "the service was made with case_sensitive = {}, and its objects are kept by that: leave it so,"
    " or copy them into a service of another name"
)


class BucketsView(View, Buckets):
    def buckets(self) -> Sequence[BucketInfo]:
        with self.space.reading() as connection:
            rows = connection.execute(
                "SELECT name, created FROM services WHERE namespace = '' ORDER BY name"
            ).fetchall()
        return [BucketInfo(*row) for row in rows]

    def create(self, name: str, *, protects: bool = False, volume: str = "") -> BucketInfo:
        def operation(txn: Transaction) -> BucketInfo:
            created = self.space.clock()
            if find_service(txn.one, name) is not None:
                raise AlreadyExists
            insert_service(txn, name, created, volume=volume_of(txn, volume))
            return BucketInfo(name, created)

        return self.space.write(operation)

    def drop(self, name: str) -> None:
        due = self.space.due(self.space.clock()).whole

        def operation(txn: Transaction) -> int:
            row = txn.one("SELECT id, volume" + _NAMED, (name,))
            if row is None:
                raise NoSuchStore(name=name)
            service, volume = row
            for table in ("objects", "versions"):
                sql = f"SELECT 1 FROM {table} WHERE service = ? LIMIT 1"
                if txn.one(sql, (service,)) is not None:
                    raise NotEmpty
            uploads.drop_all(txn, service, due)
            if self.space.grace is None:  # else a job forgets them in steps: there may be millions
                txn.execute("DELETE FROM changes WHERE service = ?", (service,))
            if volume is not None:
                take_out(txn, service, volume)
            txn.execute("DELETE FROM services WHERE id = ?", (service,))
            return cast(int, service)

        try:
            dropped = self.space.write(operation, room="remove")
        except Full:
            service = find_service(self.space.one, name)
            if service is not None:
                uploads.drop_in_steps(self.space, service)
            dropped = self.space.write(operation, room="remove")
        self.space.watchers.announce(dropped)

    def bucket(self, name: str) -> View:
        row = self.space.one("SELECT id, case_sensitive, volume" + _NAMED, (name,))
        if row is None:
            raise NoSuchStore(name=name)
        view = self.new_view()
        view.attach(self.space, row[0], self.sealing)
        view.case_sensitive, view.limited = bool(row[1]), row[2] is not None
        view.reader, view.writer = self.reader, self.writer
        return view

    def measured(self, names: Collection[str] | None = None) -> Mapping[str, Stats]:
        sql = f"SELECT name, {STATS} FROM services WHERE namespace = ''"
        with self.space.reading() as connection:
            rows = named_rows(connection, sql, names)
            return {name: stats_of(columns) for name, *columns in rows}

    @abstractmethod
    def new_view(self) -> View:
        """An empty view of the class that has all that a bucket can do."""

    def declare(self, name: str, *, keep: bool, quota: int | None = None) -> int:
        """The id of the declared service of that name, made when it is not there, with
        the settings that the configuration gives it. Writes only what is new, so that a
        folder can be looked at when its disk is full. Raises `ValueError` where one that is
        there was made with another `case_sensitive`: its keys were stored by that."""
        service = find_service(self.space.one, name)
        if service is not None:
            before, kept = self._as_it_was_made(self.space.one, service)
            if (_declared(before, keep=keep), quota) == (before, kept):
                return service

        def operation(txn: Transaction) -> int:
            service = find_service(txn.one, name)
            if service is None:
                service = insert_service(
                    txn, name, self.space.clock(), case_sensitive=self.case_sensitive
                )
            before, _ = self._as_it_was_made(txn.one, service)
            txn.execute(
                "UPDATE services SET versioning = ?, quota = ? WHERE id = ?",
                (_declared(before, keep=keep), quota, service),
            )
            return service

        return self.space.write(operation)

    def _as_it_was_made(self, one: Callable[..., Any], service: int) -> tuple[str, int | None]:
        """Its versioning and its quota. Raises `ValueError`."""
        sql = "SELECT versioning, quota, case_sensitive FROM services WHERE id = ?"
        versioning, quota, sensitive = one(sql, (service,))
        if bool(sensitive) is not self.case_sensitive:
            raise ValueError(_FIXED.format("true" if sensitive else "false"))
        return versioning, quota


def _declared(before: str, *, keep: bool) -> str:
    """The versioning state of a declared service, by the one it had."""
    return "on" if keep else "off" if before == "off" else "suspended"


def find_service(one: Callable[..., Any], name: str) -> int | None:
    row = one("SELECT id" + _NAMED, (name,))
    return row[0] if row else None


def insert_service(
    txn: Transaction,
    name: str,
    created: int,
    *,
    case_sensitive: bool = True,
    volume: int | None = None,
) -> int:
    cursor = txn.execute(
        "INSERT INTO services (namespace, name, created, case_sensitive, volume)"
        " VALUES ('', ?, ?, ?, ?)",
        (name, created, case_sensitive, volume),
    )
    return cast(int, cursor.lastrowid)
