"""Keys: seen, made, changed, switched off, rotated and removed in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.access.identity import Identity
from gateway.modes.console import key_access
from tests.modes.console.console_gateway import SECRETS, Browser, Seen, serving
from tests.modes.public_gateway import Site

MARKUP = "<script>alert(1)</script>\"'&"
ALL = ("own", "read-all", "write-all", "admin", "services")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def root(site: Site) -> Browser:
    return Browser(site).sign_in()


def signed_in(site: Site, key: str, secret: str) -> Browser:
    browser = Browser(site)
    fields = {"key": key, "secret": secret}
    browser.post("sign-in", {**browser.get("sign-in").page.form("sign-in").fields(), **fields})
    return browser


def made(browser: Browser, **values: str) -> tuple[str, str, int]:
    """(id, secret, number)"""
    seen = browser.submit(browser.get("keys/new"), "keys/new", True, **values)
    assert seen.h1 == "The key is made", seen.text
    return *of(seen), int(seen.page.one("a", class_="button")["href"].rpartition("/")[2])


def of(seen: Seen) -> tuple[str, str]:
    key, secret = (one.text for one in seen.page.one("dl").all("code"))
    return key, secret


def identity(site: Site, key: str) -> Identity:
    found = site.runtime.keys.credential(key)
    assert found is not None
    return found.identity


def test_a_key_is_made_and_its_secret_is_in_that_answer_only(site: Site, root: Browser) -> None:
    form = root.get("keys/new")
    seen = root.submit(form, "keys/new", user_name="Alice Smith", description="for x")
    key, secret = of(seen)
    assert site.runtime.keys.credential_by_secret(secret) is not None
    assert seen.headers["cache-control"] == "no-store"
    assert "no-store" in root.get("keys").headers["cache-control"]
    for page in ("keys", "keys/new", seen.page.one("a", class_="button")["href"], "audit"):
        assert secret not in root.get(page).text
    (row,) = [one for one in root.get("keys").page.table("Keys") if key in one[1]]
    assert row[:4] == ["Alice Smith", f"{key}for x", "own", "on"]
    again = root.submit(form, "keys/new", user_name="Alice Smith")  # reloaded, or sent twice
    assert again.status == 409 and "There is (or was) a key" in again.notices[-1]
    assert again.page.form("keys/new").fields()["user_name"] == "Alice Smith"


def test_what_it_may_is_chosen_service_by_service(site: Site, root: Browser) -> None:
    levels = {"level:files": "write", "level:kept": "read"}
    key, _, number = made(root, access="services", **levels)
    assert identity(site, key).access == {"files": "write", "kept": "read"}
    matrix = root.get("keys").page.table("What keys may do, service by service")
    heads = root.get("keys").page.all("table")[1].one("thead").all("th")
    column = [one.text for one in heads].index(key)
    assert {row[0]: row[column] for row in matrix}["kept"] == "read"
    page = root.get(f"keys/{number}")
    fields = page.page.form(f"keys/{number}").fields()
    assert (fields["access"], fields["level:files"], fields["level:other"]) == (
        *("services", "write", ""),
    )
    changed = root.submit(
        page, f"keys/{number}", True, **{"level:files": "", "level:other": "admin"}, manages="1"
    )
    assert changed.notices[-1].startswith("The key is changed")
    found = identity(site, key)
    assert (found.access, found.manages) == ({"kept": "read", "other": "admin"}, True)
    root.submit(changed, f"keys/{number}", access="read-all", description="readers")
    assert identity(site, key).access == "read-all"
    assert root.get(f"keys/{number}").page.form(f"keys/{number}").fields()["manages"] == "1"


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"access": "everything"}, 400, "does not say what the key may do"),
        ({"access": ""}, 400, "does not say what the key may do"),
        ({"access": "services", "level:none": "read"}, 400, "no service 'none'"),
        ({"access": "services", "level:files": "all"}, 400, "A level is"),
        ({"access": "services", "other": "files", "other_level": ""}, 400, "A level is"),
        ({"access_key": "reader"}, 409, "declared in the configuration"),
        ({"user_name": "x" * 300}, 400, "A user's name has"),
        ({"user_name": "a\0b"}, 400, "A user's name has"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_made(
    site: Site, root: Browser, fields: dict[str, str], status: int, said: str
) -> None:
    before = site.runtime.catalog.count_credentials()
    seen = root.submit(root.get("keys/new"), "keys/new", True, **fields)
    assert (seen.status, seen.h1) == (status, "New key")
    assert said in seen.notices[-1]
    assert site.runtime.catalog.count_credentials() == before


def test_a_service_beyond_those_that_are_listed_is_named(
    site: Site, root: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_access, "_SHOWN", 1)
    form = root.get("keys/new")
    assert "2 more are not listed" in form.page.text
    key, _, number = made(root, access="services", other="other", other_level="write")
    assert identity(site, key).access == {"other": "write"}
    rows = root.get(f"keys/{number}").page.table("What the key may do with each service")
    assert [row[0] for row in rows] == ["other"]


def test_a_key_is_switched_off_and_its_session_is_over(site: Site, root: Browser) -> None:
    key, secret, number = made(root, access="read-all")
    theirs = signed_in(site, key, secret)
    assert theirs.get().h1 == "Overview"
    seen = root.submit(root.get(f"keys/{number}"), "active", active="0")
    assert seen.notices[-1] == "The key is off, and its sessions are over."
    assert theirs.get().h1 == "Sign in"
    assert site.runtime.keys.credential(key) is None
    assert root.submit(seen, "active", active="1").notices[-1] == "The key is on."
    assert theirs.get().h1 == "Sign in"
    assert site.runtime.keys.credential(key) is not None


def test_a_key_gets_another_secret(site: Site, root: Browser) -> None:
    key, secret, number = made(root)
    theirs = signed_in(site, key, secret)
    asked = root.get(f"keys/{number}/rotate")
    assert site.runtime.keys.credential_by_secret(secret) is not None, "asking changes nothing"
    seen = root.submit(asked, "rotate")
    again, other = of(seen)
    assert again == key and other != secret
    assert site.runtime.keys.credential_by_secret(secret) is None
    assert site.runtime.keys.credential_by_secret(other) is not None
    assert theirs.get().h1 == "Sign in"


def test_a_key_is_removed_by_who_types_its_id(site: Site, root: Browser) -> None:
    key, _, number = made(root)
    asked = root.get(f"keys/{number}/remove")
    wrong = root.submit(asked, "remove", sure=key.lower())
    assert wrong.status == 400 and site.runtime.keys.credential(key) is not None
    seen = root.submit(asked, "remove", sure=f" {key} ")
    assert (seen.h1, seen.notices[-1]) == ("Keys", "The key is removed, for good.")
    assert site.runtime.keys.credential(key) is None
    assert root.get(f"keys/{number}").status == 404


def test_the_last_key_of_who_owns_buckets_stays_and_that_is_said(site: Site, root: Browser) -> None:
    key, _, number = made(root, user_name="owner")
    site.runtime.create(identity(site, key), "owned")
    seen = root.submit(root.get(f"keys/{number}/remove"), "remove", sure=key)
    assert seen.status == 409 and "who owns 1 bucket" in seen.notices[-1]
    assert site.runtime.keys.credential(key) is not None


def test_a_user_is_renamed(root: Browser) -> None:
    _, _, number = made(root, user_name="before")
    other = made(root, user_name="before")[2]
    root.submit(root.get(f"keys/{number}"), f"keys/{number}", user_name="after")
    seen = root.get(f"keys/{other}")
    assert seen.page.form(f"keys/{other}").fields()["user_name"] == "after"
    refused = root.submit(seen, f"keys/{other}", user_name="root")
    assert refused.status == 409 and "There is a user 'root'" in refused.notices[-1]


def test_what_is_declared_is_seen_and_not_changed(site: Site, root: Browser) -> None:
    number = site.runtime.catalog.number_of("reader")
    seen = root.get(f"keys/{number}")
    assert "declared in the configuration" in seen.notices[-1]
    assert not [one for one in seen.page.all("form") if "keys/" in one["action"]]
    fields = {"csrf": root.csrf}
    for action in ("active", "rotate", "remove"):
        seen = root.post(f"keys/{number}/{action}", {**fields, "sure": "reader", "active": "0"})
        assert seen.status in (403, 409), action
    assert site.runtime.keys.credential("reader") is not None


@pytest.mark.parametrize("number", ["0", "999999", "x", "1.5", "-1", "9" * 40, "%00", "<b>"])
def test_a_key_that_is_not_there(root: Browser, number: str) -> None:
    for page in ("", "/rotate", "/remove"):
        assert root.get(f"keys/{number}{page}").status == 404
    for action in ("", "/active", "/rotate", "/remove"):
        assert root.post(f"keys/{number}{action}", {"csrf": root.csrf}).status == 404


def test_without_its_token_nothing_is_done(site: Site, root: Browser) -> None:
    key, secret, number = made(root)
    for action in ("new", f"{number}", f"{number}/active", f"{number}/rotate", f"{number}/remove"):
        fields = {"active": "0", "sure": key, "access": "own"}
        assert root.post(f"keys/{action}", fields).status == 403
        assert root.post(f"keys/{action}", {**fields, "csrf": "x"}).status == 403
    assert site.runtime.keys.credential_by_secret(secret) is not None


def test_markup_in_names_stays_text(site: Site, root: Browser) -> None:
    number = made(root, user_name=MARKUP, description=MARKUP)[2]
    for page in ("keys", f"keys/{number}", f"keys/{number}/rotate", "audit"):
        seen = root.get(page)
        assert "<script>alert" not in seen.text
        assert page.endswith("rotate") or MARKUP in seen.page.text
    form = root.get(f"keys/{number}").page.form(f"keys/{number}").fields()
    assert (form["user_name"], form["description"]) == (MARKUP, MARKUP)
    seen = root.get(f"audit?subject={MARKUP}")
    assert "<script>alert" not in seen.text


def test_they_come_in_pages(root: Browser) -> None:
    from gateway.modes.console.pages import keys

    before = keys._SHOWN
    keys._SHOWN = 2
    try:
        seen, pages = root.get("keys"), list[list[str]]()
        while True:
            pages.append([row[1] for row in seen.page.table("Keys")])
            if not [one for one in seen.page.all("a") if one.text == "Next"]:
                break
            seen = root.follow(seen, "Next")
        found = [key for page in pages for key in page]
        assert len(found) == len(set(found)) and {"root", "reader", "writer"} <= set(found)
        for page in reversed(pages[:-1]):
            seen = root.follow(seen, "Previous")
            assert [row[1] for row in seen.page.table("Keys")] == page
    finally:
        keys._SHOWN = before


def test_they_are_found_by_a_text(root: Browser) -> None:
    number = made(root, user_name="Zebra & Co", description="50% off_")[2]
    for text in ("zebra %26", "50%25", "f_", "ZEBRA"):
        seen = root.get(f"keys?text={text}")
        assert [one["href"].rpartition("/")[2] for one in seen.page.one("table").all("a")] == [
            str(number)
        ], text
    assert "No key fits" in root.get("keys?text=a%00%25_").page.text
    assert root.get("keys?text=READER").page.table("Keys")[0][1].startswith("reader")


# who manages an account


@pytest.fixture
def manager(site: Site) -> Browser:
    made = site.runtime.catalog.add_credential(user_name="team", manages=True)
    return signed_in(site, made.info.id, made.secret.reveal())


def test_who_manages_an_account_sees_and_makes_its_keys_alone(
    site: Site, manager: Browser, root: Browser
) -> None:
    assert {row[0] for row in manager.get("keys").page.table("Keys")} == {"team"}
    form = manager.get("keys/new").page.form("keys/new")
    assert "user_name" not in form.fields()
    assert [one["value"] for one in form.one("select", id="access").all("option")] == [
        *("own", "services"),
    ]
    key, _, number = made(manager)
    assert identity(site, key).account == "team"
    manager.submit(manager.get(f"keys/{number}"), "active", active="0")
    assert site.runtime.keys.credential(key) is None
    theirs = made(root, user_name="somebody else")[2]
    assert manager.get(f"keys/{theirs}").status == 404
    for action in ("", "/active", "/rotate", "/remove"):
        assert manager.post(f"keys/{theirs}{action}", {"csrf": manager.csrf}).status == 404


def test_who_manages_an_account_gives_no_more_than_it_has(site: Site, manager: Browser) -> None:
    for access in ("admin", "write-all", "read-all"):
        seen = manager.submit(manager.get("keys/new"), "keys/new", access=access)
        assert (seen.status, seen.h1) == (403, "New key")
    seen = manager.submit(manager.get("keys/new"), "keys/new", user_name="root")
    assert seen.status == 403
    powerful = site.runtime.catalog.add_credential(user_name="team", access="admin").info
    page = manager.get(f"keys/{powerful.number}")
    assert "may more than your key" in page.notices[-1]
    for action in ("", "/active", "/rotate", "/remove"):
        fields = {"csrf": manager.csrf, "sure": powerful.id, "access": "own", "active": "0"}
        assert manager.post(f"keys/{powerful.number}{action}", fields).status == 403
    assert identity(site, powerful.id).access == "admin"


def test_who_manages_an_account_does_not_rename_it(site: Site, manager: Browser) -> None:
    number = made(manager)[2]
    seen = manager.get(f"keys/{number}")
    assert "user_name" not in seen.page.form(f"keys/{number}").fields()
    refused = manager.submit(seen, f"keys/{number}", user_name="other", description="renamed")
    assert refused.status == 403
    manager.submit(seen, f"keys/{number}", description="only described")
    info = site.runtime.catalog.numbered_credential(number)
    assert (info.user_name, info.description) == ("team", "only described")


def test_who_manages_nothing_has_no_such_pages(site: Site) -> None:
    reader = Browser(site).sign_in("reader")
    assert not {"Keys", "Audit"} & {one.text for one in reader.get().page.one("nav").all("a")}
    for page in ("keys", "keys/new", "keys/1", "keys/1/rotate", "keys/1/remove", "audit"):
        assert reader.get(page).status == 403
    assert reader.post("keys/new", {"csrf": reader.csrf, "access": "own"}).status == 403


# the audit


def test_the_audit_tells_who_and_what(site: Site, root: Browser, manager: Browser) -> None:
    key, secret, number = made(root, user_name="audited", access="services")
    root.submit(root.get(f"keys/{number}"), "active", active="0")
    rows = root.get(f"audit?subject={key}").page.table("Audit")
    assert [row[1:4] for row in rows] == [
        ["key.change", key, "active false"],
        ["key.add", key, "account audited; access {}; manages false"],
    ]
    assert rows[0][4] == "root192.0.2.1 console"
    form = root.get("audit").page.form("audit")
    assert list(form.fields()) == ["actor", "action", "subject"]
    found = root.get("audit?actor=root&action=account")
    actions = {row[1] for row in found.page.table("Audit")}
    assert "account.add" in actions and actions <= {"account.add", "account.change"}
    assert (
        root.get("audit?actor=nobody")
        .page.one("div", class_="empty")
        .text.startswith("Nothing fits")
    )
    assert secret not in root.get("audit").text
    assert manager.get("audit").status == 403
    for before in ("x", "-1", "9" * 30):
        assert root.get(f"audit?after={before}").status == 400


def test_the_audit_comes_in_pages(root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.modes.console.pages import audit

    for number in range(3):
        made(root, user_name=f"paged {number}")
    everything = root.get("audit?action=account").page.table("Audit")
    monkeypatch.setattr(audit, "_SHOWN", 2)
    seen, found = root.get("audit?action=account"), list[list[str]]()
    for _ in range(2):
        found += seen.page.table("Audit")
        seen = root.follow(seen, "Older")
    assert found == everything[:4]
    seen = root.follow(seen, "Newer")
    assert seen.page.table("Audit") == everything[2:4]


def test_secrets_that_were_typed_are_in_no_page(site: Site, root: Browser) -> None:
    browser = Browser(site)
    browser.submit(browser.get("sign-in"), "sign-in", key=SECRETS["root"], secret="x")
    assert SECRETS["root"] not in root.get("audit").text
