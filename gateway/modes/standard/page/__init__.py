"""The documents: the OpenAPI description and the page, made from the table of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.modes import Page

PAGES: Mapping[str, Callable[[], Page]] = {}
