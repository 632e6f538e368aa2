"""Behind a proxy: what it says decides, and what a client says through it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from tests.e2e.conftest import SERVERS, Running, serving
from tests.e2e.raw import GUARD, eventually, log_of, signed

PROXY = """
[server]
domains = ["s3.example"]
trusted_proxies = ["127.0.0.0/8"]
proxy_headers = "{headers}"

[[bindings]]
host = "api.example"
mode = "standard"
"""
CLIENT = "198.51.100.7"


@pytest.fixture(scope="module", params=["x-forwarded", "forwarded"])
def headers(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=SERVERS)
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, headers: str
) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("proxied")
    config = PROXY.format(headers=headers)
    options = ("--memory", "--server", request.param)
    with serving(folder, *options, config=config) as running:
        client = running.client(config=Config(signature_version="s3v4"))
        client.create_bucket(Bucket="bucket")
        client.put_object(Bucket="bucket", Key="-/health/live", Body=b"an object")
        yield running


def said(headers: str, host: str, client: str = CLIENT) -> list[tuple[str, str]]:
    """What the proxy writes."""
    if headers == "forwarded":
        return [("Forwarded", f'for="{client}";host={host};proto=https')]
    return [
        ("X-Forwarded-For", client),
        ("X-Forwarded-Host", host),
        ("X-Forwarded-Proto", "https"),
    ]


def ask(
    gateway: Running, target: str, given: list[tuple[str, str]], method: str = "GET"
) -> tuple[int, bytes]:
    connection = HTTPConnection(urlsplit(gateway.url).netloc, timeout=GUARD)
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in given:
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def by(gateway: Running, target: str, host: str) -> list[tuple[str, str]]:
    """A request that the client signed for that host, as a proxy sends it on."""
    own = signed(f"https://{host}", "GET", target)
    inside = urlsplit(gateway.url).netloc
    return [("Host", inside), *((k, v) for k, v in own.items() if k.lower() != "host")]


def client_of(gateway: Running, target: str) -> str:
    """Whose request for that path the log shows."""
    line = re.compile(rf"^\S+ \S+ (\S+) .* {re.escape(target)} ", re.M)
    eventually(lambda: line.search(log_of(gateway)) is not None, f"a line about {target}")
    return str(line.findall(log_of(gateway))[-1])


def test_the_host_that_the_proxy_names_is_the_one(proxied: Running, headers: str) -> None:
    path = "/-/health/live"
    sent = by(proxied, path, "bucket.s3.example") + said(headers, "bucket.s3.example")
    assert ask(proxied, path, sent) == (200, b"an object")
    assert ask(proxied, path, [("Host", "x"), *said(headers, "s3.example")]) == (200, b"ok\n")
    status, body = ask(proxied, "/servicelist", [("Host", "x"), *said(headers, "api.example")])
    assert (status, b'"unauthorized"' in body) == (401, True)


def test_the_client_that_the_proxy_names_is_in_the_log(proxied: Running, headers: str) -> None:
    ask(proxied, "/bucket/named", [("Host", "x"), *said(headers, "s3.example")])
    assert client_of(proxied, "/bucket/named") == CLIENT


@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
def test_names_with_underscores_decide_nothing(proxied: Running, headers: str, last: bool) -> None:
    other = [
        ("X_Forwarded_For", "6.6.6.6"),
        ("X_Forwarded_Host", "api.example"),
        ("X_Forwarded_Proto", "http"),
    ]
    own = said(headers, "bucket.s3.example")
    target = f"/underscores-{last}"
    status, body = ask(proxied, target, [("Host", "x"), *(own + other if last else other + own)])
    if headers == "x-forwarded" and "granian" in str(proxied.process.args):
        # It gives one of two values, whichever came last, and no sign of there being two.
        assert client_of(proxied, target) == ("6.6.6.6" if last else CLIENT)
        assert "granian takes X_Forwarded_For for X-Forwarded-For" in log_of(proxied)
        return
    assert (status, b"AccessDenied" in body) == (403, True)  # of the bucket, by S3
    assert client_of(proxied, target) == CLIENT
    assert "takes X_Forwarded_For" not in log_of(proxied)


def test_what_a_client_writes_before_the_proxy_is_not_believed(
    proxied: Running, headers: str
) -> None:
    target = "/bucket/forged"
    forged = said(headers, "api.example", "6.6.6.6")
    ask(proxied, target, [("Host", "x"), *forged, *said(headers, "s3.example")])
    assert client_of(proxied, target) == CLIENT


def test_ambiguous_requests_are_refused(proxied: Running, headers: str) -> None:
    twice = [("Host", "a"), ("Host", "b")]
    assert ask(proxied, "/bucket/k", twice)[0] == 400
    if headers == "forwarded":
        swallowing = [("Host", "x"), ("Forwarded", 'for=6.6.6.6;x="')]
        assert ask(proxied, "/bucket/k", [*swallowing, *said(headers, "s3.example")])[0] == 400
