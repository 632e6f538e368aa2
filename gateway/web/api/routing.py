"""Which function a path and a method name, and what the parts of the path are.

A part is what stands between two slashes; the last one may have slashes in it where it is a
`key`. Paths come decoded, once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

C = TypeVar("C")


class NoSuchFunction(Exception):
    """No function has that path."""


class WrongMethod(Exception):
    """`allowed` are the methods of those that have it."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


class _Route(NamedTuple, Generic[C]):
    pattern: re.Pattern[str]
    function: Function[C]


class Routing(Generic[C]):
    def __init__(self, table: Iterable[Function[C]]) -> None:
        self._routes = [_Route(_pattern(one), one) for one in table]

    def find(self, method: str, path: str) -> tuple[Function[C], dict[str, str]]:
        """`path` without the slash in front. Raises `NoSuchFunction` and `WrongMethod`."""
        allowed: dict[str, None] = {}
        for pattern, function in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if method in function.methods:
                return function, match.groupdict()
            allowed.update(dict.fromkeys(function.methods))
        if allowed:
            raise WrongMethod([*allowed])
        raise NoSuchFunction


_PART = re.compile(r"\{(\w+)\}")


def _pattern(function: Function[Any]) -> re.Pattern[str]:
    named = {one.name: one for one in function.parts}
    text = re.escape(function.path).replace(r"\{", "{").replace(r"\}", "}")
    return re.compile(_PART.sub(lambda match: _group(named[match[1]]), text), re.DOTALL)


def _group(part: Parameter) -> str:
    return f"(?P<{part.name}>{'.+' if part.kind == 'key' else '[^/]+'})"
