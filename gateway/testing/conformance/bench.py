"""An open store, and what tests do with one in short words."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest

from gateway.storage import (
    Annotates,
    Buckets,
    BytesBody,
    Changes,
    Context,
    Copies,
    Delete,
    Deleted,
    Get,
    Labels,
    Listable,
    Measures,
    MethodNotAllowed,
    Multipart,
    NotFound,
    ObjectInfo,
    Protects,
    Put,
    Replicates,
    Scrubs,
    Secret,
    Shared,
    StorageError,
    Store,
    Stretch,
    Unsupported,
    Versions,
    Volumes,
    Writable,
    WrongKey,
    lent,
    pieces,
)
from gateway.testing.conformance.key_service import KitKeyService
from gateway.testing.conformance.under_test import DriverUnderTest
from gateway.testing.conformance.walks import all_entries, all_uploads, all_versions

C = TypeVar("C")
T = TypeVar("T")
MASTER_KEY = b"The kit's own key, 32 bytes long"


class Upkeep:
    """Background work, done when a test says so; and the clock that it goes by."""

    def __init__(self) -> None:
        self._ahead = 0
        self._jobs: dict[str, Callable[[], object]] = {}

    def clock(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead

    def add(self, name: str, interval: float, work: Callable[[], object]) -> None:
        self._jobs[name] = work

    def remove(self, name: str) -> None:
        self._jobs.pop(name, None)

    def days_pass(self, days: int) -> None:
        """All that a gateway does behind the requests in so many days, thrice a day."""
        for _ in range(3 * days):
            self._ahead += 8 * 3_600_000
            for work in self._jobs.values():
                steps = work()
                if isinstance(steps, Iterator):  # see `gateway.storage.Jobs`
                    for _ in steps:
                        pass


class Bench:
    """`store` and its abilities: each of these skips the test when the store has it not."""

    def __init__(
        self, driver: DriverUnderTest, folder: Path, sid: str = "kit", shared: Shared | None = None
    ) -> None:
        self.driver, self.folder, self.sid = driver, folder, sid
        self.shared = shared or Shared()
        self.upkeep, self.key_service = Upkeep(), KitKeyService("kit", "other")
        self._others: list[Bench] = []
        self._numbers = itertools.count(1)
        self._closed = False
        self.store = self._open()

    def _open(self) -> Store:
        context = Context(
            sid=self.sid,
            folder=self.folder,
            clock=self.upkeep.clock,
            master_key=Secret(MASTER_KEY),
            key_service=self.key_service,
            shared=self.shared,
            jobs=self.upkeep,
        )
        return self.driver.open(context)

    def another(self) -> Bench:
        """Another store of the driver in the same folder, empty."""
        sid = f"{self.sid}-{next(self._numbers)}"
        self._others.append(Bench(self.driver, self.folder, sid, self.shared))
        return self._others[-1]

    def reopen(self) -> None:
        """Close the store and open what it kept."""
        if not self.driver.durable:
            pytest.skip("nothing is kept when the store is closed")
        self.driver.close(self.store)
        self.store = self._open()

    def close(self) -> None:
        for bench in self._others:
            bench.close()
        if not self._closed:
            self._closed = True
            self.driver.close(self.store)

    # what the store can do

    def lacking(self, what: str) -> NoReturn:
        lacks = self.driver.lacks
        if lacks is not None and what not in lacks:
            pytest.fail(f"the store has no {what}, and is not said to lack it")
        pytest.skip(f"store has no {what}")

    def has(self, capability: type) -> bool:
        return self.store.find(capability) is not None

    def need(self, capability: type[C]) -> C:
        found = self.store.find(capability)
        if found is None:
            self.lacking(capability.__name__)
        return found

    @contextmanager
    def able(self, what: str) -> Iterator[None]:
        """Skip when what runs inside is `Unsupported`."""
        try:
            yield
        except Unsupported:
            self.lacking(what)

    @property
    def writable(self) -> Writable:
        return self.need(Writable)

    @property
    def listable(self) -> Listable:
        return self.need(Listable)

    @property
    def copies(self) -> Copies:
        return self.need(Copies)

    @property
    def multipart(self) -> Multipart:
        return self.need(Multipart)

    @property
    def versions(self) -> Versions:
        return self.need(Versions)

    @property
    def labels(self) -> Labels:
        return self.need(Labels)

    @property
    def annotates(self) -> Annotates:
        return self.need(Annotates)

    @property
    def protects(self) -> Protects:
        return self.need(Protects)

    @property
    def changes(self) -> Changes:
        return self.need(Changes)

    @property
    def replicates(self) -> Replicates:
        return self.need(Replicates)

    @property
    def measures(self) -> Measures:
        return self.need(Measures)

    @property
    def scrubs(self) -> Scrubs:
        return self.need(Scrubs)

    @property
    def buckets(self) -> Buckets:
        return self.need(Buckets)

    @property
    def volumes(self) -> Volumes:
        return self.need(Volumes)

    # what tests do

    def seed(self, key: str, data: bytes) -> None:
        self.driver.seed(self.store, key, data)

    def put(self, key: str, data: bytes = b"", options: Put = Put()) -> ObjectInfo:
        """Put `data`, announced; skip when the store refuses one of the options."""
        with self.able(_options(options)):
            return self.writable.put(key, BytesBody(data), replace(options, size=len(data)))

    def kept(self, what: str, value: T) -> T | None:
        """What a field of an object is after `value` was given; None when it is forgotten."""
        return None if what in self.driver.forgets else value

    def delete(self, key: str, options: Delete = Delete()) -> Deleted:
        return self.known(self.writable.delete, key, options)

    def delete_many(self, items: Sequence[tuple[str, Delete]]) -> list[Deleted | StorageError]:
        if self.driver.tells_existed:
            return list(self.writable.delete_many(items))
        there = [self._is_there(key, options.version) for key, options in items]
        results = self.writable.delete_many(items)
        keys = [key for key, _ in items]
        return [
            one._replace(existed=existed and key not in keys[:at])
            if isinstance(one, Deleted)
            else one
            for at, (one, existed, key) in enumerate(zip(results, there, keys, strict=True))
        ]

    def known(self, delete: Callable[[str, Delete], Deleted], key: str, options: Delete) -> Deleted:
        """A delete's answer, with what a store that does not tell it could not say."""
        if self.driver.tells_existed:
            return delete(key, options)
        there = self._is_there(key, options.version)
        deleted = delete(key, options)
        assert deleted.existed is None
        return deleted._replace(existed=there)

    def _is_there(self, key: str, version: str | None) -> bool:
        try:
            self.store.stat(key, Get(version=version))
        except NotFound:
            return False
        except (MethodNotAllowed, WrongKey):  # a delete marker, and what only its key opens
            return True
        return True

    def agree(self, told: ObjectInfo, stat: ObjectInfo) -> bool:
        """Whether what a put told is what a stat tells."""
        if not self.driver.exact_times and abs(told.modified - stat.modified) <= 2000:
            told = replace(told, modified=stat.modified)
        return told == stat

    def read(self, key: str, want: Get = Get()) -> bytes:
        with self.store.get(key, want) as opened:
            return b"".join(pieces(opened.body))

    def sent(self, key: str, want: Get = Get(), most: int = 300_000) -> bytes:
        """As a server reads it that has the system send files."""
        with self.store.get(key, want) as opened:
            sent = []
            while True:
                stretch = lent(opened.body, most)
                if stretch is not None:
                    assert 0 < stretch.length <= most
                    sent.append(of_file(stretch))
                elif piece := opened.body.read():
                    sent.append(piece)
                else:
                    return b"".join(sent)

    def digest(self, key: str, want: Get = Get()) -> str:
        """MD5 of an object's bytes, which are not held."""
        md5 = hashlib.md5(usedforsecurity=False)
        with self.store.get(key, want) as opened:
            for piece in pieces(opened.body):
                md5.update(piece)
        return md5.hexdigest()

    def listed(self, prefix: str = "") -> list[str]:
        return [entry.key for entry in all_entries(self.listable, prefix)]

    def picture(self) -> dict[str, object]:
        """All that a user can see of the store, to be compared with a later one."""
        seen: dict[str, object] = {}
        if listable := self.store.find(Listable):
            keys = [entry.key for entry in all_entries(listable)]
            seen["objects"] = [(self.store.stat(key), self.digest(key)) for key in keys]
        if multipart := self.store.find(Multipart):
            seen["uploads"] = all_uploads(multipart)
        if versions := self.store.find(Versions):
            seen["versions"] = all_versions(versions)
        if measures := self.store.find(Measures):
            seen["stats"] = measures.stats()
        if changes := self.store.find(Changes):
            seen["last change"] = changes.changes().last
        return seen

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """What runs inside leaves no trace."""
        before = self.picture()
        yield
        assert self.picture() == before


def _options(options: Put) -> str:
    """The option that is given and most likely not kept: what an `Unsupported` is about."""
    default = Put()
    for name in ("encryption", "protection", *(field.name for field in fields(Put))):
        if name != "size" and getattr(options, name) != getattr(default, name):
            return name
    return "put without options"


def of_file(stretch: Stretch) -> bytes:
    """Its bytes. The file's own place is left where it was."""
    at = os.lseek(stretch.file, 0, os.SEEK_CUR)
    os.lseek(stretch.file, stretch.start, os.SEEK_SET)
    data = os.read(stretch.file, stretch.length)
    os.lseek(stretch.file, at, os.SEEK_SET)
    assert len(data) == stretch.length
    return data
