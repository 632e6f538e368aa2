"""One managed gateway for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.modes.management.managed import Managed, managing


@pytest.fixture(scope="module")
def api() -> Iterator[Managed]:
    with managing() as managed:
        yield managed
