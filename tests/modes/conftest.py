"""One gateway on a socket for all tests of the S3 mode; each test has a bucket of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.modes.s3_gateway import Served, serving

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def s3() -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def bucket(s3: Served) -> str:
    name = f"bucket-{next(_NUMBERS)}"
    s3.client().create_bucket(Bucket=name)
    return name
