"""The CDN control mode: zones, storages, certificates, purges and reports by the API that a CDN's
customers know ("UCDN API v3").

It is on where the configuration has a table `[cdn]`: at `/v3` on the gateway's own names, and
wherever a binding leads to it. What a zone or a storage is, is the gateway's: the mode parses,
asks, and says what came of it.

`functions.py` is the table that routing, the OpenAPI document and the page at `/-/docs/cdn/` are
made from. Specification: cdn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache, partial
from typing import Any, Literal

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, Page, WSGIApp
from gateway.modes.cdn.options import CdnOptions

_PURGING = 1.0
"""Seconds between two looks for what is to be purged."""
_SETTLING = 10.0
"""Seconds between two looks whether zones are to follow another table."""


class CdnMode:
    name = "cdn"
    table: type[Any] = CdnOptions
    keeps_reports: Literal[True] = True
    paths: tuple[str, ...] = ("/v3",)

    def claims(self, environ: dict[str, Any]) -> bool:
        from gateway.web.signed import is_signed

        return "HTTP_X_UCDN_TOKEN" in environ or not is_signed(environ)

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.cdn.application import CdnApplication

        gateway.jobs.add("purge jobs", _PURGING, gateway.purge_jobs.carry_out)
        gateway.jobs.add("zones", _SETTLING, gateway.zones.settle)
        return CdnApplication(gateway, gateway.tables[self.name])

    def pages(self) -> Mapping[str, Callable[[], Page]]:
        """The documents, made when they are first asked for."""
        return {path: cache(partial(_made, path)) for path in PATHS}

    def operations(self) -> Collection[str]:
        """The functions' names."""
        from gateway.modes.cdn.functions import TABLE

        return [one.name for one in TABLE]


PATHS = (
    *("/-/docs/cdn", "/-/docs/cdn/", "/-/docs/cdn/openapi.json"),
    *("/-/docs/cdn/docs.css", "/-/docs/cdn/docs.js"),
)


def _made(path: str) -> Page:
    from gateway.modes.cdn.documents import PAGES

    return PAGES[path]()


@hookimpl
def gateway_modes() -> list[Mode]:
    return [CdnMode()]
