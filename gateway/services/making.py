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

from gateway.access.grants import Grant
from gateway.catalog import Catalog, ServiceRow
from gateway.catalog.settings import NewSetting
from gateway.services.chain import Chain
from gateway.storage import AlreadyExists, Conflict, NoSuchStore, NotEmpty

_TRIES = 10
"""How often a row may go under the hands of who would replace it."""


class MadeBuckets:
    """Who may make one, and drop one, was decided before."""

    def __init__(self, chain: Chain, catalog: Catalog) -> None:
        self._chain, self._catalog = chain, catalog

    def make(
        self,
        sid: str,
        owner: str,
        grants: Sequence[Grant] = (),
        settings: Sequence[NewSetting] = (),
        protects: bool = False,
    ) -> None:
        """Raises `AlreadyExists`; `Conflict` when it was dropped meanwhile."""
        self._claim(owner, sid, grants, settings)
        self._chain.buckets.create(sid, protects=protects)
        row = self._catalog.read_service(sid)
        if row is None or row.owner != owner:
            self._take_back(sid)
            raise Conflict("The service was dropped while it was made.")

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

    def _claim(
        self, owner: str, sid: str, grants: Sequence[Grant], settings: Sequence[NewSetting]
    ) -> None:
        """A row in the catalog for a bucket that is not there yet."""
        for _ in range(_TRIES):
            if self._exists(sid):
                raise AlreadyExists
            left = self._catalog.read_service(sid)
            if left is not None and (left.owner != owner or left.store is not None):
                raise AlreadyExists
            replaces = None if left is None else left.id
            try:
                self._catalog.add_service(sid, owner, grants, replaces=replaces, settings=settings)
            except Conflict:
                continue  # somebody was quicker with that row: look again
            return
        raise Conflict

    def _take_back(self, sid: str) -> None:
        try:
            self._chain.buckets.drop(sid)
        except (NoSuchStore, NotEmpty):
            return  # somebody else's doing: it is theirs

    def _exists(self, sid: str) -> bool:
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
                self._catalog.add_service(row.sid, row.owner, row.grants)
            raise
