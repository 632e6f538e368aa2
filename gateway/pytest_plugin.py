"""pytest fixtures that come with the package: an S3 server for anybody's tests.

| fixture | |
|---|---|
| `gateway_server` | the `gateway.testing.Server` of the session; each xdist worker has its own |
| `gateway_empty` | the same, emptied for this test |
| `gateway_s3` | a boto3 client of it, emptied for this test |
| `gateway_env` | the same, with the environment set, so that boto3, s3fs and `aws` find it |

The gateway is imported when the first of them is used: a suite that does not
use them pays for this file only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gateway.testing import Server

# Its asserts then show values, as those of a test file do.
pytest.register_assert_rewrite("gateway.testing.conformance")


@pytest.fixture(scope="session")
def gateway_server() -> Iterator[Server]:
    """The test session's S3 server, in this process."""
    from gateway.testing import Server

    with Server() as server:
        yield server


@pytest.fixture
def gateway_empty(gateway_server: Server) -> Server:
    """The session's S3 server, with nothing in it, no faults, and nothing recorded."""
    gateway_server.reset()
    return gateway_server


@pytest.fixture
def gateway_s3(gateway_empty: Server) -> Any:
    """A boto3 client of an empty S3 server."""
    return gateway_empty.client()


@pytest.fixture
def gateway_env(gateway_empty: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """An empty S3 server that the environment's variables point to."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in gateway_empty.env().items():
        monkeypatch.setenv(name, value)
    return gateway_empty
