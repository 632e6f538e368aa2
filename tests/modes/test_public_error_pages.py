"""Errors that lead to pages elsewhere, and nobody round in circles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.config import ConfigurationError, load
from gateway.testing.upstreams import Upstream, refuse
from tests.modes.public_gateway import HOST, Site, serving

LOST, SHUT = "https://www.example.com/lost?from=here", f"http://{HOST}:8080/p/shut%C3%A9"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    pages = [f"404:{LOST}", f"403:{SHUT}", f"416:http://{HOST}/p/other"]
    own = {"service": "pages", "error_pages": pages, "error_document": "sorry"}
    links = {"secret": "hunter2"}
    bindings: list[dict[str, Any]] = [
        {**own, "prefix": "/p", "cors": "*"},
        {**own, "host": "linked.example", "signed_links": links},
        {**own, "host": "one.example", "error_pages": f"404:{LOST}"},
    ]
    with serving({"pages": {"driver": "memory"}}, bindings) as site:
        site.put("pages", "k", b"here")
        site.put("pages", "sorry", b"sorry")
        yield site


def test_an_error_leads_to_its_page(site: Site) -> None:
    for method in ("GET", "HEAD"):
        answer = site.ask("/p/absent", method, {"origin": "https://a.example"})
        assert (answer.status, answer.headers["location"], answer.body) == (302, LOST, b"")
        assert answer.headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" in answer.headers
        assert site.records[-1].code == "NotFound"
    assert site.ask("/k", host="linked.example").headers["location"] == SHUT
    assert site.ask("/absent", host="one.example").status == 302


def test_what_is_no_error_or_has_no_page_is_as_it_was(site: Site) -> None:
    assert site.ask("/p/k").body == b"here"
    assert site.ask("/p/k", headers={"if-none-match": "*"}).status == 304
    missed = site.ask("/p/k", headers={"if-match": '"other"'})
    assert (missed.status, missed.body) == (412, b"sorry")
    assert site.ask("/p/absent", "POST").status == 405


def test_a_page_that_is_missing_itself_leads_nowhere(site: Site) -> None:
    for target in ("/p/shut%C3%A9", "/p/shut%c3%a9?a=b", "/p/other"):
        answer = site.ask(target)
        assert (answer.status, answer.body) == (404, b"sorry"), target
    assert site.ask("/p/shut").status == 302
    assert site.ask("/p/other", host="one.example").status == 302  # it is another's


@pytest.mark.usefixtures("sockets")
def test_an_error_of_an_origin_leads_there_too() -> None:
    with Upstream() as upstream:
        upstream.will(refuse(404, "NotThere"), refuse(410, "Gone"))
        services = {"origin": {"driver": "http", "url": upstream.url, "allow": ["127.0.0.0/8"]}}
        with serving(services, [{"service": "origin", "error_pages": f"404:{LOST}"}]) as site:
            assert site.ask("/k").headers["location"] == LOST
            assert site.ask("/k").status == 410


def test_pages_that_are_none_are_refused() -> None:
    for pages in (
        *("404", "404:/lost", "302:https://a.example/", "404:ftp://a.example/", "404:https:///x"),
        *("404:https://u@a.example/", "404:https://a.example:0/", "404:https://a.example/ b"),
        ["404:https://a.example/", "404:https://b.example/"],
    ):
        binding = {"host": "h", "mode": "public", "service": "pages", "error_pages": pages}
        tables = {"services": {"pages": {"driver": "memory"}}, "bindings": [binding]}
        with pytest.raises(ConfigurationError, match="error_pages"):
            load(tables=tables, environ={})
