"""The console's pages of volumes: which there are, how full they are, and what is in one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.rules import EVERYONE
from gateway.modes.console.pages import volumes
from gateway.storage import BytesBody, Put, Secret
from tests.modes.console.console_gateway import SECRETS, Browser, serving
from tests.modes.console.test_operating import MARKUP, ROOT, facts
from tests.modes.public_gateway import Site

TEAM = Identity(key="member", account="team")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    volumes = {"declared": {"account": "team"}}
    origin = {"driver": "http", "url": "http://127.0.0.1:9/", "allow": ["127.0.0.1"]}
    services = {"origin": {**origin, "volume": "declared"}}
    with serving(accounts=[{"id": "team"}], volumes=volumes, services=services) as site:
        for id, account in (("member", "team"), ("stranger", "strangers")):
            site.runtime.catalog.add_key(id=id, account=account, secret=Secret(secret_of(id)))
        yield site


def secret_of(id: str) -> str:
    return f"secret-of-the-{id}-00"


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site, tls=True).sign_in()


def signed_in(site: Site, id: str) -> Browser:
    browser = Browser(site, tls=True)
    secret = SECRETS.get(id) or secret_of(id)
    assert browser.submit(browser.get("sign-in"), "sign-in", key=id, secret=secret).status == 200
    return browser


def listed(browser: Browser, query: str = "") -> list[list[str]]:
    seen = browser.get(f"volumes{query}")
    return seen.page.table("Volumes") if seen.page.all("table") else []


def links(browser: Browser, page: str) -> set[str]:
    return {one.text for one in browser.get(page).page.one("main").all("a")}


def test_a_volume_is_made_filled_changed_and_dropped(site: Site, root: Browser) -> None:
    form = root.get("add-volume")
    assert form.page.form("add-volume").fields()["owner"] == "root"
    seen = root.submit(form, "add-volume", name="media", owner="team", quota="4 KiB")
    assert (seen.h1, seen.notices) == ("media", ["The volume is made."])
    assert "No buckets yet" in seen.text
    seen = root.submit(root.get("volumes/media/add-bucket"), "add-bucket", bucket="films")
    assert seen.notices == ["The bucket is made."]
    site.runtime.access(TEAM, "media.films").put("k", BytesBody(b"x" * 3900), Put(size=3900))

    seen = root.get("volumes/media")
    (row,) = seen.page.table("Buckets")
    assert row[:5] == ["films", "media.films", "memory", "1", "3.8 KiB"]
    said = facts(seen.page)
    assert (said["Stored"], said["Buckets"]) == ("3.8 KiB of 4.0 KiB nearly full", "1")
    assert (said["Owner"], said["Made"][-7:]) == ("team", "by root")
    assert seen.page.one("svg", class_="much").one("rect")["width"] == "96"
    (row,) = listed(root, "?starts=media")
    assert row[:4] == ["media", "team", "1", "3.8 KiB of 4.0 KiB nearly full"]

    form = root.get("volumes/media/change")
    assert form.page.form("change").fields() | {"csrf": ""} == {
        "csrf": "", "owner": "team", "quota": "4KiB",
    }  # fmt: skip
    seen = root.submit(form, "change", owner="strangers", quota="1KiB")
    assert seen.notices == ["The volume is changed. That counts from now on."]
    said = facts(seen.page)
    assert (said["Stored"], said["Owner"]) == ("3.8 KiB of 1.0 KiB full", "strangers")
    assert seen.page.one("svg", class_="over").one("rect")["width"] == "100"
    assert site.runtime.access(ROOT, "media.films").service.owner == "strangers"
    seen = root.submit(root.get("volumes/media/change"), "change", quota="")
    assert facts(seen.page)["Stored"] == "3.8 KiB"

    asked = root.get("volumes/media/drop")
    assert "It has 1 bucket, with 3.8 KiB: drop those first." in asked.page.text
    seen = root.submit(asked, "drop", confirm="medea")
    assert (seen.status, seen.notices) == (422, ["Type media to drop it."])
    seen = root.submit(asked, "drop", confirm="media")
    assert (seen.status, seen.notices) == (409, ["There are buckets in it: drop those first."])
    site.runtime.access(ROOT, "media.films").delete("k")
    root.submit(root.get("services/media.films/drop"), "drop", confirm="media.films")
    seen = root.submit(asked, "drop", confirm="media")
    assert seen.notices == ["The volume is dropped."]
    assert root.get("volumes/media").status == 404


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("name", "taken", "That name is taken."),
        ("name", "Capital", "3 to 63 of a-z"),
        ("name", MARKUP, "3 to 63 of a-z"),
        ("owner", "no account!", "cannot be called"),
        ("owner", "", "cannot be called"),
        ("quota", "much", "is not a size"),
        ("quota", "-1", "is not a size"),
        ("quota", "9999EB", "more bytes than there are"),
    ],
)
def test_what_is_refused_stands_at_its_field(
    site: Site, root: Browser, field: str, typed: str, told: str
) -> None:
    if site.runtime.catalog.volume("taken") is None:
        site.runtime.volumes.make(ROOT, "taken", owner="team")
    given: dict[str, Any] = {"name": "fresh", "owner": "team", "quota": "1KiB", field: typed}
    seen = root.submit(root.get("add-volume"), "add-volume", **given)
    assert seen.status == 422
    assert told in seen.page.one("p", id=f"{field}-error").text
    shown = seen.page.form("add-volume").fields()
    assert {name: shown[name] for name in given} == given, "what was typed is not lost"
    assert MARKUP not in seen.text
    if field != "name":
        changed: dict[str, Any] = {field: typed}
        seen = root.submit(root.get("volumes/taken/change"), "change", **changed)
        assert seen.status == 422
        assert told in seen.page.one("p", id=f"{field}-error").text


def test_a_buckets_name_that_cannot_be(site: Site, root: Browser) -> None:
    site.runtime.volumes.make(ROOT, "names", owner="team")
    form = root.get("volumes/names/add-bucket")
    assert root.submit(form, "add-bucket", bucket="there", versions="1").status == 200
    assert site.runtime.access(ROOT, "names.there").versioning == "on"
    for name, status in (("there", 409), ("a..b", 422), ("192.0.2.1", 422), (MARKUP, 422)):
        seen = root.submit(form, "add-bucket", bucket=name)
        assert (seen.status, MARKUP in seen.text) == (status, False), name
        assert seen.page.one("p", id="bucket-error").text


def test_who_owns_a_volume_sees_it_and_no_other(site: Site, root: Browser) -> None:
    make = site.runtime.volumes
    make.make(ROOT, "teams", owner="team")
    make.make(ROOT, "roots", owner="root")
    make.create_bucket(ROOT, "roots", "secret")
    shown = make.create_bucket(ROOT, "roots", "shown").service.sid
    member, stranger, reader = (signed_in(site, id) for id in ("member", "stranger", "reader"))
    assert {"teams", "roots"} <= {row[0] for row in listed(root)}
    assert "roots" not in {row[0] for row in listed(member)}
    assert not {"teams", "roots"} & {row[0] for row in listed(stranger)}
    assert "Volumes" in {one.text for one in member.get().page.one("nav").all("a")}
    assert "Volumes" not in {one.text for one in reader.get().page.one("nav").all("a")}
    assert reader.get("volumes").status == 403

    assert {"Make a bucket", "Drop"} <= links(member, "volumes/teams")
    assert "Change" not in links(member, "volumes/teams")
    seen = member.submit(member.get("volumes/teams/add-bucket"), "add-bucket", bucket="own")
    assert seen.notices == ["The bucket is made."]
    assert site.runtime.access(ROOT, "teams.own").service.owner == "team"
    token = {"csrf": member.csrf}
    pages = ("", "/change", "/drop", "/add-bucket")
    for path in pages:
        assert stranger.get(f"volumes/teams{path}").status == (403 if path == "/change" else 404)
    assert member.get("add-volume").status == 403
    assert member.post("add-volume", {**token, "name": "more", "owner": "team"}).status == 403
    assert member.post("volumes/teams/change", {**token, "owner": "team"}).status == 403
    sent = {**token, "confirm": "roots", "bucket": "mine"}
    for path in ("/drop", "/add-bucket"):
        assert member.post(f"volumes/roots{path}", sent).status == 404
    site.runtime.set_grants(ROOT, shown, [Grant(EVERYONE, "read")])
    assert member.get("volumes/roots").status == 403, "it may know of it by now"
    assert member.post("volumes/roots/drop", sent).status == 403
    assert "teams.own" in {row[1] for row in root.get("volumes/teams").page.table("Buckets")}


def test_what_is_declared_is_shown_with_its_place(site: Site, root: Browser) -> None:
    member = signed_in(site, "member")
    for browser in (root, member):
        seen = browser.get("volumes/declared")
        assert "volumes.declared" in facts(seen.page)["Declared"]
        (row,) = seen.page.table("Buckets")
        assert row[:5] == ["origin", "origin", "http", "–", "–"]
        assert not {"Change", "Drop"} & {one.text for one in seen.page.one("main").all("a")}
        assert facts(browser.get("services/origin").page)["Volume"].startswith("declared, ")
        (listed_one,) = [one for one in listed(browser) if one[0].startswith("declared")]
        assert listed_one[1:4] == ["team", "1", "0 B"]
    for page in ("change", "drop"):
        seen = root.get(f"volumes/declared/{page}")
        assert (seen.status, "changed there" in seen.text) == (409, True)
    token = {"csrf": root.csrf, "confirm": "declared", "owner": "root"}
    assert root.post("volumes/declared/change", token).status == 409
    assert root.post("volumes/declared/drop", token).status == 409


def test_a_bucket_says_its_volume(site: Site, root: Browser) -> None:
    site.runtime.volumes.make(ROOT, "said", owner="team")
    site.runtime.volumes.create_bucket(ROOT, "said", "one")
    site.runtime.set_grants(TEAM, "said.one", [Grant(EVERYONE, "read")])
    member, stranger = signed_in(site, "member"), signed_in(site, "stranger")
    for browser, linked in ((root, True), (member, True), (stranger, False)):
        for page in ("services?text=said", "browser?starts=said"):
            seen = browser.get(page)
            (row,) = seen.page.table("Services")
            assert row[0] == "said.one" and row[1].endswith(" in said")
        seen = browser.get("services/said.one")
        assert facts(seen.page)["Volume"] == "said, in which it is called one"
        assert ("said" in {one.text for one in seen.page.all("a")}) is linked


def settings(browser: Browser, sid: str) -> set[str]:
    links = {one["href"] for one in browser.get(f"services/{sid}").page.all("a")}
    return {one.rpartition("/")[2] for one in links if "/settings/" in one}


def test_who_may_what_in_a_bucket_is_shown_and_changed(site: Site, root: Browser) -> None:
    """What a mode that is off says of services is offered to nobody, and shown where it is."""
    site.runtime.volumes.make(ROOT, "listed", owner="team")
    access = site.runtime.volumes.create_bucket(ROOT, "listed", "acl")
    member, acls = signed_in(site, "member"), site.runtime.kinds["ozone-acl"]
    assert "cors" in settings(member, "listed.acl")
    assert "ozone-acl" not in settings(member, "listed.acl")
    site.runtime.set_setting(access, acls, acls.parsed("user:stranger:r\n"))
    assert "ozone-acl" in settings(member, "listed.acl")
    assert "user:stranger:r" in root.get("services/listed.acl").text
    form = member.get("services/listed.acl/settings/ozone-acl")
    assert form.page.form("ozone-acl").fields()["document"] == "user:stranger:r\n"
    stranger = signed_in(site, "stranger")
    assert stranger.get("services/listed.acl").status == 200
    assert member.submit(form, "ozone-acl", document="user:reader:r").status == 200
    assert stranger.get("services/listed.acl").status == 404
    assert member.submit(form, "ozone-acl", document="user reader").status == 422
    with serving(ozone={"auth": "key"}) as other:
        assert "ozone-acl" in settings(Browser(other, tls=True).sign_in(), "files")


def test_lists_come_in_pages(site: Site, root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "_SHOWN", 2)
    names = [f"paged-{number}" for number in range(3)]
    for name in names:
        site.runtime.volumes.make(ROOT, name, owner="team")
        site.runtime.volumes.create_bucket(ROOT, "paged-0", f"{name}-bucket")
    lists = {"volumes": "Volumes", "volumes/paged-0": "Buckets"}
    for page, caption in lists.items():
        address = f"{page}?starts=paged-"
        seen = root.get(address)
        first = [row[0] for row in seen.page.table(caption)]
        seen = root.follow(seen, "Next")
        rest = [row[0] for row in seen.page.table(caption)]
        assert [one[:7] for one in first + rest] == names
        seen = root.follow(seen, "Previous")
        assert [row[0] for row in seen.page.table(caption)] == first
    assert "No volume begins with that" in root.get("volumes?starts=nothing").text
    assert "No bucket begins with that" in root.get("volumes/paged-0?starts=nothing").text
