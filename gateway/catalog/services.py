"""The catalog's services: who they belong to, and what is granted.

What a write into a bucket depends on (existence, versioning) is in the index of
its driver. See `gateway.services.making` for the order in which the two change, and
`stores` for services that have a driver of their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, and_, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from gateway.access.grants import Grant
from gateway.catalog.audit import Note
from gateway.catalog.key_changes import take_levels
from gateway.catalog.rows import NOWHERE, ServiceRow, Within, grants_value, service_row
from gateway.catalog.schema import (
    SERVICE_PARTS,
    SERVICES,
    STORES,
    VOLUME_BUCKETS,
    get_meta,
    get_metas,
    is_text,
    set_meta,
)
from gateway.catalog.settings import (
    WITH_RULES,
    NewSetting,
    has_settings,
    insert_setting,
    remove_row,
)
from gateway.catalog.volumes import VolumeTable, between
from gateway.storage import AlreadyExists, Conflict, Full, Unavailable

_SINCE = "declared since "
"""In `meta`, before a service's id: when it was first seen in the configuration."""
_NAMESPACE = ""
"""All services are in it today, whatever volume they are in."""

SELECT = (
    select(
        SERVICES,
        STORES.c.driver,
        STORES.c.name,
        STORES.c.revision,
        STORES.c.sealed,
        VOLUME_BUCKETS.c.volume,
        VOLUME_BUCKETS.c.bucket,
        SERVICE_PARTS.c.whole,
    )
    .join_from(SERVICES, STORES, STORES.c.service == SERVICES.c.id, isouter=True)
    .join(VOLUME_BUCKETS, VOLUME_BUCKETS.c.service == SERVICES.c.id, isouter=True)
    .join(SERVICE_PARTS, SERVICE_PARTS.c.service == SERVICES.c.id, isouter=True)
)
"""What a `ServiceRow` is made of."""


