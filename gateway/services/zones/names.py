"""Which names a zone may have, and which hosts it may ask. Pure functions.

What is in the catalog (bindings of others, other zones) is asked there, when the zone is written.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.common.host_patterns import patterns_of
from gateway.common.upstream.dialing import PORTS
from gateway.common.upstream.networks import Networks
from gateway.config import Configuration
from gateway.modes.zones import ZoneOptions
from gateway.services.zones.documents import Document

_HERE = ("localhost", "ip6-localhost", "ip6-loopback")


class Own(NamedTuple):
    """What is called by this gateway's own names. `below`: these hosts and all below them;
    `hosts`: these, and patterns (`*.example.com`); `listeners`: addresses and ports."""

    suffix: str
    below: Collection[str]
    hosts: Collection[str]
    listeners: Collection[tuple[str, int]]


def zone_options(configuration: Configuration) -> ZoneOptions | None:
    """Of the table that says that there are zones; None where none does."""
    tables = configuration.mode_tables.values()
    return next((one for one in tables if isinstance(one, ZoneOptions)), None)


def own_names(configuration: Configuration, options: ZoneOptions) -> Own:
    server = configuration.server
    url = server.external_url
    named = {str(one.host) for one in configuration.bindings if one.host}
    if url is not None:
        named.add(urlsplit(url).hostname or "")
    listeners = [(one.address.host, one.address.port) for one in server.listeners]
    listeners += [
        (one.listener.address.host, one.listener.address.port) for one in configuration.listeners
    ]
    return Own(options.suffix, server.domains, named, listeners)


def refused(document: Document, own: Own, options: ZoneOptions) -> list[str]:
    """A sentence each."""
    domains = [
        f"custom_domains: {one} is a name of this gateway itself."
        for one in document["custom_domains"]
        if _is_own(one, own)
    ]
    with_its_own = own._replace(hosts={*own.hosts, *document["custom_domains"]})
    return domains + [
        f"upstream.endpoints[{number}].host: {why}"
        for number, (host, port) in enumerate(endpoints_of(document))
        if (why := _refused(host, port, with_its_own, options))
    ]


def endpoints_of(document: Document) -> Sequence[tuple[str, int]]:
    """Hosts and ports."""
    upstream = document["upstream"]
    if upstream is None:
        return ()
    port = PORTS[upstream["proto"]]
    return [(one["host"], one.get("port", port)) for one in upstream["endpoints"]]


def _refused(host: str, port: int, own: Own, options: ZoneOptions) -> str:
    if _is_own(host, own) or _listens(host, port, own):
        return f"{host} is this gateway itself."
    why = Networks(options.allow).refusal(host)
    if why in ("", "no address"):  # what a name leads to is looked at when it is asked
        return ""
    return f"{host} is {why}, and no network that origins may be in."


def _is_own(host: str, own: Own) -> bool:
    below = (own.suffix, *own.below)
    if any(host == one or host.endswith(f".{one}") for one in below):
        return True
    return any(name in own.hosts for name in patterns_of(host))


def _listens(host: str, port: int, own: Own) -> bool:
    """Whether one of the gateway's listeners is there. A listener at all addresses is at those of
    loopback, too."""
    at = [address for address, number in own.listeners if number == port]
    if host in at or (host in _HERE and at):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    everywhere = any(one in ("0.0.0.0", "::") for one in at)  # noqa: S104 - compared, not bound
    return bool(at) and (address.is_unspecified or (address.is_loopback and everywhere))
