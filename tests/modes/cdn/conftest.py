"""One gateway for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.modes.cdn.cdn_gateway import Cdn, controlling


@pytest.fixture(scope="module")
def cdn() -> Iterator[Cdn]:
    with controlling() as found:
        yield found
