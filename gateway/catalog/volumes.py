"""The catalog's volumes, and which services are in them.

Those of the configuration are here, too, as it was when they were last written (`declare_volumes`):
so lists are pages of one table, and a volume that is declared no more keeps its buckets. What the
configuration says counts meanwhile, whatever the row has.

Who a bucket in a volume belongs to is its own row's word, which is changed with the volume's, in
one commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, TypedDict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    delete,
    false,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from gateway.catalog.audit import AuditTable, Note
from gateway.catalog.key_changes import take_levels_from
from gateway.catalog.rows import NOWHERE, VolumeRow, Within
from gateway.catalog.schema import (
    SERVICES,
    STORES,
    VOLUME_BUCKETS,
    VOLUMES,
    count_stores,
    get_meta,
    is_text,
    set_meta,
)
from gateway.config import VolumeOptions
from gateway.storage import (
    NOTHING,
    AlreadyExists,
    Conflict,
    Full,
    NoSuchVolume,
    NotEmpty,
    Unavailable,
)
from gateway.storage.paging import successor

_NUMBER = "changes of volumes"
"""In `meta`: it grows with each change of any, but for those that remove one."""

_LONE = re.compile("[\ud800-\udfff]")
"""What no database keeps, and clients may ask for."""


class VolumeChanges(TypedDict, total=False):
    """What is not there stays as it is."""

    owner: str
    user: str
    quota: int | None


class VolumeTable(AuditTable):
    _volumes: Mapping[str, VolumeOptions] = NOTHING
    """Those of the configuration."""

    # looking

    def volume(self, name: str) -> VolumeRow | None:
        memory = self._current()
        known = memory.volumes.get(name)
        if known is not None:
            return known
        row = self.read_volume(name)
        return None if row is None else memory.volumes.keep(name, row)

    def read_volume(self, name: str) -> VolumeRow | None:
        """The same, read now, whatever this process remembers."""
        with self._database.reading() as connection:
            return self._volume_in(connection, name)

    def written_volume(self, name: str) -> VolumeRow | None:
        """As who wrote it last has said: of two gateways that have different configurations, one
        ends in a moment. That of the configuration where none could be written."""
        with self._database.reading() as connection:
            row = connection.execute(select(VOLUMES).where(is_text(VOLUMES.c.name, name))).first()
            return self._volume_in(connection, name) if row is None else _row(row)

    def volumes(
        self, *, owner: str | None = None, prefix: str = "", after: str = "", limit: int = 1000
    ) -> list[VolumeRow]:
        """By name, those above `after`; of that owner, if one is given."""
        wanted = between(VOLUMES.c.name, prefix, after)
        if owner is not None:
            wanted.append(is_text(VOLUMES.c.owner, owner))
        query = select(VOLUMES).where(*wanted).order_by(VOLUMES.c.name).limit(limit)
        with self._database.reading() as connection:
            return [self._volume_row(row) for row in connection.execute(query)]

    def volumes_number(self) -> int:
        """Grows when one was made or changed."""
        with self._database.reading() as connection:
            return _number(connection)

    def volumes_since(self, number: int, limit: int = 1000) -> list[VolumeRow]:
        """Those that were made or changed since, by their revision; as `written_volume`."""
        query = select(VOLUMES).where(VOLUMES.c.revision > number)
        query = query.order_by(VOLUMES.c.revision).limit(limit)
        with self._database.reading() as connection:
            return [_row(row) for row in connection.execute(query)]

    def sid_within(self, volume: str, bucket: str) -> str | None:
        """Of the service that a volume has by that name."""
        memory, within = self._current(), Within(volume, bucket)
        known = memory.in_volumes.get(within)
        if known is not None:
            return known
        query = select(SERVICES.c.sid).join(VOLUME_BUCKETS, _IN).where(_is_within(within))
        with self._database.reading() as connection:
            found = connection.scalar(query)
        return None if found is None else memory.in_volumes.keep(within, found)

    # changing

    def add_volume(
        self, name: str, owner: str, *, user: str = "", quota: int | None = None, created_by: str
    ) -> VolumeRow:
        """Raises `AlreadyExists`."""
        made = VolumeRow(name, owner, user, quota, self._clock(), created_by)
        if name in self._volumes:
            raise AlreadyExists(f"The volume {name!r} is declared in the configuration.")
        try:
            with self._database.writing() as connection:
                _insert(connection, made)
                self._note(connection, "volume.add", name, owner=owner, user=user, quota=quota)
        except IntegrityError:
            raise AlreadyExists(f"There is a volume {name!r}.") from None
        return made

    def change_volume(self, name: str, changes: VolumeChanges) -> VolumeRow:
        """A new owner gets its buckets in the same commit, and is called as is said with it, if
        it is. Raises `NoSuchVolume`; `Conflict` when it is declared, and for a quota while there
        is a service in it that has its own store."""
        self._refuse_declared_volume(name)

        def change(connection: Connection, note: Note) -> VolumeRow:
            before = self._found_volume(connection, name)
            wanted = changes
            if changes.get("owner", before.owner) != before.owner:
                wanted = {"user": "", **changes}  # what the one before was called
            after = before._replace(**wanted)
            if after.quota is not None and (sid := _having_store(connection, name)):
                raise Conflict(
                    f"The service {sid!r} in it has a driver of its own: what that keeps no quota"
                    " of the volume counts. Give the service its own `quota`."
                )
            told = {key: value for key, value in wanted.items() if getattr(before, key) != value}
            if told:
                _update(connection, after, note)
                note("volume.change", name, **told)
            return after

        return self._removing(change)

    def remove_volume(self, name: str) -> None:
        """Raises `NoSuchVolume`, `NotEmpty`; `Conflict` when it is declared."""
        self._refuse_declared_volume(name)

        def remove(connection: Connection, note: Note) -> None:
            self._found_volume(connection, name)
            if _has_buckets(connection, name):
                raise NotEmpty(f"The volume {name!r} has buckets.")
            connection.execute(delete(VOLUMES).where(VOLUMES.c.name == name))
            note("volume.drop", name)

        self._removing(remove)

    def declare_volumes(self) -> None:
        """Write down what the configuration says, where that is not what is here: with its
        buckets, which get the owner. One that is declared no more stays while it has any."""
        with self._database.reading() as connection:
            if self._is_written(connection):
                return
        try:
            with self._database.writing() as connection:
                if not self._is_written(connection):
                    self._write_declared(connection)
        except (Full, Unavailable):  # that stops no start: the next one writes it down
            return

    def _is_written(self, connection: Connection) -> bool:
        rows = connection.execute(select(VOLUMES).where(VOLUMES.c.declared)).all()
        known = {row.name: (row.owner, row.quota) for row in rows}
        return known == {name: (one.account, one.quota) for name, one in self._volumes.items()}

    def _write_declared(self, connection: Connection) -> None:
        rows = {row.name: _row(row) for row in connection.execute(select(VOLUMES))}
        for name, one in self._volumes.items():
            before = rows.get(name)
            if before is None:
                new = VolumeRow(name, one.account, "", one.quota, self._clock(), declared=True)
                _insert(connection, new)
            else:
                new = before._replace(owner=one.account, quota=one.quota, user="", declared=True)
                _update(connection, new, partial(self._note, connection))
            if before is None or before != new:
                action = "volume.add" if before is None else "volume.change"
                self._note(connection, action, name, owner=new.owner, quota=new.quota)
        for name, row in rows.items():
            if row.declared and name not in self._volumes:
                if _has_buckets(connection, name):
                    _write(connection, row._replace(declared=False))
                else:
                    connection.execute(delete(VOLUMES).where(VOLUMES.c.name == name))
                    self._note(connection, "volume.drop", name)

    def uncounted(self, names: Iterable[str]) -> dict[str, str]:
        """Of these volumes, those in which a service has its own store; and one such service."""
        query = select(VOLUME_BUCKETS.c.volume, SERVICES.c.sid).join(VOLUME_BUCKETS, _IN)
        query = query.join(STORES, STORES.c.service == SERVICES.c.id)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(VOLUME_BUCKETS.c.volume.in_(list(names))))
            return {row.volume: row.sid for row in rows}

    # within a transaction

    def _volume_in(self, connection: Connection, name: str) -> VolumeRow | None:
        row = connection.execute(select(VOLUMES).where(is_text(VOLUMES.c.name, name))).first()
        if row is not None:
            return self._volume_row(row)
        declared = self._volumes.get(name)
        if declared is None:
            return None
        return VolumeRow(name, declared.account, quota=declared.quota, declared=True)

    def _volume_row(self, row: Row[Any]) -> VolumeRow:
        declared = self._volumes.get(row.name)
        if declared is None:
            return _row(row)._replace(declared=False)
        return _row(row)._replace(
            owner=declared.account, user="", quota=declared.quota, declared=True
        )

    def _found_volume(self, connection: Connection, name: str) -> VolumeRow:
        row = self._volume_in(connection, name)
        if row is None:
            raise NoSuchVolume(name=name)
        return row

    def _place(
        self, connection: Connection, id: int, owner: str, within: Within, *, store: bool = False
    ) -> None:
        """Have a service be in a volume, if any; `store`: it has one of its own. Raises
        `NoSuchVolume`, `AlreadyExists` when the volume has one of that name, and `Conflict` when
        it is another owner's by now, or has a quota."""
        if within == NOWHERE:
            return
        volume = self._found_volume(connection, within.volume)
        if volume.owner != owner:
            raise Conflict(f"The volume {within.volume!r} got another owner meanwhile.")
        if store and volume.quota is not None:
            raise Conflict(f"The volume {within.volume!r} got a quota meanwhile.")
        if connection.scalar(select(VOLUME_BUCKETS.c.service).where(_is_within(within))):
            raise AlreadyExists(
                f"The volume {within.volume!r} has a bucket {within.bucket!r} already."
            )
        connection.execute(insert(VOLUME_BUCKETS).values(service=id, **within._asdict()))

    def _refuse_declared_volume(self, name: str) -> None:
        if name in self._volumes:
            raise Conflict(f"The volume {name!r} is declared in the configuration.")


