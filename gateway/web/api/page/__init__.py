"""The documents: the OpenAPI description and the page that explains, shows and tries.

All of it is made from an API's table, when it is asked for. The page needs nothing from
elsewhere, keeps the key that is typed in memory only, and may by its policy load and call
nothing but this gateway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.resources import files

from gateway.modes import Page
from gateway.web.api import openapi
from gateway.web.api.page import render
from gateway.web.api.table import Api

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


def openapi_document(api: Api, server: str) -> Page:
    """`server`: see `openapi.document`."""
    return Page("application/json", json.dumps(openapi.document(api, server), indent=1).encode())


HERE = "http://127.0.0.1:9000"


def pages(
    api: Api, root: str, base: str = HERE, document: str = render.BESIDE
) -> Mapping[str, Callable[[], Page]]:
    """The page and its files, by the ends of their addresses. `root`: where the functions are,
    as a link from the page, as `document` is to the OpenAPI one; `base`: where they are at a
    gateway that was just installed."""

    def index() -> Page:
        html = render.page(api, text("shell.html"), base, document)
        return Page("text/html; charset=utf-8", html.encode(), _HEADERS)

    def script() -> Page:
        always = json.dumps({**api.always})
        values = {"header": api.header, "always": always, "root": root, "base": base}
        code = text("docs.js")
        for name, value in values.items():
            code = code.replace(f"{{{{{name}}}}}", value)
        return Page("text/javascript; charset=utf-8", code.encode())

    return {
        "": index,
        "docs.css": lambda: Page("text/css; charset=utf-8", text("docs.css").encode()),
        "docs.js": script,
    }
