"""Who wants to get in, or have somebody who is in do something: what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pytest

from gateway.access.sessions import IDLE, LONGEST, SEEN
from gateway.modes.console import security
from gateway.modes.console.table import TABLE
from gateway.services import attempts
from gateway.services.attempts import FOR_KEY, FROM_ADDRESS, WINDOW
from tests.modes.console.console_gateway import FORM, HOST, PLACE, SECRETS, Browser, serving
from tests.modes.public_gateway import Site

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{7*7}}\u202e"
EVIL = "https://evil.example"
POSTS = [page for page in TABLE if page.post is not None and page.reach != "anyone"]


class Clock:
    """Of the gateway: that of the machine, moved on."""

    def __init__(self, site: Site) -> None:
        runtime = site.runtime
        self.ahead, clock = 0, runtime.clock
        moved = lambda: clock() + self.ahead  # noqa: E731 — it is given to three
        runtime.clock = runtime.catalog._clock = runtime._attempts._clock = moved


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """For tests that leave nothing behind. All pages are there."""
    with serving(cdn={"suffix": "cdn.example"}) as site:
        yield site


@pytest.fixture(scope="module")
def root(shared: Site) -> Browser:
    return Browser(shared).sign_in()


def filled(page: Any) -> str:
    return re.sub(r"\{\w+\}", "x", page.path)


# sessions


def test_a_token_that_somebody_has_fixed_is_not_that_of_the_session(site: Site) -> None:
    attacker = Browser(site).sign_in("reader")
    (name,) = attacker.cookies
    for fixed in ("x" * 43, attacker.cookies[name]):
        victim = Browser(site)
        victim.cookies[name] = fixed
        victim.post("sign-in", {"key": "root", "secret": SECRETS["root"]})
        assert victim.cookies[name] != fixed
        thief = Browser(site)
        thief.cookies[name] = fixed
        assert thief.get().h1 == "Sign in"  # not root, and the attacker's own has ended, too


@pytest.mark.parametrize("token", ["", "x", "é", "x" * 5000, "' OR 1=1 --", "%00", "a,b"])
def test_a_token_that_is_none_is_nobodys(shared: Site, token: str) -> None:
    headers = {"cookie": f"gateway={token}".encode().decode("latin-1")}
    assert Browser(shared).get("requests", cookie=headers["cookie"]).h1 == "Sign in"


def test_two_cookies_of_that_name_are_nobodys(root: Browser, shared: Site) -> None:
    (token,) = root.cookies.values()
    for both in (f"gateway={token}; gateway=x", f"gateway=x; gateway={token}"):
        assert Browser(shared).get("requests", cookie=both).h1 == "Sign in"
    # HTTP/2 has a field for each cookie, and granian joins them so.
    assert Browser(shared).get("requests", cookie=f"a=b,gateway={token}").h1 == "Requests"


@pytest.mark.parametrize(
    ("step", "steps"), [(IDLE + SEEN, 1), (IDLE - 60_000, LONGEST // IDLE + 2)]
)
def test_a_session_is_over_when_nobody_used_it_and_after_its_longest(
    site: Site, step: int, steps: int
) -> None:
    clock, browser = Clock(site), Browser(site).sign_in()
    for _ in range(steps):
        clock.ahead += step
        seen = browser.get()
    assert seen.notices[-1] == "Your session is over. Sign in to go on."


def test_a_key_that_is_revoked_is_out_at_once(site: Site) -> None:
    made = site.runtime.catalog.add_key(account="root", id="made", access="admin")
    browser = Browser(site)
    browser.post("sign-in", {"key": "made", "secret": made.secret.reveal()})
    assert browser.get().h1 == "Overview"
    site.runtime.catalog.revoke_key("made")
    assert browser.get().h1 == "Sign in"
    seen = browser.post("sign-in", {"key": "made", "secret": made.secret.reveal()})
    assert seen.status == 401


def test_no_secret_and_no_token_is_in_a_page_an_address_or_the_list_of_requests(
    site: Site,
) -> None:
    browser = Browser(site).sign_in()
    (token,) = browser.cookies.values()
    browser.post("sign-in", {"key": SECRETS["reader"], "secret": SECRETS["writer"]}, follow=False)
    page, csrf = browser.get().text, browser.csrf
    for record in site.records:
        told = (record.path, record.key, record.key_id, record.sid, record.code)
        assert not {token, csrf, *SECRETS.values()} & set(told)
    assert csrf in page and token not in page


# brute force


def wrong(browser: Browser, key: str = "root") -> Any:
    return browser.post("sign-in", {"key": key, "secret": "guess"})


def test_who_guesses_has_to_wait_and_is_told_how_long(site: Site) -> None:
    clock, guesser = Clock(site), Browser(site, address="2001:db8::1")
    assert [wrong(guesser, f"key-{n}").status for n in range(FROM_ADDRESS)] == [401] * FROM_ADDRESS
    clock.ahead += 60_000
    neighbour = Browser(site, address="2001:db8::2:1")  # of the same /64
    for browser in (guesser, neighbour):
        seen = browser.post("sign-in", {"key": "root", "secret": SECRETS["root"]})
        assert (seen.status, browser.cookies) == (429, {})
        assert 235 <= int(seen.headers["retry-after"]) <= 240
        assert f"Try again in {seen.headers['retry-after']} seconds." in seen.notices[-1]
    assert Browser(site, address="2001:db8:0:1::1").sign_in().get().h1 == "Overview"
    clock.ahead += WINDOW - 60_000
    assert guesser.sign_in().get().h1 == "Overview"


def test_who_has_a_key_begins_so_many_sessions(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is written down, and nobody can remove that."""
    monkeypatch.setattr(attempts, "SESSIONS", 3)
    for _ in range(3):
        Browser(site).sign_in("writer")
    browser = Browser(site, address="198.51.100.1")
    seen = browser.post("sign-in", {"key": "writer", "secret": SECRETS["writer"]})
    assert (seen.status, browser.cookies) == (429, {})
    assert 295 <= int(seen.headers["retry-after"]) <= 300
    Browser(site).sign_in("reader")
    Clock(site).ahead += WINDOW
    browser.sign_in("writer")


