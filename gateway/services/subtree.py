"""A service seen below a path: what `source_path` gives a layer in place of its source.

Keys get the path in front and lose it on the way back, in lists, infos and
errors alike; what is beside the path cannot be named. All layers get this from
the configuration, and none has to know of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from gateway.storage import (
    Annotate,
    Annotated,
    Annotates,
    AnnotationPage,
    AnnotationQuery,
    ChangePage,
    Changes,
    Complete,
    Conditions,
    Copies,
    Delete,
    Deleted,
    EventHold,
    Forward,
    Forwards,
    Get,
    Labels,
    Listable,
    ListPage,
    ListQuery,
    Multipart,
    NotModified,
    ObjectInfo,
    Opened,
    OpenedAnnotation,
    Part,
    PartRef,
    Presigns,
    Protects,
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
Results = list[Deleted | StorageError]


class Below(
    Store,
    Writable,
    Listable,
    Copies,
    Multipart,
    Versions,
    Labels,
    Annotates,
    Protects,
    Changes,
    Presigns,
    Varies,
    Forwards,
):
    """`path`: whole segments, without a slash at its ends. What the service cannot do is
    not done below it either."""

    def __init__(self, source: Store, path: str) -> None:
        self.source, self._prefix = source, f"{path}/"
        self._begins = (self._prefix, source.fold(self._prefix))

    @property
    def path_keys(self) -> bool:  # type: ignore[override]  # it is the source's
        return self.source.path_keys

    @property
    def case_sensitive(self) -> bool:  # type: ignore[override]  # as above
        return self.source.case_sensitive

    @property
    def keeps_owners(self) -> bool:  # type: ignore[override]  # as above
        return self.source.keeps_owners

    def find(self, capability: type[C]) -> C | None:
        return None if self.source.find(capability) is None else super().find(capability)

    def behind(self, key: str) -> tuple[Store, str]:
        return self.source.behind(self._prefix + key)

    # there and back

    def _to(self, capability: type[C]) -> C:
        found = self.source.find(capability)
        if found is None:
            raise Unsupported(capability=capability.__name__)
        return found

    def _there(self, key: str) -> str:
        return self._prefix + key

    def _after(self, key: str) -> str:
        return self._prefix + key if key else ""

    def _back(self, key: str) -> str:
        return next((key[len(one) :] for one in self._begins if key.startswith(one)), key)

    def _info(self, info: ObjectInfo) -> ObjectInfo:
        return replace(info, key=self._back(info.key))

    def _upload(self, upload: Upload) -> Upload:
        return replace(upload, key=self._back(upload.key))

    def _error(self, error: StorageError) -> StorageError:
        if error.key is not None:
            error.key = self._back(error.key)
        if isinstance(error, NotModified):
            error.info = self._info(error.info)
        return error

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the key as it is called here."""
        try:
            yield
        except StorageError as error:
            self._error(error)
            raise

    # reading

    def get(self, key: str, want: Get = Get()) -> Opened:
        with self._named():
            opened = self.source.get(self._there(key), want)
        return replace(opened, info=self._info(opened.info))

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        with self._named():
            return self._info(self.source.stat(self._there(key), want))

    @property
    def parameters(self) -> frozenset[str] | None:
        return self._to(Varies).parameters

    def normal(self, key: str, want: Get) -> Get:
        return self._to(Varies).normal(self._there(key), want)

    def makes(self, key: str, want: Get) -> bool:
        return self._to(Varies).makes(self._there(key), want)

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        there = replace(query, prefix=self._there(query.prefix), after=self._after(query.after))
        page = self._to(Listable).list(there)
        return ListPage(
            entries=tuple(one._replace(key=self._back(one.key)) for one in page.entries),
            prefixes=tuple(map(self._back, page.prefixes)),
            next=page.next and self._back(page.next),
        )

    def presign(self, method: str, key: str, expires: int) -> str:
        return self._to(Presigns).presign(method, self._there(key), expires)

    def changes(self, after: int = 0, limit: int = 1000, wait: float = 0) -> ChangePage:
        deadline, cut = time.monotonic() + wait, False
        while True:
            left = max(deadline - time.monotonic(), 0)
            page = self._to(Changes).changes(after, limit, left)
            cut |= page.cut
            ours = tuple(
                one._replace(key=self._back(one.key))
                for one in page.changes
                if one.key.startswith(self._begins)
            )
            if ours or not page.changes:
                return replace(page, changes=ours, cut=cut)
            after = page.changes[-1].sequence

    def watch(self, wake: Callable[[], object]) -> Callable[[], None] | None:
        return self._to(Changes).watch(wake)

    # writing

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        with self._named():
            return self._info(self._to(Writable).put(self._there(key), source, options))

    def check_put(self, options: Put) -> None:
        self._to(Writable).check_put(options)

    def check_delete(self, options: Delete) -> None:
        self._to(Writable).check_delete(options)

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        with self._named():
            deleted = self._to(Writable).delete(self._there(key), options)
        return deleted._replace(key=key)

    def delete_many(self, items: Iterable[tuple[str, Delete]]) -> Results:
        there = ((self._there(key), options) for key, options in items)
        return [
            one._replace(key=self._back(one.key)) if isinstance(one, Deleted) else self._error(one)
            for one in self._to(Writable).delete_many(there)
        ]

    def reaches(self, source: Any) -> bool:
        return self._to(Copies).reaches(source.behind("")[0])

    def copy(
        self, source: Any, source_key: str, key: str, want: Get = Get(), options: Put = Put()
    ) -> ObjectInfo:
        origin, origin_key = source.behind(source_key)
        with self._named():
            copies = self._to(Copies)
            return self._info(copies.copy(origin, origin_key, self._there(key), want, options))

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
        with self._named():
            labels = self._to(Labels)
            return self._info(
                labels.set_labels(
                    self._there(key),
                    version,
                    tags=tags,
                    attributes=attributes,
                    conditions=conditions,
                )
            )

    def put_annotation(
        self, key: str, name: str, data: bytes, options: Annotate = Annotate()
    ) -> Annotated:
        with self._named():
            annotates = self._to(Annotates)
            made, info = annotates.put_annotation(self._there(key), name, data, options)
        return Annotated(made, self._info(info))

    def annotation(self, key: str, name: str, version: str | None = None) -> OpenedAnnotation:
        with self._named():
            opened = self._to(Annotates).annotation(self._there(key), name, version)
        return opened._replace(object=self._info(opened.object))

    def annotations(self, key: str, query: AnnotationQuery = AnnotationQuery()) -> AnnotationPage:
        with self._named():
            page = self._to(Annotates).annotations(self._there(key), query)
        return replace(page, object=self._info(page.object))

    def delete_annotation(self, key: str, name: str, options: Delete = Delete()) -> ObjectInfo:
        with self._named():
            annotates = self._to(Annotates)
            return self._info(annotates.delete_annotation(self._there(key), name, options))

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
        with self._named():
            protects, there = self._to(Protects), self._there(key)
            return self._info(
                protects.set_retention(
                    there,
                    version,
                    mode,
                    until,
                    event=event,
                    bypass=bypass,
                    conditions=conditions,
                )
            )

    def set_hold(
        self, key: str, version: str | None, hold: bool, *, conditions: Conditions | None = None
    ) -> ObjectInfo:
        with self._named():
            protects, there = self._to(Protects), self._there(key)
            return self._info(protects.set_hold(there, version, hold, conditions=conditions))

    def forward(self, key: str, body: Readable | None, request: Forward) -> Opened:
        with self._named():
            opened = self._to(Forwards).forward(self._there(key), body, request)
        return replace(opened, info=self._info(opened.info))

    def refers_to(self, key: str, reference: str) -> str | None:
        found = self._to(Forwards).refers_to(self._there(key), reference)
        return self._back(found) if found is not None and found.startswith(self._prefix) else None

    # versions

    @property
    def versioning(self) -> Versioning:
        return self._to(Versions).versioning

    def set_versioning(self, state: Versioning) -> None:
        self._to(Versions).set_versioning(state)

    def versions(self, query: VersionQuery = VersionQuery()) -> VersionPage:
        there = replace(query, prefix=self._there(query.prefix), after=self._after(query.after))
        page = self._to(Versions).versions(there)
        return replace(
            page,
            entries=tuple(one._replace(key=self._back(one.key)) for one in page.entries),
            prefixes=tuple(map(self._back, page.prefixes)),
            next=page.next and self._back(page.next),
        )

    def names_version(self, text: str) -> bool:
        return self._to(Versions).names_version(text)

    # in parts

    def begin(self, key: str, options: Put = Put()) -> Upload:
        with self._named():
            return self._upload(self._to(Multipart).begin(self._there(key), options))

    def upload(self, key: str, upload: str) -> Upload:
        with self._named():
            return self._upload(self._to(Multipart).upload(self._there(key), upload))

    def put_part(
        self, key: str, upload: str, number: int, source: Readable, options: Put = Put()
    ) -> Part:
        with self._named():
            multipart = self._to(Multipart)
            return multipart.put_part(self._there(key), upload, number, source, options)

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
        with self._named():
            multipart, there = self._to(Multipart), self._there(key)
            return multipart.copy_part(there, upload, number, origin, origin_key, want, options)

    def parts(self, key: str, upload: str, after: int = 0, limit: int = 1000) -> tuple[Part, ...]:
        with self._named():
            return self._to(Multipart).parts(self._there(key), upload, after, limit)

    def uploads(self, query: UploadQuery = UploadQuery()) -> UploadPage:
        there = replace(query, prefix=self._there(query.prefix), after=self._after(query.after))
        page = self._to(Multipart).uploads(there)
        return replace(
            page,
            uploads=tuple(map(self._upload, page.uploads)),
            prefixes=tuple(map(self._back, page.prefixes)),
            next=page.next and self._back(page.next),
        )

    def complete(
        self, key: str, upload: str, parts: Sequence[PartRef], options: Complete = Complete()
    ) -> ObjectInfo:
        with self._named():
            multipart = self._to(Multipart)
            return self._info(multipart.complete(self._there(key), upload, parts, options))

    def abort(self, key: str, upload: str) -> None:
        with self._named():
            self._to(Multipart).abort(self._there(key), upload)
