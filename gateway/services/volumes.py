"""Volumes: who may make, change, drop and look at them, and at the buckets in them.

The catalog's row says that there is a volume; the store of [buckets] counts what is in it
(`volume_quotas`). The service of a bucket that is made in one is called `volume.bucket` where
that can be, and nobody else has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Literal

from gateway.access.access import Access
from gateway.access.identity import Identity, acting_for
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.settings import Wanted
from gateway.catalog.rows import VolumeRow, Within
from gateway.catalog.volumes import VolumeChanges
from gateway.config.problems import join
from gateway.modes import bucket_names
from gateway.modes.volumes import UNCHANGED, BucketPage, Unchanged, VolumeInfo, VolumePage
from gateway.services.administration import Administration
from gateway.services.lookup import measure_of
from gateway.services.making import NewBucket
from gateway.services.settings import to_make
from gateway.services.volume_editor import VolumeEditor, check_name
from gateway.services.volume_lookup import Asked
from gateway.services.volume_quotas import settle
from gateway.storage import (
    AlreadyExists,
    Forbidden,
    NoSuchStore,
    NoSuchVolume,
    NotEmpty,
    VolumeStats,
)

_LONGEST_SID = 63
_DIGEST = 8
_TRIES = 100


class GatewayVolumes:
    """Implements `gateway.modes.volumes.Volumes`."""

    def __init__(self, gateway: Administration) -> None:
        self._gateway, self._catalog = gateway, gateway.catalog
        self._editor = VolumeEditor(gateway.catalog, gateway.chain)
        self._store = gateway.chain.volumes
        """What counts them; None where the driver of [buckets] has no volumes."""

    # volumes

    def make(
        self,
        identity: Identity,
        name: str,
        *,
        owner: str,
        user: str = "",
        quota: int | None = None,
    ) -> VolumeInfo:
        _require_manager(identity)
        made = self._editor.make(name, owner=owner, user=user, quota=quota, created_by=identity.key)
        self._settle(name)
        return info_of(made)

    def change(
        self,
        identity: Identity,
        name: str,
        *,
        owner: str | None = None,
        user: str | None = None,
        quota: int | Literal[Unchanged.IT] | None = UNCHANGED,
    ) -> VolumeInfo:
        _require_manager(identity)
        changes = VolumeChanges()
        if owner is not None:
            changes["owner"] = owner
        if user is not None:
            changes["user"] = user
        if quota is not UNCHANGED:
            changes["quota"] = quota
        changed = self._editor.change(name, changes)
        if "quota" in changes:
            self._settle(name)
        return info_of(changed)

    def drop(self, identity: Identity, name: str) -> None:
        self._managed(identity, name)
        self._editor.changeable(name)
        self._clear(name)
        if self._store is not None:
            self._store.drop_volume(name)
        try:
            self._catalog.remove_volume(name)
        except NotEmpty:  # a bucket is being made in it
            self._settle(name)
            raise

    def _clear(self, name: str) -> None:
        """Take away what was left by who made or dropped a bucket and did not come to the end.
        Raises `NotEmpty` at the first bucket that is there."""
        buckets = self._gateway.made_buckets
        while rows := self._catalog.services_within(name, limit=100):
            for row in rows:
                if row.store is not None or buckets.exists(row.sid):
                    raise NotEmpty(f"The volume {name!r} has buckets.")
                with suppress(NoSuchStore):  # somebody else has, just now
                    buckets.drop(row)

    def find(self, identity: Identity, name: str) -> VolumeInfo:
        return info_of(self._managed(identity, name))

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> VolumePage:
        owner = None if every else acting_for(identity)
        if every:
            _require_manager(identity)
        if owner == "":
            return VolumePage((), None)
        rows = self._catalog.volumes(owner=owner, prefix=prefix, after=after, limit=limit + 1)
        items = [info_of(row) for row in rows[:limit]]
        return VolumePage(items, items[-1].name if len(rows) > limit else None)

    def used(self, names: Sequence[str]) -> Mapping[str, VolumeStats]:
        found = {} if self._store is None else {**self._store.volumes(names)}
        for service in self._gateway.stores_within(names):
            volume, one = service.about.volume, measure_of(service)
            before = found.get(volume, VolumeStats(quota=None, used=0, buckets=0))
            used = 0 if one is None else one[0].bytes + one[0].waiting
            found[volume] = before._replace(used=before.used + used, buckets=before.buckets + 1)
        return found

    # buckets

    def create_bucket(
        self,
        identity: Identity,
        volume: str,
        bucket: str,
        *,
        settings: Sequence[Wanted] = (),
        protects: bool = False,
    ) -> Access:
        owner = self._managed(identity, volume).owner
        check_name(bucket, "bucket")
        given = [to_make(*one) for one in settings]
        left = self._gateway.sid_within(volume, bucket)
        for sid in sids(volume, bucket) if left is None else [left]:
            if self._is_taken(sid):
                continue
            new = NewBucket(
                sid=sid,
                owner=owner,
                settings=given,
                protects=protects,
                within=Within(volume, bucket),
            )
            try:
                self._gateway.make(new)
            except AlreadyExists:
                if self._gateway.sid_within(volume, bucket) is not None:
                    raise
                continue  # it is the name of another
            return self._gateway.access(identity, sid)
        raise AlreadyExists

    def _is_taken(self, sid: str) -> bool:
        gateway = self._gateway
        return sid in gateway.chain.services or gateway.accounts.has(sid)

    def buckets(
        self,
        identity: Identity,
        volume: str,
        *,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
        facts: Facts = UNKNOWN,
    ) -> BucketPage:
        row = self._editor.find(volume)
        asked = Asked(volume, prefix, after, limit + 1)
        every = _manages(identity, row)
        found = [*islice(self._gateway.within(identity, asked, facts, every=every), limit + 1)]
        if not found and not self._knows(identity, row, facts):
            raise NoSuchVolume(name=volume)
        items = found[:limit]
        return BucketPage(items, items[-1].service.about.bucket if len(found) > limit else None)

    def bucket(
        self, identity: Identity, volume: str, bucket: str, facts: Facts = UNKNOWN
    ) -> Access:
        try:
            access = self._gateway.access_within(identity, volume, bucket, facts)
        except NoSuchStore:
            raise self._absent(identity, volume, bucket, facts) from None
        if access.service.owner == acting_for(identity) or access.visible:
            return access
        raise self._absent(identity, volume, bucket, facts)

    # who may know what

    def _managed(self, identity: Identity, name: str) -> VolumeRow:
        row = self._editor.find(name)
        if _manages(identity, row):
            return row
        if self._knows(identity, row, UNKNOWN):
            raise Forbidden
        raise NoSuchVolume(name=name)

    def _knows(self, identity: Identity, row: VolumeRow, facts: Facts) -> bool:
        if _manages(identity, row) or identity.reaches_everything:
            return True
        return self._gateway.sees_some(identity, row.name, facts)

    def _absent(
        self, identity: Identity, volume: str, bucket: str, facts: Facts
    ) -> NoSuchStore | NoSuchVolume:
        try:
            row = self._editor.find(volume)
        except NoSuchVolume as error:
            return error
        if self._knows(identity, row, facts):
            return NoSuchStore(name=bucket)
        return NoSuchVolume(name=volume)

    def _settle(self, name: str) -> None:
        if self._store is not None:
            settle(self._store, self._catalog, name)


def info_of(row: VolumeRow) -> VolumeInfo:
    return VolumeInfo(
        name=row.name,
        owner=row.owner,
        user=row.user,
        quota=row.quota,
        created=row.created,
        created_by=row.created_by,
        declared=join("volumes", row.name) if row.declared else "",
    )


def sids(volume: str, bucket: str) -> Iterator[str]:
    """What its service may be called, the best first: each is a valid name of a bucket."""
    wanted = f"{volume}.{bucket}"
    if bucket_names.is_valid(wanted):
        yield wanted
    for number in range(_TRIES):
        digest = hashlib.sha256(f"{volume}/{bucket}/{number}".encode()).hexdigest()[:_DIGEST]
        for text in (wanted, f"v-{wanted}"):  # it may begin as is reserved
            sid = f"{text[: _LONGEST_SID - _DIGEST - 1].rstrip('.-')}-{digest}"
            if bucket_names.is_valid(sid):
                yield sid
                break


def _manages(identity: Identity, row: VolumeRow) -> bool:
    return identity.manages_everything or acting_for(identity) == row.owner


def _require_manager(identity: Identity) -> None:
    if not identity.manages_everything:
        raise Forbidden("This key does not manage volumes.")
