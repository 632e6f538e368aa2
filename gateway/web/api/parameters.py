"""A function's parameters: what a value may be, how it is read, and what is said of it.

Documents, tests and who reads a request have the same `Parameter`.
Parameters that nobody declares are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gateway.modes import KEY_LIMIT
from gateway.storage import BadKey

Kind = Literal["text", "path", "integer", "boolean"]


class Unfit(Exception):
    """A parameter is missing, or not what it may be. The message is for the client."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.message, self.missing = message, missing


class Parameter(NamedTuple):
    """`least` and `most` bound an integer. `example` is what documents show."""

    name: str
    about: str
    kind: Kind = "text"
    required: bool = False
    default: str | int | None = None
    least: int = 0
    most: int = 0
    example: str = ""


def path(given: str) -> str:
    """One leading slash is dropped. Raises `BadKey`."""
    key = given[1:] if given.startswith("/") else given
    if not key or len(key.encode()) > KEY_LIMIT:
        raise BadKey(f"A path has 1 to {KEY_LIMIT} bytes of UTF-8.", key=key)
    return key


def _integer(given: str, parameter: Parameter) -> int:
    if given.isascii() and given.isdigit() and len(given) <= 19:
        number = int(given)
        if parameter.least <= number <= parameter.most:
            return number
    raise wrong(parameter.name, f"a whole number from {parameter.least} to {parameter.most}")


def _boolean(given: str, parameter: Parameter) -> bool:
    if given in _TRUTH:
        return _TRUTH[given]
    raise wrong(parameter.name, " or ".join(f"`{one}`" for one in _TRUTH))


_TRUTH = {"true": True, "false": False}
_READ: Mapping[Kind, Callable[[str, Parameter], Any]] = {
    "text": lambda given, _: given,
    "path": lambda given, _: path(given),
    "integer": _integer,
    "boolean": _boolean,
}


def wrong(name: str, right: str) -> Unfit:
    return Unfit(f'The parameter "{name}" is not {right}.')


def read(parameters: Sequence[Parameter], query: Mapping[str, str]) -> dict[str, Any]:
    """The values by name, defaults too. Raises `Unfit` and `BadKey`."""
    values: dict[str, Any] = {}
    for one in parameters:
        given = query.get(one.name)
        if not given and one.required:
            raise Unfit(f'The parameter "{one.name}" is missing.', missing=True)
        values[one.name] = one.default if given is None else _READ[one.kind](given, one)
    return values
