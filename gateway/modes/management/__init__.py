"""The management mode: buckets, volumes, objects, uploads, keys and presigned URLs in JSON, for
who manages an account or the gateway.

It is at `/api/v1` on the gateway's own names, and wherever a binding leads to it. A request that
is signed as S3's are is never its: there may be a bucket `api`. `functions.py` is the table that
routing, the OpenAPI document and the page at `/api/v1/docs/` are made from. Specification:
management.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp


class ManagementMode:
    name = "management"
    paths: tuple[str, ...] = ("/api/v1",)

    def claims(self, environ: dict[str, Any]) -> bool:
        from gateway.web.signed import is_signed

        return not is_signed(environ)

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.management.application import ManagementApplication

        return ManagementApplication(gateway)

    def operations(self) -> Collection[str]:
        """The functions' names."""
        from gateway.modes.management.functions import TABLE

        return [one.name for one in TABLE]


@hookimpl
def gateway_modes() -> list[Mode]:
    return [ManagementMode()]
