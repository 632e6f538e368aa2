"""`[buckets]` and `[services.…]`: options decoded by the driver's own fields. How services
stand to each other is the matter of `links.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast

from gateway.access.grants import Grant
from gateway.access.identity import ROOT_ACCOUNT
from gateway.access.rules import AUTHENTICATED, EVERYONE
from gateway.common.nearest_name import nearest
from gateway.config.configuration import Declared
from gateway.config.decode import Decoder, Link
from gateway.config.portable import portable
from gateway.config.problems import BAD, Problems, join, names, shown
from gateway.config.tables import EventOptions, GrantOptions, VolumeOptions
from gateway.config.texts import SID, SID_RULE
from gateway.config.volumes import VOLUME, check_volume
from gateway.plugins.finding import Driver, Plugins
from gateway.storage import NOTHING, Store
from gateway.storage.options import OneOrMany

COMMON = ("driver", "name", "account")
"""What every service has, besides its driver's options."""

EVENTS = "events"
"""Whom it tells of its changes: what every service has, too, and may be given anew."""

_EVENTS = Annotated[tuple[str | EventOptions, ...], OneOrMany]

SOURCE, SOURCE_PATH = "source", "source_path"
"""The link of a layer, and what every service with that link has too: a path that is
put in front of the keys that it asks its source for."""

SETTINGS = "settings"
"""A table of documents by kind, which every declared service may have."""

GRANTS = "grants"
"""What every declared service may give to others."""

_GRANTS = Annotated[tuple[GrantOptions, ...], OneOrMany]

BUCKETS: Mapping[str, Any] = {"driver": "local", "keep_versions": "off"}
"""Defaults of `[buckets]`, as far as its driver has such an option."""

