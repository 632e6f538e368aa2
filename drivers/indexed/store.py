"""The contract on top of the engine: what `local` and `memory` inherit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from drivers.indexed.annotating import AnnotatingView
from drivers.indexed.annotation_rows import shared
from drivers.indexed.batch import Room
from drivers.indexed.buckets import BucketsView
from drivers.indexed.expiring import Expiring
from drivers.indexed.multipart import MultipartView
from drivers.indexed.records import info_of, pack_detail
from drivers.indexed.replica.following import Following
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.replicating import ReplicatingView
from drivers.indexed.rows import find
from drivers.indexed.sharing import kept_checksums, shareable_whole, sharing
from drivers.indexed.shelf import Draft, Shelf
from drivers.indexed.view import View
from drivers.indexed.volumes import VolumesView
from gateway.storage import (
    Buckets,
    Conditions,
    Conflict,
    Context,
    Copies,
    Delete,
    Deleted,
    EventHold,
    Full,
    Get,
    Labels,
    ObjectInfo,
    Protects,
    Put,
    RetentionMode,
    StorageError,
    Volumes,
    Writable,
    settled,
)

C = TypeVar("C")

_OF_SERVICES = (
    "case_sensitive = false is for services that are declared or added; in buckets that are made"
    " through an API keys are told apart by case, as S3 has it"
)
_FEW = 20
"""Removals in one commit where there is hardly any room for it."""


class IndexedStore(
    MultipartView,
    AnnotatingView,
    ReplicatingView,
    BucketsView,
    VolumesView,
    Writable,
    Copies,
    Labels,
    Protects,
):
    """What drivers over an index have in common, and what is said of such options as they have.

    `compress`: what is written from then on is compressed where that makes it shorter.
    `keep_versions`: how long what was overwritten or deleted stays. It is for a service of its
        own: of buckets their users say it.
    `quota`: bytes of all that is kept, older versions and parts of uploads too.
    `case_sensitive`: where false, keys that differ by case alone are one object. It is fixed when
        the service is made, and not for buckets.
    `replica_of`: the service of another gateway that it follows; nobody else writes to it.
    """

    def find(self, capability: type[C]) -> C | None:
        if (capability in (Buckets, Volumes)) == bool(self.service):
            return None
        return super().find(capability)

    _expiring: Expiring | None = None

    _following: Following | None = None

    def open_declared(
        self,
        context: Context,
        keep_versions: str | float,
        quota: int | None,
        replica_of: ReplicaOf | None = None,
    ) -> None:
        """Be the declared service of that id, which keeps versions "forever", "off", or for so
        many seconds; or a replica, whose source says what is kept. Without an id, be all
        buckets. Raises `ValueError`."""
        if not context.sid:
            if not self.case_sensitive:
                raise ValueError(_OF_SERVICES)
            return
        self.service = self.declare(context.sid, keep=keep_versions != "off", quota=quota)
        self.limited = quota is not None
        if replica_of is not None:
            self._follow(context, replica_of)
            return
        if context.instance:  # a command only looks
            self.promote()
        if not isinstance(keep_versions, str):
            self._expiring = Expiring(self, keep_versions, context.jobs, context.sid)

    def close_declared(self) -> None:
        """What runs behind it. May be called twice."""
        if self._expiring is not None:
            self._expiring.end()
            self._expiring = None
        if self._following is not None:
            self._following.end()
            self._following = None

    def _follow(self, context: Context, of: ReplicaOf) -> None:
        if context.instance:  # a command only looks
            self.adopt(replace=of.replace)
        self.followed = str(of)
        self.read_only = f"The service {context.sid!r} is a replica: write to {of}."
        self._following = Following(self, of, context.sid, context.followers)

    def new_view(self) -> View:
        return IndexedStore()

    def check_put(self, options: Put) -> None:
        self.require_writable()

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        key = self.fold(key)
        try:
            return self.change(lambda shelf: shelf.delete(key, options))
        except Full:
            room = self._room((options,))
            return self.change(lambda shelf: shelf.delete(key, options), room=room)

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        """All in one commit, or few at a time where the disk has no room for that."""
        wanted = tuple((self.fold(key), options) for key, options in items)
        with suppress(Full):
            return self._delete_all(wanted)
        results: list[Deleted | StorageError] = []
        for at in range(0, len(wanted), _FEW):
            few = wanted[at : at + _FEW]
            try:
                results += self._delete_all(few, self._room([options for _, options in few]))
            except Full as error:
                results += [error] * len(few)
        return results

    def _room(self, removals: Sequence[Delete]) -> Room:
        """What these may have on a full disk: a marker frees nothing."""
        for_good = all(one.version is not None for one in removals)
        return "remove" if for_good or self.versioning == "off" else "hide"

    def _delete_all(
        self, wanted: Sequence[tuple[str, Delete]], room: Room = ""
    ) -> list[Deleted | StorageError]:
        def operation(shelf: Shelf) -> list[Deleted | StorageError]:
            results: list[Deleted | StorageError] = []
            for key, options in wanted:
                try:  # a delete raises before it changes anything
                    results.append(shelf.delete(key, options))
                except StorageError as error:
                    results.append(error)
            return results

        return self.change(operation, room=room)

    compares_seen = True

    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        key = self.fold(key)
        given = None if tags is None else dict(tags)  # now: they may be fetched (see `settled`)
        return self.change(lambda shelf: shelf.relabel(key, version, given, attributes, conditions))

    def set_retention(
        self,
        key: str,
        version: str | None,
        mode: RetentionMode | None,
        until: int | None,
        *,
        event: EventHold | None = None,
        bypass: bool = False,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        key = self.fold(key)
        return self.change(
            lambda shelf: shelf.set_retention(
                key, version, mode, until, event, conditions, bypass=bypass
            )
        )

    def set_hold(
        self, key: str, version: str | None, hold: bool, *, conditions: Conditions | None = None
    ) -> ObjectInfo:
        key = self.fold(key)
        return self.change(lambda shelf: shelf.set_hold(key, version, hold, conditions))

    # copying: within a space no bytes move, unless they must be hashed or encrypted anew

    def reaches(self, source: Any) -> bool:
        return isinstance(source, View) and source.space is self.space

    def copy(
        self, source: Any, source_key: str, key: str, want: Get = Get(), options: Put = Put()
    ) -> ObjectInfo:
        options, key, source_key = self.named(options), self.to_keep(key), source.fold(source_key)
        info = source.lookup(source_key, want.version).info
        if not shareable_whole(info, options.encryption) or kept_checksums(info, options) is None:
            return self._copy_bytes(source, source_key, key, want, options)
        options = settled(options)

        def operation(shelf: Shelf) -> ObjectInfo:
            row = find(shelf.txn, source.service, source_key, want.version)
            info = info_of(row, versioned=True)
            if want.conditions is not None:
                want.conditions.check_copy(info)
            checksums = kept_checksums(info, options)
            if checksums is None or not shareable_whole(info, options.encryption):
                raise Conflict(key=source_key)  # another object than it was just now
            detail = pack_detail(replace(options, checksum_type=info.checksum_type), checksums)
            draft = Draft(key, row.size, row.etag, options, detail, sharing(row))
            if options.annotations:
                brought = partial(shared, row=row, brought=options.annotations)
                draft = draft._replace(annotations=brought)
            put = shelf.put(draft, options.conditions)
            return info_of(put, versioned=shelf.ledger.versioned)

        return self.change(operation)

    def _copy_bytes(
        self, source: Any, source_key: str, key: str, want: Get, options: Put
    ) -> ObjectInfo:
        conditions, want = want.conditions, replace(want, conditions=None)
        with source.get(source_key, want) as opened:
            if conditions is not None:
                conditions.check_copy(opened.info)
            return self.put(key, opened.body, replace(options, size=opened.length))
