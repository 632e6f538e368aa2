"""THE table of pages: what the console has, and in which order the navigation shows it.

A page is here when it exists. Its row is in the file of its handlers, with what it needs.
"""

from __future__ import annotations

from gateway.modes.console import signing_in
from gateway.modes.console.page import Page
from gateway.modes.console.pages import (
    audit,
    bindings,
    browser,
    certificates,
    keys,
    overview,
    purges,
    replication,
    reports,
    requests,
    service_changes,
    service_forms,
    service_settings,
    services,
    settings,
    storages,
    uploads,
    volume_changes,
    volumes,
    zone_changes,
    zones,
)

TABLE: tuple[Page, ...] = (
    *overview.PAGES,
    *services.PAGES,
    *service_forms.PAGES,
    *service_changes.PAGES,
    *service_settings.PAGES,
    *volumes.PAGES,
    *volume_changes.PAGES,
    *zones.PAGES,
    *zone_changes.PAGES,
    *storages.PAGES,
    *certificates.PAGES,
    *browser.PAGES,
    *keys.PAGES,
    *bindings.PAGES,
    *replication.PAGES,
    *requests.PAGES,
    *reports.PAGES,
    *purges.PAGES,
    *uploads.PAGES,
    *audit.PAGES,
    *settings.PAGES,
    *signing_in.PAGES,
)