_IN = VOLUME_BUCKETS.c.service == SERVICES.c.id


def between(column: ColumnElement[str], prefix: str, after: str) -> list[ColumnElement[bool]]:
    """Above `after`, and beginning with `prefix`: both may be a stranger's texts, of names that
    are in ASCII."""
    wanted = [column > _LONE.sub("\N{REPLACEMENT CHARACTER}", after).partition("\0")[0]]
    if prefix:
        end = successor(prefix)
        if not prefix.isascii() or "\0" in prefix or end is None:
            return [false()]
        wanted += [column >= prefix, column < end]
    return wanted


def _is_within(within: Within) -> ColumnElement[bool]:
    return and_(
        is_text(VOLUME_BUCKETS.c.volume, within.volume),
        is_text(VOLUME_BUCKETS.c.bucket, within.bucket),
    )


_COLUMNS = {"user": "user_name"}  # "user" is a word of SQL
_FIELDS = {column: field for field, column in _COLUMNS.items()}


def _row(row: Row[Any]) -> VolumeRow:
    return VolumeRow(**{_FIELDS.get(name, name): value for name, value in row._mapping.items()})


def _values(row: VolumeRow) -> dict[str, Any]:
    return {_COLUMNS.get(name, name): value for name, value in row._asdict().items()}


