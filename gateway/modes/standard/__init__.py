"""The standard mode: nine functions in JSON, for whoever presents a key's secret.

A request is this mode's when it has the header `x-owncdn-key`. `functions.py`
is the table that routing, the OpenAPI document and the page at `/-/docs/` are
made from. Specification: standard mode.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from operator import methodcaller

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, Page, WSGIApp


class StandardMode:
    name = "standard"

    claims = methodcaller("__contains__", "HTTP_X_OWNCDN_KEY")  # each request is asked

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.standard.application import create_app

        return create_app(gateway)

    def operations(self) -> Collection[str]:
        """The functions' names."""
        from gateway.modes.standard.functions import BY_NAME

        return BY_NAME.keys()

    def pages(self) -> Mapping[str, Callable[[], Page]]:
        """The documents, made when they are first asked for."""
        return {path: cache(_maker(path)) for path in PATHS}


PATHS = ("/-/openapi.json", "/-/docs", "/-/docs/", "/-/docs/docs.css", "/-/docs/docs.js")


def _maker(path: str) -> Callable[[], Page]:
    def make() -> Page:
        from gateway.modes.standard.documents import PAGES

        return PAGES[path]()

    return make


@hookimpl
def gateway_modes() -> list[Mode]:
    return [StandardMode()]
