"""A database of countries, written as MaxMind's format has it (MaxMind DB File Format
Specification 2.0): a tree of bits, the data behind it, and what is said of both."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

_MARK = b"\xab\xcd\xefMaxMind.com"
_MAP, _UINT16, _UINT32, _UINT64, _ARRAY, _TEXT = 7, 5, 6, 9, 11, 2

Node = list[Any]
"""Two of: another node, the text of a leaf, None."""


def write(path: Path, countries: Mapping[str, str]) -> Path:
    """`countries` by network, of which a smaller one counts before a larger one."""
    root: Node = [None, None]
    for network in sorted(map(ip_network, countries), key=lambda one: one.prefixlen):
        number, length = int(network.network_address), network.prefixlen
        if network.version == 4:
            length += 96
        _put(root, f"{number:0128b}"[:length], countries[str(network)])
    nodes = [root]
    for node in nodes:
        nodes += [one for one in node if isinstance(one, list)]
    data, places = b"", dict[str, int]()
    for code in sorted(set(countries.values())):
        places[code] = len(data)
        data += _said({"country": {"iso_code": code}})
    numbers = {id(node): number for number, node in enumerate(nodes)}

    def record(one: Any) -> bytes:
        if one is None:
            return len(nodes).to_bytes(4, "big")
        number = numbers[id(one)] if isinstance(one, list) else len(nodes) + 16 + places[one]
        return number.to_bytes(4, "big")

    tree = b"".join(record(one) for node in nodes for one in node)
    about = {
        "node_count": (_UINT32, len(nodes)),
        "record_size": (_UINT16, 32),
        "ip_version": (_UINT16, 6),
        "database_type": "Test-Country",
        "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1),
        "description": {"en": "of a test"},
    }
    path.write_bytes(tree + b"\0" * 16 + data + _MARK + _said(about))
    return path


def _put(node: Node, bits: str, code: str) -> None:
    for bit in bits[:-1]:
        below = node[int(bit)]
        if not isinstance(below, list):  # what is smaller has all that it does not name
            below = node[int(bit)] = [below, below]
        node = below
    node[int(bits[-1])] = code


def _said(value: Any) -> bytes:
    if isinstance(value, str):
        return _head(_TEXT, len(value)) + value.encode()
    if isinstance(value, dict):
        pairs = (_said(name) + _said(one) for name, one in value.items())
        return _head(_MAP, len(value)) + b"".join(pairs)
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(map(_said, value))
    kind, number = value
    digits: bytes = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return _head(kind, len(digits)) + digits


def _head(kind: int, size: int) -> bytes:
    """Small sizes are in the byte of the kind; a kind above 7 has one of its own."""
    assert size < 29
    return bytes([size, kind - 7]) if kind > 7 else bytes([kind << 5 | size])
