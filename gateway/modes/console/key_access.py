"""What a key may do, as a form has it: a level for all services, or a level for each of some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.access.identity import LEVELS, SERVICE_LEVELS, KeyAccess, Level, ServiceLevel
from gateway.modes.console.call import Call
from gateway.modes.console.forms import Fields
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import Operator
from gateway.storage import NOTHING

SOME = "services"
"""In place of a level: those of the matrix count."""
_LEVEL = "level:"
"""Before a service's id, in the name of a field of the matrix."""
_SHOWN = 200
"""Services of the matrix; any other can be named."""

MEANT: Mapping[Level, str] = {
    "own": "Own: makes buckets, and administers what its user owns",
    "read-all": "Read all: reads every service, and nothing else",
    "write-all": "Write all: reads and writes every service, and nothing else",
    "admin": "Admin: may everything, and manages the gateway",
}


@dataclass(frozen=True, slots=True)
class Matrix:
    """`choices` are (value, text) of what may be given at all; `rows` are (service, its level or
    ""), those that have one first; `others`: how many more there are."""

    choices: tuple[tuple[str, str], ...]
    chosen: str
    rows: tuple[tuple[str, str], ...]
    others: int


def matrix(call: Call, operator: Operator, access: KeyAccess) -> Matrix:
    choices = [(one, MEANT[one]) for one in LEVELS if operator.may_give(one)]
    table: Mapping[str, str] = NOTHING if isinstance(access, str) else access
    rest = [sid for sid in _visible(call) if sid not in table]
    room = max(_SHOWN - len(table), 0)
    return Matrix(
        choices=(*choices, (SOME, "Only these services")),
        chosen=access if isinstance(access, str) else SOME,
        rows=(*sorted(table.items()), *((sid, "") for sid in rest[:room])),
        others=len(rest[room:]),
    )


def chosen(call: Call, before: KeyAccess = NOTHING) -> KeyAccess:
    """What the form says. `before`: what the key has; services that are no more may stay in it.
    Raises `ConsoleProblem`."""
    form = call.form
    level = form.get("access", "")
    if level in LEVELS:
        return level
    if level != SOME:
        raise ConsoleProblem("BadRequest", "The form does not say what the key may do.")
    table = dict(_given(form))
    had = frozenset[str]() if isinstance(before, str) else before.keys()
    unknown = table.keys() - had - set(_visible(call))
    if unknown:
        raise ConsoleProblem("BadRequest", f"There is no service {min(unknown)!r}.")
    return table


def _given(form: Fields) -> Iterator[tuple[str, ServiceLevel]]:
    for name, text in form.items():
        if name.startswith(_LEVEL) and text:
            yield name.removeprefix(_LEVEL), _level(text)
    if other := form.text("other"):
        yield other, _level(form.get("other_level", ""))


def _level(text: str) -> ServiceLevel:
    if text not in SERVICE_LEVELS:
        raise ConsoleProblem("BadRequest", "A level is read, write or admin.")
    return text


def _visible(call: Call) -> list[str]:
    return [one.service.sid for one in call.gateway.services(call.identity, call.facts)]


def in_words(access: KeyAccess) -> str:
    if isinstance(access, str):
        return access
    if not access:
        return "nothing"
    few = ", ".join(f"{sid}: {access[sid]}" for sid in sorted(access)[:3])
    return few if len(access) <= 3 else f"{few} and {len(access) - 3} more"
