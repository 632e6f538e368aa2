"""What several drivers' tests stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.s3_upstream import gateway_upstream


@pytest.fixture(scope="session")
def upstream(sockets: None, processes: None) -> Iterator[str]:
    """The URL of one gateway for all tests, which make buckets of their own in it."""
    with gateway_upstream() as url:
        yield url
