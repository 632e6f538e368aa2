"""A driver of 30 lines behind `Service` copies and takes uploads in parts: the fallbacks."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from drivers.memory import Memory
from gateway.below import Below
from gateway.service import Identification, Service
from gateway.storage import (
    BytesBody,
    Context,
    Delete,
    Deleted,
    Entry,
    Get,
    Intake,
    InvalidPart,
    InvalidRange,
    Listable,
    ListPage,
    ListQuery,
    NoSuchKey,
    ObjectInfo,
    Opened,
    Put,
    Range,
    Readable,
    Store,
    Unsupported,
    Writable,
    resolve_range,
)
from gateway.storage.paging import common_prefix
from gateway.storage.store import now
from gateway.testing.conformance import StoreConformance

KEPT = ("content_type", "headers", "metadata", "tags", "storage_class", "owner", "attributes")


class Dict(Store, Writable, Listable):
    """As little as a useful driver has."""

    driver = "dict"

    def __init__(self) -> None:
        self._lock, self._objects = Lock(), dict[str, tuple[ObjectInfo, bytes]]()

    def get(self, key: str, want: Get = Get()) -> Opened:
        info, data = self._objects.get(key) or (None, b"")
        if info is None:
            raise NoSuchKey(key=key)
        if want.conditions:
            want.conditions.check_read(info)
        if want.part not in (None, 1):
            raise InvalidPart(key=key)
        start, length = resolve_range(want.range or Range(0, None), info.size) or (0, -1)
        if length < 0 and want.range:
            raise InvalidRange(key=key, size=info.size)
        data = data[start : start + length] if want.range else data
        return Opened(info=info, body=BytesBody(data), start=start, length=len(data))

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        if options.encryption or options.protection:
            raise Unsupported(key=key)
        intake = Intake.of(source, options)
        data = b"".join(iter(intake.read, b""))
        given = {name: getattr(options, name) for name in KEPT}
        info = ObjectInfo(
            key=key, size=len(data), etag=intake.etag, modified=now(),
            checksums=intake.checksums,
            checksum_type="FULL_OBJECT" if intake.checksums else None, **given,
        )  # fmt: skip
        with self._lock:
            if options.conditions:
                options.conditions.check_write(key, self._info(key))
            self._objects[key] = info, data
        return info

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        with self._lock:
            if options.conditions:
                options.conditions.check_write(key, self._info(key))
            return Deleted(key, existed=self._objects.pop(key, None) is not None)

    def list(self, query: ListQuery = ListQuery()) -> ListPage:
        with self._lock:
            infos = {key: info for key, (info, _) in self._objects.items()}
        items = {common_prefix(k, query.prefix, query.delimiter) or k: k for k in sorted(infos)
                 if k.startswith(query.prefix)}  # fmt: skip
        behind = sorted(item for item in items if item > query.after)
        page = behind[: min(query.limit, 1000)]
        return ListPage(
            entries=tuple(_entry(infos[i]) for i in page if not _rolled(i, query)),
            prefixes=tuple(item for item in page if _rolled(item, query)),
            next=page[-1] if page and len(behind) > len(page) else None,
        )

    def _info(self, key: str) -> ObjectInfo | None:
        return self._objects.get(key, (None, b""))[0]


def _rolled(item: str, query: ListQuery) -> bool:
    return common_prefix(item, query.prefix, query.delimiter) is not None


def _entry(info: ObjectInfo) -> Entry:
    return Entry(
        info.key, info.size, info.etag, info.modified,
        info.content_type, info.version, info.storage_class, info.owner,
    )  # fmt: skip


class Staged(Service):
    """A service whose parts wait in a memory store, which is closed with it."""

    def __init__(self, sid: str) -> None:
        self.staging = Memory()
        about = Identification(sid=sid, driver="dict")
        super().__init__(about, Dict(), staging=lambda: self.staging)

    def open(self, context: Context) -> None:
        self.staging.open(context)

    def close(self) -> None:
        self.staging.close()


class TestService(StoreConformance):
    durable = processes = flat_memory = keeps_parts = False
    lacks = frozenset(
        {"Versions", "Labels", "Protects", "Changes", "Measures", "Scrubs"}
        | {"Buckets", "protection", "encryption"}
    )

    def make(self, folder: Path, sid: str) -> Store:
        return Staged(sid)


class TestBelow(StoreConformance):
    """A store seen below a path, with something beside it."""

    durable = processes = flat_memory = False
    lacks = frozenset({"Buckets", "Measures", "Scrubs"})

    def open(self, context: Context) -> Store:
        source = Memory(keep_versions="off")
        source.open(context)
        for key in ("a", "in", "in!", "in/sid", "in/sid0", "z"):
            source.put(key, BytesBody(b"beside"), Put(size=6))
        return Below(source, "in/sid")

    def close(self, store: Store) -> None:
        assert isinstance(store, Below)
        store.source.close()