class ServiceTable(VolumeTable):
    _sids: frozenset[str] = frozenset()
    """Those of the configuration: nobody else gets them."""

    def service(self, sid: str) -> ServiceRow | None:
        """One of the catalog's own."""
        memory = self._current()
        known = memory.services.get(sid)
        if known is not None:
            return known
        row = self.read_service(sid)
        return None if row is None else memory.services.keep(sid, row)

    def read_service(self, sid: str) -> ServiceRow | None:
        """The same, read now, whatever this process remembers."""
        with self._database.reading() as connection:
            row = connection.execute(SELECT.where(_named(sid))).first()
        return None if row is None else service_row(row)

    def services(
        self, after: str = "", limit: int = 1000, *, for_account: str | None = None
    ) -> list[ServiceRow]:
        """By sid, those above `after`; for an account: those that it owns, or that may give
        something to others by their grants or settings."""
        wanted = and_(SERVICES.c.namespace == _NAMESPACE, SERVICES.c.sid > after)
        if for_account is not None:
            wanted = and_(wanted, or_(SERVICES.c.owner == for_account, _SHARED))
        query = SELECT.where(wanted).order_by(SERVICES.c.sid).limit(limit)
        with self._database.reading() as connection:
            return [service_row(row) for row in connection.execute(query)]

    def services_within(
        self,
        volume: str,
        *,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
        shared: bool = False,
    ) -> list[ServiceRow]:
        """Those of a volume, by the bucket's name; `shared`: that may give something to others."""
        wanted = between(VOLUME_BUCKETS.c.bucket, prefix, after)
        wanted += [_SHARED] if shared else []
        query = SELECT.where(is_text(VOLUME_BUCKETS.c.volume, volume), *wanted)
        query = query.order_by(VOLUME_BUCKETS.c.bucket).limit(limit)
        with self._database.reading() as connection:
            return [service_row(row) for row in connection.execute(query)]

    def add_service(
        self,
        sid: str,
        owner: str,
        grants: Iterable[Grant] = (),
        *,
        replaces: int | None = None,
        settings: Iterable[NewSetting] = (),
        within: Within = NOWHERE,
    ) -> ServiceRow:
        """The row decides who gets a name; its `settings` come with it. `replaces`: the id of a
        row that goes in the same commit, with those that it had. `within`: its place in a volume
        of that owner. Raises `AlreadyExists`, also when there are settings of a service that is
        not here now, which must not become another's; `NoSuchVolume`; `Conflict` when that row is
        gone already, or the volume is another's."""
        if sid in self._sids:
            raise AlreadyExists(f"The service {sid!r} is declared in the configuration.")
        grants, settings, created = tuple(grants), tuple(settings), self._clock()
        try:
            with self._database.writing() as connection:
                if replaces is not None and remove_row(connection, replaces) is None:
                    raise Conflict
                id = insert_service(connection, sid, owner, created, grants)
                self._place(connection, id, owner, within)
                for one in settings:
                    insert_setting(connection, sid, one)
                self._note(
                    connection,
                    "bucket.add",
                    sid,
                    owner=owner,
                    grants=grants_value(grants),
                    settings=[one.kind for one in settings],
                    **({} if within == NOWHERE else within._asdict()),
                )
        except IntegrityError:
            raise AlreadyExists from None
        return ServiceRow(id, sid, owner, created, grants, within=within)

    def remove_service(self, id: int) -> bool:
        """Whether the row was there. Its settings go with it, and what keys may do in it: who
        gave these that has nothing to give in a bucket that somebody else calls so later."""

        def remove(connection: Connection, note: Note) -> bool:
            sid = remove_row(connection, id)
            if sid is not None:
                take_levels(connection, sid, note)
                note("bucket.drop", sid)
            return sid is not None

        return self._removing(remove)

    def declared_since(self, sids: Iterable[str], written: int) -> Mapping[str, int]:
        """When each of the configuration's services was first seen here: it stays, whatever
        becomes of the file. `written`: when that was written, for those that are new. All in
        milliseconds since the epoch."""
        wanted = {f"{_SINCE}{sid}": sid for sid in sids}
        with self._database.reading() as connection:
            known = get_metas(connection, _SINCE)
        new = wanted.keys() - known.keys()
        if new:
            known |= self._first_seen(sorted(new), str(written or self._clock()))
        return {sid: int(known[name]) for name, sid in wanted.items()}

    def _first_seen(self, names: Sequence[str], moment: str) -> Mapping[str, str]:
        try:
            with self._database.writing() as connection:
                for name in names:
                    if get_meta(connection, name) is None:  # else another worker was first
                        set_meta(connection, name, moment)
                return get_metas(connection, _SINCE)
        except (Full, Unavailable):  # that stops no start: the next one writes it down
            return dict.fromkeys(names, moment)

    def set_grants(self, id: int, grants: Sequence[Grant]) -> bool:
        """Replace a service's grants; False when the row is gone."""
        values = {"grants": grants_value(grants), "granted": bool(grants)}
        which = SERVICES.c.id == id

        def change(connection: Connection, note: Note) -> bool:
            sid = connection.scalar(select(SERVICES.c.sid).where(which))
            if sid is not None:
                connection.execute(update(SERVICES).where(which).values(values))
                note("grants.put", sid, grants=values["grants"])
            return sid is not None

        return self._removing(change)


def insert_service(
    connection: Connection, sid: str, owner: str, created: int, grants: Sequence[Grant] = ()
) -> int:
    """The id of the new row. Raises `IntegrityError` when the name is taken, and
    `AlreadyExists` when there are settings that are not its."""
    if has_settings(connection, sid):
        raise AlreadyExists(f"There are settings of a service {sid!r} that was declared before.")
    row = {
        "namespace": _NAMESPACE,
        "sid": sid,
        "owner": owner,
        "created": created,
        "granted": bool(grants),
        "grants": grants_value(grants),
        "settings": {},
    }
    added = connection.execute(insert(SERVICES).values(row))
    (id,) = added.inserted_primary_key or (0,)
    return int(id)


_SHARED = or_(SERVICES.c.granted, SERVICES.c.sid.in_(WITH_RULES))
"""Those that may give something to others, by their grants or settings."""


def _named(sid: str) -> ColumnElement[bool]:
    return and_(SERVICES.c.namespace == _NAMESPACE, is_text(SERVICES.c.sid, sid))
