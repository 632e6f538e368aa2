"""The documents: the OpenAPI description and the page that explains, shows and tries.

All of it is made from the table of functions, when it is first asked for. The
page needs nothing from elsewhere, keeps the key that is typed in memory only,
and may by its policy load and call nothing but this gateway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files

from gateway.modes import Page
from gateway.modes.standard.page import openapi, render

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = (("Content-Security-Policy", POLICY), ("Referrer-Policy", "no-referrer"))


def text(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _index() -> Page:
    page = render.page(text("shell.html"))
    return Page("text/html; charset=utf-8", page.encode(), _HEADERS)


def _moved() -> Page:
    return Page("text/plain", b"", (("Location", "/-/docs/"),), "308 Permanent Redirect")


PAGES: Mapping[str, Callable[[], Page]] = {
    "/-/openapi.json": lambda: Page(
        "application/json", json.dumps(openapi.document(), indent=1).encode()
    ),
    "/-/docs": _moved,
    "/-/docs/": _index,
    "/-/docs/docs.css": lambda: Page("text/css; charset=utf-8", text("docs.css").encode()),
    "/-/docs/docs.js": lambda: Page("text/javascript; charset=utf-8", text("docs.js").encode()),
}
