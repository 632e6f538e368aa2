"""Which function a method, a path and `info` name: looked up in tables made of THE table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.modes.ozone.call import Call
from gateway.modes.ozone.functions import TABLE
from gateway.modes.ozone.problems import OzoneProblem
from gateway.web.api.table import Function

Choices = Mapping[str | None, Function[Call]]
"""By the value of `info`; None: without."""


def _choices(function: Function[Call]) -> Iterable[str | None]:
    """The values of `info` by which it is chosen."""
    asked = next((one for one in function.query if one.name == "info"), None)
    if asked is None:
        return [None]
    return asked.values if asked.required else [None, *asked.values]


def _table(
    functions: Iterable[Function[Call]],
) -> dict[tuple[str, int], dict[str | None, Function[Call]]]:
    found: dict[tuple[str, int], dict[str | None, Function[Call]]] = {}
    for one in functions:
        for method in one.methods:
            known = found.setdefault((method, len(one.parts)), {})
            known.update((word, one) for word in _choices(one))
    return found


_FUNCTIONS: Mapping[tuple[str, int], Choices] = _table(TABLE)


def find(method: str, depth: int, query: Mapping[str, str]) -> Function[Call]:
    """`depth`: how much of volume, bucket and key the path names. Raises `OzoneProblem`."""
    choices = _FUNCTIONS.get((method, depth))
    if choices is None:
        allowed = ", ".join(known for known, place in _FUNCTIONS if place == depth)
        raise OzoneProblem(
            "methodNotAllowed", f"That is called by {allowed}.", [("allow", allowed)]
        )
    word = query.get("info") if len(choices) > 1 else None
    found = choices.get(word)
    if found is None:
        known = " or ".join(sorted(one for one in choices if one is not None))
        raise OzoneProblem("invalidQueryParam", f'The parameter "info" is not {known}.')
    return found
