"""Declared services and the catalog's as one configuration, for who is no gateway: which of
them are as they should be, and what is wrong with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.catalog import Catalog, CatalogError
from gateway.config import Configuration, Declared
from gateway.config.links import check_construction, check_events, check_links
from gateway.config.problems import ConfigProblem, Problems, join
from gateway.services.stored import decoded


def with_added(
    configuration: Configuration, catalog: Catalog
) -> tuple[Configuration, list[ConfigProblem]]:
    """With the catalog's services that have a driver, as far as they are sound, behind those
    that are declared; and why the others are not."""
    services = dict(configuration.services)
    problems, added = Problems(), list[Declared]()
    for sid, row in catalog.stores().services.items():
        if sid in configuration.services:  # it is hidden, and never opened
            continue
        found = Problems()
        try:
            declared = decoded(configuration, catalog, row, found)
        except CatalogError as error:  # its options cannot be unsealed
            found.add(join("services", sid), str(error))
            declared = None
        problems += found
        if declared is not None and not found:
            added.append(declared)
            services[sid] = declared
    problems += wrong(services)
    check_events(problems, added, services, configuration.webhooks)  # they are served all the same
    return replace(configuration, services=sound(services)), problems


def wrong(services: Mapping[str, Declared]) -> Problems:
    problems = Problems()
    check_links(problems, services, services)
    check_construction(problems, services, None)
    return problems


def sound(services: Mapping[str, Declared]) -> dict[str, Declared]:
    """Those with which nothing is wrong, and which stand in front of none that is."""
    left = dict(services)
    while problems := wrong(left):
        places = {problem.place for problem in problems}
        bad = [
            one.sid
            for one in left.values()
            if any(place == one.place or place.startswith(f"{one.place}.") for place in places)
        ]
        if not bad:  # it is nobody's
            break
        for sid in bad:
            del left[sid]
    return left
