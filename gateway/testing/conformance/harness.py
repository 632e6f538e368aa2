"""`Conformance`: a driver under test, and the bench on which each test finds it open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.under_test import DriverUnderTest


class Conformance(DriverUnderTest):
    """The base of all the kit's classes."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        bench = Bench(self, tmp_path)
        try:
            yield bench
        finally:
            bench.close()
