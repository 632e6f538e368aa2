"""Volumes, as modes see and change them: namespaces of buckets with an owner, and a quota that
spans them.

A bucket in a volume is a service like any other, which every mode reaches by its sid; here it is
found by the volume's name and its own in it. Who may is asked in each method, first: who may not
know of a volume gets `NoSuchVolume`, as if it were not there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal, NamedTuple, Protocol

from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.access.settings import Wanted
from gateway.storage import VolumeStats


class Unchanged(Enum):
    """For what may be set to None."""

    IT = "as it was"


UNCHANGED: Final = Unchanged.IT


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """`owner` is an account; `user` is what the owner was called by whoever made it so, "" where
    they said no more than the account. `quota`: bytes, None without one. `created`: milliseconds
    since the epoch. `created_by` is the key's id; "" where a command or the configuration did.
    `declared` names the place in the configuration; "" where the catalog has it."""

    name: str
    owner: str
    user: str = ""
    quota: int | None = None
    created: int = 0
    created_by: str = ""
    declared: str = ""


class VolumePage(NamedTuple):
    """By name. `next` is what to ask for those after, None at the end."""

    items: Sequence[VolumeInfo]
    next: str | None


class BucketPage(NamedTuple):
    """By the bucket's name in its volume (`access.service.about.bucket`); `next` as above."""

    items: Sequence[Access]
    next: str | None


class Volumes(Protocol):
    """`Gateway.volumes`. Every answer is current in every worker. A name has the form that
    `bucket_names.fits_volumes` asks for."""

    def make(
        self,
        identity: Identity,
        name: str,
        *,
        owner: str,
        user: str = "",
        quota: int | None = None,
    ) -> VolumeInfo:
        """For who manages everything, else `Forbidden`. Raises `AlreadyExists`, `BadKey` when
        the name is none, `InvalidRequest` where the owner's cannot be an account's id;
        `Unsupported` for a quota where the driver of [buckets] keeps none."""

    def change(
        self,
        identity: Identity,
        name: str,
        *,
        owner: str | None = None,
        user: str | None = None,
        quota: int | Literal[Unchanged.IT] | None = UNCHANGED,
    ) -> VolumeInfo:
        """Likewise; what is not given stays, but `user` goes with the owner. A new owner gets the
        buckets, too. There may be more in it than the new quota. Raises `NoSuchVolume`; `Conflict`
        when it is declared, and for a quota while a service with a driver of its own is in it."""

    def drop(self, identity: Identity, name: str) -> None:
        """For its owner, and who manages everything. Raises `NotEmpty` while there are buckets in
        it, `Conflict` when it is declared; else as `find`."""

    def find(self, identity: Identity, name: str) -> VolumeInfo:
        """For its owner, and who manages everything. Raises `Forbidden` for who sees one of its
        buckets, else `NoSuchVolume`."""

    def list(
        self,
        identity: Identity,
        *,
        every: bool = False,
        prefix: str = "",
        after: str = "",
        limit: int = 1000,
    ) -> VolumePage:
        """Those that the identity owns; `every`: all, for who manages everything, else
        `Forbidden`. `after` may be any text."""

    def used(self, names: Sequence[str]) -> Mapping[str, VolumeStats]:
        """How much is in each of these, for who has found them; without those of which nobody
        counts it. `buckets` are all in one, `used` is of those that say what they have. It costs
        what their number costs, not what is in them."""

    def create_bucket(
        self,
        identity: Identity,
        volume: str,
        bucket: str,
        *,
        settings: Sequence[Wanted] = (),
        protects: bool = False,
    ) -> Access:
        """For the volume's owner, and who manages everything; it belongs to the volume's owner,
        whoever makes it. Else as `find`. Raises `AlreadyExists` where the volume has such a
        bucket, `BadKey` when that is no name of one."""

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
        """Those of a volume that the identity sees. `after` may be any text. Raises
        `NoSuchVolume` for who sees none and does not own it."""

    def bucket(
        self, identity: Identity, volume: str, bucket: str, facts: Facts = UNKNOWN
    ) -> Access:
        """One that the identity sees. Raises `NoSuchStore` where there is none, or none that
        it may know of, and `NoSuchVolume` where it may not even know of the volume."""
