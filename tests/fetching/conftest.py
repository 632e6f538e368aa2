"""Origins listen; and stores are in front of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.testing.upstreams import Upstream
from tests.fetching.origin import Fetching


@pytest.fixture(autouse=True, scope="session")
def _needs(sockets: None) -> None:
    """All tests of this folder."""


@pytest.fixture
def origin() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def other() -> Iterator[Upstream]:
    """Where redirects lead."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def fetching() -> Iterator[Fetching]:
    fetching = Fetching()
    yield fetching
    fetching.close()
