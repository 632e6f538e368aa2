"""The console: its way in and out, the frame that all pages have, and who has which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.modes import console
from gateway.modes.console.application import operations
from gateway.modes.console.page import Page
from gateway.modes.console.table import TABLE
from gateway.plugins.finding import Plugins
from tests.modes.console.console_gateway import HOST, SECRETS, Browser, serving
from tests.modes.console.html import Element
from tests.modes.public_gateway import Site

STATIC = Path(console.__file__).parent / "static"
PLAIN = [page for page in TABLE if page.get is not None and "{" not in page.path]
"""Pages that are there whatever there is in the gateway."""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    bindings = [{"mode": "console", "prefix": "/ours"}]
    with serving(bindings=bindings, cdn={"suffix": "cdn.example"}) as site:  # all pages are there
        yield site


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site)


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site).sign_in()


# in and out


def test_who_signs_in_comes_to_the_page_that_was_asked_for(browser: Browser) -> None:
    seen = browser.get("requests?status=4&text=a%26b%2Fc")
    assert seen.h1 == "Sign in"
    seen = browser.submit(seen, "sign-in", key="root", secret=SECRETS["root"])
    assert seen.h1 == "Requests"
    fields = seen.page.form("requests").fields()
    assert (fields["status"], fields["text"]) == ("4", "a&b/c")


def test_a_wrong_secret_is_told_and_what_was_typed_stays_but_for_the_secret(
    browser: Browser,
) -> None:
    for key, secret in (("root", "wrong"), ("nobody", "wrong"), ("reader", SECRETS["root"])):
        seen = browser.submit(browser.get("sign-in"), "sign-in", key=key, secret=secret)
        assert seen.status == 401
        assert seen.notices[-1] == "There is no active key with that id and secret."
        assert seen.page.form("sign-in").fields() == {"key": key, "secret": "", "next": ""}
        assert browser.cookies == {}


def test_who_was_refused_is_known_but_not_what_was_typed(site: Site, browser: Browser) -> None:
    for key in ("reader", "the-secret-typed-as-id"):
        browser.submit(browser.get("sign-in"), "sign-in", key=key, secret="wrong")
    found = site.runtime.catalog.audit(limit=2, action="session.refused")
    assert [(one.subject, one.key, one.client, one.mode) for one in found] == [
        ("", "", "192.0.2.1", "console"),
        ("reader", "", "192.0.2.1", "console"),
    ]
    browser.sign_in("reader")
    (begun, *_) = site.runtime.catalog.audit(action="session.begin")
    assert (begun.subject, begun.key, begun.client) == ("reader", "reader", "192.0.2.1")


def test_who_signs_out_is_out(browser: Browser) -> None:
    browser.sign_in()
    cookies = dict(browser.cookies)
    seen = browser.submit(browser.get(), "sign-out")
    assert (seen.h1, seen.notices[-1]) == ("Sign in", "You are signed out.")
    assert browser.cookies == {}
    browser.cookies = cookies  # a copy that somebody has kept
    assert browser.get().notices[-1] == "Your session is over. Sign in to go on."


def test_the_cookie_is_for_the_browser_alone(site: Site) -> None:
    seen = Browser(site, host="localhost:9000").post(
        "sign-in", {"key": "root", "secret": SECRETS["root"]}, follow=False
    )
    name, _, attributes = seen.headers["set-cookie"].partition("=")
    assert name == "gateway-9000"
    assert attributes.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Lax"]


def test_over_tls_the_cookie_is_of_that_host(site: Site) -> None:
    browser = Browser(site, tls=True)
    fields = {"key": "root", "secret": SECRETS["root"]}
    seen = browser.post("sign-in", fields, follow=False)
    name, _, attributes = seen.headers["set-cookie"].partition("=")
    assert name == "__Host-gateway"
    assert attributes.split("; ")[1:] == ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"]
    assert browser.get().h1 == "Overview"


@pytest.mark.parametrize(
    ("host", "tls", "warned"),
    [
        (HOST, False, True),
        (HOST, True, False),
        ("localhost:9000", False, False),
        ("127.0.0.1:9000", False, False),
        ("[::1]:9000", False, False),
        ("localhost.example", False, True),
    ],
)
def test_plain_http_to_another_machine_is_warned_of(
    site: Site, host: str, tls: bool, warned: bool
) -> None:
    notices = Browser(site, host=host, tls=tls).get("sign-in").notices
    assert any("plain HTTP" in one for one in notices) is warned


# where it is


@pytest.mark.parametrize(
    ("headers", "moved"),
    [
        ({"accept": "text/html,*/*"}, True),
        ({"accept": "*/*"}, False),
        ({}, False),
        ({"accept": "text/html", "authorization": "AWS4-HMAC-SHA256 x"}, False),
    ],
)
def test_a_browser_at_the_first_page_of_all_is_led_to_it(
    site: Site, headers: dict[str, str], moved: bool
) -> None:
    answer = site.ask("/", headers=headers, host=HOST)
    assert (answer.headers.get("location") == "-/console/") is moved
    assert answer.status == 303 if moved else answer.status >= 400
    assert site.ask("/?x", headers=headers, host=HOST).status >= 400


@pytest.mark.parametrize("place", ["/-/console", "/ours"])
def test_a_place_without_its_slash_is_the_same_place(site: Site, place: str) -> None:
    answer = site.ask(place, host=HOST)
    assert (answer.status, answer.headers["location"]) == (308, place.rpartition("/")[2] + "/")


def test_below_a_binding_it_is_the_same(site: Site) -> None:
    browser = Browser(site, at="/ours/")
    seen = browser.sign_in().get("requests")
    assert seen.h1 == "Requests"
    assert browser.follow(seen, "Overview").address == "/ours/"


# the frame


def addresses(page: Element) -> Iterator[str]:
    for one in page.walk():
        for name in ("href", "src", "action", "hx-get", "formaction"):
            if (value := one.get(name)) is not None:
                yield value


def controls(page: Element) -> Iterator[Element]:
    for one in page.walk():
        if one.tag in ("input", "select", "textarea") and one.get("type") != "hidden":
            yield one


@pytest.mark.parametrize("page", PLAIN, ids=lambda page: page.path)
def test_every_page_is_made_as_it_should_be(root: Browser, page: Page) -> None:
    seen = root.get(page.path)
    assert seen.status == 200
    if not seen.headers["content-type"].startswith("text/html"):
        return  # it is for a script
    html = seen.page
    assert html.one("html")["lang"] == "en"
    assert html.one("title").text.endswith(" · Storage Gateway")
    assert html.one("h1").text and html.one("main") and html.one("header")
    assert seen.headers["cache-control"] == "no-store"

    policy = seen.headers["content-security-policy"]
    assert "unsafe" not in policy and "default-src 'none'" in policy
    nonce = policy.partition("'nonce-")[2].partition("'")[0]
    for one in html.walk():
        assert not {name for name in one.attributes if name.startswith("on") or name == "style"}
        assert one.tag != "style"
        if one.tag == "script" or one.get("rel") == "stylesheet":
            assert one["nonce"] == nonce and not one.text
    for address in addresses(html):
        parts = urlsplit(address)
        assert not parts.scheme and not parts.netloc and address[:1] != "/", address

    named = {one["for"] for one in html.all("label") if one.get("for")}
    within = [one for label in html.all("label") for one in label.walk()]
    for one in controls(html):
        assert one.get("id") in named or one in within or one.get("aria-label"), one.attributes
    ids = {one["id"] for one in html.walk() if one.get("id")}
    for one in html.walk():
        assert set((one.get("aria-describedby") or "").split()) <= ids
    for form in html.all("form"):
        if form.get("method") == "post" and not form["action"].endswith(("theme", "sign-in")):
            assert form.fields().get("csrf") == html.one("meta", name="csrf")["content"]
    for table in html.all("table"):
        assert table.one("caption").text and table.one("thead").all("th")


def test_a_page_has_another_nonce_each_time(root: Browser) -> None:
    first, second = (root.get().headers["content-security-policy"] for _ in range(2))
    assert first != second


def test_what_is_not_there_is_a_page(root: Browser) -> None:
    seen = root.get("nowhere/at/all")
    assert seen.status == 404
    assert seen.h1 == "There is nothing here, or your key may not see it."
    assert root.site.records[-1].code == "NotFound"
    assert seen.headers["x-request-id"] in seen.text


def test_a_page_is_asked_as_it_can_be(root: Browser) -> None:
    seen = root.ask("requests", "PUT")
    assert (seen.status, seen.headers["allow"]) == (405, "GET, HEAD")
    seen = root.ask("requests", "HEAD")
    assert (seen.status, seen.answer.body) == (200, b"")
    assert int(seen.headers["content-length"]) > 1000


def test_a_page_is_recorded_by_its_name(root: Browser) -> None:
    root.get("requests")
    record = root.site.records[-1]
    assert (record.mode, record.operation) == ("console", "ConsoleRequests")
    assert (record.key_id, record.account) == ("root", "root")
    assert record.operation in operations()
    assert set(operations()) == set(Plugins.load().modes["console"].operations())  # type: ignore[attr-defined]


def test_the_theme_that_was_chosen_stays(browser: Browser) -> None:
    seen = browser.get("requests?text=x")
    assert seen.page.one("html").get("data-theme") is None
    here = seen.page.form("theme").fields()["next"]
    for theme, found in (("dark", "dark"), ("light", "light"), ("pink", None), ("", None)):
        seen = browser.post("theme", {"theme": theme, "next": here})
        assert seen.page.one("html").get("data-theme") == found
    assert seen.page.form("sign-in").fields()["next"] == "requests?text=x"


# static files


def test_static_files_are_kept_for_good_by_their_hash(browser: Browser) -> None:
    seen = browser.get("sign-in")
    for script in seen.page.all("script"):
        found = browser.get(script["src"])
        assert found.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert found.headers["content-type"] == "text/javascript; charset=utf-8"
        assert browser.get(script["src"] + "x").headers["cache-control"] == "no-cache"
    for name in ("static/", "static/vendor", "static/../page.py", "static/vendor/htmx.LICENSE"):
        assert browser.get(name).status == 404


def test_vendored_files_are_what_they_were(browser: Browser) -> None:
    told = (STATIC / "vendor" / "hashes.txt").read_text("utf-8").splitlines()
    known = {name: digest for digest, _, name in (line.partition("  ") for line in told)}
    files = {one.name: one for one in (STATIC / "vendor").iterdir() if one.name != "hashes.txt"}
    assert set(known) == set(files)
    for name, file in files.items():
        assert hashlib.sha256(file.read_bytes()).hexdigest() == known[name], name


def test_scripts_and_styles_are_small() -> None:
    sizes = {one.name: one.stat().st_size for one in STATIC.rglob("*") if one.is_file()}
    scripts = {name: size for name, size in sizes.items() if name.endswith(".js")}
    assert sum(scripts.values()) <= 120_000
    assert sizes["console.css"] <= 16_384


def test_where_bindings_alone_lead_to_it_its_own_place_is_not_there() -> None:
    bindings = [{"mode": "console", "prefix": "/ours"}]
    with serving(bindings=bindings, only_bound="console") as site:
        assert Browser(site, at="/ours/").get().h1 == "Sign in"
        assert site.ask("/", headers={"accept": "text/html"}, host=HOST).status == 403
        answer = site.ask("/-/console/", host=HOST)
        assert b"<title>" not in answer.body and answer.status >= 400
