"""Zones: a row each, and the services and bindings by which they are served, in one commit.

A number is never another zone's, whatever becomes of the first. A zone's services have it in
their names; where one of these is somebody's already, the zone gets a number further on.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from gateway.catalog.audit import Note
from gateway.catalog.parts import Parts, PartTable, takers
from gateway.catalog.rows import ZoneRow
from gateway.catalog.schema import STORAGES, ZONES, get_meta, is_text, set_meta, stores_number
from gateway.storage import AlreadyExists, Conflict, InvalidRequest, NotFound, Secret

_LAST = "last zone"
"""In `meta`: the highest number that a zone ever had."""
_SETTLED = "zones settled by"
"""In `meta`: by which options."""
_TRIES = 20
_WHOLE = "zone "


class WantedZone(NamedTuple):
    """`document`: all of it; `shown`: without what is secret. `hosts` have to be nobody else's,
    and `upstreams` no names of this gateway's. `parts` are those of the zone of a number."""

    document: Mapping[str, Any]
    shown: Mapping[str, Any]
    active: bool
    reuses: int | None
    storage: int | None
    hosts: tuple[str, ...]
    upstreams: tuple[str, ...]
    parts: Callable[[int], Parts]


def whole(number: int) -> str:
    """What its services and bindings are parts of."""
    return f"{_WHOLE}{number}"


def is_closed(part_of: str) -> bool:
    """Whether nothing else may lead to what is part of that: a zone's own names alone do."""
    return part_of.startswith(_WHOLE)