def test_a_key_is_guarded_against_many_addresses_whether_it_is_there_or_not(site: Site) -> None:
    for key in ("root", "nobody"):
        for number in range(FOR_KEY - 1):
            site.runtime.attempts.failed(f"192.0.2.{number}", key)
        assert wrong(Browser(site, address="192.0.2.250"), key).status == 401
        assert wrong(Browser(site, address="198.51.100.1"), key).status == 429
    assert Browser(site, address="198.51.100.1").sign_in("reader").get().h1 == "Overview"


def test_an_answer_tells_nothing_of_whether_there_is_such_a_key(shared: Site) -> None:
    def told(key: str) -> tuple[int, str, dict[str, str]]:
        seen = wrong(Browser(shared, address=f"192.0.2.{len(key)}"), key)
        changing = {"content-security-policy", "x-request-id", "content-length"}
        headers = {name: text for name, text in seen.headers.items() if name not in changing}
        text = re.sub(r'nonce="[^"]+"', "", seen.text).replace(f'value="{key}"', "")
        return seen.status, text, headers

    assert told("root") == told("nobody")


# requests that somebody else has made up


@pytest.mark.parametrize("page", POSTS, ids=lambda page: page.path)
def test_nothing_is_done_without_the_sessions_token(root: Browser, shared: Site, page: Any) -> None:
    """Of another session, of none, in the wrong place: it is refused before anything is read."""
    other = Browser(shared).sign_in("reader").csrf
    kinds = {"form": FORM, "multipart": "multipart/form-data; boundary=b", "stream": "text/plain"}
    for token in ("", "x", other):
        body = {
            "form": f"csrf={token}".encode(),
            "multipart": b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
            + token.encode()
            + b"\r\n--b--\r\n",
            "stream": b"data",
        }[page.body]
        headers = {"content-type": kinds[page.body], "x-csrf-token": token}
        seen = root.ask(f"{filled(page)}?csrf={root.csrf}", "POST", headers, body)
        assert (seen.status, shared.records[-1].code) == (403, "Expired"), seen.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": f"http://{HOST}.evil.example"},
        {"origin": f"http://{HOST}:81"},
        {"origin": "http://[broken"},
        {"origin": ""},
        {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"},
    ],
    ids=str,
)
@pytest.mark.parametrize("target", ["sign-out", "sign-in", "theme"])
def test_what_another_origin_sends_is_refused_with_the_right_token_too(
    root: Browser, headers: dict[str, str], target: str
) -> None:
    body = f"csrf={root.csrf}&key=root&secret={SECRETS['root']}".encode()
    seen = root.ask(target, "POST", {"content-type": FORM, **headers}, body)
    assert (seen.status, "set-cookie" in seen.headers) == (403, False)
    assert root.site.records[-1].code == "NotFromHere"


@pytest.mark.parametrize("origin", [f"http://{HOST}", f"http://{HOST.upper()}"])
def test_what_a_page_of_this_origin_sends_is_taken(root: Browser, origin: str) -> None:
    body = f"csrf={root.csrf}&theme=".encode()
    for headers in ({"origin": origin}, {"sec-fetch-site": "same-origin", "origin": "null"}, {}):
        seen = root.ask("theme", "POST", {"content-type": FORM, **headers}, body)
        assert seen.status == 303


