"""What a zone is made of: a cache, what asks its origin, and a binding for each of its names.

Pure functions: from a document that was read (`documents`) to services and bindings as a file
would have them. All that these can do and refuse is theirs: nothing is said again here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gateway.catalog import BindingRow
from gateway.catalog.parts import Parts, WantedBinding, WantedService
from gateway.modes.zones import ZoneOptions
from gateway.services.zones.documents import Document

SMALL = 20_000_000
"""Bytes: a zone of small objects hands larger ones through, and keeps them not."""

_REFUSED = "!"
"""Before an entry of `referers` that is refused, and not let in: `!none`, `!other.example.com`."""

MEMBER: Mapping[str, str] = {
    "url": "upstream.endpoints",
    "host_header": "upstream.host_header",
    "username": "upstream.auth",
    "password": "upstream.auth",
    "access_key": "upstream.auth",
    "secret_key": "upstream.auth",
    "signing_key": "upstream.auth",
    "key_scope": "upstream.auth",
    "region": "upstream.endpoints",
    "max_item_size": "object_size",
    "refresh_after": "expiration",
    "signed_links": "hash_secret",
    "limit_rate": "limit_rate_global",
    "referers_deny": "referers",
    "countries_allow": "geo_filter_allow",
    "countries_deny": "geo_filter_deny",
}
"""By option, the member of the document by which it is as it is, where it is called otherwise."""


def sid_of(number: int) -> str:
    """What the cache of that zone is called, and the zone in reports."""
    return f"zone-{number}"


def cdn_domain(number: int, account: int, suffix: str) -> str:
    return f"a{number}-{account}.{suffix}"


def parts_of(
    document: Document,
    number: int,
    *,
    domain: str,
    active: bool,
    options: ZoneOptions,
    storage: str,
) -> Parts:
    """`domain`: its own; `storage`: the service that its storage is, "" with an upstream."""
    cache = sid_of(number)
    services: dict[str, WantedService] = {}
    source = storage
    if not storage:
        source = f"{cache}-origin"
        origin = dict(_origin(document["upstream"], options))
        services[source] = WantedService("http", origin)
    services[cache] = WantedService("cache", {"source": source, **dict(_cache(document, options))})
    names = [domain, *document["custom_domains"]]
    said = dict(_binding(document, cache, options))
    if not active:
        said["closed"] = True
    shown = {name: one for name, one in said.items() if name != "signed_links"}
    if "signed_links" in said:
        links = said["signed_links"]
        shown["signed_links"] = {name: one for name, one in links.items() if name != "secret"}
    to = sid_of(document["cache_reuse_from"] or number)
    bindings = [WantedBinding(BindingRow(name, 0, "", "public", to, said), shown) for name in names]
    return Parts(services, bindings)


def _origin(upstream: Document, options: ZoneOptions) -> Iterator[tuple[str, Any]]:
    yield "url", [_url(upstream["proto"], one) for one in upstream["endpoints"]]
    if upstream["host_header"] is not None:
        yield "host_header", upstream["host_header"]
    auth = {**upstream["auth"]}
    kind = auth.pop("type")
    yield from auth.items()
    if kind == "aws_secret_key":
        yield "region", upstream["endpoints"][0]["region"]
    if options.allow:
        yield "allow", [str(one) for one in options.allow]


def _url(proto: str, endpoint: Document) -> str:
    host = endpoint["host"]
    host = f"[{host}]" if ":" in host else host
    port = f":{endpoint['port']}" if "port" in endpoint else ""
    bucket = f"/{endpoint['bucket']}" if "bucket" in endpoint else ""
    return f"{proto}://{host}{port}{bucket}"


def _cache(document: Document, options: ZoneOptions) -> Iterator[tuple[str, Any]]:
    yield "max_size", options.cache_size
    yield "keep_when_source_changes", True
    if document["object_size"] == "small":
        yield "max_item_size", min(SMALL, options.cache_size)
    if document["expiration"] is not None:
        yield "respect_headers", False
        yield "refresh_after", f"{document['expiration']}s"


def _binding(
    document: Document, counted_as: str, options: ZoneOptions
) -> Iterator[tuple[str, Any]]:
    yield "counted_as", counted_as
    if document["hash_secret"] is not None:
        yield (
            "signed_links",
            {
                "secret": document["hash_secret"],
                "algorithm": document["hash_algorithm"],
                "ttl": f"{document['hash_ttl']}s",
                "refused": options.hash_refused,
            },
        )
    if document["limit_rate_security"]:
        yield "limit_rate", "link"
    elif document["limit_rate_global"]:
        yield "limit_rate", document["limit_rate_global"]
    refused = [one[1:] for one in document["referers"] if one.startswith(_REFUSED)]
    allowed = [one for one in document["referers"] if not one.startswith(_REFUSED)]
    lists = {
        "referers": allowed,
        "referers_deny": refused,
        "countries_allow": document["geo_filter_allow"],
        "countries_deny": document["geo_filter_deny"],
        "error_pages": document["error_pages"],
    }
    yield from ((name, found) for name, found in lists.items() if found)
