"""The console: pages for people who run the gateway, or keep something in it.

It is at `/-/console/` on the gateway's own names, and wherever a binding sends requests to it.
Start with `table.py`, the pages; `application.py` is the way of a request to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp

PLACE = "/-/console"


class ConsoleMode:
    name = "console"
    paths = (PLACE, "/")

    def claims(self, environ: dict[str, Any]) -> bool:
        """All at its own place; and who comes with a browser to the gateway's first page."""
        path = environ.get("PATH_INFO", "")
        if path != "/":
            return bool(path == PLACE or path.startswith(f"{PLACE}/"))
        return (
            environ["REQUEST_METHOD"] in {"GET", "HEAD"}
            and "text/html" in environ.get("HTTP_ACCEPT", "")
            and "HTTP_AUTHORIZATION" not in environ
            and not environ.get("QUERY_STRING")
        )

    def app(self, gateway: Gateway) -> WSGIApp:
        """Made at the first request: templates take a while, and many a gateway has nobody who
        looks at it."""

        @cache
        def console() -> WSGIApp:
            from gateway.modes.console.application import create_app

            return create_app(gateway)

        def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
            answer: Iterable[bytes] = console()(environ, start_response)
            return answer

        return app

    def operations(self) -> Collection[str]:
        """The pages' names."""
        from gateway.modes.console.application import operations

        return operations()


@hookimpl
def gateway_modes() -> list[Mode]:
    return [ConsoleMode()]