@pytest.mark.parametrize("destination", ["empty", "iframe", "image", "script", "object", "style"])
def test_a_page_that_is_not_opened_by_a_person_is_not_given_to_a_script(
    root: Browser, destination: str
) -> None:
    """Objects that strangers have stored may be given out under the same origin."""
    headers = {"sec-fetch-dest": destination, "sec-fetch-site": "same-origin"}
    assert root.ask("requests", headers=headers).status == 403
    assert root.ask("requests", headers={**headers, "x-csrf-token": "x"}).status == 403
    assert root.ask("requests", headers={**headers, "x-csrf-token": root.csrf}).status == 200
    embed = security.embed_token(root.csrf)
    assert root.ask(f"requests?embed={embed}", headers=headers).status == 403  # it is no such page


def test_pages_are_in_no_frame_and_known_to_no_opener(root: Browser) -> None:
    for seen in (root.get(), root.get("nowhere"), root.get("static/console.css")):
        assert "frame-ancestors 'none'" in seen.headers["content-security-policy"]
        assert seen.headers["cross-origin-opener-policy"] == "same-origin"
        assert seen.headers["cross-origin-resource-policy"] == "same-origin"
        assert seen.headers["x-content-type-options"] == "nosniff"
        assert seen.headers["referrer-policy"] == "same-origin"


# addresses and headers


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        EVIL,
        "https:evil.example",
        "javascript:alert(1)",
        "../../bucket/evil.html",
        "%2e%2e/bucket/evil.html",
        "requests/../../x",
        "..\\x",
        "\tjavascript:alert(1)",
        "\r\nset-cookie: a=b",
        "requests?a=%0d%0aset-cookie:%20a=b",
        ".",
        "x" * 9000,
    ],
)
def test_a_sign_in_leads_nowhere_else(shared: Site, target: str) -> None:
    fields = {"key": "root", "secret": SECRETS["root"], "next": target}
    for page in ("sign-in", "theme"):
        seen = Browser(shared).post(page, fields, follow=False)
        location = seen.headers["location"]
        assert location.isascii() and location.isprintable() and location.startswith("./")
        reached = urlsplit(urljoin(f"http://{HOST}{PLACE}{page}", location))
        assert reached.netloc == HOST and reached.path.startswith(PLACE)
        assert "\\" not in location


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("page", ["sign-in", "requests", "nowhere", "overview/numbers", "static/x"])
def test_markup_everywhere_is_text(root: Browser, shared: Site, page: str, method: str) -> None:
    for browser in (root, Browser(shared)):
        names = ("next", "text", "sid", "said", "key", "theme", "before", "from", HOSTILE)
        query = "&".join(f"{quote(name)}={quote(HOSTILE)}" for name in names)
        target = f"{page}?{query}"
        body = query.encode() if method == "POST" else None
        headers = {"content-type": FORM, "user-agent": HOSTILE, "hx-target": HOSTILE}
        headers = {name: text.encode().decode("latin-1") for name, text in headers.items()}
        seen = browser.ask(target, method, headers, body)
        assert seen.status < 500
        assert "<script>alert" not in seen.text and "<img src=x" not in seen.text
        if seen.headers.get("content-type", "").startswith("text/html"):
            assert not [one for one in seen.page.all("script") if not one.get("nonce")]
            assert not seen.page.all("img")
        for name, text in seen.headers.items():
            assert "\r" not in text and "\n" not in text, name


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({"content-type": FORM}, b"key=%ff", "BadRequest"),
        ({"content-type": "application/json"}, b"{}", "UnsupportedMediaType"),
        ({}, b"key=root", "UnsupportedMediaType"),
        ({"content-type": FORM}, b"x" * ((1 << 20) + 1), "TooLarge"),
        ({"content-type": FORM}, b"a=&" * 20_000, "TooLarge"),
        (
            {"content-type": FORM, "content-length": "", "transfer-encoding": "chunked"},
            b"key=root",
            "LengthRequired",
        ),
        ({"content-type": FORM, "content-length": "99"}, b"key=root", "BadRequest"),
    ],
)
def test_what_is_no_form_is_refused(
    shared: Site, headers: dict[str, str], body: bytes, code: str
) -> None:
    seen = Browser(shared).ask("sign-in", "POST", headers, body)
    assert 400 <= seen.status < 500
    assert shared.records[-1].code == code


@pytest.mark.parametrize("path", ["%ff", "a%00b", "%2e%2e/x", "//x", "x" * 9000, "static/%ff"])
def test_a_path_that_is_none_is_a_page(root: Browser, path: str) -> None:
    answer = root.site.ask(PLACE + path, headers={"cookie": cookie_of(root)}, host=HOST)
    assert answer.status in (400, 404)


def cookie_of(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
