"""The public mode: one service, for browsers, and for whoever else asks.

It is reached by bindings, and by nothing else: who declares one says that everybody may read
the service that it names. Start with `serving.py`, what a request gets; `options.py` is what a
binding may say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Literal

from gateway.hookspecs import hookimpl
from gateway.modes import Gateway, Mode, WSGIApp
from gateway.modes.public.options import PublicOptions
from gateway.storage import Forwards, Listable, Varies


class PublicMode:
    name = "public"
    one_service: Literal[True] = True
    needs_service: Literal[True] = True
    binding_options: type[Any] = PublicOptions

    def claims(self, environ: dict[str, Any]) -> bool:
        return False

    def app(self, gateway: Gateway) -> WSGIApp:
        from gateway.modes.public.application import create_app

        return create_app(gateway)

    def operations(self) -> Collection[str]:
        from gateway.modes.public.application import OPERATIONS

        return OPERATIONS

    def refused(self, options: Any, can: Callable[[type], bool]) -> Iterator[tuple[str, str]]:
        if options.methods == "all" and not can(Forwards):
            yield (
                "methods",
                "has no HTTP origin behind it that other methods could be passed on to.",
            )
        if options.listing and not can(Listable):
            yield "listing", "cannot list what is there."
        if options.append_webp and not can(Varies):
            yield "append_webp", "has nothing behind it that heeds it: no pictures are made there."

    def facts_asked(self, options: Any) -> Iterator[tuple[str, str]]:
        for name in ("countries_allow", "countries_deny"):
            if getattr(options, name):
                yield name, "country"

    def told(self, service: str, options: Any) -> str:
        others = ", and ask its origin for whatever it does" if options.methods == "all" else ""
        lists = " and list" if options.listing else ""
        who = "who has a signed link" if options.signed_links is not None else "everybody"
        if options.filter is not None:
            who += ", as far as its filters let them in,"
        return f'{who} may read{lists} all of "{service}"{others}, without a key.'


@hookimpl
def gateway_modes() -> list[Mode]:
    return [PublicMode()]