IN_MEMORY: Mapping[str, str] = {"local": "memory"}
"""What takes a driver's place when nothing is to be kept (`--memory`). Options
that only the first has are checked and then of no effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceReader:
    decoder: Decoder
    plugins: Plugins
    accounts: frozenset[str]
    memory: bool
    volumes: Mapping[str, VolumeOptions] = NOTHING
    unknown: dict[str, str] = dataclasses.field(default_factory=dict)
    """Services whose driver may be a plugin's that is left out, and that driver."""

    def services(self, found: object) -> dict[str, Declared]:
        """Every service that could be decoded, by sid."""
        problems = self.decoder.problems
        if not isinstance(found, dict):
            problems.add("services", f"found {shown(found)}; allowed: tables.")
            return {}
        declared: dict[str, Declared] = {}
        for sid, table in found.items():
            place = join("services", sid)
            if not SID.fullmatch(sid):
                problems.add(place, f"{SID_RULE}.")
            one = self.decoded(sid, table, place)
            if one is not None:
                declared[sid] = self.as_run(one)
        return declared

    def buckets(self, found: object) -> Declared | None:
        table = found
        if isinstance(found, dict):
            name = found.get("driver", BUCKETS["driver"])
            driver = self.plugins.drivers.get(name) if isinstance(name, str) else None
            options = driver.options if driver else {}
            defaults = {key: value for key, value in BUCKETS.items() if key in options}
            table = {"driver": name, **defaults, **found}
        declared = self.decoded("", table, "buckets")
        if declared is None:
            return None
        if declared.links:
            place = join("buckets", next(iter(declared.links)))
            self.decoder.problems.add(place, "[buckets] cannot stand in front of a service.")
            return None
        if isinstance(declared.options.get("keep_versions"), float):
            place = join("buckets", "keep_versions")
            self.decoder.problems.add(
                place,
                "a duration is for services; a bucket's lifecycle (NoncurrentVersionExpiration)"
                " says it for the bucket.",
            )
            return None
        if declared.options.get("replica_of") is not None:
            place = join("buckets", "replica_of")
            self.decoder.problems.add(place, "a replica is a service with an id.")
            return None
        return self.as_run(declared)

    def decoded(self, sid: str, table: object, place: str) -> Declared | None:
        """As it was written; None when it is wrong, which was reported, or its driver is one
        of `unknown`."""
        problems = self.decoder.problems
        if not isinstance(table, dict):
            problems.add(place, f"found {shown(table)}; allowed: a table.")
            return None
        before = len(problems)
        driver = self._driver(sid, table, place)
        name = self._text(table, "name", place, "")
        volume = self._text(table, VOLUME, place, "") if sid else ""
        owner = self.volumes[volume].account if volume in self.volumes else ROOT_ACCOUNT
        account = self._text(table, "account", place, owner)
        check_account(problems, account, self.accounts, join(place, "account"))
        if volume:
            check_volume(problems, sid, place, volume, table.get("account"), self.volumes)
        if driver is None:
            return None
        common = (*COMMON, EVENTS, VOLUME, SETTINGS, GRANTS) if sid else (*COMMON, EVENTS)
        path = ""
        if SOURCE in driver.options:
            common, path = (*common, SOURCE_PATH), self._path(table, place)
        settings = self._settings(table.get(SETTINGS, {}), join(place, SETTINGS)) if sid else {}
        grants = self._grants(table.get(GRANTS, []), join(place, GRANTS)) if sid else ()
        events = self._events(table.get(EVENTS, []), join(place, EVENTS))
        values = self.decoder.table(driver.kind, table, place, also=common)
        if len(problems) > before:
            return None
        links = {key: str(value) for key, value in values.items() if isinstance(value, Link)}
        return Declared(
            sid=sid,
            place=place,
            driver=driver.kind,
            name=name,
            account=account,
            source_path=path,
            options={key: value for key, value in values.items() if key not in links},
            links=links,
            settings=settings,
            events=events,
            grants=grants,
            volume=volume,
        )

    def _driver(self, sid: str, table: Mapping[str, object], place: str) -> Driver | None:
        known = sorted(self.plugins.drivers)
        where, problems = join(place, "driver"), self.decoder.problems
        if "driver" not in table:
            problems.add(where, f"missing; give one of: {names(known)}.")
            return None
        name = table["driver"]
        driver = self.plugins.drivers.get(name) if isinstance(name, str) else None
        if driver is None and sid and isinstance(name, str) and self.plugins.problems:
            self.unknown[sid] = name
        elif driver is None:
            nobody, like = "", ""
            if isinstance(name, str):
                nobody, like = ": no installed plugin brings it", nearest(name, known)
            listed = f"known drivers: {names(known)}"
            problems.add(where, f"found {shown(name)}{nobody}; {listed}.{like}")
        return driver

    def _settings(self, found: object, place: str) -> dict[str, str]:
        """Documents that their kinds can parse."""
        problems, kinds, documents = self.decoder.problems, self.plugins.kinds, dict[str, str]()
        if not isinstance(found, dict):
            problems.add(place, f"found {shown(found)}; allowed: a table.")
            return {}
        for name, document in found.items():
            where = join(place, name)
            if name not in kinds:
                known = f" Known: {names(sorted(kinds))}." if kinds else " No mode has any."
                problems.add(where, f"unknown setting.{nearest(name, kinds)}{known}")
            elif not isinstance(document, str):
                problems.add(where, f"found {shown(document)}; allowed: the document as text.")
            else:
                try:
                    kinds[name].parse(document)
                except ValueError as error:
                    problems.add(where, f"{error}")
                documents[name] = document
        return documents

    def _grants(self, found: object, place: str) -> tuple[Grant, ...]:
        values = self.decoder.value(_GRANTS, found, place)
        if values is BAD:
            return ()
        for one in values:
            known = {*self.accounts, EVERYONE, AUTHENTICATED}
            check_account(self.decoder.problems, one.to, known, join(place, "to"))
        return tuple(Grant(one.to, one.permission) for one in values)

    def _events(self, found: object, place: str) -> tuple[EventOptions, ...]:
        """A webhook's name alone: of all its kinds, whatever the key."""
        values = self.decoder.value(_EVENTS, found, place)
        if values is BAD:
            return ()
        return tuple(EventOptions(webhook=one) if isinstance(one, str) else one for one in values)

    def _text(self, table: Mapping[str, object], name: str, place: str, default: str) -> str:
        value = self.decoder.value(str, table.get(name, default), join(place, name))
        return default if value is BAD else cast(str, value)

    def _path(self, table: Mapping[str, object], place: str) -> str:
        path = self._text(table, SOURCE_PATH, place, "")
        if path and not all(path.split("/")):
            self.decoder.problems.add(
                join(place, SOURCE_PATH),
                f'found {shown(path)}; allowed: whole segments, such as "originals" or'
                ' "a/b", without a slash at the ends.',
            )
        return path

    def as_run(self, declared: Declared) -> Declared:
        """With what takes the driver's place when nothing is to be kept."""
        name = IN_MEMORY.get(declared.driver.driver, "") if self.memory else ""
        driver = self.plugins.drivers.get(name)
        if driver is None:
            return declared
        options = {key: one for key, one in declared.options.items() if key in driver.options}
        return replace(declared, driver=driver.kind, options=options)


def check_account(problems: Problems, account: object, known: Iterable[str], place: str) -> None:
    """An account must be declared; what is no text was reported by the decoder."""
    if isinstance(account, str) and account not in known:
        like = nearest(account, known)
        problems.add(
            place,
            f"found {shown(account)}; known accounts: {names(sorted(known))}."
            f" Declare it as one of [[accounts]].{like}",
        )


def construct(declared: Declared, linked: Mapping[str, Store]) -> Store:
    """The driver's instance; `linked` are its links, by field. Raises `ValueError`."""
    return declared.driver(**declared.options, **linked)


def portable_service(declared: Declared, table: Mapping[str, Any]) -> dict[str, Any]:
    """The options and links of a table that was decoded, such that they mean the same
    wherever they are decoded again: secrets in place of where they are found, whole paths.
    It reveals secrets."""
    options = {name: portable(one, table.get(name)) for name, one in declared.options.items()}
    path = {SOURCE_PATH: declared.source_path} if declared.source_path else {}
    events = {EVENTS: table[EVENTS]} if declared.events else {}  # they are names and texts
    volume = {VOLUME: declared.volume} if declared.volume else {}
    return {**options, **declared.links, **path, **events, **volume}
