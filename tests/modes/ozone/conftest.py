"""One gateway for all tests of a file: it trusts names, unless the file has another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.modes.ozone.trusting import Ozone, trusting


@pytest.fixture(scope="module")
def ozone() -> Iterator[Ozone]:
    with trusting() as found:
        yield found
