"""Writes through a cache: they go to the source, and the entry is invalid.

A mark is made before, so that nothing fetched until then counts when the
answer is lost, or this process dies; and another after, whatever the source
said, for what was fetched meanwhile. What the source cannot do, its cache
cannot either. Lists, versions, annotations and uploads are the source's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar

from drivers.cache import carrying
from drivers.cache.context import CacheContext
from drivers.cache.freshness import Freshness, invalidated
from drivers.cache.http_fields import fields_of
from drivers.cache.rfc9111 import also_named, invalidates, is_safe
from gateway.storage import (
    Annotates,
    Changes,
    Complete,
    Conditions,
    Copies,
    Delete,
    Deleted,
    EventHold,
    Forward,
    Forwards,
    Full,
    Get,
    Labels,
    Layer,
    Listable,
    Mark,
    Measures,
    Multipart,
    ObjectInfo,
    Opened,
    OriginAnswer,
    Part,
    PartRef,
    Protects,
    Purge,
    Purges,
    Put,
    Readable,
    RetentionMode,
    StorageError,
    Store,
    Unsupported,
    Upload,
    UploadPage,
    UploadQuery,
    Varies,
    Versioning,
    VersionPage,
    VersionQuery,
    Versions,
    Writable,
)

C = TypeVar("C")


class Through(Layer, Writable, Copies, Multipart, Versions, Labels, Protects, Forwards, Purges):
    passes: ClassVar[frozenset[type]] = frozenset({Listable, Annotates, Changes, Measures, Varies})
    as_source: ClassVar[frozenset[type]] = frozenset(
        {Writable, Copies, Multipart, Versions, Labels, Protects, Forwards}
    )
    _parts: CacheContext
    _freshness: Freshness

    def behind(self, key: str) -> tuple[Store, str]:
        return self.source.behind(key)

    def _to(self, capability: type[C]) -> C:
        found = self.source.find(capability)
        if found is None:
            raise Unsupported(capability=capability.__name__)
        return found

    # marks

    def purge(self, purge: Purge = Purge()) -> Mark:
        return self.purge_all([purge])

    def purge_all(self, purges: Sequence[Purge]) -> Mark:
        """One commit, however many there are."""
        parts, named = self._parts, [self._folded(one) for one in purges]
        entries = carrying.count_all(parts.stock.space, named)
        return Mark(self._mark(named), parts.clock(), entries)

    def _folded(self, purge: Purge) -> Purge:
        if purge.kind not in ("key", "prefix"):
            return purge
        return Purge(kind=purge.kind, value=self.fold(purge.value), soft=purge.soft)

    def _mark(self, purges: Sequence[Purge]) -> int:
        """When the disk is full, what the cache has stored makes room for the mark."""
        try:
            return self._parts.marks.add(purges)
        except Full:
            self._parts.room.give_way()
            return self._parts.marks.add(purges)

    @contextmanager
    def _changing(self, *keys: str) -> Iterator[None]:
        marks = [Purge(kind="key", value=self.fold(key)) for key in dict.fromkeys(keys)]
        if not marks:
            yield
            return
        self._mark(marks)
        try:
            yield
        finally:
            self._mark(marks)

    # writing

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        with self._changing(key):
            return self._to(Writable).put(key, source, options)

    def check_put(self, options: Put) -> None:
        self._to(Writable).check_put(options)

    def check_delete(self, options: Delete) -> None:
        self._to(Writable).check_delete(options)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        with self._changing(key):
            return self._to(Writable).delete(key, options)

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        wanted = tuple(items)
        with self._changing(*(key for key, _ in wanted)):
            return list(self._to(Writable).delete_many(wanted))

    def reaches(self, source: Any) -> bool:
        return self._to(Copies).reaches(source.behind("")[0])

    def copy(
        self, source: Any, source_key: str, key: str, want: Get = Get(), options: Put = Put()
    ) -> ObjectInfo:
        origin, origin_key = source.behind(source_key)
        with self._changing(key):
            return self._to(Copies).copy(origin, origin_key, key, want, options)

    @property
    def compares_seen(self) -> bool:
        return self._to(Labels).compares_seen

    def set_labels(
        self,
        key: str,
        version: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        attributes: Mapping[str, Any] | None = None,
        conditions: Conditions | None = None,
    ) -> ObjectInfo:
        with self._changing(key):
            return self._to(Labels).set_labels(
                key, version, tags=tags, attributes=attributes, conditions=conditions
            )

    @property
    def always_protects(self) -> bool:
        return self._to(Protects).always_protects

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
        with self._changing(key):
            return self._to(Protects).set_retention(
                key, version, mode, until, event=event, bypass=bypass, conditions=conditions
            )

    def set_hold(
        self, key: str, version: str | None, hold: bool, *, conditions: Conditions | None = None
    ) -> ObjectInfo:
        with self._changing(key):
            return self._to(Protects).set_hold(key, version, hold, conditions=conditions)

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        """What a safe method is answered changes nothing (RFC 9111 §4.4)."""
        if is_safe(request.method):
            return self._to(Forwards).forward(key, body, request)
        if not self._freshness.strict:
            with self._changing(key):
                return self._to(Forwards).forward(key, body, request)
        return self._forwarded(key, body, request)

    def _forwarded(self, key: str, body: Readable | None, request: Forward) -> Opened:
        """By RFC 9111 §4.4 only what an origin says it has done makes the entry invalid; and
        what has no answer, for that may have been done. So, too, what it names beside it:
        addresses (§4.4), and groups (RFC 9875 §3)."""
        asked = Purge(kind="key", value=self.fold(key))
        try:
            opened = self._to(Forwards).forward(key, body, request)
        except BaseException:
            self._mark([asked])
            raise
        if invalidates(request.method, opened.status):
            try:
                self._mark([asked, *self._named(key, opened.info.origin)])
            except BaseException:
                opened.close()
                raise
        return opened

    def _named(self, key: str, origin: OriginAnswer | None) -> Iterator[Purge]:
        lines = () if origin is None else origin.headers
        for reference in also_named(fields_of(lines)):
            found = self.refers_to(key, reference)
            if found is not None:
                yield Purge(kind="key", value=self.fold(found))
        for tag in invalidated(lines):
            yield Purge(kind="tag", value=tag)

    def refers_to(self, key: str, reference: str) -> str | None:
        return self._to(Forwards).refers_to(key, reference)

    # versions

    @property
    def versioning(self) -> Versioning:
        return self._to(Versions).versioning

    def set_versioning(self, state: Versioning) -> None:
        """What is stored has no version, or one that is said otherwise now."""
        self._mark([Purge()])
        try:
            self._to(Versions).set_versioning(state)
        finally:
            self._mark([Purge()])

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        return self._to(Versions).versions(query)

    def names_version(self, text: str) -> bool:
        return self._to(Versions).names_version(text)

    # in parts: only the end of an upload changes what is read

    def begin(self, key: str, options: Put = Put()) -> Upload:
        return self._to(Multipart).begin(key, options)

    def upload(self, key: str, upload: str) -> Upload:
        return self._to(Multipart).upload(key, upload)

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        return self._to(Multipart).put_part(key, upload, number, source, options)

    def copy_part(
        self,
        key: str,
        upload: str,
        number: int,
        source: Any,
        source_key: str,
        want: Get = Get(),
        options: Put = Put(),
    ) -> Part:
        origin, origin_key = source.behind(source_key)
        multipart = self._to(Multipart)
        return multipart.copy_part(key, upload, number, origin, origin_key, want, options)

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        return self._to(Multipart).parts(key, upload, after, limit)

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        return self._to(Multipart).uploads(query)

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        with self._changing(key):
            return self._to(Multipart).complete(key, upload, parts, options)

    def abort(self, key: str, upload: str) -> None:
        self._to(Multipart).abort(key, upload)
