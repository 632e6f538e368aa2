"""Settings of services, parsed: the configuration's first, then the catalog's.

What is asked for was parsed before, for as long as it does not change. Of the settings that
make rules each service has its own set; where one of them cannot be read (its mode is not
installed, or is older), nobody gets anything, for it might say so, but what it takes to look
at such settings and to remove them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, TypeVar

from gateway.access.actions import ALL, RULES
from gateway.access.grants import Grant
from gateway.access.rules import ANYBODY, Limits, Rule
from gateway.access.ruleset import Default, RuleSet
from gateway.access.settings import Parsed, Setting, SettingKind
from gateway.catalog import Catalog
from gateway.catalog.cache import Kept
from gateway.catalog.settings import NONE_STORED, NewSetting, Stored, StoredSetting
from gateway.services.service import Service
from gateway.storage import NOTHING, Conflict

log = logging.getLogger("gateway.settings")

T = TypeVar("T")

CLOSED = Rule(effect="deny", who=ANYBODY, actions=ALL - RULES, name="a setting that cannot be read")


UNWRITABLE = Rule(
    effect="deny",
    who=ANYBODY,
    actions=frozenset(("write",)),
    name="a setting for new objects that cannot be read",
)


class _Made(NamedTuple):
    """A set of rules, and what it was made of."""

    owner: str
    grants: tuple[Grant, ...]
    stored: Stored
    case_sensitive: bool
    rules: RuleSet


class ServiceSettings:
    """`declared`: documents that the configuration gives, by service and kind."""

    def __init__(
        self,
        catalog: Catalog,
        kinds: Iterable[SettingKind[Any]] = (),
        declared: Mapping[str, Mapping[str, str]] = NOTHING,
    ) -> None:
        self._catalog = catalog
        self._kinds = {kind.name: kind for kind in kinds}
        self._declared = {
            sid: Stored({name: self._declaration(name, text) for name, text in documents.items()})
            for sid, documents in declared.items()
        }
        self._made: Kept[_Made] = Kept()

    def _declaration(self, name: str, document: str) -> StoredSetting:
        kind = self._kinds.get(name)
        return StoredSetting(document, kind is None or kind.rules is not None, version=0)

    # one

    def get(self, sid: str, kind: SettingKind[T]) -> Setting[T] | None:
        """Raises `ValueError` when what is kept cannot be parsed any more."""
        for stored in (self._declared.get(sid, NONE_STORED), self._catalog.settings_of(sid)):
            if kind.name in stored.by_kind:
                return _parsed(stored, kind)
        return None

    def documents(self, sid: str) -> dict[str, str]:
        """All that it has, by kind."""
        stored = {**self._catalog.settings_of(sid).by_kind}
        declared = self._declared.get(sid, NONE_STORED).by_kind
        return {name: one.document for name, one in sorted({**stored, **declared}.items())}

    def needing_versions(self, sid: str) -> list[str]:
        """The kinds of those that it has which need its versions."""
        has = self.documents(sid)
        return [name for name, one in self._kinds.items() if one.needs_versions and name in has]

    def having(self, kind: SettingKind[Any]) -> list[str]:
        """The services that have such a setting, by sid."""
        declared = {sid for sid, one in self._declared.items() if kind.name in one.by_kind}
        found = sorted({*declared, *self._catalog.services_having(kind.name)})
        self.prepare(found)  # who asks for them looks at each
        return found

    def put(
        self,
        sid: str,
        kind: SettingKind[T],
        wanted: Parsed[T],
        service: int | None,
        since: int | None = None,
    ) -> Setting[T]:
        """`service`: the id of a made service's row; `since`: the version that it replaces (see
        `modes.Gateway.set_setting`). Raises `Conflict`, `NoSuchStore`."""
        self._refuse_declared(sid, kind)
        decides = kind.rules is not None
        version = self._catalog.set_setting(
            sid, kind.name, wanted.document, decides=decides, service=service, since=since
        )
        return Setting(*wanted, version)

    def remove(self, sid: str, kind: SettingKind[Any], since: int | None = None) -> bool:
        """Whether it was there. Raises `Conflict`."""
        self._refuse_declared(sid, kind)
        return self._catalog.remove_setting(sid, kind.name, since=since)

    def _refuse_declared(self, sid: str, kind: SettingKind[Any]) -> None:
        if sid in self._declared and kind.name in self._declared[sid].by_kind:
            raise Conflict(
                "The setting is declared in the configuration"
                f" (services.{sid}.settings.{kind.name}): change it there."
            )

    # all that decide

    def prepare(self, sids: Iterable[str]) -> None:
        """Load at once what is going to be asked for one by one."""
        self._catalog.load_settings(sids)

    def rules(self, service: Service) -> RuleSet:
        """The same set for as long as nothing changes that it is made of."""
        sid, stored = service.sid, self._catalog.settings_of(service.sid)
        made = self._made.get(sid)
        of = (service.owner, service.grants, stored, service.case_sensitive)
        if made is None or made[:4] != of:
            defaults = list[Default]()
            rules = [*self._rules(sid, stored, defaults)]
            names = self._declared.get(sid, NONE_STORED).by_kind.keys() | stored.by_kind.keys()
            said = RuleSet(
                sid, service.owner, service.grants, rules, defaults=defaults, settings=names,
                case_sensitive=service.case_sensitive,
            )  # fmt: skip
            made = _Made(*of, said)
            self._made.keep(sid, made)
        return made.rules

    def _rules(self, sid: str, stored: Stored, defaults: list[Default]) -> Iterator[Rule | Limits]:
        """`defaults` gets those beside."""
        declared = self._declared.get(sid, NONE_STORED)
        others = stored.by_kind.keys() - declared.by_kind.keys()
        yield from self._rules_of(sid, declared, declared.by_kind, defaults)
        yield from self._rules_of(sid, stored, others, defaults)

    def _rules_of(
        self, sid: str, stored: Stored, names: Iterable[str], defaults: list[Default]
    ) -> Iterator[Rule | Limits]:
        for name in names:
            kind = self._kinds.get(name)
            if kind is not None and kind.defaults is not None:
                try:
                    defaults.append(partial(kind.defaults, _parsed(stored, kind).value))
                except ValueError as error:
                    log.error("%s: its setting %r cannot be read: no writes: %s", sid, name, error)
                    yield UNWRITABLE
            if kind is None or kind.rules is None:
                if stored.by_kind[name].decides:
                    log.error("%s: nothing here can read its setting %r: it is closed", sid, name)
                    yield CLOSED
                continue
            try:
                yield from kind.rules(_parsed(stored, kind).value, sid)
            except ValueError as error:
                log.error("%s: its setting %r cannot be read: it is closed: %s", sid, name, error)
                yield CLOSED


def to_make(kind: SettingKind[T], wanted: Parsed[T]) -> NewSetting:
    """What a service is to be made with."""
    return NewSetting(kind.name, wanted.document, kind.rules is not None)


def _parsed(stored: Stored, kind: SettingKind[T]) -> Setting[T]:
    found: Setting[T] | None = stored.parsed.get(kind.name)
    if found is None:
        document, _, version = stored.by_kind[kind.name]
        found = stored.parsed[kind.name] = Setting(*kind.parsed(document), version)
    return found
