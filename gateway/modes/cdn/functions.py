"""THE table of the CDN control mode's functions: routing, the OpenAPI document, the page at
`/-/docs/cdn/`, the examples and the tests read it, and nothing is written twice. Each area of the
interface has its part of it in `areas/`.

Texts may have `code` in backquotes. Specification: cdn.
"""

from __future__ import annotations

from gateway.modes.cdn.areas import (
    accounts,
    certificates,
    letsencrypt,
    purges,
    reports,
    storages,
    zones,
)
from gateway.modes.cdn.call import Call
from gateway.web.api.table import Function

BODY_LIMIT = 2 << 20
"""Bytes of a body: ten thousand addresses to purge are less."""

TABLE: tuple[Function[Call], ...] = (
    *accounts.FUNCTIONS,
    *storages.FUNCTIONS,
    *certificates.FUNCTIONS,
    *purges.FUNCTIONS,
    *zones.FUNCTIONS,
    *letsencrypt.FUNCTIONS,
    *reports.FUNCTIONS,
)

_COMMON = ("InvalidParameter", "Failed")
_OF_BODIES = ("MalformedBody", "EntityTooLarge")


def errors_of(function: Function[Call]) -> tuple[str, ...]:
    """All codes that it is documented to answer."""
    found = [*_COMMON]
    found += ("Unauthorized",) if not function.open else ()
    found += _OF_BODIES if function.members else ()
    found += ("NotFound",) if function.parts else ()
    return (*found, *(one for one in function.errors if one not in found))
