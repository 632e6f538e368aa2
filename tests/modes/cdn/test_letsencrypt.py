"""Certificates for a zone's domains: what is answered before, while and after they are ordered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.storage.objects import now
from tests.modes.cdn.cdn_gateway import Cdn, controlling, refused, said

pytest.importorskip("acme", reason="needs the extra `acme`")

ACME = {"directory": "https://127.0.0.1:9/dir", "terms_agreed": True}


@pytest.fixture(scope="module")
def issuing() -> Iterator[Cdn]:
    with controlling(acme=ACME) as found:
        yield found


def zone(cdn: Cdn, *domains: str, **more: Any) -> str:
    upstream = {"type": "own", "proto": "http", "endpoints": [{"host": "origin.test"}]}
    body = {"upstream": upstream, "custom_domains": list(domains), "object_size": "small"}
    made = said(cdn.ask("POST", "/zone/", body, **more))
    return f"/letsencrypt/{made['zone_id']}"


def becomes(cdn: Cdn, name: str, **changes: Any) -> None:
    catalog = cdn.runtime.catalog
    catalog.set_order(replace(catalog.orders()[name], **changes))


def test_from_the_order_to_the_certificate(issuing: Cdn) -> None:
    path = zone(issuing, "www.one.test", "img.one.test")
    begun = said(issuing.ask("POST", path), 202)
    assert begun == {"message": "Certificates are ordered for img.one.test, www.one.test."}
    becomes(issuing, "img.one.test", state="issued")
    assert "www.one.test" in said(issuing.ask("POST", f"{path}/"), 202)["message"]
    words = "DNS problem: NXDOMAIN looking up A for www.one.test"
    due = now() + 3_600_000
    becomes(issuing, "www.one.test", state="failed", problem=words, code="dns", due=due)
    refused(issuing.ask("POST", path), 400, words)
    assert issuing.runtime.catalog.orders()["www.one.test"].due <= now()  # it is tried again
    becomes(issuing, "www.one.test", state="failed", problem="Away.", code="away", due=due)
    refused(issuing.ask("POST", path), 532, "Away.")
    becomes(issuing, "www.one.test", state="issued", problem="", code="")
    assert said(issuing.ask("POST", path))["message"].startswith("Nothing changed")


def test_who_may_not_or_cannot_have_one(cdn: Cdn, issuing: Cdn) -> None:
    path = zone(issuing, "www.two.test")
    refused(issuing.ask("POST", path, as_="batou"), 404, "")
    assert not issuing.runtime.certificates.states(["www.two.test"])
    refused(issuing.ask("POST", "/letsencrypt/999999"), 404, "")
    refused(issuing.ask("POST", zone(issuing)), 400, "no custom domains")
    refused(cdn.ask("POST", zone(cdn, "www.three.test")), 400, "no table [acme]")