def _insert(connection: Connection, row: VolumeRow) -> None:
    row = row._replace(revision=_count(connection))
    connection.execute(insert(VOLUMES).values(_values(row)))


def _write(connection: Connection, row: VolumeRow) -> None:
    row = row._replace(revision=_count(connection))
    connection.execute(update(VOLUMES).where(VOLUMES.c.name == row.name).values(_values(row)))


def _update(connection: Connection, row: VolumeRow, note: Note) -> None:
    """And the owner of its buckets, which have nothing of the one before: no keys of theirs."""
    _write(connection, row)
    within = SERVICES.c.id.in_(
        select(VOLUME_BUCKETS.c.service).where(VOLUME_BUCKETS.c.volume == row.name)
    )
    query = select(SERVICES.c.owner, SERVICES.c.sid).where(within, SERVICES.c.owner != row.owner)
    others = dict[str, set[str]]()
    for owner, sid in connection.execute(query):
        others.setdefault(owner, set()).add(sid)
    if not others:
        return
    connection.execute(update(SERVICES).where(within).values(owner=row.owner))
    for owner, sids in others.items():
        take_levels_from(owner, connection, sids, note)
    if _having_store(connection, row.name):
        count_stores(connection)


def _count(connection: Connection) -> int:
    number = _number(connection) + 1
    set_meta(connection, _NUMBER, str(number))
    return number


def _number(connection: Connection) -> int:
    return int(get_meta(connection, _NUMBER) or 0)


def _has_buckets(connection: Connection, name: str) -> bool:
    query = select(VOLUME_BUCKETS.c.service).where(VOLUME_BUCKETS.c.volume == name)
    return connection.scalar(query.limit(1)) is not None


def _having_store(connection: Connection, name: str) -> str | None:
    """The sid of a service in it that is no bucket of [buckets]."""
    query = select(SERVICES.c.sid).join(VOLUME_BUCKETS, _IN)
    query = query.join(STORES, STORES.c.service == SERVICES.c.id)
    return connection.scalar(query.where(VOLUME_BUCKETS.c.volume == name).limit(1))
