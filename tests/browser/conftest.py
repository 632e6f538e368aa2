"""One browser for the folder, and a new page with cookies of its own for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import demonstration
from tests.browser.chromium import NoBrowser, chromium
from tests.browser.demonstration import Demonstration
from tests.browser.watching import Watched, findings


@pytest.fixture(scope="package")
def browser(sockets: None, processes: None) -> Iterator[Any]:
    """Until the last test of this folder: others may need loops of their own."""
    try:
        with chromium() as browser:
            yield browser
    except NoBrowser as none:
        pytest.skip(str(none))


@pytest.fixture(scope="package")
def demonstrated(sockets: None) -> Iterator[Demonstration]:
    """To be looked at: tests leave it as it is."""
    with demonstration.serving() as served:
        demonstration.fill(served)
        yield served


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def page(context: Any) -> Iterator[Any]:
    """A Playwright page. The test fails where it breaks its policy, writes errors to its console
    or asks in vain; `page.watched.expect` says what is meant to happen."""
    page = context.new_page()
    page.watched = Watched(page)
    yield page
    page.watched.check()


@pytest.fixture
def axe() -> Callable[[Any], None]:
    """`axe(page)` fails where there is a serious finding."""

    def axe(page: Any) -> None:
        found = findings(page)
        assert not found, "\n".join(found)

    return axe
