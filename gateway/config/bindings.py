"""`[[bindings]]`: each a door of its own, to a mode that is there; no two are the same.

A mode may have options of its own for its bindings (`HavingOptions`); they stand in the same
table, and are decoded by the same decoder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.common.countries import Countries
from gateway.common.nearest_name import nearest
from gateway.config.configuration import Declared
from gateway.config.decode import Decoder
from gateway.config.links import can
from gateway.config.problems import BAD, Bad, Problems, join, names, shown
from gateway.config.tables import Binding, BindingOptions, ServerOptions
from gateway.config.texts import SID, SID_RULE
from gateway.modes import (
    Asking,
    AskingFacts,
    Explains,
    HavingOptions,
    Mode,
    OfNamedService,
    OfOneService,
)
from gateway.plugins.options import options_of

COMMON = tuple(options_of(BindingOptions))
"""The options that each binding has, whatever its mode."""


@dataclass(frozen=True, slots=True)
class NoOptions:
    """The options of modes that have none."""


def read_bindings(
    decoder: Decoder,
    modes: Mapping[str, Mode],
    tables: Iterable[tuple[str, Mapping[str, Any]]],
    off: Collection[str],
) -> dict[str, Binding]:
    """Those that are right, by place, of (place, table). `off`: the modes to which none leads."""
    found, doors = dict[str, Binding](), dict[object, str]()
    for place, table in tables:
        common = {name: table[name] for name in COMMON if name in table}
        one = decoder.build(BindingOptions, common, place)
        mode = table.get("mode")
        check_mode(decoder.problems, modes, mode, f"{place}.mode", off)
        answering = modes.get(mode) if isinstance(mode, str) else None
        _check_service(decoder.problems, answering, table, f"{place}.service")
        options = mode_options(decoder, answering, table, place)
        if one is BAD or options is BAD:
            continue
        other = doors.setdefault(one.door, place)
        if other != place:
            decoder.problems.add(place, f"has the same host, port and prefix as {other}.")
        known = {name: getattr(one, name) for name in COMMON}
        found[place] = Binding(**known, options=options)
    return found


def mode_options(decoder: Decoder, mode: Mode | None, table: Mapping[str, Any], place: str) -> Any:
    """Those that a binding's table has of its mode; `BAD` where one is wrong. Nobody knows those
    of no mode."""
    if mode is None:
        return None
    kind = mode.binding_options if isinstance(mode, HavingOptions) else NoOptions
    before = len(decoder.problems)
    values = decoder.table(kind, table, place, also=COMMON)
    if len(decoder.problems) > before:
        return BAD
    return None if kind is NoOptions else decoder.construct(kind, values, place)


def _check_service(
    problems: Problems, mode: Mode | None, table: Mapping[str, Any], place: str
) -> None:
    service = table.get("service")
    if service is None and isinstance(mode, OfNamedService):
        problems.add(place, f"missing; the mode {shown(mode.name)} is about one: give its id.")
    elif not isinstance(service, str):
        return  # none, or reported by the decoder
    elif not SID.fullmatch(service):
        problems.add(place, f"found {shown(service)}; {SID_RULE}.")
    elif mode is not None and not isinstance(mode, OfOneService):
        text = f"the mode {shown(mode.name)} reaches all services through every door: leave it out."
        problems.add(place, f"found {shown(service)}; {text}")


def check_options(
    problems: Problems,
    modes: Mapping[str, Mode],
    bindings: Mapping[str, Binding],
    services: Mapping[str, Declared],
    facts: Collection[str],
) -> None:
    """Report, of bindings by place, options that ask for what the service cannot do, or for
    facts that are not among `facts`. A service that is not among `services` may become a bucket
    of any kind."""
    for place, binding in bindings.items():
        _check_facts(problems, modes.get(binding.mode), binding, place, facts)
        mode, service = modes.get(binding.mode), services.get(binding.service)
        if isinstance(mode, Asking) and service is not None and binding.options is not None:
            for option, why in mode.refused(binding.options, partial(can, service, services)):
                problems.add(f"{place}.{option}", f"the service {shown(service.sid)} {why}")


def facts_of(problems: Problems, server: ServerOptions | Bad) -> Collection[str]:
    """Those that not every gateway knows, and this one does. What makes them known and cannot be
    used is reported."""
    if isinstance(server, Bad):  # that was reported
        return _HOW
    if server.countries is None:
        return ()
    try:
        Countries(server.countries)
    except ValueError as error:
        problems.add("server.countries", f"{error}.")
    return ("country",)


_HOW = {"country": "[server] countries names a database of them."}
"""By fact, what makes it known."""


def _check_facts(
    problems: Problems, mode: Mode | None, binding: Binding, place: str, facts: Collection[str]
) -> None:
    if isinstance(mode, AskingFacts) and binding.options is not None:
        for option, fact in mode.facts_asked(binding.options):
            if fact not in facts:
                text = f"what is the {fact} of a request is not known here: {_HOW[fact]}"
                problems.add(f"{place}.{option}", text)


def told(modes: Mapping[str, Mode], binding: Binding) -> Iterator[str]:
    """What the mode of a binding has to tell of it."""
    mode = modes.get(binding.mode)
    if isinstance(mode, Explains):
        yield f"the binding {binding}: {mode.told(binding.service, binding.options)}"


def check_mode(
    problems: Problems, modes: Collection[str], mode: object, place: str, off: Collection[str] = ()
) -> None:
    """What is no text was reported by the decoder."""
    known = sorted(modes)
    if isinstance(mode, str) and mode not in known:
        problems.add(
            place, f"found {shown(mode)}; known modes: {names(known)}.{nearest(mode, known)}"
        )
    elif isinstance(mode, str) and mode in off:
        problems.add(place, f"found {shown(mode)}; {how_to_switch_on(mode)}")


def how_to_switch_on(mode: str) -> str:
    return f"that mode is off: a table [{join('', mode)}] switches it on."


def check_default(
    problems: Problems, modes: Mapping[str, Mode], mode: object, place: str, off: Collection[str]
) -> None:
    """Of the mode that gets what nobody claims."""
    check_mode(problems, modes, mode, place, off)
    if isinstance(mode, str) and isinstance(modes.get(mode), OfNamedService):
        problems.add(
            place, f"found {shown(mode)}; that mode answers at bindings only: see [[bindings]]."
        )


def check_only_bound(
    problems: Problems, modes: Mapping[str, Mode], found: ServerOptions, place: str
) -> None:
    """Of the modes that bindings alone lead to."""
    for number, mode in enumerate(found.only_bound):
        check_mode(problems, modes, mode, f"{place}.only_bound[{number}]")
        if mode == found.default_mode:
            problems.add(
                f"{place}.only_bound[{number}]",
                f"found {shown(mode)}; that is the default mode, which gets what nobody claims.",
            )
