"""The samples of zones, sent as they stand."""

from __future__ import annotations

import re

import pytest

from tests.modes.cdn.cdn_gateway import Cdn, controlling, said
from tests.modes.cdn.samples import SAMPLES, check, send


def test_a_zones_whole_life() -> None:
    with controlling() as cdn:
        made = [
            check("Create a new zone", send(cdn, asked))["zone_id"]
            for asked in SAMPLES["Create a new zone"].asked[:2]
        ]
        assert made == [1, 2]
        (replacing,) = SAMPLES["Replace a zone configuration"].asked
        check("Replace a zone configuration", send(cdn, replacing))
        (patching,) = SAMPLES["Replace a single zone parameter"].asked
        check("Replace a single zone parameter", send(cdn, patching))
        (deleting,) = SAMPLES["Delete a zone"].asked
        check("Delete a zone", send(cdn, deleting, ids={"zone/4": "zone/2"}))

        same = (
            *("id", "upstream", "object_size", "is_active", "storage_id", "custom_domains"),
            *("referers", "geo_filter", "limit_rate", "expiration"),
        )
        (asked,) = SAMPLES["Fetch a zone"].asked
        # There is no certificate for its domain; and it is served before anybody can ask.
        changed = {".ssl_type": "shared"}
        one = check("Fetch a zone", send(cdn, asked), same=same, except_for=changed)
        assert one["error_pages"] == {} and one["reconfig_status"] == "ready"
        assert re.fullmatch(r"a1-\d+\.so\.clients\.cdn13\.com", one["cdn_domain"])
        assert one["cdn_domain"] == f"a1-{cdn.get('/account')['id']}.so.clients.cdn13.com"

        (asked,) = SAMPLES["Fetch all zones"].asked
        found = check("Fetch all zones", send(cdn, asked), same=same)
        assert [zone["id"] for zone in found] == ["1"]
        assert found[0]["error_pages"] == [] and "ssl_type" not in found[0]
        assert cdn.get("/zones", query={"count": 1}) == {"count": 1}
        assert cdn.get("/zones/", query={"count": "1"}, as_="batou") == {"count": 0}


@pytest.mark.parametrize("number", range(4))
def test_each_way_to_ask_an_origin(cdn: Cdn, number: int) -> None:
    """What is secret of it is not shown again."""
    asked = SAMPLES["Create a new zone"].asked[number]
    made = said(send(cdn, asked))["zone_id"]
    auth = cdn.get(f"/zone/{made}")["upstream"]["auth"]
    assert (
        auth
        == [
            {"type": "none"},
            {"type": "http_basic", "username": "a"},
            {"type": "aws_signing_key", "access_key": "examplekey", "key_scope": "example_scope"},
            {"type": "aws_secret_key", "access_key": "examplekey"},
        ][number]
    )
