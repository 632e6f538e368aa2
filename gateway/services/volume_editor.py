"""Volumes of the catalog are made, changed and removed, for whoever may: by the gateway, which has
its own store follow at once, and by commands beside it, which it follows within a second.
"""

from __future__ import annotations

from typing import Literal

from gateway.catalog import Catalog
from gateway.catalog.rows import VolumeRow
from gateway.catalog.volumes import VolumeChanges
from gateway.common.ids import ID, ID_RULE
from gateway.config.problems import join
from gateway.modes import bucket_names
from gateway.services.chain import Chain
from gateway.storage import (
    BadKey,
    Conflict,
    InvalidRequest,
    NoSuchVolume,
    NotEmpty,
    Unsupported,
)

_LARGEST = (1 << 63) - 1
"""Bytes of a quota: what the databases count to."""

_NAMED = 3
"""Buckets that are named to who would remove their volume."""


class VolumeEditor:
    """`chain` need not be open."""

    def __init__(self, catalog: Catalog, chain: Chain) -> None:
        self._catalog, self._counts = catalog, chain.volumes is not None
        self._driver = chain.buckets_driver

    def find(self, name: str) -> VolumeRow:
        """Of any text. Raises `NoSuchVolume`."""
        row = self._catalog.volume(name) if bucket_names.fits_volumes(name) else None
        if row is None:
            raise NoSuchVolume(f"There is no volume {name!r}.", name=name)
        return row

    def changeable(self, name: str) -> VolumeRow:
        """Raises `NoSuchVolume`, and `Conflict` when it is declared."""
        row = self.find(name)
        if row.declared:
            place = join("volumes", name)
            raise Conflict(f"The volume is declared in the configuration ({place}).")
        return row

    def make(
        self, name: str, *, owner: str, user: str = "", quota: int | None, created_by: str
    ) -> VolumeRow:
        """Raises `AlreadyExists`, `BadKey`, `InvalidRequest`, `Unsupported`."""
        check_name(name, "volume")
        _check_owner(owner)
        self._check_quota(quota)
        return self._catalog.add_volume(name, owner, user=user, quota=quota, created_by=created_by)

    def change(self, name: str, changes: VolumeChanges) -> VolumeRow:
        """Raises `NoSuchVolume`, `Conflict`, `InvalidRequest`, `Unsupported`."""
        self.changeable(name)
        if "owner" in changes:
            _check_owner(changes["owner"])
        self._check_quota(changes.get("quota"))
        return self._catalog.change_volume(name, changes)

    def remove(self, name: str) -> None:
        """Raises `NoSuchVolume`, `Conflict`, `NotEmpty`."""
        self.changeable(name)
        left = self._catalog.services_within(name, limit=_NAMED + 1)
        if left:
            some = [one.within.bucket for one in left[:_NAMED]] + ["…"] * (len(left) > _NAMED)
            raise NotEmpty(f"The volume {name!r} has buckets: {', '.join(some)}.")
        self._catalog.remove_volume(name)

    def _check_quota(self, quota: int | None) -> None:
        if quota is None:
            return
        if not 0 <= quota <= _LARGEST:
            raise InvalidRequest(f"A quota is 0 to {_LARGEST} bytes.")
        if not self._counts:
            raise Unsupported(
                f'The driver "{self._driver}" of [buckets] counts no volumes: there is no quota.',
                capability="Volumes",
            )


def check_name(name: str, what: Literal["volume", "bucket"]) -> None:
    if not bucket_names.fits_volumes(name):
        raise BadKey(f"A {what}'s name has {bucket_names.RULE_IN_VOLUMES}.", key=name)


def _check_owner(owner: str) -> None:
    if not ID.fullmatch(owner):
        raise InvalidRequest(f"An account cannot be called {owner!r}: {ID_RULE}.")
