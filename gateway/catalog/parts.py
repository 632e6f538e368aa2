"""Services and bindings that are made, changed and removed with something else, in its commit.

What they are to be is said as a whole: what is so already stays as it is, and is opened anew
nowhere. Nobody else may change a part (`refuse_part`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from gateway.catalog.rows import ServiceRow, service_row
from gateway.catalog.schema import BINDING_PARTS, BINDINGS, SERVICE_PARTS, count_stores
from gateway.catalog.services import SELECT
from gateway.catalog.stores import ALL_BINDINGS, BindingRow, StoreTable, binding_row
from gateway.common.host_patterns import patterns_of
from gateway.storage import NOTHING


class WantedService(NamedTuple):
    """`options` as JSON has them, links too; `name` is for people."""

    driver: str
    options: Mapping[str, Any]
    name: str = ""


class WantedBinding(NamedTuple):
    """`shown`: what everybody may see of its options; None: all."""

    row: BindingRow
    shown: Mapping[str, Any] | None = None


class Parts(NamedTuple):
    """Services by id, each after those that it stands in front of, and bindings."""

    services: Mapping[str, WantedService] = NOTHING
    bindings: Sequence[WantedBinding] = ()


class PartTable(StoreTable):
    def _settle(self, connection: Connection, whole: str, owner: str, parts: Parts) -> None:
        """Have these be all parts of it. Raises `AlreadyExists` for a name, or a door, that is
        another's."""
        changed = self._settle_bindings(connection, whole, parts)
        changed = self._settle_services(connection, whole, owner, parts) or changed
        if changed:
            count_stores(connection)

    def _settle_services(
        self, connection: Connection, whole: str, owner: str, parts: Parts
    ) -> bool:
        changed = False
        query = SELECT.where(SERVICE_PARTS.c.whole == whole)
        found = {row.sid: row for row in map(service_row, connection.execute(query))}
        for sid, row in found.items():
            if sid not in parts.services:
                self._delete_store(connection, row)
                changed = True
        for sid, one in parts.services.items():
            before = found.get(sid)
            if before is None:
                self._insert_store(
                    connection, sid, owner, one.driver, one.options, name=one.name, part_of=whole
                )
            elif self._is(before, one):
                continue
            else:
                self._alter_store(connection, before, one.options, name=one.name)
            changed = True
        return changed

    def _is(self, row: ServiceRow, wanted: WantedService) -> bool:
        assert row.store is not None and row.store.driver == wanted.driver, "it stays what it is"
        return row.store.name == wanted.name and self.options(row) == wanted.options

    def _settle_bindings(self, connection: Connection, whole: str, parts: Parts) -> bool:
        changed = False
        query = ALL_BINDINGS.where(BINDING_PARTS.c.whole == whole)
        found = {row.door: row for row in map(binding_row, connection.execute(query))}
        wanted = {one.row.door: one for one in parts.bindings}
        same = {door for door, row in found.items() if door in wanted and self._does(row, wanted)}
        for door in found.keys() - same:
            self._delete_binding(connection, *door)
            changed = True
        for door, one in wanted.items():
            if door not in same:
                self._insert_binding(connection, one.row._replace(part_of=whole), one.shown)
                changed = True
        return changed

    def _does(self, row: BindingRow, wanted: Mapping[tuple[str, int, str], WantedBinding]) -> bool:
        other = wanted[row.door].row
        to = (row.mode, row.service, self.binding_options(row))
        return to == (other.mode, other.service, other.options)


def takers(connection: Connection, hosts: Collection[str]) -> dict[str, str]:
    """Of these hosts (in lower case) those that some binding takes, by their own names or by a
    pattern, with what that is part of, "" where it is by itself."""
    names = {name for host in hosts for name in patterns_of(host)}
    if not names:
        return {}
    query = select(BINDINGS.c.host, BINDING_PARTS.c.whole).join(
        BINDING_PARTS, BINDING_PARTS.c.binding == BINDINGS.c.id, isouter=True
    )
    found: dict[str, str] = {}
    for row in connection.execute(query.where(BINDINGS.c.host.in_(sorted(names)))):
        for host in hosts:
            if row.host in patterns_of(host):
                found[host] = row.whole or ""
    return found
