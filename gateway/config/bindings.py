"""`[[bindings]]`: each a door of its own, to a mode that is there; no two are the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from gateway.common.nearest_name import nearest
from gateway.config.decode import Decoder
from gateway.config.problems import BAD, Problems, names, shown
from gateway.config.tables import SID, SID_RULE, Binding


def read_bindings(
    decoder: Decoder, modes: Collection[str], tables: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[Binding, ...]:
    """Those that are right, of (place, table)."""
    found, doors = list[Binding](), dict[object, str]()
    for place, table in tables:
        one = decoder.build(Binding, table, place)
        check_mode(decoder.problems, modes, table.get("mode"), f"{place}.mode")
        service = table.get("service")
        if isinstance(service, str) and not SID.fullmatch(service):
            decoder.problems.add(f"{place}.service", f"found {shown(service)}; {SID_RULE}.")
        if one is BAD:
            continue
        other = doors.setdefault(one.door, place)
        if other != place:
            decoder.problems.add(place, f"has the same host, port and prefix as {other}.")
        found.append(one)
    return tuple(found)


def check_mode(problems: Problems, modes: Collection[str], mode: object, place: str) -> None:
    """What is no text was reported by the decoder."""
    known = sorted(modes)
    if isinstance(mode, str) and mode not in known:
        problems.add(
            place, f"found {shown(mode)}; known modes: {names(known)}.{nearest(mode, known)}"
        )
