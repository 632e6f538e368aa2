"""The console's pages of storages: which there are, who brings files, and what is done to one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.modes.console.pages import storages
from gateway.storage import BytesBody, Put, Secret
from tests.modes.console.console_gateway import Browser, serving
from tests.modes.console.test_operating import ROOT, facts
from tests.modes.console.test_volumes import links, secret_of, signed_in
from tests.modes.console.test_zones import TEAM
from tests.modes.public_gateway import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving(cdn={"suffix": "cdn.example", "ftp": "ftp.example:2121"}) as site:
        for id, account in (("member", "team"), ("stranger", "strangers")):
            site.runtime.catalog.add_key(id=id, account=account, secret=Secret(secret_of(id)))
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site, tls=True).sign_in()


@pytest.fixture(scope="module")
def member(site: Site) -> Browser:
    return signed_in(site, "member")


def password(site: Site, number: int) -> str:
    found = site.runtime.storages.find(TEAM, number).password
    assert found is not None
    return found.reveal()


def test_a_storage_is_made_filled_and_dropped(site: Site, member: Browser) -> None:
    form = member.get("add-storage")
    for name in ("files", "No Name"):
        seen = member.submit(form, "add-storage", name=name)
        assert (seen.status, seen.page.one("input", id="name")["value"]) == (422, name)
    assert member.submit(form, "add-storage", name="nowhere", region="mars").status == 400
    seen = member.submit(form, "add-storage", name="films", region="north-america")
    assert (seen.h1, seen.notices) == ("films", ["The storage is made."])
    said = facts(seen.page)
    number, access = int(said["Number"]), site.runtime.access(TEAM, "films")
    access.put("k", BytesBody(b"x" * 2048), Put(size=2048))
    said = facts(member.get(f"storages/{number}").page)
    assert (said["FTP"], said["Region"]) == ("ftp.example:2121", "north-america")
    assert (said["Objects"], said["Stored"]) == ("1", "2.0 KiB")
    assert said["User"] == site.runtime.storages.find(TEAM, number).user
    (row,) = member.get("storages").page.table("Storages")
    assert row[:5] == [f"films {number}", "north-america", said["User"], "1", "2.0 KiB"]

    form = member.get(f"storages/{number}/drop")
    assert member.submit(form, "drop", confirm="film").status == 422
    assert member.submit(form, "drop", confirm="films").status == 409
    access.delete("k")
    seen = member.submit(form, "drop", confirm="films")
    assert seen.notices == ["The storage is dropped, and its user."]
    assert member.get(f"storages/{number}").status == 404


def test_a_password_is_in_the_answer_to_who_asks_for_it_alone(site: Site, member: Browser) -> None:
    one, two = (site.runtime.storages.make(TEAM, f"secret-{n}", "europe").number for n in "12")
    before = password(site, one)
    page = member.get(f"storages/{one}")
    for path in ("storages", f"storages/{one}", f"storages/{one}/another", f"services/secret-{1}"):
        assert before not in member.get(path).text
    assert member.get(f"storages/{one}/password").status == 405
    assert member.post(f"storages/{one}/password", {}).status == 403
    seen = member.submit(page, "password")
    assert seen.page.one("code", id="secret").text == before
    assert seen.headers["cache-control"] == "no-store"

    form = member.get(f"storages/{one}/another")
    assert "secret-1" in form.text and "secret-2" in form.text
    seen = member.submit(form, "another")
    after = seen.page.one("code", id="secret").text
    assert after == password(site, one) == password(site, two) != before
    assert not any(after in str(record) for record in site.records)


def test_a_storage_is_its_accounts_and_of_who_manages_everything(
    site: Site, root: Browser, member: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = site.runtime.storages.make(TEAM, "whose", "europe").number
    stranger = signed_in(site, "stranger")
    token, here = {"csrf": stranger.csrf, "confirm": "whose"}, f"storages/{number}"
    for page in ("", "/another", "/drop"):
        assert stranger.get(f"{here}{page}").status == 404
    before = password(site, number)
    for page in ("password", "another", "drop"):
        assert stranger.post(f"{here}/{page}", token).status == 404
    assert password(site, number) == before
    assert "No storages yet" in stranger.get("storages").text
    assert "whose" in links(member, "storages") & links(root, "storages")
    assert facts(root.get(here).page)["Owner"] == "team"
    assert root.submit(root.get(here), "password").page.one("code", id="secret").text == before
    root.submit(root.get(f"{here}/another"), "another")
    assert password(site, number) != before

    site.runtime.storages.make(ROOT, "of-root", "europe")
    monkeypatch.setattr(storages, "_SHOWN", 1)
    seen = root.get("storages")
    assert [row[0][:7] for row in seen.page.table("Storages")] == ["of-root"]
    seen = root.follow(seen, "Next")
    assert [row[0][:5] for row in seen.page.table("Storages")] == ["whose"]
