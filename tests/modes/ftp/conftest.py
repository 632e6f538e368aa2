"""One listener for each file of tests, and one with TLS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateway.storage import Delete
from gateway.testing.certificates import certificate
from tests.modes.ftp.served import Served, serving


@pytest.fixture(scope="module")
def one(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("ftp")) as served:
        yield served


@pytest.fixture(scope="module")
def one_with_tls(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("ftps")
    with serving(folder, certificate=certificate(folder)) as served:
        yield served


@pytest.fixture
def served(one: Served) -> Iterator[Served]:
    yield from _alone(one)


@pytest.fixture
def secured(one_with_tls: Served) -> Iterator[Served]:
    yield from _alone(one_with_tls)


def _alone(served: Served) -> Iterator[Served]:
    """Nothing is there, and nobody connected, for each test."""
    for sid in ("files", "more"):
        access = served.access(sid)
        while entries := access.list().entries:
            access.delete_many([(one.key, Delete()) for one in entries])
    served.noted.clear()
    served.opened = ExitStack()
    with served.opened:
        yield served
