"""A local store that compresses does with bytes what the others do."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.indexed import compression
from drivers.local import Local
from gateway.storage import Store
from gateway.testing.conformance import (
    CopyingConformance,
    EncryptionConformance,
    ReadingConformance,
    WritingConformance,
)


class TestCompressed(
    ReadingConformance,
    WritingConformance,
    CopyingConformance,
    EncryptionConformance,
):
    """Small bodies too, of which some lie in the index and some in files."""

    lacks = frozenset({"Buckets", "Volumes"})

    @pytest.fixture(autouse=True)
    def small_bodies_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compression, "_LEAST", 0)

    def make(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off", compress="zstd", durability="process", inline_limit=1000)
