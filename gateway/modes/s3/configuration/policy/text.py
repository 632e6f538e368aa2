"""Texts of a policy: with wildcards (`*`, `?`) where they stand for something, and variables.

`${aws:username}` and the like are values of condition keys, as a request has them; `${*}`,
`${?}` and `${$}` are those characters themselves. Only policies of the version 2012-10-17 have
them ("IAM policy elements: Variables and tags", IAM User Guide). What comes of a text is a
pattern as `gateway.access.patterns` has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from gateway.access.patterns import ANY, ONE, Fits, fits, literal, tokens_of

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_NAMED = re.compile(r"\s*([^\s,]+)\s*(?:,\s*'([^']*)'\s*)?")
_CHARACTERS = frozenset("*?$")

Values = Callable[[str], str | None]
"""The value that a request has for a condition key; None: it has none."""


@dataclass(frozen=True, slots=True)
class Variable:
    """`default` is what stands for it where the request has no value."""

    key: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """`parts` are patterns, and variables between them."""

    parts: tuple[str | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(one for one in self.parts if isinstance(one, Variable))

    def pattern(self, values: Values) -> str | None:
        """None: a variable has no value, and so it fits nothing."""
        found = [_of(one, values) for one in self.parts]
        return None if None in found else "".join(map(str, found))

    @property
    def widest(self) -> str:
        """The pattern that fits whatever its variables are."""
        return "".join("*" if isinstance(one, Variable) else one for one in self.parts)


def _of(part: str | Variable, values: Values) -> str | None:
    if isinstance(part, str):
        return part
    value = values(part.key)
    if value is None:
        value = part.default
    return None if value is None else literal(value)


def text(written: str, *, wild: bool, variables: bool) -> Text:
    """`wild`: stars and question marks stand for others. Raises ValueError for a variable that
    is none."""
    if not variables or "${" not in written:
        return Text((_pattern(written, wild),))
    return Text(tuple(_parts(written, wild)))


def _parts(written: str, wild: bool) -> Iterator[str | Variable]:
    position = 0
    for match in _VARIABLE.finditer(written):
        yield _pattern(written[position : match.start()], wild)
        position = match.end()
        if match[1] in _CHARACTERS:
            yield literal(match[1])
            continue
        named = _NAMED.fullmatch(match[1])
        if named is None:
            raise ValueError(match[0])
        yield Variable(named[1], named[2])
    rest = written[position:]
    if "${" in rest:
        raise ValueError(rest)
    yield _pattern(rest, wild)


def _pattern(written: str, wild: bool) -> str:
    return written.replace("\\", "\\\\") if wild else literal(written)


fitting = lru_cache(maxsize=1024)(fits)
"""`fits`, for patterns that come of a request: most come again."""


def fits_text(pattern: str, found: str) -> bool:
    fit: Fits = fitting(pattern)
    return bool(fit(found))


def remainders(pattern: str, begin: str) -> frozenset[str]:
    """Patterns of what may follow `begin` in a text that fits `pattern`."""
    atoms = list(_atoms(pattern))
    places = {0}
    for one in begin:
        behind = set(_behind(atoms, places, one))
        # What fits from an earlier place on fits from a star on, too: so there are few places.
        star = max(
            (place for place in behind if place < len(atoms) and atoms[place] is ANY), default=0
        )
        places = {place for place in behind if place >= star}
    return frozenset("".join(map(_written, atoms[place:])) for place in places)


def _atoms(pattern: str) -> Iterator[object]:
    for token in tokens_of(pattern):
        if isinstance(token, str):
            yield from token
        else:
            yield token


def _behind(atoms: list[object], places: set[int], found: str) -> Iterator[int]:
    """Where one may be in a pattern after one more character of a text."""
    for first in places:
        place = first
        while place < len(atoms) and atoms[place] is ANY:
            yield place
            place += 1
        if place < len(atoms) and (atoms[place] is ONE or atoms[place] == found):
            yield place + 1


def _written(atom: object) -> str:
    return "*" if atom is ANY else "?" if atom is ONE else literal(str(atom))