class ZoneTable(PartTable):
    # looking

    def zone(self, number: int) -> ZoneRow | None:
        with self._database.reading() as connection:
            return self._zone_in(connection, number)

    def zones(
        self, account: str | None = None, *, after: int = 0, limit: int | None = None
    ) -> list[ZoneRow]:
        """By number, those above `after`; of that account, if one is given."""
        query = select(ZONES).where(ZONES.c.number > after).order_by(ZONES.c.number).limit(limit)
        if account is not None:
            query = query.where(is_text(ZONES.c.account, account))
        with self._database.reading() as connection:
            return [self._zone_row(row) for row in connection.execute(query)]

    def count_zones(self, account: str) -> int:
        with self._database.reading() as connection:
            return _count(connection, account)

    def zones_on(self, storage: int) -> list[int]:
        """The numbers of those whose origin is the storage of that number."""
        query = select(ZONES.c.number).where(ZONES.c.storage == storage).order_by(ZONES.c.number)
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    # changing

    def add_zone(self, account: str, wanted: WantedZone, *, limit: int) -> ZoneRow:
        """`limit`: as many zones an account may have. Raises `InvalidRequest` where it has them,
        and for hosts, upstreams and a cache that it cannot have."""
        for number in range(_TRIES):
            try:
                return self._add_zone(account, wanted, limit, 1 + secrets.randbelow(1 << number))
            except AlreadyExists:  # the name of a service: all else was looked at before
                continue
        raise Conflict("The services of a new zone have names that others have: try again.")

    def _add_zone(self, account: str, wanted: WantedZone, limit: int, step: int) -> ZoneRow:
        with self._database.writing() as connection:
            if _count(connection, account) >= limit:
                raise InvalidRequest(f"An account has {limit} zones at most.")
            number = int(get_meta(connection, _LAST) or 0) + step
            self._check(connection, number, account, wanted)
            now = self._clock()
            values = self._values(number, wanted)
            self._settle(connection, whole(number), account, wanted.parts(number))
            values |= {"changed": now, "revision": stores_number(connection)}
            row = {"number": number, "account": account, "created": now, **values}
            connection.execute(insert(ZONES).values(row))
            set_meta(connection, _LAST, str(number))
            said = {"account": account, "active": wanted.active, "document": wanted.shown}
            self._note(connection, "zone.add", str(number), **said)
            found = self._zone_in(connection, number)
            assert found is not None
            return found

    def change_zone(self, row: ZoneRow, wanted: WantedZone) -> ZoneRow:
        """Raises `Conflict` where it is not as in `row` any more, `NotFound` where it is gone;
        else as `add_zone`."""
        with self._database.writing() as connection:
            self._refuse_changed(connection, row)
            self._check(connection, row.number, row.account, wanted)
            values = self._values(row.number, wanted)
            self._settle(connection, whole(row.number), row.account, wanted.parts(row.number))
            values |= {"changed": self._clock(), "revision": stores_number(connection)}
            connection.execute(update(ZONES).where(ZONES.c.number == row.number).values(values))
            said = {"active": wanted.active, "document": wanted.shown}
            self._note(connection, "zone.change", str(row.number), **said)
            found = self._zone_in(connection, row.number)
            assert found is not None
            return found

    def settle_zone(self, row: ZoneRow, wanted: WantedZone) -> None:
        """Have its parts be as they would be if it were asked for now; nothing else of it is
        changed, or looked at. Raises as `change_zone`, and `AlreadyExists`."""
        with self._database.writing() as connection:
            self._refuse_changed(connection, row)
            before = stores_number(connection)
            self._settle(connection, whole(row.number), row.account, wanted.parts(row.number))
            number = stores_number(connection)
            if number != before:
                which = update(ZONES).where(ZONES.c.number == row.number)
                connection.execute(which.values(revision=number))
                self._note(connection, "zone.settle", str(row.number))

    def zones_settled(self) -> str:
        """What was noted last; "" when nothing was."""
        with self._database.reading() as connection:
            return get_meta(connection, _SETTLED) or ""

    def note_zones_settled(self, by: str) -> None:
        """That all zones are as they are to be by that."""
        with self._database.writing() as connection:
            set_meta(connection, _SETTLED, by)

    def remove_zone(self, row: ZoneRow) -> None:
        """Raises `Conflict` while another uses its cache, `NotFound`."""

        def remove(connection: Connection, note: Note) -> None:
            number = row.number
            users = _users(connection, number)
            if users:
                raise Conflict(f"The zone {users[0]} uses the cache of this one.")
            if not connection.execute(delete(ZONES).where(ZONES.c.number == number)).rowcount:
                raise NotFound(f"There is no zone {number}.")
            self._settle(connection, whole(number), row.account, Parts())
            note("zone.remove", str(number), account=row.account)

        self._removing(remove)

    # within a transaction

    def _refuse_changed(self, connection: Connection, row: ZoneRow) -> None:
        query = select(ZONES.c.changed, ZONES.c.revision).where(ZONES.c.number == row.number)
        now = connection.execute(query).first()
        if now is None:
            raise NotFound(f"There is no zone {row.number}.")
        if (now.changed, now.revision) != (row.changed, row.revision):
            raise Conflict("The zone was changed meanwhile: look again.")

    def _check(self, connection: Connection, number: int, account: str, wanted: WantedZone) -> None:
        """What depends on others."""
        for host, part_of in takers(connection, wanted.hosts).items():
            if part_of != whole(number):
                raise InvalidRequest(f"custom_domains: {host} is taken already.")
        for host in takers(connection, wanted.upstreams):
            raise InvalidRequest(f"upstream: {host} is a name of this gateway itself.")
        if wanted.storage is not None:
            _check_storage(connection, account, wanted.storage)
        if wanted.reuses is not None:
            self._check_reused(connection, number, account, wanted.reuses)

    def _check_reused(self, connection: Connection, number: int, account: str, reused: int) -> None:
        query = select(ZONES.c.account, ZONES.c.reuses).where(ZONES.c.number == reused)
        other = connection.execute(query).first()
        if other is None or other.account != account or reused == number:
            raise InvalidRequest(f"cache_reuse_from: there is no other zone {reused}.")
        if other.reuses is not None:
            text = f"the zone {reused} has no cache of its own, it uses that of {other.reuses}."
            raise InvalidRequest(f"cache_reuse_from: {text}")
        if users := _users(connection, number):
            text = f"the zone {users[0]} uses the cache of this one."
            raise InvalidRequest(f"cache_reuse_from: {text}")

    def _values(self, number: int, wanted: WantedZone) -> dict[str, Any]:
        secret = wanted.shown != wanted.document
        text = Secret(json.dumps(wanted.document))
        return {
            "document": wanted.shown,
            "sealed": self.keyring.seal_zone(number, text) if secret else b"",
            "active": wanted.active,
            "reuses": wanted.reuses,
            "storage": wanted.storage,
        }

    def _zone_in(self, connection: Connection, number: int) -> ZoneRow | None:
        row = connection.execute(select(ZONES).where(ZONES.c.number == number)).first()
        return None if row is None else self._zone_row(row)

    def _zone_row(self, row: Row[Any]) -> ZoneRow:
        """Raises `CatalogError` when it is damaged."""
        document = row.document
        if row.sealed:
            document = json.loads(self.keyring.unseal_zone(row.number, row.sealed).reveal())
        return ZoneRow(
            number=row.number,
            account=row.account,
            document=document,
            active=row.active,
            reuses=row.reuses,
            storage=row.storage,
            created=row.created,
            changed=row.changed,
            revision=row.revision,
        )


def _check_storage(connection: Connection, account: str, number: int) -> None:
    owner = select(STORAGES.c.account).where(STORAGES.c.number == number)
    if connection.scalar(owner) != account:
        raise InvalidRequest(f"storage_id: there is no storage {number}.")


def _count(connection: Connection, account: str) -> int:
    which = is_text(ZONES.c.account, account)
    return connection.scalar(select(func.count()).select_from(ZONES).where(which)) or 0


def _users(connection: Connection, number: int) -> list[int]:
    """Those that use the cache of that one."""
    return list(connection.scalars(select(ZONES.c.number).where(ZONES.c.reuses == number)))
