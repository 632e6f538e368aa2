"""The `s3` driver in front of moto's server, a second opinion on what S3 is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.storage import Context, Store
from gateway.testing.conformance import StoreConformance
from tests.conformance.s3_upstream import URL, moto_upstream, opened_bucket

pytest.importorskip("moto", reason="moto is not installed")
pytest.importorskip("flask", reason="moto's server is not installed")


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with moto_upstream() as url:
        yield url


@pytest.fixture(autouse=True)
def _where(upstream: str, tmp_path: Path) -> None:
    (tmp_path / URL).write_text(upstream, "utf-8")


class TestMoto(StoreConformance):
    tells_existed = exact_times = False
    forgets = frozenset({"owner"})

    def open(self, context: Context) -> Store:
        return opened_bucket(context)
