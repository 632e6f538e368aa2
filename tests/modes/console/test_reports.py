"""The page of reports: what was served, as far as the key may know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gateway.access.grants import Grant
from gateway.access.rules import EVERYONE
from gateway.telemetry.report_file import Batch, ReportFile
from gateway.telemetry.slot_counts import Kind
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.public_gateway import OWNER, Site


@pytest.fixture
def site() -> Iterator[Site]:
    file = ReportFile()
    with serving(reports=file) as site:
        fill(file)  # now: what was asked before a service was made is not its owner's to read
        yield site
    file.close()


def fill(file: ReportFile) -> None:
    now = int(time.time()) // 300 * 300
    files = Kind(now, "files", "files", "public", 200, "CH", True, "2")
    rows = {
        files: [6, 0, 6144],
        files._replace(status=404, tls=False, http="1.1", country="ZZ"): [2, 0, 0],
        files._replace(slot=now - 20 * 86_400): [100, 0, 1],
        files._replace(name="kept"): [50, 0, 0],
    }
    # A worker that says no more.
    file.add(Batch("gone", 1, now - 3600.0, 5.0, rows))


def hits(browser: Browser, query: str) -> str:
    page = browser.get(f"reports{query}").page
    return next(one.text for one in page.all("p", class_="figure"))


def test_it_shows_what_was_served(site: Site) -> None:
    browser = Browser(site).sign_in()
    seen = browser.get("reports?sid=files")
    figures = [one.text for one in seen.page.all("p", class_="figure")]
    assert figures == ["8", "6.0 KiB"]
    assert seen.page.table("Status") == [
        ["200", "6", "75 %", "6.0 KiB"],
        ["404", "2", "25 %", "0 B"],
    ]
    assert [row[0] for row in seen.page.table("Country")] == ["CH", "ZZ: not known"]
    assert [row[0] for row in seen.page.table("TLS")] == ["with", "without"]
    assert [row[0] for row in seen.page.table("HTTP version")] == ["2", "1.1"]
    assert [len(one.all("rect")) for one in seen.page.all("svg", class_="bars")] == [1, 1]
    assert "8 hits" in seen.text
    assert "may be missing" in " ".join(seen.notices)
    assert hits(browser, "?sid=files&span=month") == "108"
    assert hits(browser, "") == "58"
    assert "Nothing was asked for" in browser.get("reports?sid=other").text
    assert browser.get("reports?sid=files&span=ages").status == 200


def test_each_sees_what_its_key_may_know_of(site: Site) -> None:
    site.runtime.create(OWNER, "lent", [Grant(EVERYONE, "read")])
    reader = Browser(site).sign_in("reader")
    assert hits(reader, "") == "8"
    for sid in ("kept", "lent", "none", "(other)"):
        assert reader.get(f"reports?sid={sid}").status == 404, sid


def test_without_reports_it_says_how_to_have_them() -> None:
    with serving() as site:
        assert "[reports]" in Browser(site).sign_in().get("reports").text
