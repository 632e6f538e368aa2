"""Chromium as the system has it: no browser is ever downloaded, and none talks to anybody but
the loopback interface."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    # Whatever a page asks for, it is nowhere else.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1,"
    " EXCLUDE *.localhost",
    "--proxy-server=direct://",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)


class NoBrowser(Exception):
    """Why none can be driven here."""


def missing() -> str:
    """Why no browser can be driven here, as far as it is seen without one; "" when one can."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    return "" if _found() else "Chromium is not installed"


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


def _options() -> list[str]:
    root = sys.platform != "win32" and os.geteuid() == 0
    return [*_OPTIONS, *(["--no-sandbox"] if root else [])]  # there is none for root


@contextmanager
def chromium() -> Iterator[Any]:
    """A Playwright browser. Its loop counts as running in this thread until it is closed, so
    nothing that needs a loop of its own can run here meanwhile. Raises `NoBrowser`."""
    if why := missing():
        raise NoBrowser(why)
    from playwright.sync_api import Error, sync_playwright

    manager = sync_playwright()
    try:
        playwright = manager.start()
    except OSError as error:
        raise NoBrowser(f"Playwright does not start: {error}") from error
    try:
        try:
            browser = playwright.chromium.launch(executable_path=_found(), args=_options())
        except Error as error:
            said = str(error).splitlines()[0]
            raise NoBrowser(f"Chromium does not start: {said}") from error
        try:
            yield browser
        finally:
            browser.close()
    finally:
        playwright.stop()
