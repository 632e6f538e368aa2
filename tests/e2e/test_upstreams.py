"""A real gateway in front of upstreams that fail: what a client sees, on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError

from gateway.testing.faults import PATIENCE, noise
from gateway.testing.upstreams import Exchange, Upstream, cut, refuse
from tests.e2e.conftest import SERVERS, Running, serving

LARGE = noise(3 << 20)
CONFIG = """
[services.fronted]
driver = "s3"
bucket = "upstream"
endpoint_url = "{url}"
access_key = "key"
secret_key = "very-secret"
retries = 0
waiting = 2
queue_timeout = 0.2
read_timeout = 20
[services.other]
driver = "local"
"""


@pytest.fixture(params=SERVERS)
def fronted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Upstream, Running]]:
    with Upstream() as upstream:
        config = CONFIG.format(url=upstream.url)
        workers = ("--workers", "1") if request.param == "granian" else ()
        with serving(tmp_path, "--server", request.param, *workers, config=config) as running:
            yield upstream, running


def refused(client: Any, **asked: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as raised:
        client.get_object(Bucket="fronted", **asked)
    answer = raised.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def test_a_client_sees_what_the_upstream_means(fronted: tuple[Upstream, Running]) -> None:
    upstream, running = fronted
    client = running.client()
    client.put_object(Bucket="fronted", Key="k", Body=LARGE, Metadata={"a": "1"})
    answer = client.get_object(Bucket="fronted", Key="k")
    assert answer["Body"].read() == LARGE
    assert refused(client, Key="absent") == (404, "NoSuchKey")
    upstream.will(refuse(403, "SignatureDoesNotMatch"))
    assert refused(client, Key="k") == (502, "UpstreamDenied")
    upstream.will(refuse(503, "SlowDown"))
    assert refused(client, Key="k") == (503, "SlowDown")
    upstream.will(cut(LARGE, 2 << 20))
    with pytest.raises((IncompleteRead, HTTPClientError, ResponseStreamingError)):
        client.get_object(Bucket="fronted", Key="k")["Body"].read()
    log = (running.folder / "log").read_text("utf-8")
    assert "SignatureDoesNotMatch" in log
    assert "very-secret" not in log


def test_an_upstream_that_hangs_holds_up_nobody_else(
    fronted: tuple[Upstream, Running],
) -> None:
    upstream, running = fronted
    go = Event()

    def wait(exchange: Exchange) -> None:
        go.wait(PATIENCE)
        refuse(503, "SlowDown")(exchange)

    upstream.always(wait)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(refused, running.client(), Key=f"k{number}") for number in range(8)]
        other = running.client()
        other.put_object(Bucket="other", Key="k", Body=b"data")
        assert other.get_object(Bucket="other", Key="k")["Body"].read() == b"data"
        assert not go.is_set()
        go.set()
        outcomes = [one.result() for one in asked]
    assert {code for _, code in outcomes} <= {"SlowDown", "ServiceUnavailable"}
    assert len(upstream.requests) <= 8
