"""One gateway on a socket for all tests of the S3 mode, where each test has a bucket of its
own, and one for those of the standard mode, where each has a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.modes import standard_gateway
from tests.modes.s3_gateway import Served, serving

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def s3(sockets: None) -> Iterator[Served]:
    with serving() as served:
        yield served


@pytest.fixture
def bucket(s3: Served) -> str:
    name = f"bucket-{next(_NUMBERS)}"
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def api(
    sockets: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[standard_gateway.Served]:
    with standard_gateway.serving(tmp_path_factory.mktemp("standard")) as served:
        yield served


@pytest.fixture
def folder() -> str:
    """A prefix of paths that is the test's own; it has no slash in front, and one behind."""
    return f"folder-{next(_NUMBERS)}/"
