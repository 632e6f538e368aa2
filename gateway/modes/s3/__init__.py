"""The S3 mode: the S3 API in XML, signed with Signature Version 4.

A request is this mode's when it is signed as S3 requests are, or has a header
or a parameter that only S3 has.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from gateway.access.settings import SettingKind
from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp


class S3Mode:
    name = "s3"

    def claims(self, environ: dict[str, Any]) -> bool:
        """An `Authorization: AWS…`, any `x-amz-*` header, any `X-Amz-*` parameter."""
        if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS"):
            return True
        query = environ.get("QUERY_STRING", "")
        if query and any(one[:6].lower() == "x-amz-" for one in query.split("&")):
            return True
        return any(name.startswith("HTTP_X_AMZ_") for name in environ)

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.s3.application import create_app
        from gateway.modes.s3.delivery.access_logs import EVERY, LogDelivery
        from gateway.modes.s3.delivery.notifier import Notifications
        from gateway.modes.s3.lifecycle.carrying_out import LifecycleJob

        LifecycleJob(gateway).begin()
        gateway.tell(Notifications(gateway))
        gateway.jobs.add("s3-access-logs", EVERY, LogDelivery(gateway))
        return create_app(gateway)

    def operations(self) -> Collection[str]:
        """By S3's names."""
        from gateway.modes.s3.operations import FORM, TABLE

        return [one.name for one in (*TABLE, FORM)]

    def kinds(self) -> Collection[SettingKind[Any]]:
        from gateway.modes.s3.configuration import kinds

        return kinds()


class WebsiteMode:
    """Buckets as websites, for whom bindings send here (`website`): each that of one bucket,
    whose name the binding says, or the host."""

    name = "website"
    one_service: Literal[True] = True

    def claims(self, environ: dict[str, Any]) -> bool:
        return False

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.s3.website import create_app

        return create_app(gateway)

    def operations(self) -> Collection[str]:
        from gateway.modes.s3.website import OPERATIONS

        return OPERATIONS.values()


@hookimpl
def gateway_modes() -> list[Mode]:
    return [S3Mode(), WebsiteMode()]
