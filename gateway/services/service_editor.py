"""Services of the catalog are added, changed and removed: what cannot be opened is refused.

Checked is what `gateway check` checks of a configuration that declares them, and said in
the same words. Nothing is opened here: whoever serves does so by itself, as its own user
(`added`). All changes of this kind have a number; one that comes between look and change
makes it look again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gateway.access.identity import ROOT_ACCOUNT
from gateway.catalog import Catalog, CatalogError, ServiceRow
from gateway.catalog.rows import Within
from gateway.catalog.stores import Stores, refuse_part
from gateway.catalog.zones import is_closed
from gateway.common.nearest_name import nearest
from gateway.config import (
    SID,
    SID_RULE,
    SOURCE,
    Configuration,
    ConfigurationError,
    Declared,
    VolumeOptions,
)
from gateway.config.given import of_service
from gateway.config.links import check_events
from gateway.config.problems import ConfigProblem, Problems, join, shown
from gateway.config.services import COMMON, GRANTS, SETTINGS, portable_service
from gateway.config.volumes import VOLUME, check_places
from gateway.modes.bucket_names import fits_volumes
from gateway.services.chain import Chain
from gateway.services.soundness import sound, wrong
from gateway.services.stored import confined, decoded, door_of, reader
from gateway.storage import Conflict, NoSuchStore

Table = Mapping[str, Any]
T = TypeVar("T")

_TRIES = 10
_SUFFIXES = ("_env", "_file")
_PROVING = re.compile(r"://[^\s\"]*[@?]")
"""A URL with a name and a password, or with a query: that may be a proof of its own."""
_CHANGED = {
    **dict.fromkeys(COMMON, "it stays as it was added: remove the service, and add it again."),
    "name": "give it as --name.",
}


class _Checked(NamedTuple):
    """What is to be kept: `options`, and as people may see them (`shown`)."""

    options: dict[str, Any]
    shown: dict[str, str]
    owner: str
    within: Within


class ServiceEditor:
    """`folder` is what relative paths start from; variables of `environ` and files of secrets are
    read now, once, and only what they hold is kept; None: none is read. All raise `StorageError`
    and `ConfigurationError`."""

    def __init__(
        self,
        configuration: Configuration,
        catalog: Catalog,
        *,
        folder: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.configuration, self.catalog, self._folder = configuration, catalog, folder
        self._environ = environ

    def add(
        self, sid: str, driver: str, options: Table, *, name: str = "", account: str = ""
    ) -> str:
        """`options` as a file has them, links too. `account`: "" for that of its volume, else
        root. Who owned the one of that id that was removed before, whose objects may be there
        still; "" for nobody else."""
        self._refuse_declared(sid)
        if not SID.fullmatch(sid):
            raise ConfigurationError([ConfigProblem(join("services", sid), f"{SID_RULE}.")])
        _refuse_beside(sid, options, {one: f"give it as --{one}." for one in COMMON})
        table = {**options, "driver": driver, "name": name}
        if account:
            table["account"] = account

        def add(stores: Stores) -> str:
            found = self._checked(sid, table, stores)
            self.catalog.add_store(
                sid,
                found.owner,
                driver,
                found.options,
                name=name,
                shown=found.shown,
                within=found.within,
                since=stores.number,
            )
            return found.owner

        owner = unless_changed(self.catalog, add)
        before = self.catalog.last_owner(sid)
        return before if before != owner else ""

    def change(
        self, sid: str, options: Table, *, unset: Iterable[str] = (), name: str | None = None
    ) -> None:
        """Give it these options besides those that it has, and take `unset` away."""
        _refuse_beside(sid, options, _CHANGED)

        def change(stores: Stores) -> None:
            row = self._row(sid, stores)
            assert row.store is not None
            refuse_part(f"The service {sid!r}", row.store.part_of)
            changed = merged(self.catalog.options(row), options)
            for option in unset:
                if changed.pop(option, None) is None:
                    raise ConfigurationError(
                        [ConfigProblem(join(join("services", sid), option), "is not given.")]
                    )
            called = row.store.name if name is None else name
            table = {**changed, "driver": row.store.driver, "name": called, "account": row.owner}
            found = self._checked(sid, table, stores, frozenset({row.owner}))
            self.catalog.change_store(
                row,
                found.options,
                name=called,
                shown=found.shown,
                within=found.within,
                since=stores.number,
            )

        unless_changed(self.catalog, change)

    def remove(self, sid: str) -> None:
        """Its requests go on to their end. Raises `Conflict` when something needs it. One that
        a declared service hides nobody needs."""

        def remove(stores: Stores) -> None:
            hidden = sid in self.configuration.services and sid in stores.services
            row = stores.services[sid] if hidden else self._row(sid, stores)
            assert row.store is not None
            refuse_part(f"The service {sid!r}", row.store.part_of)
            if not hidden:
                self._refuse_needed(sid, stores)
            self.catalog.remove_store(row, since=stores.number, settings=not hidden)

        unless_changed(self.catalog, remove)

    def remove_as(self, take: Callable[..., object], sid: str) -> None:
        """The same, for who removes it with what it is part of: `take` is called with its row and
        the number of changes (`since`)."""

        def remove(stores: Stores) -> None:
            row = self._row(sid, stores)
            self._refuse_needed(sid, stores)
            take(row, since=stores.number)

        unless_changed(self.catalog, remove)

    def _refuse_needed(self, sid: str, stores: Stores) -> None:
        if needed := [*self._needing(sid, stores)]:
            raise Conflict(
                f"The service {sid!r} cannot be removed: {', '.join(needed)}"
                f" {'needs' if len(needed) == 1 else 'need'} it."
            )

    def find(self, sid: str) -> tuple[ServiceRow, dict[str, Any]]:
        """The service and its options, secrets too."""
        row = self._row(sid, self.catalog.stores())
        return row, self.catalog.options(row)

    def needed_by(self, sid: str) -> list[str]:
        """What keeps it from being removed: added services and bindings, in words."""
        return [*self._needing(sid, self.catalog.stores())]

    def links(self, row: ServiceRow) -> tuple[str, ...]:
        """The ids of those that it stands in front of, as far as they can be read."""
        return tuple(one for one in self._links(row) if isinstance(one, str))

    # checking

    def _refuse_declared(self, sid: str) -> None:
        declared = self.configuration.services.get(sid)
        if declared is not None:
            file = self.configuration.origin.path or "the configuration"
            raise Conflict(
                f"The service {sid!r} is declared in {file} ({declared.place}): change it there."
            )

    def _row(self, sid: str, stores: Stores) -> ServiceRow:
        self._refuse_declared(sid)
        row = stores.services.get(sid)
        if row is None:
            if self.catalog.read_service(sid) is not None:
                raise Conflict(f"The service {sid!r} is a bucket: it is changed through an API.")
            raise NoSuchStore(f"There is no service {sid!r}.{nearest(sid, stores.services)}")
        return row

    def _needing(self, sid: str, stores: Stores) -> Iterator[str]:
        for other, row in stores.services.items():
            if other not in self.configuration.services and sid in self._links(row):
                yield f"the service {other!r} in front of it"
        for binding in (*self.configuration.bindings, *map(door_of, stores.bindings)):
            if binding.service == sid:
                yield f"the binding {binding}"

    def _links(self, row: ServiceRow) -> list[object]:
        """The ids of those that it stands in front of, whether or not it can be opened. Of a
        driver that no plugin brings one link is known by its name; what is damaged has none."""
        assert row.store is not None
        try:
            options = self.catalog.options(row)
        except CatalogError:
            return []
        driver = self.configuration.plugins.drivers.get(row.store.driver)
        names = (SOURCE,) if driver is None else driver.links
        return [options[name] for name in names if name in options]

    def _decoded(self, row: ServiceRow) -> Declared | None:
        try:
            return decoded(self.configuration, self.catalog, row, Problems())
        except CatalogError:
            return None

    def _checked(
        self, sid: str, table: Table, stores: Stores, owners: frozenset[str] = frozenset()
    ) -> _Checked:
        """`owners` are accounts whether or not anything says so. Raises `ConfigurationError` with
        all that is wrong."""
        problems, place = Problems(), join("services", sid)
        volumes = self._volumes(table.get(VOLUME))
        owners = owners.union(one.account for one in volumes.values())
        services = reader(
            self.configuration,
            problems,
            self._accounts(table.get("account")).union(owners),
            folder=self._folder,
            environ=self._environ,
            volumes=volumes,
        )
        declared = services.decoded(sid, table, place)
        for name in services.unknown.values():
            problems.add(join(place, "driver"), f'no plugin brings the driver "{name}".')
        for name in (SETTINGS, GRANTS):
            if declared is not None and name in table:
                problems.add(join(place, name), "those of an added service are set by an API.")
        if declared is not None and not problems:
            self._check(problems, services.as_run(declared), stores)
        if declared is None or problems:
            raise ConfigurationError(problems)
        kept = portable_service(declared, table)
        within = Within(declared.volume, declared.bucket)
        return _Checked(kept, _shown(declared, kept), declared.account, within)

    def _volumes(self, name: object) -> dict[str, VolumeOptions]:
        """Those of the configuration, and the one of that name."""
        row = self.catalog.volume(name) if isinstance(name, str) and fits_volumes(name) else None
        known = dict(self.configuration.volumes)
        if row is not None:
            known[row.name] = VolumeOptions(account=row.owner, quota=row.quota)
        return known

    def _accounts(self, owner: object) -> frozenset[str]:
        known = {ROOT_ACCOUNT, *(one.id for one in self.configuration.accounts)}
        if isinstance(owner, str) and self.catalog.account(owner) is not None:
            known.add(owner)
        return frozenset(known)

    def _check(self, problems: Problems, declared: Declared, stores: Stores) -> None:
        """Report what would be wrong with it, and with others because of it."""
        others = {sid: self._decoded(row) for sid, row in stores.services.items()}
        present = {sid: one for sid, one in others.items() if one is not None}
        before = sound({**present, **self.configuration.services})
        after = {**before, declared.sid: declared}
        for field, sid in declared.links.items():
            if sid not in after and self.catalog.read_service(sid) is not None:
                problems.add(
                    join(declared.place, field),
                    f"found {shown(sid)}, a bucket: only services that are declared or added"
                    " can be behind another.",
                )
            elif text := closed_part(sid, stores):
                problems.add(join(declared.place, field), text)
        if problems:
            return
        problems.extend(wrong(after))
        beside = [one for one in before.values() if one.sid != declared.sid]
        check_places(problems, [*beside, declared])
        check_events(problems, [declared], after, self.configuration.webhooks)
        if problems:
            return
        chain = self._chain(after)
        data = self.configuration.data
        known = self._chain(before).misplaced(data)
        for text in chain.misplaced(data):
            if text not in known:
                problems.add("", text)
        if Chain(self.configuration).single_process is None:
            store = chain.services[declared.sid].store
            if reason := confined(store):
                problems.add(declared.place, reason)

    def _chain(self, services: Mapping[str, Declared]) -> Chain:
        return Chain(replace(self.configuration, services=services))


def closed_part(sid: str, stores: Stores) -> str:
    """Why nothing may lead to that service but what it is part of; "" where it may. Who makes a
    zone decides alone what it serves, and removes it whenever they like."""
    row = stores.services.get(sid)
    whole = row.store.part_of if row is not None and row.store is not None else ""
    if not is_closed(whole):
        return ""
    return f"found {shown(sid)}, which is part of the {whole}: that alone leads there."


def _refuse_beside(sid: str, options: Table, beside: Mapping[str, str]) -> None:
    """Raise `ConfigurationError` for what every service has, and is no option of a driver."""
    place = join("services", sid)
    problems = [
        ConfigProblem(join(place, name), f"is no option of a driver: {text}")
        for name, text in beside.items()
        if name in options
    ]
    if problems:
        raise ConfigurationError(problems)


def _shown(declared: Declared, kept: Table) -> dict[str, str]:
    """No secret, and nothing that may be one."""
    shown = dict(declared.links)
    for one in of_service(declared, kept):
        if not (one.secret or _PROVING.search(one.text)):
            before = f"{shown[one.name]}; " if one.name in shown else ""
            shown[one.name] = f"{before}{one.text}"
    return shown


def unless_changed(catalog: Catalog, change: Callable[[Stores], T]) -> T:
    """Make a change of what there is; again when somebody has changed something meanwhile."""
    for _ in range(_TRIES):
        stores = catalog.stores()
        try:
            return change(stores)
        except Conflict:
            if catalog.stores_number() == stores.number:
                raise
    raise Conflict("Others change the catalog all the time: try again.")


def merged(kept: Table, given: Table) -> dict[str, Any]:
    """`kept` with what is given; a secret may have been given in another way before."""
    result = dict(kept)
    for name, value in given.items():
        option = name
        for suffix in _SUFFIXES:
            option = option.removesuffix(suffix)
        before = result.pop(option, None) if option != name else result.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            result[name] = merged(before, value)
        else:
            result[name] = value
    return result
