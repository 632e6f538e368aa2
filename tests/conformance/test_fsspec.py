"""The kit on files of this machine and on fsspec's memory, with sidecars and without."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from drivers.fsspec import FileSystem
from drivers.memory import Memory
from gateway.services.service import Identification, Service
from gateway.storage import Context, Store
from gateway.testing.conformance import (
    CompletingConformance,
    CopyingConformance,
    MultipartConformance,
    StoreConformance,
)
from tests.under_wine import UNDER_WINE

NEVER = frozenset(
    {
        "Versions",
        "Annotates",
        "Copies",
        "Multipart",
        "Protects",
        "Changes",
        "Measures",
        "Replicates",
        "Scrubs",
        "Buckets",
        "Volumes",
    }
    | {"protection", "encryption"}
)
PLAIN = NEVER | {
    "Labels",
    "content_type",
    "headers",
    "metadata",
    "tags",
    "storage_class",
    "attributes",
}


class OfFiles(StoreConformance):
    @pytest.fixture(autouse=True)
    def replaces_open_files(self, request: pytest.FixtureRequest) -> None:
        if UNDER_WINE and "before_an_overwrite" in request.node.name:
            pytest.skip("Wine 8 replaces no file that is open (FileRenameInfoEx)")


class TestFiles(OfFiles):
    lacks = NEVER

    def make(self, folder: Path, sid: str) -> Store:
        root = folder / sid
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}", metadata="sidecar")


class TestPlainFiles(OfFiles):
    lacks = PLAIN
    forgets = frozenset({"owner", "checksums"})

    def make(self, folder: Path, sid: str) -> Store:
        root = folder / sid
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}")


@pytest.mark.usefixtures("seconds")
class TestMemory(StoreConformance):
    processes = flat_memory = False
    lacks = NEVER

    def make(self, folder: Path, sid: str) -> Store:
        return FileSystem(url=f"memory://{folder}/{sid}", metadata="sidecar")


class TestBehindService(CopyingConformance, MultipartConformance, CompletingConformance):
    """Copies are read and written; parts wait in a store that has uploads."""

    keeps_parts = False
    lacks = NEVER - {"Copies", "Multipart"}
    staging: ClassVar[dict[Store, Memory]] = {}

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        root = context.folder / context.sid
        root.mkdir(exist_ok=True)
        files, parts = FileSystem(url=f"file://{root}", metadata="sidecar"), Memory()
        files.open(context)
        parts.open(context)
        about = Identification(sid=context.sid, driver="fsspec")
        service = Service(about, files, staging=lambda: parts)
        self.staging[service] = parts
        return service

    def close(self, store: Store) -> None:
        assert isinstance(store, Service)
        store.store.close()
        self.staging.pop(store).close()
