"""A real gateway in front of upstreams that fail: what a client sees, on both servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError, ResponseStreamingError

from gateway.testing.faults import PATIENCE, noise
from gateway.testing.upstreams import Exchange, Upstream, cut, hang, refuse, stall
from tests.e2e.conftest import SERVERS, Running, serving
from tests.e2e.raw import connect, eventually, head, signed

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


CACHED = """
[server]
drain = "1s"
[services.cached]
driver = "cache"
source = "fronted"
refresh_after = "1s"
"""


@pytest.mark.parametrize("server", SERVERS)
def test_a_cache_keeps_nobody_waiting_for_a_source_that_hangs(tmp_path: Path, server: str) -> None:
    """Neither who has stale bytes, nor who asks for other things than clients that have gone."""

    def act(exchange: Exchange) -> None:
        if "/large" in exchange.seen.target:
            stall(LARGE, 100_000)(exchange)
        elif "/k" in exchange.seen.target:
            hang(exchange)
        else:
            upstream._keep(exchange)

    with Upstream() as upstream:
        upstream.objects |= {"/upstream/k": b"old", "/upstream/small": b"small"}
        options = ["--server", server, "--threads", "64"]
        options += ["--workers", "1"] if server == "granian" else []
        config = CONFIG.format(url=upstream.url) + CACHED
        with serving(tmp_path, *options, config=config) as running:
            # Patient enough for any machine, and less than the upstream's time-out.
            client = running.client(config=Config(read_timeout=15))

            def got(key: str) -> bytes:
                return bytes(client.get_object(Bucket="cached", Key=key)["Body"].read())

            def stale() -> bool:
                return got("k") == b"old" and asked_again(upstream)

            assert got("k") == b"old"
            upstream.always(act)
            for number in range(18):
                target = f"/cached/large{number}"
                with connect(running) as leaving:
                    leaving.sendall(head("GET", target, signed(running.url, "GET", target)))
                    assert leaving.recv(4096).startswith(b"HTTP/1.1 200 ")
            assert got("small") == b"small"
            eventually(stale, "it is asked for again")
            for _ in range(3):
                assert got("k") == b"old"
                assert client.head_object(Bucket="cached", Key="k")["ContentLength"] == 3


def asked_again(upstream: Upstream) -> bool:
    return sum(seen.target == "/upstream/k" for seen in upstream.requests) > 1
