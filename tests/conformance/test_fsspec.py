"""The kit on files of this machine and on fsspec's memory, with sidecars and without."""

from __future__ import annotations

from pathlib import Path

from drivers.fsspec import FileSystem
from gateway.storage import Store
from gateway.testing.conformance import StoreConformance

NEVER = frozenset(
    {"Versions", "Copies", "Multipart", "Protects", "Changes", "Measures", "Buckets"}
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


class TestFiles(StoreConformance):
    lacks = NEVER

    def make(self, folder: Path, sid: str) -> Store:
        root = folder / sid
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}", metadata="sidecar")


class TestPlainFiles(StoreConformance):
    lacks = PLAIN
    forgets = frozenset({"owner", "checksums"})

    def make(self, folder: Path, sid: str) -> Store:
        root = folder / sid
        root.mkdir(exist_ok=True)
        return FileSystem(url=f"file://{root}")


class TestMemory(StoreConformance):
    processes = flat_memory = False
    lacks = NEVER

    def make(self, folder: Path, sid: str) -> Store:
        return FileSystem(url=f"memory://{folder}/{sid}", metadata="sidecar")
