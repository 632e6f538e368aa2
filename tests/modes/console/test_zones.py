"""The console's pages of zones: which there are, what one is, and what is done to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.access.identity import Identity
from gateway.modes.console.pages import zones
from gateway.storage import Secret
from gateway.telemetry.report_file import Batch, ReportFile
from gateway.telemetry.slot_counts import Kind
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.console.test_operating import ROOT, facts
from tests.modes.console.test_volumes import links, secret_of, signed_in
from tests.modes.public_gateway import Site

TEAM = Identity(key="member", account="team", access="own")
UPSTREAM = {
    "endpoints": [{"host": "news.com", "port": "80"}],
    "type": "own",
    "proto": "http",
    "auth": {"type": "none"},
}
CDN = {"suffix": "cdn.example"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving(cdn=CDN) as site:
        for id, account in (("member", "team"), ("stranger", "strangers")):
            site.runtime.catalog.add_key(id=id, account=account, secret=Secret(secret_of(id)))
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site, tls=True).sign_in()


@pytest.fixture(scope="module")
def member(site: Site) -> Browser:
    return signed_in(site, "member")


def made(site: Site, **members: Any) -> int:
    given = {"object_size": "big", "upstream": UPSTREAM, **members}
    return site.runtime.zones.make(TEAM, given).number


def document(site: Site, number: int) -> Any:
    return site.runtime.zones.find(TEAM, number).document


def test_a_zone_is_made_changed_switched_and_dropped(site: Site, member: Browser) -> None:
    seen = member.submit(
        member.get("add-zone"),
        "add-zone",
        endpoints="www.test.example:8080\r\n[2606:4700::1111]\r\n",
        proto="http",
        host_header="Origin.Example",
        auth="http_basic",
        user="me",
        secret="hidden-1",
        custom_domains="img.members.test\r\nb.members.test",
        expiration="60",
        referers="www.test\r\n!none",
        hash_secret="hidden-2",
        limit_rate_security="1",
        error_pages="404:https://www.test/lost",
    )
    assert seen.notices == ["The zone is made."], seen.text
    number = int(seen.h1.split()[1])
    said = facts(seen.page)
    assert said["Domains"] == "img.members.test, b.members.test"
    assert said["Origin"] == "http://www.test.example:8080 and 1 more, asked for as origin.example"
    assert (said["Fresh for"], said["Links"][:25]) == ("60 s", "signed by a secret, md5, ")
    assert said["Rate"] == "as the signed link says"
    live = member.get(f"zones/{number}", HX_Target="zone")
    assert (facts(live.page)["State"], live.page.all("h1")) == (said["State"], [])
    whole = document(site, number)
    assert whole["upstream"]["endpoints"][1] == {"host": "2606:4700::1111", "port": 80}

    form = member.get(f"zones/{number}/change")
    assert form.page.form("change").fields()["endpoints"].splitlines() == [
        "www.test.example:8080",
        "[2606:4700::1111]:80",
    ]
    # As it is sent back, with the ends of lines that browsers have, nothing changes.
    fields = form.page.form("change").fields().items()
    same = {name: text.replace("\n", "\r\n") for name, text in fields}
    seen = member.post(f"zones/{number}/change", same)
    assert seen.notices == [
        "The zone is changed. That counts from now on; what its cache has, stays."
    ]
    assert document(site, number) == whole
    wanted = site.runtime.catalog.zone(number)
    assert wanted is not None and wanted.document["upstream"]["auth"]["password"] == "hidden-1"

    seen = member.submit(form, "change", endpoints="elsewhere.example")
    assert (seen.status, "does not get it" in seen.notices[0]) == (422, True)
    seen = member.submit(
        form,
        "change",
        endpoints="elsewhere.example",
        secret="hidden-3",
        unsigned="1",
        expiration="",
    )
    assert facts(seen.page)["Links"] == "anybody’s"
    after = document(site, number)
    assert (after["hash_secret"], after["limit_rate_security"], after["expiration"]) == (None,) * 3
    for page in (f"zones/{number}", f"zones/{number}/change", "zones"):
        assert "hidden-" not in member.get(page).text

    seen = member.submit(member.get(f"zones/{number}"), "active", active="0")
    assert facts(seen.page)["State"] == "disabled"
    assert not site.runtime.zones.find(TEAM, number).active
    assert member.post(f"zones/{number}/active", {"csrf": member.csrf, "active": "1"}).status == 200
    assert site.runtime.zones.find(TEAM, number).active

    form = member.get(f"zones/{number}/drop")
    assert member.submit(form, "drop", confirm="zone").status == 422
    assert (
        member.submit(form, "drop", confirm=f"zone-{number}").notices[0][:20]
        == "The zone is dropped,"
    )
    assert member.get(f"zones/{number}").status == 404


def test_what_is_refused_is_said_and_what_was_typed_stays(site: Site, member: Browser) -> None:
    form = member.get("add-zone")
    for typed, words in (
        ({"endpoints": ""}, "upstream.endpoints"),
        ({"endpoints": "a.example b c d"}, "more than a bucket"),
        ({"endpoints": "a.example", "expiration": "soon"}, "expiration: it is a number"),
        ({"endpoints": "127.0.0.1"}, "127.0.0.1"),
        ({"origin": "storage"}, "which storage"),
        ({"endpoints": "a.example", "geo_filter_allow": "CH"}, "geo_filter_allow"),
        ({"endpoints": "a.example", "auth": "http_basic", "user": "me"}, "Type the origin's"),
    ):
        fields = {**form.page.form("add-zone").fields(), "custom_domains": "x.typed.test"}
        seen = member.post("add-zone", {**fields, **typed})
        assert (seen.status, words in seen.notices[0]) == (422, True), seen.notices
        again = seen.page.form("add-zone").fields()
        assert again["custom_domains"] == "x.typed.test"
        assert {name: again[name] for name in typed} == typed
    seen = member.submit(form, "add-zone", endpoints="", hash_secret="hidden-4", secret="hidden-5")
    assert "hidden-" not in seen.text


def test_storages_caches_of_others_and_s3(site: Site, member: Browser) -> None:
    storage = site.runtime.storages.make(TEAM, "films", "europe")
    first = made(site)
    form = member.get("add-zone")
    seen = member.submit(
        form, "add-zone", origin="storage", storage=str(storage.number), cache_reuse_from=str(first)
    )
    said = facts(seen.page)
    assert (said["Origin"], said["Cache"][:6]) == (f"storage {storage.number}", f"zone-{first}")
    assert (
        member.submit(member.get(f"zones/{first}/drop"), "drop", confirm=f"zone-{first}").status
        == 409
    )
    seen = member.submit(
        form,
        "add-zone",
        type="aws-s3",
        endpoints="s3.eu-central-1.amazonaws.com photos eu-central-1",
        auth="aws_secret_key",
        user="AKIA",
        secret="hidden-6",
    )
    assert facts(seen.page)["Origin"] == "https://s3.eu-central-1.amazonaws.com/photos"
    number = int(seen.h1.split()[1])
    form = member.get(f"zones/{number}/change")
    before = document(site, number)
    assert member.submit(form, "change").status == 200
    assert document(site, number) == before


def test_a_purge_is_begun(site: Site, member: Browser, root: Browser) -> None:
    number = made(site, custom_domains=["ordered.test"])
    jobs = site.runtime.purge_jobs
    token = {"csrf": member.csrf}
    purge = f"zones/{number}/purge"
    for typed, status in (
        ({}, 422),
        ({"everything": "1", "confirm": "zone"}, 422),
        ({"files": "https://elsewhere.example/x"}, 422),
    ):
        assert member.post(purge, {**token, **typed}).status == status
    assert jobs.list(TEAM) == []
    seen = member.post(
        purge, {**token, "files": "/a.png\r\n/b.png", "prefixes": "/d/", "soft": "1"}
    )
    assert seen.notices[0].startswith("The purge is written down")
    assert (
        member.post(purge, {**token, "everything": "1", "confirm": f"zone-{number}"}).status == 200
    )
    whole, one = jobs.list(TEAM)
    files = tuple(
        f"http://{site.runtime.zones.find(TEAM, number).cdn_domain}/{name}.png" for name in "ab"
    )
    assert (one.files, one.prefixes, one.soft) == (files, ("/d/",), True)
    assert (whole.files, whole.prefixes) == ((), ())

    def shown(browser: Browser) -> list[list[str]]:
        live = browser.get("purges", HX_Target="jobs")
        assert live.page.all("h1") == []
        return [row[1:4] for row in live.page.table("Jobs of zones")]

    what = f"{files[0]} and 1 more /d/* soft"
    waiting = [[str(number), "waiting", "everything"], [str(number), "waiting", what]]
    assert shown(member) == shown(root) == waiting
    assert "There are none yet" in signed_in(site, "stranger").get("purges").text
    jobs.carry_out()
    assert {row[1] for row in shown(member)} == {"finished"}
    reader = Browser(site).sign_in("reader")  # a key that acts for no account
    assert "Jobs of zones" not in reader.get("purges").text


def test_certificates_are_ordered_and_what_the_authority_says_is_told() -> None:
    pytest.importorskip("acme", reason="needs the extra `acme`")
    acme = {"directory": "https://127.0.0.1:9/dir", "terms_agreed": True}
    with serving(cdn=CDN, acme=acme) as site:
        given = {"object_size": "big", "upstream": UPSTREAM, "custom_domains": ["ordered.test"]}
        site.runtime.zones.make(TEAM, given)
        browser = Browser(site, tls=True).sign_in()
        seen = browser.submit(browser.get("zones/1"), "order")
        assert seen.notices[0].startswith("The certificates are ordered.")
        assert seen.page.table("Certificates that were ordered")[0][:2] == [
            "ordered.test",
            "waiting",
        ]
        catalog, words = site.runtime.catalog, "DNS problem: <NXDOMAIN>"
        failed = replace(catalog.orders()["ordered.test"], state="failed", problem=words)
        catalog.set_order(failed)
        row = browser.get("zones/1").page.table("Certificates that were ordered")[0]
        assert (row[1], row[-1]) == ("failed", words)
        for id, account in (("member", "team"), ("stranger", "strangers")):
            catalog.add_key(id=id, account=account, secret=Secret(secret_of(id)))
        member, stranger = signed_in(site, "member"), signed_in(site, "stranger")
        for one, sees in ((browser, True), (member, True), (stranger, False)):
            tables = [two.text for two in one.get("certificates").page.all("caption")]
            assert ("Certificates that were ordered" in tables) is sees


def test_a_zone_is_its_accounts_and_of_who_manages_everything(
    site: Site, root: Browser, member: Browser
) -> None:
    number = made(site, custom_domains=["whose.test"])
    stranger = signed_in(site, "stranger")
    token = {"csrf": stranger.csrf, "active": "0", "confirm": f"zone-{number}", "files": "/x"}
    for page in ("", "/change", "/drop"):
        assert stranger.get(f"zones/{number}{page}").status == 404
    for page in ("active", "purge", "order", "change", "drop"):
        assert stranger.post(f"zones/{number}/{page}", token).status == 404
    assert "No zones yet" in stranger.get("zones").text
    assert stranger.get("zones/none").status == 404
    assert str(number) in links(member, "zones")
    assert str(number) in links(root, "zones")
    assert facts(root.get(f"zones/{number}").page)["Owner"] == "team"
    assert root.submit(root.get(f"zones/{number}/change"), "change", expiration="7").status == 200
    assert document(site, number)["expiration"] == 7
    reader = Browser(site).sign_in("reader")  # a key that acts for no account
    assert "Zones" not in links(reader, "") and reader.get("zones").status == 403


def test_lists_come_in_pages_with_what_was_served(
    site: Site, root: Browser, member: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    while len(site.runtime.zones.list(TEAM)) < 3:
        made(site)
    site.runtime.zones.make(ROOT, {"object_size": "small", "upstream": UPSTREAM})
    monkeypatch.setattr(zones, "_SHOWN", 2)
    numbers = [str(one.number) for one in site.runtime.zones.list(ROOT, every=True)]
    seen, found = root.get("zones"), []
    while True:
        found += [row[0] for row in seen.page.table("Zones")]
        if "Next" not in {one.text for one in seen.page.all("a")}:
            break
        seen = root.follow(seen, "Next")
    assert found == numbers
    assert len(member.get("zones").page.table("Zones")) == 2


def test_served_is_what_reports_say() -> None:
    file = ReportFile()
    now = int(time.time()) // 300 * 300
    rows = {Kind(now, "zone-1", "zone-1", "public", 200, "CH", True, "2"): [1234, 0, 6144]}
    file.add(Batch("gone", 1, now - 3600.0, 5.0, rows))
    with serving(reports=file, cdn=CDN) as site:
        site.runtime.zones.make(ROOT, {"object_size": "big", "upstream": UPSTREAM})
        browser = Browser(site, tls=True).sign_in()
        assert browser.get("zones").page.table("Zones")[0][-2:] == ["1,234", "6.0 KiB"]
        assert facts(browser.get("zones/1").page)["Served"].startswith("1,234 hits, 6.0 KiB")
    file.close()


def test_where_no_mode_has_zones_there_is_no_page() -> None:
    with serving() as site:
        browser = Browser(site, tls=True).sign_in()
        assert browser.get("zones").status == browser.get("zones/1").status == 404
        assert "Zones" not in {one.text for one in browser.get().page.all("a")}
