"""A driver of 30 lines behind `Service` copies and takes uploads in parts: the fallbacks."""

from __future__ import annotations

from pathlib import Path
from threading import Lock

from drivers.memory import Memory
from gateway.services.service import Identification, Service
from gateway.services.subtree import Below
from gateway.storage import (
    BytesBody,
    Context,
    Delete,
    Deleted,
    Get,
    Intake,
    Listable,
    ListPage,
    ListQuery,
    NoSuchKey,
    ObjectInfo,
    Opened,
    Put,
    Readable,
    Store,
    Unsupported,
    Writable,
    page_of,
    wanted,
)
from gateway.storage.objects import now
from gateway.testing.conformance import StoreConformance


class Dict(Store, Writable, Listable):
    """As little as a useful driver has."""

    driver = "dict"

    def __init__(self) -> None:
        self._lock, self._objects = Lock(), dict[str, tuple[ObjectInfo, bytes]]()

    def get(self, key: str, want: Get = Get()) -> Opened:
        info, data = self._objects.get(key) or (None, b"")
        if info is None:
            raise NoSuchKey(key=key)
        start, length = wanted(info, want)
        body = BytesBody(data[start : start + length])
        return Opened(info=info, body=body, start=start, length=length)

    def put(self, key: str, source: Readable, options: Put = Put()) -> ObjectInfo:
        if options.encryption or options.protection:
            raise Unsupported(key=key)
        intake = Intake.of(source, options)
        data = b"".join(iter(intake.read, b""))
        info = intake.info(key, options, now())
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
        return page_of(sorted(infos), infos.__getitem__, query)

    def _info(self, key: str) -> ObjectInfo | None:
        return self._objects.get(key, (None, b""))[0]


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
        {"Versions", "Labels", "Annotates", "Protects", "Changes", "Measures", "Scrubs"}
        | {"Buckets", "Volumes", "Replicates", "protection", "encryption"}
    )

    def make(self, folder: Path, sid: str) -> Store:
        return Staged(sid)


class TestBelow(StoreConformance):
    """A store seen below a path, with something beside it."""

    durable = processes = flat_memory = False
    lacks = frozenset({"Buckets", "Volumes", "Measures", "Replicates", "Scrubs"})

    def open(self, context: Context) -> Store:
        source = Memory(keep_versions="off")
        source.open(context)
        for key in ("a", "in", "in!", "in/sid", "in/sid0", "z"):
            source.put(key, BytesBody(b"beside"), Put(size=6))
        return Below(source, "in/sid")

    def close(self, store: Store) -> None:
        assert isinstance(store, Below)
        store.source.close()
