"""In which of many networks an address is: one look-up for each length of their prefixes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.access.pattern_index import Bitset

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@lru_cache(maxsize=1024)
def parsed(text: str) -> Address | None:
    """None for what is no address. One of IPv4 in the form of IPv6 is meant itself: so a
    socket for both families names its peers."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


class NetworkIndex:
    """Numbers by networks; `find` gives a bitset, as `PatternIndex` does."""

    def __init__(self, entries: Iterable[tuple[Network, int]]) -> None:
        self._tables: dict[int, dict[int, dict[int, Bitset]]] = {4: {}, 6: {}}
        """By version, by the number of bits that are free, by those before them."""
        for network, number in entries:
            free = network.max_prefixlen - network.prefixlen
            table = self._tables[network.version].setdefault(free, {})
            prefix = int(network.network_address) >> free
            table[prefix] = table.get(prefix, 0) | 1 << number

    def find(self, address: Address) -> Bitset:
        found, bits = 0, int(address)
        for free, table in self._tables[address.version].items():
            found |= table.get(bits >> free, 0)
        return found
