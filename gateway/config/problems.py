"""What is wrong with a configuration: collected, so that all of it is said at once.

No message shows a secret: `shown` is used for values that may be shown, and
fields typed `Secret` are never given to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, Final, NamedTuple

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 80
_MOST = 50


class Bad(Enum):
    BAD = "bad"


BAD: Final = Bad.BAD
"""Stands for a value whose problem was reported."""


class ConfigProblem(NamedTuple):
    """`place` as the file's own notation writes it: `services.thumbs.max_size`."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class ConfigurationError(Exception):
    """The configuration or the environment is wrong; `problems` are all that were found."""

    def __init__(self, problems: Sequence[ConfigProblem], source: str = "") -> None:
        self.problems, self.source = tuple(problems), source
        super().__init__(self._text())

    def _text(self) -> str:
        where = f" in {self.source}" if self.source else ""
        if len(self.problems) == 1:
            return f"{self.problems[0]}{f' ({self.source})' if self.source else ''}"
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"{len(self.problems)} problems{where}:{lines}"


class Problems(list[ConfigProblem]):
    def add(self, place: str, message: str) -> None:
        self.append(ConfigProblem(place, message))

    def refused(self, kind: type[Any], place: str, error: ValueError) -> None:
        """A dataclass did not take its values; `"option: why"` names the option."""
        option, colon, why = str(error).partition(": ")
        if colon and option in {one.name for one in fields(kind)}:
            self.add(join(place, option), f"{why}.")
        else:
            self.add(place, f"{error}.")


def join(place: str, name: str) -> str:
    """The place of an option in a table; a name that TOML must quote is quoted."""
    shown_name = name if _BARE.fullmatch(name) else f'"{name}"'
    return f"{place}.{shown_name}" if place else shown_name


def shown(value: object) -> str:
    """A value that is no secret, as TOML writes it, shortened."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str):
        text = f'"{value}"'
    elif isinstance(value, dict):
        text = "a table"
    elif isinstance(value, list):
        text = "a list"
    else:
        text = str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def names(known: Iterable[str]) -> str:
    """All, or as many as anybody reads."""
    found = list(known)
    more = f", … ({len(found)} in all)" if len(found) > _MOST else ""
    return (", ".join(found[:_MOST]) or "none") + more
