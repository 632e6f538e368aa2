"""Requests: which are shown to whom, the filters, and the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.telemetry.record import Record
from gateway.telemetry.request_list import RequestEntry
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.public_gateway import Site

HOSTILE = "<script>alert(1)</script>\"'&amp;"


def record(number: int, sid: str, status: int = 200, **more: Any) -> Record:
    told: dict[str, Any] = {"operation": "GetObject", "key": f"key-{number}", "mode": "s3", **more}
    one = Record(f"id-{number}", "GET", "/", "192.0.2.9", sid=sid, status=status, **told)
    # After the services were made, to the second.
    one.started = 4_000_000_000 + number
    return one


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        rows = [record(number, "files") for number in range(120)]
        rows += [
            record(120, "other", 404),
            record(121, "files", 503, key=HOSTILE, key_id="writer"),
            record(122, "", 200, key="", mode="console", operation="ConsoleRequests"),
        ]
        for start in range(0, len(rows), 100):
            site.runtime.requests.add(rows[start : start + 100])
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site).sign_in()


def shown(browser: Browser, target: str = "requests") -> list[str]:
    return [row[2].rpartition(" ")[2] for row in browser.get(target).page.table("Requests")]


def test_the_newest_come_first_and_the_others_page_by_page(root: Browser) -> None:
    seen = root.get("requests")
    found = [[row[2] for row in seen.page.table("Requests")]]
    while older := [one for one in seen.page.all("a") if one.text == "Older"]:
        seen = root.follow(seen, older[0].text)
        found.append([row[2] for row in seen.page.table("Requests")])
    assert [len(page) for page in found] == [50, 50, 22]
    texts = [text for page in found for text in page]
    assert texts[:2] == [f"s3 GetObject {HOSTILE}", "s3 GetObject key-120"]
    assert texts[2:] == [f"s3 GetObject key-{number}" for number in range(119, -1, -1)]
    seen = root.follow(root.follow(seen, "Newer"), "Newer")
    assert seen.page.table("Requests")[0][1] == "503"


def test_a_key_sees_those_of_its_services(site: Site) -> None:
    reader = Browser(site).sign_in("reader")
    rows = reader.get("requests").page.table("Requests")
    assert {row[3] for row in rows} == {"files"}
    assert (
        reader.get("requests?sid=other").page.all("p", class_="title")[0].text == "No request fits"
    )


def test_and_nothing_else_is_read_for_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that sees little must not have all requests looked through, every two seconds."""
    writer, read, page = Browser(site).sign_in("writer"), [0], site.runtime.requests.page

    def counted(*asked: Any) -> list[RequestEntry]:
        read.append(len(found := page(*asked)))
        return found

    monkeypatch.setattr(site.runtime.requests, "page", counted)
    for sid in ("kept", "other", "nothing"):
        assert writer.get(f"requests?sid={sid}").status == 200
    assert sum(read) == 0
    assert len(shown(writer)) == 50
    assert sum(read) == 121


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("status=4", ["key-120"]),
        ("status=404", ["key-120"]),
        ("status=404&sid=files", None),
        (
            "text=KEY-11",
            [f"key-{number}" for number in (119, 118, 117, 116, 115, 114, 113, 112, 111, 110, 11)],
        ),
        ("text=writer", [HOSTILE]),
        ("text=192.0.2.9&sid=other", ["key-120"]),
        ("text=consolerequests&own=1", ["/"]),
        ("text=consolerequests", None),
    ],
)
def test_filters(root: Browser, query: str, expected: list[str] | None) -> None:
    seen = root.get(f"requests?{query}")
    if expected is None:
        assert seen.page.all("p", class_="title")[0].text == "No request fits"
    else:
        assert shown(root, f"requests?{query}") == expected


@pytest.mark.parametrize("query", ["status=x", "status=44", "status=٤", "after=x", "after=-1"])
def test_what_is_no_filter_is_refused(root: Browser, query: str) -> None:
    assert root.get(f"requests?{query}").status == 400


def test_markup_is_text(root: Browser) -> None:
    seen = root.get("requests?status=503")
    assert "<script>alert" not in seen.text
    assert seen.page.table("Requests")[0][2] == f"s3 GetObject {HOSTILE}"


def test_the_script_gets_the_rows_alone(root: Browser) -> None:
    seen = root.get("requests", hx_request="true", hx_target="rows")
    assert "<html" not in seen.text and len(seen.page.table("Requests")) == 50
