"""`[[bindings]]`: each a door of its own, to a mode that is there; no two are the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from gateway.common.nearest_name import nearest
from gateway.config.decode import Decoder
from gateway.config.problems import BAD, Problems, names, shown
from gateway.config.tables import Binding
from gateway.config.texts import SID, SID_RULE
from gateway.modes import Mode, OfOneService


def read_bindings(
    decoder: Decoder, modes: Mapping[str, Mode], tables: Iterable[tuple[str, Mapping[str, Any]]]
) -> tuple[Binding, ...]:
    """Those that are right, of (place, table)."""
    found, doors = list[Binding](), dict[object, str]()
    for place, table in tables:
        one = decoder.build(Binding, table, place)
        check_mode(decoder.problems, modes, table.get("mode"), f"{place}.mode")
        _check_service(decoder.problems, modes, table, f"{place}.service")
        if one is BAD:
            continue
        other = doors.setdefault(one.door, place)
        if other != place:
            decoder.problems.add(place, f"has the same host, port and prefix as {other}.")
        found.append(one)
    return tuple(found)


def _check_service(
    problems: Problems, modes: Mapping[str, Mode], table: Mapping[str, Any], place: str
) -> None:
    service, mode = table.get("service"), table.get("mode")
    if not isinstance(service, str):
        return
    answering = modes.get(mode) if isinstance(mode, str) else None
    if not SID.fullmatch(service):
        problems.add(place, f"found {shown(service)}; {SID_RULE}.")
    elif answering is not None and not isinstance(answering, OfOneService):
        text = f"the mode {shown(mode)} reaches all services through every door: leave it out."
        problems.add(place, f"found {shown(service)}; {text}")


def check_mode(problems: Problems, modes: Collection[str], mode: object, place: str) -> None:
    """What is no text was reported by the decoder."""
    known = sorted(modes)
    if isinstance(mode, str) and mode not in known:
        problems.add(
            place, f"found {shown(mode)}; known modes: {names(known)}.{nearest(mode, known)}"
        )
