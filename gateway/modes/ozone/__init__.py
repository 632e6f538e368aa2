"""The Ozone mode: volumes, buckets and keys by the REST API that Apache Hadoop Ozone had.

It is on where the configuration has a table `[ozone]`; a request is then its own when it has the
header `x-ozone-version`, or comes by a binding. A volume is the gateway's (`Gateway.volumes`), a
bucket in it a service, and a key an object: so all of them are there for every other mode, too.

`functions.py` is the table that routing, the OpenAPI document and the page at `/-/docs/ozone/` are
made from. Specification: ozone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial
from operator import methodcaller
from typing import Any

from gateway.access.settings import SettingKind
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, Page, WSGIApp
from gateway.modes.ozone.options import OzoneOptions


class OzoneMode:
    name = "ozone"
    table: type[Any] = OzoneOptions

    claims = methodcaller("__contains__", "HTTP_X_OZONE_VERSION")  # each request is asked

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.ozone.application import OzoneApplication

        return OzoneApplication(gateway, gateway.tables[self.name])

    def pages(self) -> Mapping[str, Callable[[], Page]]:
        """The documents, made when they are first asked for."""
        return {path: cache(partial(_made, path)) for path in PATHS}

    def operations(self) -> Collection[str]:
        """The functions' names."""
        from gateway.modes.ozone.functions import BY_NAME

        return BY_NAME.keys()

    def kinds(self) -> Collection[SettingKind[Any]]:
        from gateway.modes.ozone.acls import ACLS
        from gateway.modes.ozone.storage_types import STORAGE_TYPE

        return ACLS, STORAGE_TYPE

    def cautions(self, table: OzoneOptions) -> Iterator[str]:
        if table.auth == "simple":
            yield (
                'the mode "ozone" believes whoever says who they are ([ozone] auth = "simple"):'
                " everybody who reaches it may do everything. It is for closed networks."
            )


PATHS = (
    *("/-/docs/ozone", "/-/docs/ozone/", "/-/docs/ozone/openapi.json"),
    *("/-/docs/ozone/docs.css", "/-/docs/ozone/docs.js"),
)


def _made(path: str) -> Page:
    from gateway.modes.ozone.documents import PAGES

    return PAGES[path]()


@hookimpl
def gateway_modes() -> list[Mode]:
    return [OzoneMode()]
