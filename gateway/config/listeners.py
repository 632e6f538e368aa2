"""`[[listeners]]`: doors that do not speak HTTP, with options by the fields of their class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.common.nearest_name import nearest
from gateway.config.configuration import DeclaredListener
from gateway.config.decode import Decoder
from gateway.config.problems import BAD, join, names, shown
from gateway.config.tables import Listener
from gateway.modes.protocols import ProtocolListener

COMMON = ("address", "tls")
"""What each has, besides its protocol and the options of that."""


def read_listeners(
    decoder: Decoder,
    known: Mapping[str, type[ProtocolListener]],
    tables: Sequence[tuple[str, Mapping[str, Any]]],
    server: Any,
) -> tuple[DeclaredListener, ...]:
    """`tables` with their places; `server` may be `BAD`."""
    found = [_listener(decoder, known, table, place) for place, table in tables]
    if server is BAD:
        return ()
    declared = [
        replace(one, listener=server.with_tls(one.listener)) for one in found if one is not None
    ]
    taken = {one.address: "server.listen" for one in server.listeners}
    for one in declared:
        other = taken.setdefault(one.listener.address, one.place)
        if other != one.place:
            decoder.problems.add(f"{one.place}.address", f"is the same as one of {other}.")
    return tuple(declared)


def _listener(
    decoder: Decoder,
    known: Mapping[str, type[ProtocolListener]],
    table: Mapping[str, Any],
    place: str,
) -> DeclaredListener | None:
    """None where something is wrong, which was reported."""
    problems = decoder.problems
    before = len(problems)
    kind = _kind(decoder, known, table, join(place, "protocol"))
    common = {name: table[name] for name in COMMON if name in table}
    found = decoder.build(Listener, common, place)
    if kind is None:
        return None
    options = decoder.table(kind, table, place, also=("protocol", *COMMON))
    if len(problems) > before or decoder.construct(kind, options, place) is BAD:
        return None
    return DeclaredListener(place=place, kind=kind, listener=found, options=options)


def _kind(
    decoder: Decoder,
    known: Mapping[str, type[ProtocolListener]],
    table: Mapping[str, Any],
    place: str,
) -> type[ProtocolListener] | None:
    listed = f"known: {names(sorted(known))}"
    if "protocol" not in table:
        decoder.problems.add(place, f"missing; {listed}.")
        return None
    name = table["protocol"]
    kind = known.get(name) if isinstance(name, str) else None
    if kind is None:
        like = nearest(name, sorted(known)) if isinstance(name, str) else ""
        decoder.problems.add(place, f"found {shown(name)}; {listed}.{like}")
    return kind
