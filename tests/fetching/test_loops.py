"""Requests that come back to the gateway that sent them: they end there."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from drivers.http import Http
from gateway.common import loops
from gateway.storage import Context, Forward, Get
from gateway.testing.upstreams import Exchange, Upstream, answer
from tests.fetching.origin import LOOPBACK, Fetching, keep, kept, read
from tests.modes.public_gateway import Site, serving


@pytest.fixture
def site(origin: Upstream) -> Iterator[Site]:
    web: dict[str, Any] = {"driver": "http", "url": origin.url, "allow": ["127.0.0.0/8"]}
    services: dict[str, dict[str, Any]] = {
        "web": web,
        "cached": {"driver": "cache", "space": "memory", "source": "web"},
    }
    bindings: list[dict[str, Any]] = [
        {"service": "cached"},
        {"service": "web", "host": "sorry.example", "error_document": "sorry.html"},
        {"service": "web", "host": "pages.example", "error_pages": "508:https://a.example/"},
    ]
    with serving(services, bindings) as found:
        yield found


def test_what_comes_back_ends(
    site: Site, origin: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    """By another who passes it on, as RFC 8586 §2 wants it."""

    def back(exchange: Exchange) -> None:
        passed = {**exchange.seen.headers, "cdn-loop": exchange.seen.headers["cdn-loop"] + ", b"}
        found = site.ask(exchange.seen.target, headers={"CDN-Loop": passed["cdn-loop"]})
        answer(found.status, found.body)(exchange)

    origin.always(back)
    with caplog.at_level(logging.WARNING, "gateway.public"):
        found = site.ask("/k")
    assert found.status == 508
    assert b"leads back here" in found.body
    assert len(origin.requests) == 1
    assert "LoopDetected" in caplog.text


US = ("NAME", "a.example, NAME", "NAME;v=1 , b", 'a;x=1,\tNAME ;abc="d"')
OTHERS = ("", "a.example", "xNAME", "NAME0", "a;b=NAME")


def test_it_is_seen_however_it_is_written(site: Site, origin: Upstream) -> None:
    kept(origin, k=b"data")
    for passed in US:
        said = {"CDN-Loop": passed.replace("NAME", loops.own_name())}
        assert site.ask("/k", headers=said).status == 508, passed
    assert not origin.requests
    for passed in OTHERS:
        said = {"CDN-Loop": passed.replace("NAME", loops.own_name())}
        assert site.ask("/k", headers=said).status == 200, passed


def test_no_page_of_errors_is_fetched_for_it(site: Site, origin: Upstream) -> None:
    """It would be fetched from where the circle is."""
    origin.always(keep)
    for host in ("sorry.example", "pages.example"):
        found = site.ask("/k", headers={"CDN-Loop": loops.own_name()}, host=host)
        assert found.status == 508
        assert "location" not in found.headers
    assert not origin.requests


def test_each_hop_is_behind_those_before_it(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(302, b"", {"Location": f"{other.url}/k"}))
    kept(other, k=b"data")
    store = fetching.http(origin.url)
    said = {"CDN-Loop": "a.example; x=1", "accept": "a"}
    read(store, "k", Get(headers=said))
    store.forward("k", None, Forward(method="POST", headers=(("cdn-Loop", "c"),))).body.close()
    first, passed = origin.requests
    (elsewhere,) = other.requests
    assert first.headers["cdn-loop"] == f"a.example; x=1, {loops.own_name()}"
    assert elsewhere.headers["cdn-loop"] == f"a.example; x=1, {loops.own_name()}"
    assert passed.headers["cdn-loop"] == f"c, {loops.own_name()}"


def test_each_gateway_has_a_name_of_its_own_and_nobody_takes_it_away(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"data")
    read(fetching.http(origin.url, context=Context(instance="another")))
    (seen,) = origin.requests
    assert seen.headers["cdn-loop"] == loops.own_name("another") != loops.own_name()
    assert "another" not in seen.headers["cdn-loop"]
    with pytest.raises(ValueError, match="request_headers"):
        Http(url=("https://x",), allow=LOOPBACK, request_headers={"CDN-Loop": "x"})
