"""Who asks, for which host, by which scheme: decided once, before a door is chosen.

A request that comes from a trusted proxy has what the proxy says of it: the client in
`gateway.client`, the host in `HTTP_HOST`, the scheme in `wsgi.url_scheme`, as if the
client had come by itself. Doors, modes, rules and logs read those, and nothing else.
What anybody else says of itself is not looked at. An address has one form, whoever says it.

The proxy says it in `X-Forwarded-For`, `-Host` and `-Proto`, or in `Forwarded` (RFC
7239); one of the two is read, never both, for a proxy that writes the one passes on
what clients write into the other. granian takes `X_Forwarded_For` for `X-Forwarded-For`
(`gateway.web.request_head`), so these are as good there as the proxy is at dropping such names;
`Forwarded` has no such double on any server.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from gateway.common import addresses
from gateway.config.tables import ProxyHeaders

Networks = tuple[IPv4Network | IPv6Network, ...]

_LONGEST = 8192
"""Characters of a header that are looked at: proxies write a few dozen for each hop."""


class Ambiguous(Exception):
    """Nobody can say who asks for what: 400. The message is for the client."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """Networks whose proxies are believed, and the headers that they write."""

    networks: Networks = ()
    header: ProxyHeaders = "x-forwarded"

    def settle(self, environ: dict[str, Any]) -> str:
        """The client's address. Host and scheme are put where a server puts them. Raises
        `Ambiguous`.

        Lists of hops are read from their end, and only as far as proxies are trusted:
        what stands before the first stranger is that stranger's invention.
        """
        address = addresses.settled(environ.get("REMOTE_ADDR", ""))
        if self.networks and within(address, self.networks):
            said = _x_forwarded if self.header == "x-forwarded" else _forwarded
            address = said(environ, address, self.networks)
            environ["gateway.tls_version"] = ""  # the client has agreed with the proxy
        if "," in environ.get("HTTP_HOST", ""):  # two of them (RFC 9112 §3.2)
            raise Ambiguous("A request names one host.")
        return address


@lru_cache(maxsize=1024)
def within(address: str, networks: Networks) -> bool:
    """Whether a peer's settled address is that of a trusted proxy."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def _x_forwarded(environ: dict[str, Any], address: str, networks: Networks) -> str:
    """Of several hosts or schemes the last one counts: the proxy's own."""
    for named in reversed(_listed(environ, "HTTP_X_FORWARDED_FOR")):
        address = _address(named) or address
        if not within(address, networks):
            break
    hosts = _listed(environ, "HTTP_X_FORWARDED_HOST")
    schemes = _listed(environ, "HTTP_X_FORWARDED_PROTO")
    _put(environ, hosts[-1], schemes[-1])
    return address


def _listed(environ: dict[str, Any], variable: str) -> list[str]:
    """What a list has, one "" when it has nothing."""
    return [one.strip() for one in _said(environ, variable).split(",") if one.strip()] or [""]


def _said(environ: dict[str, Any], variable: str) -> str:
    """A proxy's header. Raises `Ambiguous`: of one that is too long no part is believed, for
    what counts may stand in the other."""
    text: str = environ.get(variable, "")
    if len(text) > _LONGEST:
        raise Ambiguous("A header that proxies write is too long.")
    return text


def _forwarded(environ: dict[str, Any], address: str, networks: Networks) -> str:
    """Each hop tells of the one before it; host and scheme are of the last that is believed."""
    for hop in reversed(_hops(_said(environ, "HTTP_FORWARDED"))):
        _put(environ, hop.get("host", ""), hop.get("proto", ""))
        named = _address(hop.get("for", ""))
        if not _is_address(named):  # "unknown", or hidden (§6.2, §6.3)
            break
        address = named
        if not within(address, networks):
            break
    return address


_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_UNQUOTED = r"[!#$%&'*+.^_`|~0-9A-Za-z:[\]-]+"
"""A token, and the addresses and ports that should be quoted and often are not."""

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"[ \t]*+(?:({_NAME})=({_UNQUOTED}|{_QUOTED})[ \t]*+)?(?=([,;]|$))")
"""Blanks are never read twice: what does not match is told in as many steps as it is long."""

_ESCAPED = re.compile(r"\\(.)")


def _hops(text: str) -> list[dict[str, str]]:
    """RFC 7239 §4: pairs separated by ";", hops by ",". Raises `Ambiguous`: text that a
    stranger leaves open would swallow what proxies add to it."""
    hops: list[dict[str, str]] = [{}]
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        name = match and match[1] and match[1].lower()
        if match is None or name in hops[-1]:
            raise Ambiguous("The Forwarded header is malformed.")
        if name:
            value = match[2]
            hops[-1][name] = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
        if match[3] == ",":
            hops.append({})
        position = match.end() + 1
    return [one for one in hops if one]


def _put(environ: dict[str, Any], host: str, scheme: str) -> None:
    if host:
        environ["HTTP_HOST"] = host
    if scheme.lower() in ("http", "https"):
        environ["wsgi.url_scheme"] = scheme.lower()


def _address(named: str) -> str:
    """Settled, of `192.0.2.1:80` and `[2001:db8::1]:80` too; what is none as it is."""
    if named[:1] == "[":
        return addresses.settled(named.partition("]")[0][1:])
    host, colon, _ = named.partition(":")
    return host if colon and _is_address(host) else addresses.settled(named)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
