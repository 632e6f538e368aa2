"""Settings of services: (service, kind) → a document, for services of every origin.

The catalog keeps documents and reads none of them: who owns a kind parses it
(`gateway.services.settings`). Those of a made service go with its row, in one commit.

Each change of any counts a number up, in the same commit; so a process that sees the
catalog changed reads that number, and keeps what it has loaded while it is the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, insert, select

from gateway.catalog.audit import AuditTable, Note
from gateway.catalog.cache import Kept
from gateway.catalog.schema import (
    SERVICE_SETTINGS,
    SERVICES,
    VOLUME_BUCKETS,
    get_meta,
    set_meta,
)
from gateway.common.commit_watch import Version
from gateway.storage import NOTHING, Conflict, NoSuchStore

_NUMBER = "settings"
"""In `meta`: counted up with each change."""

_TABLE = SERVICE_SETTINGS
_PAGE = 1000

WITH_RULES = select(_TABLE.c.sid).where(_TABLE.c.decides)
"""The services of which a setting says who may do what."""


class StoredSetting(NamedTuple):
    """`decides`: rules are made of it; whoever cannot read it must refuse everything.
    `version` is never that of another change."""

    document: str
    decides: bool
    version: int


class NewSetting(NamedTuple):
    kind: str
    document: str
    decides: bool


class Stored:
    """All settings of a service, as of one moment. `parsed` is for whoever parses them."""

    __slots__ = ("by_kind", "parsed")

    def __init__(self, by_kind: Mapping[str, StoredSetting]) -> None:
        self.by_kind = by_kind
        self.parsed: dict[str, Any] = {}


NONE_STORED = Stored(NOTHING)


class _Loaded(NamedTuple):
    """What was loaded while the catalog had that version, and the settings that number."""

    version: Version
    number: int
    services: Kept[Stored]


class SettingTable(AuditTable):
    _loaded = _Loaded(-1, -1, Kept())

    def settings_of(self, sid: str) -> Stored:
        """The same object for as long as nothing changes."""
        services = self._settings()
        found = services.get(sid)
        if found is None:
            self._load(services, [sid])
            found = services.get(sid)
        return found or NONE_STORED

    def load_settings(self, sids: Iterable[str]) -> None:
        """Those of many at once, for who is going to ask for each."""
        services = self._settings()
        missing = [sid for sid in sids if services.get(sid) is None]
        for start in range(0, len(missing), _PAGE):
            self._load(services, missing[start : start + _PAGE])

    def _settings(self) -> Kept[Stored]:
        loaded, version = self._loaded, self.version()
        if loaded.version != version:
            with self._database.reading() as connection:
                number = int(get_meta(connection, _NUMBER) or 0)
            same = number == loaded.number
            loaded = self._loaded = _Loaded(version, number, loaded.services if same else Kept())
        return loaded.services

    def _load(self, services: Kept[Stored], sids: list[str]) -> None:
        found: dict[str, dict[str, StoredSetting]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(select(_TABLE).where(_TABLE.c.sid.in_(sids))):
                setting = StoredSetting(row.document, row.decides, row.version)
                found.setdefault(row.sid, {})[row.kind] = setting
        for sid in sids:
            services.keep(sid, Stored(found[sid]) if sid in found else NONE_STORED)

    def services_having(self, kind: str) -> list[str]:
        """By sid, whatever their origin."""
        query = select(_TABLE.c.sid).where(_TABLE.c.kind == kind).order_by(_TABLE.c.sid)
        with self._database.reading() as connection:
            return list(connection.scalars(query))

    def set_setting(
        self,
        sid: str,
        kind: str,
        document: str,
        *,
        decides: bool,
        service: int | None,
        since: int | None = None,
    ) -> int:
        """Its version. `service`: the id of a made service's row; raises `NoSuchStore` when
        that is gone, for settings must not become those of its successor. `since`: the version
        that it is to replace, 0 for none; raises `Conflict` when it is another."""
        with self._database.writing() as connection:
            if service is not None and not _is_there(connection, service):
                raise NoSuchStore(name=sid)
            _check_version(connection, sid, kind, since)
            connection.execute(delete(_TABLE).where(_named(sid, kind)))
            version = insert_setting(connection, sid, NewSetting(kind, document, decides))
            self._note(connection, "setting.put", sid, kind=kind, version=version)
            return version

    def remove_setting(self, sid: str, kind: str, *, since: int | None = None) -> bool:
        """Whether it was there. `since`: as above."""

        def remove(connection: Connection, note: Note) -> bool:
            _check_version(connection, sid, kind, since)
            gone = _remove(connection, _named(sid, kind))
            if gone:
                note("setting.remove", sid, kind=kind)
            return gone

        return self._removing(remove)


def _check_version(connection: Connection, sid: str, kind: str, since: int | None) -> None:
    if since is None:
        return
    known = connection.scalar(select(_TABLE.c.version).where(_named(sid, kind)))
    if (known or 0) != since:
        raise Conflict("The setting was changed meanwhile.")


def insert_setting(connection: Connection, sid: str, new: NewSetting) -> int:
    """Its version."""
    version = _count(connection)
    connection.execute(insert(_TABLE).values(sid=sid, version=version, **new._asdict()))
    return version


def has_settings(connection: Connection, sid: str) -> bool:
    return connection.scalar(select(_TABLE.c.sid).where(_TABLE.c.sid == sid).limit(1)) is not None


def remove_row(connection: Connection, id: int, *, settings: bool = True) -> str | None:
    """Remove a made service's row, with its place in a volume, and its `settings`. Its sid; None
    when it was not there."""
    sid = connection.scalar(select(SERVICES.c.sid).where(SERVICES.c.id == id))
    if sid is not None:
        connection.execute(delete(VOLUME_BUCKETS).where(VOLUME_BUCKETS.c.service == id))
        connection.execute(delete(SERVICES).where(SERVICES.c.id == id))
        if settings:
            _remove(connection, _TABLE.c.sid == sid)
    return sid


def _remove(connection: Connection, which: Any) -> bool:
    gone = bool(connection.execute(delete(_TABLE).where(which)).rowcount)
    if gone:
        _count(connection)
    return gone


def _count(connection: Connection) -> int:
    number = int(get_meta(connection, _NUMBER) or 0) + 1
    set_meta(connection, _NUMBER, str(number))
    return number


def _is_there(connection: Connection, service: int) -> bool:
    return connection.scalar(select(SERVICES.c.id).where(SERVICES.c.id == service)) is not None


def _named(sid: str, kind: str) -> Any:
    return and_(_TABLE.c.sid == sid, _TABLE.c.kind == kind)
