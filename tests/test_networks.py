"""Which addresses may be connected to: those of the public network, in their own form."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network

import pytest

from gateway.common.upstream.networks import Networks

PUBLIC = ("8.8.8.8", "1.1.1.1", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1")
REFUSED = {
    "0.0.0.0": "this host",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "10.1.2.3": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.0.1": "private",
    "100.64.0.1": "of a provider's own network",
    "168.63.129.16": "of a provider's own network",
    "169.254.169.254": "link-local",
    "192.0.0.192": "reserved",
    "198.18.0.1": "for benchmarks",
    "203.0.113.1": "for documentation",
    "192.88.99.1": "a relay of 6to4",
    "224.0.0.1": "multicast",
    "255.255.255.255": "reserved",
    "::": "this host",
    "::1": "loopback",
    "fd00::1": "private",
    "fec0::1": "private",
    "fe80::1%eth0": "link-local",
    "ff02::1": "multicast",
    "2001:db8::1": "for documentation",
    "100::1": "of no public network",
    "4000::1": "of no public network",
    "::ffff:8.8.8.8": "IPv4 in IPv6",
    "::ffff:0:8.8.8.8": "IPv4 in IPv6",
    "::8.8.8.8": "IPv4 in IPv6",
    "64:ff9b::8.8.8.8": "IPv4 behind NAT64",
    "64:ff9b:1::1": "IPv4 behind NAT64",
    "2002:808:808::1": "IPv4 behind 6to4",
    "2001:0:808:808::1": "reserved",  # Teredo
    "nonsense": "no address",
}


def networks(allow: Sequence[str] = (), deny: Sequence[str] = ()) -> Networks:
    return Networks(tuple(map(ip_network, allow)), tuple(map(ip_network, deny)))


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_network_may_be_connected_to(address: str) -> None:
    assert networks().refusal(address) == ""


@pytest.mark.parametrize("address", REFUSED)
def test_nothing_else_may(address: str) -> None:
    assert networks().refusal(address) == REFUSED[address]


@pytest.mark.parametrize(
    ("allow", "address", "why"),
    [
        (["127.0.0.0/8"], "127.0.0.1", ""),
        (["127.0.0.0/8"], "10.0.0.1", "private"),
        (["fe80::/10"], "fe80::1%3", ""),
        # a form that wraps another address allows neither by itself
        (["10.0.0.0/8"], "::ffff:10.0.0.1", "IPv4 in IPv6"),
        (["64:ff9b::/96"], "64:ff9b::8.8.8.8", ""),
        (["64:ff9b::/96"], "64:ff9b::10.0.0.1", "private"),
        (["64:ff9b::/96", "10.0.0.0/8"], "64:ff9b::10.0.0.1", ""),
        (["2002::/16"], "2002:7f00:1::1", "loopback"),
        (["2001::/32"], "2001:0:808:808::80ff:fffe", "loopback"),  # its client: 127.0.0.1
        (["::1/128"], "::1", ""),
    ],
)
def test_what_is_listed_may_with_what_it_wraps(allow: list[str], address: str, why: str) -> None:
    assert networks(allow).refusal(address) == why


@pytest.mark.parametrize("address", ["10.1.2.3", "8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_what_is_denied_may_not_in_any_form(address: str) -> None:
    everything = ["0.0.0.0/0", "::/0"]
    assert networks(everything).refusal(address) == ""
    assert networks(everything, ["10.1.0.0/16", "8.0.0.0/8"]).refusal(address) == "denied"
