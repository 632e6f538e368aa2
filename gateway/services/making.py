"""Buckets that are made and dropped through an API.

Each is two things: a row in the catalog (its name and owner) and a bucket in the index (its
contents). The row comes first and goes last; so a row without a bucket is one that is being
made, is being dropped, or was left by a crash. It is nobody's bucket to use, its owner may
make it again (the row is then replaced, so that whoever was about to remove the old one
does not remove the new) or drop it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from gateway.access.grants import Grant
from gateway.catalog import Catalog, ServiceRow
from gateway.catalog.rows import NOWHERE, Within
from gateway.catalog.settings import NewSetting
from gateway.services.chain import Chain
from gateway.services.volume_quotas import settle
from gateway.storage import AlreadyExists, Conflict, NoSuchStore, NoSuchVolume, NotEmpty

_TRIES = 10
"""How often a row may go under the hands of who would replace it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBucket:
    """`within`: its place in a volume, which belongs to that owner."""

    sid: str
    owner: str
    grants: Sequence[Grant] = ()
    settings: Sequence[NewSetting] = ()
    protects: bool = False
    within: Within = NOWHERE


class MadeBuckets:
    """Who may make one, and drop one, was decided before."""

    def __init__(self, chain: Chain, catalog: Catalog) -> None:
        self._chain, self._catalog = chain, catalog

    def make(self, new: NewBucket) -> None:
        """Raises `AlreadyExists`; `NoSuchVolume`; `Conflict` when it was dropped meanwhile."""
        claimed = self._claim(new)
        self._create(new)
        row = self._catalog.read_service(new.sid)
        # Who made it at the same time, for the same owner, or the same place, made it, too.
        if row is None or (row.id != claimed.id and (row.owner, row.within) != _whose(new)):
            self._take_back(new.sid)
            raise Conflict("The service was dropped while it was made.")

    def _create(self, new: NewBucket) -> None:
        buckets, volume = self._chain.buckets, new.within.volume
        if not volume or self._chain.volumes is None:  # then no volume has a quota, either
            buckets.create(new.sid, protects=new.protects)
            return
        try:
            buckets.create(new.sid, protects=new.protects, volume=volume)
        except NoSuchVolume:  # it is being made, or dropped; its row stays while it has ours
            settle(self._chain.volumes, self._catalog, volume)
            buckets.create(new.sid, protects=new.protects, volume=volume)

    def drop(self, row: ServiceRow) -> None:
        """Raises `NotEmpty`, `NoSuchStore`."""
        try:
            self._chain.buckets.drop(row.sid)
        except NoSuchStore:
            if not self._catalog.remove_service(row.id):
                raise
            self._drop_late(row)
            return
        self._catalog.remove_service(row.id)

    def _claim(self, new: NewBucket) -> ServiceRow:
        """A row in the catalog for a bucket that is not there yet."""
        for _ in range(_TRIES):
            if self.exists(new.sid):
                raise AlreadyExists
            left = self._catalog.read_service(new.sid)
            if left is not None and ((left.owner, left.within) != _whose(new) or left.store):
                raise AlreadyExists
            try:
                return self._catalog.add_service(
                    new.sid,
                    new.owner,
                    new.grants,
                    replaces=None if left is None else left.id,
                    settings=new.settings,
                    within=new.within,
                )
            except Conflict:
                continue  # somebody was quicker with that row: look again
        raise Conflict

    def _take_back(self, sid: str) -> None:
        try:
            self._chain.buckets.drop(sid)
        except (NoSuchStore, NotEmpty):
            return  # somebody else's doing: it is theirs

    def exists(self, sid: str) -> bool:
        """Whether there is such a bucket, whoever it belongs to."""
        try:
            self._chain.made(sid)
        except NoSuchStore:
            return False
        return True

    def _drop_late(self, row: ServiceRow) -> None:
        """Drop a bucket that was made between the look for it and the end of its row. Raises
        `NotEmpty`, with the row restored, when it is in use already."""
        if self._catalog.read_service(row.sid) is not None:
            return  # somebody else's by now
        try:
            self._chain.buckets.drop(row.sid)
        except NoSuchStore:
            return
        except NotEmpty:
            with suppress(AlreadyExists):
                self._catalog.add_service(row.sid, row.owner, row.grants, within=row.within)
            raise


def _whose(new: NewBucket) -> tuple[str, Within]:
    return new.owner, new.within
