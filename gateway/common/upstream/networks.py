"""Which addresses may be connected to, where others say to whom: in a URL, a name, a redirect.

Refused is all that is not of the public network, and each form that only wraps an IPv4
address: where such a packet ends is decided by whoever unwraps it. So a form that is listed
as allowed may be connected to where the address in it may be, too; what is denied is denied
in every form.

Sources: IANA's registries of special-purpose addresses (RFC 6890), and Azure's documentation
of 168.63.129.16, which is a public address and each machine's own platform there; RFC 4291 §2.5.5
(mapped, compatible), RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_SPECIAL: Sequence[tuple[str, Sequence[str]]] = (
    ("this host", ("0.0.0.0/8", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("of a provider's own network", ("100.64.0.0/10", "168.63.129.16/32")),
    ("link-local", ("169.254.0.0/16", "fe80::/10")),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    ("reserved", ("192.0.0.0/24", "240.0.0.0/4", "2001::/23")),
    ("for documentation", ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")),
    ("for documentation", ("2001:db8::/32", "3fff::/20")),
    ("for benchmarks", ("198.18.0.0/15",)),
    ("a relay of 6to4", ("192.88.99.0/24",)),
    ("IPv4 in IPv6", ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96")),
    ("IPv4 behind NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),
    ("IPv4 behind 6to4", ("2002::/16",)),
)
_REFUSED = tuple((ip_network(text), why) for why, texts in _SPECIAL for text in texts)
_PUBLIC = IPv6Network("2000::/3")
"""What IPv6 has been given out of (RFC 4291 §2.4); all else is of no public network."""

_LOW = tuple(
    IPv6Network(text) for text in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
"""With an IPv4 address in the last 32 bits."""


class Networks:
    """`allow`: networks beyond the public one; `deny`: none of these, whatever is allowed."""

    def __init__(self, allow: Sequence[Network] = (), deny: Sequence[Network] = ()) -> None:
        self._allow, self._deny = tuple(allow), tuple(deny)

    def refusal(self, text: str) -> str:
        """Why that address may not be connected to; "" when it may."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return "no address"
        forms = (address, *_wrapped(address))
        if any(one in network for one in forms for network in self._deny):
            return "denied"
        reasons = (self._special(one) for one in forms)
        return next((why for why in reasons if why), "")

    def _special(self, address: Address) -> str:
        if any(address in network for network in self._allow):
            return ""
        found = next((why for network, why in _REFUSED if address in network), "")
        if not found and isinstance(address, IPv6Address) and address not in _PUBLIC:
            return "of no public network"
        return found


def _wrapped(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses at which a packet to this one may end."""
    if isinstance(address, IPv4Address):
        return
    if any(address in network for network in _LOW) and int(address) > 1:
        yield IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
