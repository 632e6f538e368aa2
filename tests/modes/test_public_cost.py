"""What a public GET costs: counted in calls, so that who adds to it sees it."""

from __future__ import annotations

import sys
from typing import Any

from tests.modes.public_gateway import Site, serving


def calls(site: Site, host: str) -> int:
    """Of functions in Python, for one GET; the first ones make what is remembered, and in any
    one of them the garbage collector may call something, too."""
    return min(_counted(site, host) for _ in range(8))


def _counted(site: Site, host: str) -> int:
    counted = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal counted
        counted += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        site.ask(f"/{host}?a=1", host=host)
    finally:
        sys.setprofile(before)
    return counted


def test_what_a_binding_does_not_ask_for_costs_it_nothing() -> None:
    bindings: list[dict[str, Any]] = [
        {"host": "plain.example"},
        {"host": "pages.example", "error_pages": "404:https://a.example/"},
        {"host": "limited.example", "limit_rate": "1m"},
        {"host": "led.example", "referers": ["shop.example"]},
    ]
    services: dict[str, dict[str, Any]] = {"pages": {"driver": "memory"}}
    with serving(services, [{"service": "pages", **one} for one in bindings]) as site:
        for one in bindings:  # each another object: what is said of one is remembered
            site.put("pages", one["host"], one["host"].encode() * 50)
        plain, pages, limited, led = (calls(site, one["host"]) for one in bindings)
    assert plain <= 95  # 72, and those of the test itself
    assert pages == plain
    assert plain < limited <= plain + 3
    assert plain < led <= plain + 25
