"""The catalog's services that have a driver and options, and its bindings.

Options are sealed as a whole: a password may be part of a URL, or lie in a table whose
names only the driver knows. All services and bindings of this kind have one number in
common, which grows with each change of any: by it a process finds out with one small
query that nothing changed, and who changes something tells that all is still as it was
when it was checked (`Conflict`: look again).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.catalog.audit import CHANGED, Note
from gateway.catalog.rows import NOWHERE, ServiceRow, Within, service_row
from gateway.catalog.schema import (
    BINDING_OPTIONS,
    BINDING_PARTS,
    BINDING_SECRETS,
    BINDINGS,
    SERVICE_PARTS,
    SERVICES,
    STORES,
    VOLUME_BUCKETS,
    count_stores,
    get_meta,
    is_text,
    set_meta,
    stores_number,
)
from gateway.catalog.secrets import Keyring
from gateway.catalog.services import SELECT, ServiceTable, insert_service
from gateway.catalog.settings import remove_row
from gateway.storage import NOTHING, AlreadyExists, Conflict, NoSuchStore, NotFound, Secret

T = TypeVar("T")

_OWNER = "last owner of "
"""In `meta`, before the id of a service of this kind that was removed."""


class BindingRow(NamedTuple):
    """ "" and 0 for what it does not say; `options` are those of its mode, as a file has them,
    and `sealed` are all of them, where some are secret (`binding_options`). `part_of`: as in
    `StoreRow`."""

    host: str
    port: int
    prefix: str
    mode: str
    service: str
    options: Mapping[str, Any] = NOTHING
    sealed: bytes = b""
    part_of: str = ""

    @property
    def door(self) -> tuple[str, int, str]:
        return self.host, self.port, self.prefix

    @property
    def at(self) -> str:
        return _at(*self.door)


class Stores(NamedTuple):
    """All of them, as they were at `number` at the earliest."""

    number: int
    services: Mapping[str, ServiceRow]
    bindings: tuple[BindingRow, ...]


class StoreTable(ServiceTable):
    keyring: Keyring

    def stores_number(self) -> int:
        """Grows when anything of this kind changed."""
        with self._database.reading() as connection:
            return stores_number(connection)

    def stores(self) -> Stores:
        with self._database.reading() as connection:
            number = stores_number(connection)  # first: what follows may be newer, never older
            with_store = SELECT.where(STORES.c.driver.is_not(None)).order_by(SERVICES.c.sid)
            rows = [service_row(row) for row in connection.execute(with_store)]
            bindings = connection.execute(ALL_BINDINGS).all()
        services = {row.sid: row for row in rows}
        return Stores(
            number,
            services,
            tuple(map(binding_row, bindings)),
        )

    def options(self, row: ServiceRow) -> dict[str, Any]:
        """What `add_store` was given. Raises `CatalogError` when it is damaged."""
        assert row.store is not None
        text = self.keyring.unseal_options(row.sid, row.store.sealed).reveal()
        options: dict[str, Any] = json.loads(text)
        return options

    def add_store(
        self,
        sid: str,
        owner: str,
        driver: str,
        options: Mapping[str, Any],
        *,
        name: str = "",
        shown: Mapping[str, Any] = NOTHING,
        within: Within = NOWHERE,
        since: int,
    ) -> None:
        """`options` as a configuration has them, links too; `shown`: what everybody may see of
        them; `within`: its place in a volume of that owner, which has no quota. Raises
        `AlreadyExists`, and `Conflict` when anything changed since that number."""
        said = {"driver": driver, "name": name, "options": _told({}, options, shown)}

        def add(connection: Connection) -> None:
            self._insert_store(connection, sid, owner, driver, options, name=name, within=within)
            self._note(connection, "service.add", sid, owner=owner, **said)

        self._add(since, add)

    def _insert_store(
        self,
        connection: Connection,
        sid: str,
        owner: str,
        driver: str,
        options: Mapping[str, Any],
        *,
        name: str = "",
        within: Within = NOWHERE,
        part_of: str = "",
    ) -> None:
        """Raises `AlreadyExists`."""
        if sid in self._sids:
            raise AlreadyExists(f"The service {sid!r} is declared in the configuration.")
        try:
            id = insert_service(connection, sid, owner, self._clock())
        except IntegrityError:
            raise AlreadyExists(f"There is a service {sid!r}.") from None
        values = {"driver": driver, "name": name, "sealed": self._sealed(sid, options)}
        row = {"service": id, "revision": stores_number(connection) + 1, **values}
        connection.execute(insert(STORES).values(row))
        self._place(connection, id, owner, within, store=True)
        if part_of:
            connection.execute(insert(SERVICE_PARTS).values(service=id, whole=part_of))

    def last_owner(self, sid: str) -> str:
        """Of the last service of this kind and id that was removed; "" when there was none."""
        with self._database.reading() as connection:
            return get_meta(connection, f"{_OWNER}{sid}") or ""

    def change_store(
        self,
        row: ServiceRow,
        options: Mapping[str, Any],
        *,
        name: str,
        shown: Mapping[str, Any] = NOTHING,
        within: Within = NOWHERE,
        since: int,
    ) -> None:
        """Raises `NoSuchStore`, and what `add_store` does; `Conflict` for a part of something."""
        assert row.store is not None
        said: dict[str, Any] = {"options": _told(self.options(row), options, shown)}
        if name != row.store.name:
            said["name"] = name

        def alter(connection: Connection) -> None:
            refuse_part(f"The service {row.sid!r}", row.store.part_of if row.store else "")
            self._alter_store(connection, row, options, name=name)
            if within != row.within:
                before = delete(VOLUME_BUCKETS).where(VOLUME_BUCKETS.c.service == row.id)
                connection.execute(before)
                self._place(connection, row.id, row.owner, within, store=True)
            self._note(connection, "service.change", row.sid, **said)

        self._add(since, alter)

    def _alter_store(
        self, connection: Connection, row: ServiceRow, options: Mapping[str, Any], *, name: str
    ) -> None:
        """Raises `NoSuchStore`."""
        number = stores_number(connection) + 1
        values = {"name": name, "sealed": self._sealed(row.sid, options), "revision": number}
        change = update(STORES).where(STORES.c.service == row.id)
        if not connection.execute(change.values(values)).rowcount:
            raise NoSuchStore(name=row.sid)

    def remove_store(self, row: ServiceRow, *, since: int, settings: bool = True) -> None:
        """The service with it, and with its `settings`, unless they are those of another of
        that name. Raises as `change_store` does."""

        def remove(connection: Connection, note: Note) -> None:
            refuse_part(f"The service {row.sid!r}", row.store.part_of if row.store else "")
            self._delete_store(connection, row, settings=settings)
            note("service.remove", row.sid)

        self._remove(since, remove)

    def _delete_store(
        self, connection: Connection, row: ServiceRow, *, settings: bool = True
    ) -> None:
        """Raises `NoSuchStore`."""
        connection.execute(delete(STORES).where(STORES.c.service == row.id))
        connection.execute(delete(SERVICE_PARTS).where(SERVICE_PARTS.c.service == row.id))
        if remove_row(connection, row.id, settings=settings) is None:
            raise NoSuchStore(name=row.sid)
        set_meta(connection, f"{_OWNER}{row.sid}", row.owner)

    def binding_options(self, row: BindingRow) -> Mapping[str, Any]:
        """What `add_binding` was given. Raises `CatalogError` when it is damaged."""
        if not row.sealed:
            return row.options
        options: dict[str, Any] = json.loads(
            self.keyring.unseal_binding(row.at, row.sealed).reveal()
        )
        return options

    def add_binding(
        self, binding: BindingRow, *, shown: Mapping[str, Any] | None = None, since: int
    ) -> None:
        """`shown`: what everybody may see of its options; None: all. Raises `AlreadyExists` for
        the same host, port and prefix, and `Conflict`."""

        def add(connection: Connection) -> None:
            told = self._insert_binding(connection, binding, shown)
            to = {"mode": binding.mode, "service": binding.service, "options": told}
            self._note(connection, "binding.add", binding.at, **to)

        self._add(since, add)

    def _insert_binding(
        self, connection: Connection, binding: BindingRow, shown: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """What everybody may see of its options. Raises `AlreadyExists`."""
        options, secret = dict(binding.options), b""
        if shown is not None and shown != options:
            secret = self.keyring.seal_binding(binding.at, Secret(json.dumps(options)))
            options = dict(shown)
        values = {name: getattr(binding, name) for name in _DOOR}
        try:
            made = connection.execute(insert(BINDINGS).values(values))
        except IntegrityError:
            raise AlreadyExists("There is a binding with the same host, port and prefix.") from None
        assert made.inserted_primary_key is not None
        id = made.inserted_primary_key[0]
        if options:
            connection.execute(insert(BINDING_OPTIONS).values(binding=id, options=options))
        if secret:
            connection.execute(insert(BINDING_SECRETS).values(binding=id, sealed=secret))
        if binding.part_of:
            connection.execute(insert(BINDING_PARTS).values(binding=id, whole=binding.part_of))
        return options

    def remove_binding(self, host: str, port: int, prefix: str, *, since: int) -> None:
        """Raises `NotFound`, and `Conflict`, for a part of something, too."""
        at = _at(host, port, prefix)

        def remove(connection: Connection, note: Note) -> None:
            refuse_part(f"The binding {at}", self._delete_binding(connection, host, port, prefix))
            note("binding.remove", at)

        self._remove(since, remove)

    def _delete_binding(self, connection: Connection, host: str, port: int, prefix: str) -> str:
        """What it was a part of, or "". Raises `NotFound`."""
        at = (is_text(BINDINGS.c.host, host), BINDINGS.c.port == port)
        id = connection.scalar(select(BINDINGS.c.id).where(*at, is_text(BINDINGS.c.prefix, prefix)))
        if id is None:
            raise NotFound("There is no such binding.")
        whole = select(BINDING_PARTS.c.whole).where(BINDING_PARTS.c.binding == id)
        part_of = connection.scalar(whole) or ""
        for own in (BINDING_OPTIONS, BINDING_SECRETS, BINDING_PARTS):
            connection.execute(delete(own).where(own.c.binding == id))
        connection.execute(delete(BINDINGS).where(BINDINGS.c.id == id))
        return part_of

    def _add(self, since: int, change: Callable[[Connection], T]) -> T:
        with self._database.writing() as connection:
            return _counted(since, connection, lambda: change(connection))

    def _remove(self, since: int, change: Callable[[Connection, Note], None]) -> None:
        self._removing(lambda one, note: _counted(since, one, lambda: change(one, note)))

    def _sealed(self, sid: str, options: Mapping[str, Any]) -> bytes:
        return self.keyring.seal_options(sid, Secret(json.dumps(options, default=str)))


def binding_row(row: Sequence[Any]) -> BindingRow:
    *door, options, sealed, whole = row
    host, port, prefix, mode, service = door
    options = options or NOTHING
    return BindingRow(host, port, prefix, mode, service, options, sealed or b"", whole or "")


def refuse_part(what: str, whole: str) -> None:
    """Raise `Conflict` where it is a part of something: it is changed, and goes, with that."""
    if whole:
        raise Conflict(f"{what} is part of the {whole}: change that.")


_DOOR = ("host", "port", "prefix", "mode", "service")
ALL_BINDINGS = (
    select(
        *(BINDINGS.c[name] for name in _DOOR),
        BINDING_OPTIONS.c.options,
        BINDING_SECRETS.c.sealed,
        BINDING_PARTS.c.whole,
    )
    .outerjoin(BINDING_OPTIONS, BINDING_OPTIONS.c.binding == BINDINGS.c.id)
    .outerjoin(BINDING_SECRETS, BINDING_SECRETS.c.binding == BINDINGS.c.id)
    .outerjoin(BINDING_PARTS, BINDING_PARTS.c.binding == BINDINGS.c.id)
    .order_by(BINDINGS.c.id)
)


def _counted(since: int, connection: Connection, change: Callable[[], T]) -> T:
    """That change, unless anything has changed since."""
    if stores_number(connection) != since:
        raise Conflict("Something else was changed meanwhile: look again.")
    done = change()
    count_stores(connection)
    return done


def _told(
    before: Mapping[str, Any], after: Mapping[str, Any], shown: Mapping[str, Any]
) -> dict[str, Any]:
    """The options that differ: what may be seen of each now, None where it is gone."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: shown.get(name, CHANGED) if name in after else None for name in names}


def _at(host: str, port: int, prefix: str) -> str:
    return f"{host}{f':{port}' if port else ''}{prefix}"
