"""Every page of the console in both themes and at all widths: nothing that axe finds serious,
nothing to scroll sidewards, nothing that moves, nothing that breaks the policy."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.demonstration import (
    KEY,
    READER,
    READERS_SECRET,
    SECRET,
    Demonstration,
    sign_in,
    signed_in,
    views,
)
from tests.browser.watching import THEMES, WIDTHS, ZOOMED, Watched, shifts, too_wide

Axe = Callable[[Any], None]


@pytest.fixture(scope="module")
def opened(browser: Any, demonstrated: Demonstration) -> Iterator[Any]:
    """One page for all tests, of who has signed in: they only look."""
    state = signed_in(browser, demonstrated)
    context = browser.new_context(storage_state=state, reduced_motion="reduce")
    page = context.new_page()
    page.watched = Watched(page)
    yield page
    context.close()


def look(page: Any, axe: Axe) -> None:
    """At the page that is shown. axe looks at it in light and wide, and in dark and narrow; how
    wide things are is no matter of themes, which have colours alone."""
    assert page.locator("h1").count() == 1
    assert not shifts(page)
    show(page, "light")
    axe(page)
    for width in (*WIDTHS, ZOOMED):
        resize(page, width)
        assert not too_wide(page), f"at {width}: {too_wide(page)}"
    show(page, "dark")
    axe(page)
    resize(page, WIDTHS[0])


def show(page: Any, theme: str) -> None:
    page.emulate_media(color_scheme=theme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, ground[4:-1].split(","))) > 384
    assert light is (theme == "light"), ground


def resize(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})


@pytest.mark.parametrize(("name", "path"), views())
def test_every_page(
    opened: Any, axe: Axe, demonstrated: Demonstration, name: str, path: str
) -> None:
    opened.watched.begin()
    opened.emulate_media(color_scheme="light")
    address = demonstrated.address(path)
    answer = opened.goto(address)
    assert (answer.status, opened.url) == (200, address), name
    look(opened, axe)
    opened.watched.check()


def test_pages_of_who_has_not_signed_in_or_may_not(
    page: Any, axe: Axe, demonstrated: Demonstration
) -> None:
    page.goto(demonstrated.console)
    assert page.url.startswith(f"{demonstrated.console}sign-in")
    look(page, axe)
    page.watched.expect("401|403")
    page.fill("[name=key]", "root")
    page.fill("[name=secret]", "no secret of any key")
    page.click("main form button")
    page.locator(".notice").wait_for()
    axe(page)
    sign_in(page, demonstrated.console, READER, READERS_SECRET)
    page.watched.expect("404")
    page.goto(f"{demonstrated.console}there-is-none")
    look(page, axe)


def test_documents_of_apis_fit(page: Any, demonstrated: Demonstration) -> None:
    for path in ("/api/v1/docs/", "/-/docs/", "/-/docs/cdn/"):
        page.goto(f"{demonstrated.url}{path}")
        for width in (WIDTHS[-1], ZOOMED):
            resize(page, width)
            assert not too_wide(page), f"{path} at {width}: {too_wide(page)}"


def test_a_token_is_got_and_used_on_a_page_of_documents(
    page: Any, demonstrated: Demonstration
) -> None:
    """Signing in alone asks for none."""
    page.goto(f"{demonstrated.url}/-/docs/cdn/")
    account, login = page.locator("#getAccount"), page.locator("#checkLogin")
    account.locator("button[type=submit]").click()
    account.locator(".status", has_text="first").wait_for()
    for name, text in {"username": KEY, "password": SECRET}.items():
        login.locator(f"[name={name}]").fill(text)
    login.locator("button[type=submit]").click()
    login.locator(".status", has_text="200").wait_for()
    page.fill("#key", json.loads(login.locator(".shown").inner_text())["token"])
    account.locator("button[type=submit]").click()
    account.locator(".status", has_text="200").wait_for()
    assert '"username": "root"' in account.locator(".shown").inner_text()


def test_a_theme_that_was_chosen_stays(page: Any, demonstrated: Demonstration) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    sign_in(page, demonstrated.console)
    light = page.evaluate(ground)
    page.click("button[name=theme][value=dark]")
    page.wait_for_function(f"{ground} !== '{light}'")
    page.reload()
    assert page.evaluate(ground) != light
    page.emulate_media(color_scheme="dark")
    page.click("button[name=theme][value=light]")
    page.wait_for_function(f"{ground} === '{light}'")


def test_a_text_can_be_read_in_both_themes(page: Any, demonstrated: Demonstration) -> None:
    """A browser shows a text in the colours of its own scheme, over what is behind the frame."""
    from PIL import Image

    sign_in(page, demonstrated.console)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        page.goto(demonstrated.address("browser/photos/object?key=read%20me.txt"))
        seen = io.BytesIO(page.locator(".look iframe").screenshot())
        with Image.open(seen) as image:
            text = image.convert("L").crop((4, 4, 100, 40))
            darkest, lightest = text.getextrema()
        assert lightest - darkest > 128, theme
