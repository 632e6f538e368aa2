"""A cache in front of a store does all that the store does: written through, read from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import pytest

from drivers.cache import Cache
from drivers.fsspec import FileSystem
from drivers.local import Local
from drivers.memory import Memory
from gateway.services.subtree import Below
from gateway.storage import Context, Store
from gateway.testing.conformance import (
    CasesConformance,
    ChangesConformance,
    ChecksumsConformance,
    CompletingConformance,
    ConditionsConformance,
    Conformance,
    CopyingConformance,
    DeletingConformance,
    DurabilityConformance,
    EncryptionConformance,
    HistoryConformance,
    KeysConformance,
    LabelsConformance,
    MultipartConformance,
    PropertiesConformance,
    ReadingConformance,
    StoreConformance,
    UpkeepConformance,
    VersionsConformance,
    WritingConformance,
)
from tests.conformance import test_fsspec, test_s3
from tests.conformance.s3_upstream import URL, opened_bucket
from tests.conformance.test_fsspec import NEVER, PLAIN


class _Cached(Conformance):
    """`behind` makes the store that the cache stands in front of."""

    space: ClassVar[Literal["disk", "memory"]] = "disk"
    lacks = frozenset({"Buckets", "Volumes", "Replicates", "Scrubs"})

    def behind(self, folder: Path, sid: str) -> Store:
        raise NotImplementedError

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        source = self.behind(context.folder, context.sid)
        source.open(context)
        cache = Cache(source=source, space=self.space)
        cache.open(replace(context, sid=f"{context.sid}-cache"))
        return cache

    def close(self, store: Store) -> None:
        assert isinstance(store, Cache)
        store.close()
        store.source.close()


class Touched(
    _Cached,
    ReadingConformance,
    KeysConformance,
    WritingConformance,
    DeletingConformance,
    PropertiesConformance,
    ConditionsConformance,
    CopyingConformance,
    MultipartConformance,
    CompletingConformance,
    LabelsConformance,
):
    """What a cache has a hand in, for stores whose own tests have all of the kit."""


class TestOnDiskOverLocal(
    Touched,
    ChecksumsConformance,
    VersionsConformance,
    HistoryConformance,
    EncryptionConformance,
    ChangesConformance,
    UpkeepConformance,
    DurabilityConformance,
):
    """What passes through is the same over memory, which has all of the kit."""

    keeps_versioning = False

    def behind(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off")


class TestInMemoryOverMemory(_Cached, StoreConformance):
    """All of the kit: what passes through the cache, too."""

    space = "memory"
    durable = processes = flat_memory = False

    def behind(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off")


class TestOverOneThatIsNotCaseSensitive(_Cached, CasesConformance):
    space = "memory"
    case_sensitive = durable = processes = flat_memory = False

    def behind(self, folder: Path, sid: str) -> Store:
        return Memory(keep_versions="off", case_sensitive=False)


class TestOnDiskOverFiles(Touched):
    lacks = NEVER

    def behind(self, folder: Path, sid: str) -> Store:
        root = folder / f"{sid}-files"
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}", metadata="sidecar")


class TestInMemoryOverPlainFiles(
    _Cached, ReadingConformance, WritingConformance, DeletingConformance, ConditionsConformance
):
    space = "memory"
    flat_memory = False  # what is read is kept
    lacks = PLAIN
    forgets = test_fsspec.TestPlainFiles.forgets

    def behind(self, folder: Path, sid: str) -> Store:
        root = folder / f"{sid}-files"
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}")


class TestBelowAPath(
    _Cached,
    ReadingConformance,
    WritingConformance,
    DeletingConformance,
    LabelsConformance,
    CopyingConformance,
    MultipartConformance,
    CompletingConformance,
):
    """As `source_path` makes it."""

    space = "memory"
    durable = processes = flat_memory = False
    lacks = frozenset({"Buckets", "Volumes", "Measures", "Replicates", "Scrubs"})

    def open(self, context: Context) -> Store:
        source = Memory(keep_versions="off")
        source.open(context)
        cache = Cache(source=Below(source, "in/sid"), space=self.space)
        cache.open(replace(context, sid=f"{context.sid}-cache"))
        return cache

    def close(self, store: Store) -> None:
        assert isinstance(store, Cache)
        assert isinstance(store.source, Below)
        store.close()
        store.source.source.close()


class TestOnDiskOverS3(
    _Cached,
    ReadingConformance,
    WritingConformance,
    DeletingConformance,
    ConditionsConformance,
    MultipartConformance,
):
    """What is otherwise than over a store of this machine: what it asks of one that S3 has."""

    tells_existed = exact_times = False
    forgets = test_s3.TestS3.forgets
    lacks = test_s3.TestS3.lacks

    @pytest.fixture(autouse=True)
    def _where(self, upstream: str, tmp_path: Path) -> None:
        (tmp_path / URL).write_text(upstream, "utf-8")

    def open(self, context: Context) -> Store:
        cache = Cache(source=opened_bucket(context), space=self.space)
        cache.open(replace(context, sid=f"{context.sid}-cache"))
        return cache
