"""The `s3` driver in front of moto's server, a second opinion on what S3 is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.storage import Context, Store
from gateway.testing.conformance import (
    CompletingConformance,
    CopyingConformance,
    DeletingConformance,
    LabelsConformance,
    MultipartConformance,
    PropertiesConformance,
    ReadingConformance,
    VersionsConformance,
    WritingConformance,
)
from tests.conformance.s3_upstream import URL, moto_upstream, opened_bucket

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("flask", reason="moto's server is not installed")


DIFFERS: dict[str, str] = {}


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with moto_upstream() as url:
        yield url


@pytest.fixture(autouse=True)
def _where(upstream: str, tmp_path: Path) -> None:
    (tmp_path / URL).write_text(upstream, "utf-8")


class TestMoto(
    ReadingConformance,
    WritingConformance,
    DeletingConformance,
    PropertiesConformance,
    MultipartConformance,
    CompletingConformance,
    CopyingConformance,
    VersionsConformance,
    LabelsConformance,
):
    """What moto keeps to; of its lists, conditions, encryption and checksums see DIFFERS."""

    tells_existed = exact_times = False
    forgets = frozenset({"owner"})

    @pytest.fixture(autouse=True)
    def _differs(self, request: pytest.FixtureRequest) -> None:
        reason = DIFFERS.get(request.node.originalname)
        if reason:
            pytest.skip(f"moto: {reason}")

    def open(self, context: Context) -> Store:
        return opened_bucket(context)
