"""The overview: how much there is, what is asked for, and what comes next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access.grants import Grant
from gateway.access.rules import EVERYONE
from gateway.telemetry.traffic import Numbers, Traffic
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.public_gateway import OWNER, Site


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def figures(browser: Browser) -> dict[str, str]:
    cards = browser.get().page.one("ul", class_="cards").all("li")
    return {card.all("p")[1].text: card.all("p")[0].text for card in cards}


def test_it_says_how_much_there_is_as_far_as_the_key_may_know(site: Site) -> None:
    site.put("files", "a", b"x" * 2000)
    site.put("kept", "a", b"x")
    site.put("kept", "a", b"x")
    root = Browser(site).sign_in()
    found = figures(root)
    assert [found[one] for one in ("services", "objects", "stored")] == ["3", "2", "2.0 KiB"]
    assert root.get().page.table("Services")[1][:4] == ["kept", "memory", "1", "2 B"]
    reader = Browser(site).sign_in("reader")
    assert figures(reader)["services"] == "1"
    assert [row[0] for row in reader.get().page.table("Services")] == ["files"]


def test_it_shows_a_hundred_services_and_goes_on(site: Site) -> None:
    for number in range(150):
        site.runtime.create(OWNER, f"bucket-{number:03}")
    browser = Browser(site).sign_in()
    first = browser.get()
    assert figures(browser)["services"] == "153"
    second = browser.follow(first, "Next")
    pages = [[row[0] for row in seen.page.table("Services")] for seen in (first, second)]
    assert [len(page) for page in pages] == [100, 53]
    assert pages[0] + pages[1] == sorted(pages[0] + pages[1])
    assert [row[0] for row in browser.follow(second, "Previous").page.table("Services")] == pages[0]


def test_what_is_asked_for_is_shown_and_told_to_the_script(site: Site) -> None:
    traffic = {"files": Traffic(1500, 2, 1, 3, 2048), "other": Traffic(3, 0, 0, 0, 0)}
    numbers = Numbers(time=5.0, total=Traffic(1600, 10, 1, 3, 2048), services=traffic)
    site.runtime._numbers = lambda: numbers
    browser = Browser(site).sign_in()
    seen = browser.get()
    row = seen.page.table("Services")[0]
    assert row == ["files", "memory", "0", "0 B", "1,500", "", "2", "1", "3 B", "2.0 KiB"]
    address = seen.page.one(id="chart")["data-numbers"]
    token: dict[str, Any] = {"sec_fetch_dest": "empty", "x_csrf_token": browser.csrf}
    found = json.loads(browser.get(address, **token).answer.body)
    assert found["total"] == [1600, 10, 1, 3, 2048]
    assert found["services"] == {"files": [1500, 2, 1, 3, 2048], "other": [3, 0, 0, 0, 0]}
    assert json.loads(browser.get("overview/numbers?from=g&to=z").text)["services"].keys() == {
        "other"
    }
    site.runtime.create(OWNER, "lent", [Grant(EVERYONE, "read")])
    traffic["lent"] = Traffic(77, 0, 0, 0, 0)
    reader = Browser(site).sign_in("reader")
    rows = {row[0]: row[4:] for row in reader.get().page.table("Services")}
    assert rows == {"files": row[4:], "lent": ["–", "", "–", "–", "–", "–"]}
    rows = {row[0]: row[-2:] for row in reader.get("services").page.table("Services")}
    assert rows == {"files": ["1,500", "1"], "lent": ["–", "–"]}
    assert "since the start" not in reader.get("services/lent").text
    found = json.loads(reader.get(address).answer.body)
    assert found["services"].keys() == {"files"}
    assert found["total"] == [1500, 2, 1, 3, 2048]
