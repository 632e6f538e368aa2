"""What is changed through an API, for whoever may: services made and dropped, grants, settings;
of volumes see `volumes`.

Services with a driver of their own are changed by the operator (`service_editor`), declared
ones in the configuration, and an account's buckets at their upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from gateway.access.access import Access
from gateway.access.actions import ServiceAction
from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.settings import Parsed, Setting, SettingKind, Wanted
from gateway.catalog import ServiceRow
from gateway.modes import bucket_names
from gateway.services.making import MadeBuckets, NewBucket
from gateway.services.service import Service
from gateway.services.settings import to_make
from gateway.services.volume_lookup import VolumeLookup
from gateway.storage import (
    AlreadyExists,
    BadKey,
    Conflict,
    Forbidden,
    Mark,
    NoSuchStore,
    Purge,
    Unavailable,
    Versioning,
)

_CREATORS = frozenset({"own", "admin"})
T = TypeVar("T")


class Administration(VolumeLookup):
    """Who may do it is asked here, first."""

    @property
    def made_buckets(self) -> MadeBuckets:
        return MadeBuckets(self.chain, self.catalog)

    # services

    def create(
        self,
        identity: Identity,
        sid: str,
        grants: Sequence[Grant] = (),
        settings: Sequence[Wanted] = (),
        protects: bool = False,
    ) -> Access:
        access = identity.access
        if not (identity.account and isinstance(access, str) and access in _CREATORS):
            raise Forbidden("This key may not create services.")
        if not bucket_names.is_valid(sid):
            raise BadKey(f"A bucket's name has {bucket_names.RULE}.", key=sid)
        if sid in self.chain.services or self.accounts.has(sid):
            raise AlreadyExists
        given = [to_make(*one) for one in settings]
        new = NewBucket(
            sid=sid, owner=identity.account, grants=grants, settings=given, protects=protects
        )
        self.make(new)
        return self.access(identity, sid)

    def make(self, new: NewBucket) -> None:
        """For who may, as was decided before."""
        self.made_buckets.make(new)

    def drop(self, identity: Identity, sid: str, facts: Facts = UNKNOWN) -> None:
        self.made_buckets.drop(self._row(identity, sid, "drop", facts))

    def flush(self, identity: Identity, sid: str, purge: Purge, facts: Facts = UNKNOWN) -> Mark:
        mark = self.access(identity, sid, facts).purge(purge)
        self.catalog.record("cache.flush", sid, **asdict(purge), entries=mark.entries)
        return mark

    def set_grants(
        self, identity: Identity, sid: str, grants: Sequence[Grant], facts: Facts = UNKNOWN
    ) -> None:
        row = self._row(identity, sid, "write-grants", facts)
        if not self.catalog.set_grants(row.id, grants):
            raise NoSuchStore(name=sid)

    def _row(self, identity: Identity, sid: str, action: ServiceAction, facts: Facts) -> ServiceRow:
        """The row of a service that the identity may change in that way."""
        declared = self._declared.get(sid)
        if declared is not None:
            self._require(identity, declared, action, facts)
            raise Conflict(f"The service {declared.about.fixed}.")
        row = self.catalog.read_service(sid)
        if row is None:
            self._refuse_upstream(identity, sid, action, facts)
            raise NoSuchStore(name=sid)
        # Deciding touches no store, and the service's own may be gone.
        service = self.chain.as_bucket(self.identify_row(row))
        self._require(identity, service, action, facts)
        if action == "drop" and row.store is not None:
            raise Conflict(f"The service {service.about.fixed}.")
        return row

    def _require(
        self, identity: Identity, service: Service, action: ServiceAction, facts: Facts
    ) -> None:
        rules = self.service_settings.rules(service)
        Access(service, identity, rules=rules, facts=facts).require(action)

    def _refuse_upstream(
        self, identity: Identity, sid: str, action: ServiceAction, facts: Facts
    ) -> None:
        """Raise `Conflict` for an account's bucket: it is upstream's, and stays as it is."""
        found = self.accounts.find(sid)
        if found is not None:
            self._require(identity, found, action, facts)
            by = found.about.declared or "of the catalog that has its account"
            raise Conflict(f"The bucket is an upstream's, by the service {by}.")

    def note_presigned(self, access: Access, key: str, method: str, *, expires: int) -> None:
        sid, access_key = access.service.sid, access.identity.key
        self.catalog.add_presigned(sid, key, method, access_key, expires=expires)

    # settings

    def keeps_versions(self, access: Access) -> bool:
        return bool(self.service_settings.needing_versions(access.service.sid))

    def set_versioning(self, access: Access, state: Versioning) -> None:
        access.require("write-versioning")
        self._refuse_suspending(access, state)
        access.set_versioning(state)
        try:  # it may have got such a setting meanwhile
            self._refuse_suspending(access, state)
        except Conflict:
            access.service.set_versioning("on")
            raise

    def _refuse_suspending(self, access: Access, state: Versioning) -> None:
        needing = self.service_settings.needing_versions(access.service.sid)
        if state == "suspended" and needing:
            raise Conflict(f"Its versions are kept: the setting {needing[0]!r} needs them.")

    def setting(self, access: Access, kind: SettingKind[T]) -> Setting[T] | None:
        access.require(kind.read)
        return self.service_settings.get(access.service.sid, kind)

    def obeyed(self, access: Access, kind: SettingKind[T]) -> T | None:
        try:
            found = self.service_settings.get(access.service.sid, kind)
        except ValueError:
            raise Unavailable(f"The service's setting {kind.name!r} cannot be read.") from None
        return None if found is None else found.value

    def having(self, kind: SettingKind[Any]) -> Sequence[str]:
        return self.service_settings.having(kind)

    def set_setting(
        self,
        access: Access,
        kind: SettingKind[T],
        wanted: Parsed[T],
        *,
        since: int | None = None,
    ) -> Setting[T]:
        access.require(kind.write)
        if kind.fits is not None:
            kind.fits(self, access, wanted.value)
        service = access.service
        return self.service_settings.put(service.sid, kind, wanted, service.about.row, since)

    def remove_setting(
        self, access: Access, kind: SettingKind[Any], *, since: int | None = None
    ) -> bool:
        access.require(kind.remove)
        return self.service_settings.remove(access.service.sid, kind, since)
