"""A function's parameters: what a value may be, how it is read, and what is said of it.

Documents, tests and who reads a request have the same `Parameter`, be it in a query, in a path,
or a member of a body. What nobody declares of a query is ignored by `read`, and refused
by `read_all` and `read_members`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from gateway.modes import KEY_LIMIT
from gateway.storage import BadKey
from gateway.web.request_head import whole_number

Kind = Literal["text", "path", "key", "integer", "boolean", "flag", "texts", "object"]


class Unfit(Exception):
    """A parameter is missing, or not what it may be. The message is for the client."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.message, self.missing = message, missing


class UnfitMember(Unfit):
    """The same of a member of a body in JSON."""


class Parameter(NamedTuple):
    """`least` and `most` bound an integer, the characters of a text and the number of `texts`
    (a list, in bodies alone, as an `object` is); `values` are the only ones, `pattern` is what a
    whole text looks like. A `path` is a file's, a `key` an object's as it is, a `flag` is 1 where
    something is to be done. `example` is what documents show: of an object, in JSON."""

    name: str
    about: str
    kind: Kind = "text"
    required: bool = False
    default: str | int | None = None
    least: int = 0
    most: int = 0
    example: str = ""
    pattern: str = ""
    values: tuple[str, ...] = ()

    @property
    def right(self) -> str:
        """What a value has to be, in words."""
        if self.values:
            return f"one of {', '.join(self.values)}"
        if self.kind == "integer":
            return f"a whole number from {self.least} to {self.most}"
        if self.kind == "boolean":
            return " or ".join(f"`{one}`" for one in _TRUTH)
        if self.kind == "flag":
            return " or ".join(f"`{one}`" for one in _FLAGS)
        if self.kind == "object":
            return "an object"
        if self.kind == "key":
            return f"a text of 1 to {KEY_LIMIT} bytes of UTF-8"
        if self.kind == "texts":
            return f"a list of {self.least} to {self.most} texts"
        like = f" like {self.pattern}" if self.pattern else ""
        return f"a text of {self.least} to {self.most} characters{like}" if self.most else "a text"

    @property
    def sample(self) -> Any:
        """The example as it is in JSON."""
        if self.kind in ("integer", "flag"):
            return int(self.example)
        if self.kind == "boolean":
            return _TRUTH[self.example]
        if self.kind == "object":
            return json.loads(self.example)
        return self.example.split() if self.kind == "texts" else self.example


def samples(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """What documents show: those that are needed, or have an example."""
    return {one.name: one.sample for one in parameters if one.required or one.example}


def path(given: str) -> str:
    """One leading slash is dropped. Raises `BadKey`."""
    return key(given[1:] if given.startswith("/") else given, "path")


def is_key(given: str) -> bool:
    return 0 < len(given.encode()) <= KEY_LIMIT


def key(given: str, named: str = "key") -> str:
    """Raises `BadKey`."""
    if not is_key(given):
        raise BadKey(f"A {named} has 1 to {KEY_LIMIT} bytes of UTF-8.", key=given)
    return given


_TRUTH = {"true": True, "false": False}
_FLAGS = {"1": True, "0": False}
_READ: Mapping[Kind, Callable[[str], Any]] = {
    "text": str,
    "path": path,
    "key": key,
    "integer": whole_number,
    "boolean": _TRUTH.get,
    "flag": _FLAGS.get,
}


def wrong(name: str, right: str) -> Unfit:
    return Unfit(f'The parameter "{name}" is not {right}.')


def _fits(value: Any, one: Parameter) -> bool:
    """Whether a value of the right kind is one of those that are allowed."""
    if one.values and value not in one.values:
        return False
    if one.kind == "key" and not is_key(value):
        return False
    if one.pattern and re.fullmatch(one.pattern, value, re.ASCII) is None:
        return False
    if isinstance(value, bool | dict) or not one.most:
        return True
    return one.least <= (value if isinstance(value, int) else len(value)) <= one.most


def read(parameters: Sequence[Parameter], query: Mapping[str, str]) -> dict[str, Any]:
    """The values by name, defaults too. Raises `Unfit` and `BadKey`."""
    values: dict[str, Any] = {}
    for one in parameters:
        given = query.get(one.name)
        if not given and one.required:
            raise Unfit(f'The parameter "{one.name}" is missing.', missing=True)
        value = one.default
        if given is not None:
            value = _READ[one.kind](given)
            if value is None or not _fits(value, one):
                raise wrong(one.name, one.right)
        values[one.name] = value
    return values


def read_all(parameters: Sequence[Parameter], query: Mapping[str, str]) -> dict[str, Any]:
    """The same, of a query that has nothing else in it."""
    _refuse_unknown(parameters, query, Unfit, "parameter")
    return read(parameters, query)


def _refuse_unknown(
    parameters: Sequence[Parameter], given: Mapping[str, Any], kind: type[Unfit], word: str
) -> None:
    known = [one.name for one in parameters]
    for name in given:
        if name not in known:
            there = f"there are: {', '.join(known)}" if known else "there are none here"
            raise kind(f"There is no {word} {shown(name)}; {there}.")


def shown(text: str) -> str:
    """In a message: what is long is cut, and nothing breaks the line."""
    return repr(text if len(text) <= 60 else f"{text[:60]}…")


# bodies

_TYPES: Mapping[Kind, type] = {
    "text": str,
    "key": str,
    "integer": int,
    "boolean": bool,
    "flag": bool,
    "texts": list,
    "object": dict,
}


def of_texts(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """A body that has texts for numbers, flags and lists, as forms do (a list with commas), with
    what they mean; texts that mean nothing stay, for `read_members` to refuse."""
    kinds = {one.name: one.kind for one in parameters}
    return {name: _meant(value, kinds.get(name)) for name, value in given.items()}


def _meant(value: Any, kind: Kind | None) -> Any:
    if kind == "flag" and type(value) is int:
        return _FLAGS.get(str(value), value)
    if not isinstance(value, str) or kind is None:
        return value
    if kind == "texts":
        return [one.strip() for one in value.split(",")] if value else []
    read = _READ.get(kind) if kind in ("integer", "boolean", "flag") else None
    found = read(value) if read is not None else None
    return value if found is None else found


def read_members(parameters: Sequence[Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an object by name, defaults too; null stands for what is not there. Raises
    `UnfitMember`."""
    _refuse_unknown(parameters, given, UnfitMember, "member")
    values: dict[str, Any] = {}
    for one in parameters:
        value = given.get(one.name)
        if value is None and one.required:
            raise UnfitMember(f'The member "{one.name}" is missing.', missing=True)
        if value is not None and not (_is_of(value, one.kind) and _fits(value, one)):
            raise UnfitMember(f'The member "{one.name}" is not {one.right}.')
        values[one.name] = one.default if value is None else value
    return values


def _is_of(value: Any, kind: Kind) -> bool:
    if type(value) is not _TYPES[kind]:  # a bool is an int to Python, and none in JSON
        return False
    return not isinstance(value, list) or all(isinstance(one, str) for one in value)
