"""Templates → pages. Everything that is put into one is escaped, and what is missing is an error.

A part of a page that htmx asks for is the template's block that has the name of its target
(`HX-Target: rows`): so it is the same with a script and without.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.access.identity import Identity
from gateway.common.moments import utc
from gateway.common.units import about_size
from gateway.modes.console import object_names, security
from gateway.modes.console.page import Page, reaches
from gateway.modes.console.static_files import StaticFiles
from gateway.web.replies import Reply

HTML = "text/html; charset=utf-8"
THEMES = ("light", "dark")


class Rendering:
    """`pages`: the table, of which the navigation is made."""

    def __init__(self, pages: Sequence[Page], static: StaticFiles) -> None:
        self._pages = [page for page in pages if page.title]
        self._static = static
        self._environment = environment = Environment(
            loader=PackageLoader("gateway.modes.console"),
            autoescape=True,
            undefined=StrictUndefined,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "size": about_size,
            "date": date,
            "machine_date": machine_date,
            "shown": object_names.shown,
            "coded": object_names.coded,
        }
        environment.globals["parts"] = environment.get_template("parts.html").module

    def has(self, path: str, identity: Identity | None) -> bool:
        return any(one.path == path and reaches(identity, one.reach) for one in self._pages)

    def page(self, call: Any, template: str, values: Mapping[str, Any], status: int = 200) -> Reply:
        """A page for who calls, or the part of it that is asked for."""
        found = self._environment.get_template(template)
        nonce = secrets.token_urlsafe(16)
        context = found.new_context({**self._common(call, nonce), **values})
        headers = [
            ("content-type", HTML),
            ("content-security-policy", security.page_policy(nonce)),
        ]
        part = call.environ.get("HTTP_HX_TARGET", "") if status == 200 else ""
        render = found.blocks.get(part, found.root_render_func)
        text = "".join(render(context))
        return Reply(status, headers, text.encode())

    def _common(self, call: Any, nonce: str) -> dict[str, Any]:
        root, theme = call.root, security.cookie(call.environ, "gateway-theme")
        identity = None if call.session is None else call.session.identity
        return {
            "call": call,
            "page": call.page,
            "root": root,
            "url": call.url,
            "csrf": "" if call.session is None else call.session.csrf,
            "nonce": nonce,
            "identity": identity,
            "theme": theme if theme in THEMES else "",
            "navigation": [one for one in self._pages if reaches(identity, one.reach)],
            "said": call.page.said.get(call.query.get("said", ""), ""),
            "watched": security.watched(call.environ),
            "static": lambda name: f"{root}static/{self._static.address(name)}",
        }


def date(milliseconds: int) -> str:
    """For people: "2026-11-30 02:30:12"."""
    return utc(milliseconds).isoformat(" ", "seconds")[:19]


def machine_date(milliseconds: int) -> str:
    """RFC 3339."""
    return utc(milliseconds).isoformat(timespec="seconds")
