"""What the browser's tests rely on: what is wrong with a page is seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.watching import findings, shifts, too_wide

HTML = "<!doctype html><html lang=en><title>Page</title><main><h1>Page</h1>{}</main></html>"
STRICT = "default-src 'none'; style-src 'unsafe-inline'"

Open = Callable[..., Any]


@pytest.fixture
def open_page(page: Any) -> Open:
    def open_page(body: str, policy: str = STRICT) -> Any:
        headers = {"content-type": "text/html", "content-security-policy": policy}
        page.route("**/*", lambda route: route.fulfill(headers=headers, body=HTML.format(body)))
        page.goto("http://127.0.0.1:9/")
        return page

    return open_page


@pytest.mark.parametrize(
    ("body", "policy", "seen"),
    [
        ("<script>1</script>", STRICT, "CSP: script-src-elem does not allow inline"),
        ("<p onclick='1'>", STRICT, "CSP: script-src-attr does not allow inline"),
        ("<p style='color:red'>", "default-src 'none'", "CSP: style-src-attr"),
        ("<img alt='' src=//elsewhere.example/a.png>", STRICT, "CSP: img-src does not allow"),
        ("<script>console.error('broken')</script>", "", "error: broken"),
        ("<script>throw Error('thrown')</script>", "", "error: thrown"),
    ],
)
def test_what_a_page_must_not_do_is_seen(
    page: Any, open_page: Open, body: str, policy: str, seen: str
) -> None:
    open_page(body, policy)
    page.watched.expect(seen)
    page.watched.expect(".")  # Chromium says the same in its own words
    with pytest.raises(AssertionError, match="not seen"):
        page.watched.expect("what nobody says")
        page.watched.check()
    page.watched._expected.pop()


def test_what_was_asked_in_vain_is_seen(page: Any, open_page: Open) -> None:
    open_page("<p>Text", "default-src 'none'; connect-src 'self'")
    page.route("**/gone", lambda route: route.abort("connectionrefused"))
    page.route("**/none", lambda route: route.fulfill(status=404))
    page.evaluate("Promise.allSettled([fetch('/gone'), fetch('/none')])")
    page.watched.expect("GET .*/gone: net::ERR_CONNECTION_REFUSED")
    page.watched.expect("404")
    page.watched.expect("Failed to load resource")


def test_what_nobody_expects_fails(page: Any, open_page: Open) -> None:
    open_page("<script>1</script>")
    with pytest.raises(AssertionError, match="CSP"):
        page.watched.check()
    page.watched.problems.clear()


def test_axe_finds_what_is_serious(page: Any, open_page: Open) -> None:
    open_page("<p style='color:#ccc;background:#fff'>Hardly seen</p><input>")
    found = findings(page)
    assert any(one.startswith("color-contrast (serious)") for one in found)
    assert any(one.startswith("label (critical)") for one in found)
    open_page("<p>Well seen</p>")
    assert findings(page) == []


def test_what_is_too_wide_is_named(page: Any, open_page: Open) -> None:
    wide = "<div class=broad style='width:3000px'>x</div>"
    assert "div.broad" in too_wide(open_page(wide))
    assert too_wide(open_page(f"<div style='overflow-x:auto'>{wide}</div>")) == []


def test_what_moves_is_measured(page: Any, open_page: Open) -> None:
    assert shifts(open_page("<p>Still")) == []
    tall = "<style>.below { height: 400px; background: #ddd }</style>"
    late = "requestAnimationFrame(() => requestAnimationFrame(() => { a.style.height = '300px' }))"
    open_page(
        f"<p id=a></p><div class=below>Below</div><script>{late}</script>{tall}",
        "script-src 'unsafe-inline'; style-src 'unsafe-inline'",
    )
    page.wait_for_function("a.style.height")
    (moved,) = shifts(page)
    assert "div#.below" in moved


def test_it_talks_to_nobody_else(page: Any) -> None:
    for name in ("elsewhere.example", "192.0.2.1"):
        with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
            page.goto(f"http://{name}/")
    page.watched.problems.clear()
