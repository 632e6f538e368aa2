"""Addresses of clients, in one form: rules, limits and logs compare and show no other."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address


@lru_cache(maxsize=1024)
def settled(address: str) -> str:
    """IPv4 as itself, where it comes in the form of IPv6 (`::ffff:192.0.2.1`: as a socket for
    both families names its peers, RFC 4291 §2.5.5.2); IPv6 in its canonical form (RFC 5952);
    anything else as it is."""
    if ":" not in address:
        return address
    try:
        found = ip_address(address)
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(found if mapped is None else mapped)
