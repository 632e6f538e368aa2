"""THE table of pages: what the console has, and in which order the navigation shows it.

A page is here when it exists. Its row is in the file of its handlers, with what it needs.
"""

from __future__ import annotations

from gateway.modes.console.page import Page
from gateway.modes.console.pages import browser, overview, requests, uploads

TABLE: tuple[Page, ...] = (
    *overview.PAGES,
    *browser.PAGES,
    *requests.PAGES,
    *uploads.PAGES,
)
