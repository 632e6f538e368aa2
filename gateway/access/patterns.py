"""Patterns of keys, and which of many fit a key: by a search, not by trying each.

`*` stands for any characters, also none and "/"; `?` for one; a backslash makes the next
character stand for itself. A pattern takes time in proportion to the key, whoever wrote
it: what a `*` took is never given back (`(?>…)`, as `fnmatch` of Python's library does).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")
Fits = Callable[[str], object]

_ANY, _ONE = object(), object()
_TOKEN = re.compile(r"\\(.)|([*?])|(\\$|[^\\*?]+)", re.DOTALL)


def literal(text: str) -> str:
    """The pattern that fits this text alone."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def _tokens(pattern: str) -> list[object]:
    """Texts, `_ONE`, and `_ANY`, never twice in a row."""
    found: list[object] = []
    for escaped, wild, plain in _TOKEN.findall(pattern):
        if wild == "*":
            if not found or found[-1] is not _ANY:
                found.append(_ANY)
        elif wild:
            found.append(_ONE)
        elif found and isinstance(found[-1], str):
            found[-1] += escaped or plain
        else:
            found.append(escaped or plain)
    return found


def fits(pattern: str) -> Fits:
    """Whether a key fits, as a function: true or false. What is written most, one text with
    stars around it, is compared; the rest is an expression."""
    tokens = _tokens(pattern)
    texts = [one for one in tokens if isinstance(one, str)]
    if len(texts) == 1 and _ONE not in tokens:
        (text,) = texts
        if len(tokens) == 3:
            return lambda key: text in key
        if len(tokens) == 2:
            return _ends(text) if tokens[0] is _ANY else _begins(text)
        return text.__eq__
    return _expression(tokens)


def _begins(text: str) -> Fits:
    return lambda key: key.startswith(text)


def _ends(text: str) -> Fits:
    return lambda key: key.endswith(text)


def _expression(tokens: Iterable[object]) -> Fits:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token is _ANY:
            parts.append([])
        else:
            parts[-1].append("." if token is _ONE else re.escape(str(token)))
    first, *middle = map("".join, parts)
    if not middle:
        return re.compile(first, re.DOTALL).fullmatch
    *between, last = middle
    searched = "".join(f"(?>.*?{one})" for one in between)
    return re.compile(f"{first}{searched}.*{last}", re.DOTALL).fullmatch


class PatternIndex(Generic[V]):
    """Values by patterns. `find` gives those whose pattern fits, in no order.

    A pattern is found by the text that it begins with, or ends with where it begins with none;
    one that does neither is tried for each key.
    """

    def __init__(self, entries: Iterable[tuple[str, V]]) -> None:
        self._exact: dict[str, list[V]] = {}
        starts: dict[str, list[tuple[Fits | None, V]]] = {}
        ends: dict[str, list[tuple[Fits | None, V]]] = {}
        for pattern, value in entries:
            tokens = _tokens(pattern)
            if not tokens or (len(tokens) == 1 and isinstance(tokens[0], str)):
                self._exact.setdefault("".join(map(str, tokens)), []).append(value)
                continue
            first, last = tokens[0], tokens[-1]
            if isinstance(first, str) or not isinstance(last, str):
                begin = first if isinstance(first, str) else ""
                whole = tokens[-1] is _ANY and len(tokens) == 1 + bool(begin)
                fit = None if whole else fits(pattern)
                starts.setdefault(begin, []).append((fit, value))
            else:
                fit = None if len(tokens) == 2 and first is _ANY else fits(pattern)
                ends.setdefault(last[::-1], []).append((fit, value))
        self._starts, self._ends = _Beginnings(starts), _Beginnings(ends)

    def find(self, key: str) -> Iterator[V]:
        yield from self._exact.get(key, ())
        for fit, value in self._starts.of(key):
            if fit is None or fit(key):
                yield value
        if self._ends:
            for fit, value in self._ends.of(key[::-1]):
                if fit is None or fit(key):
                    yield value


class _Beginnings(Generic[V]):
    """Values by texts that a text may begin with.

    All beginnings of a text that are there are beginnings of the last one that does not come
    after it in order; so one search finds a chain that has them all.
    """

    def __init__(self, values: dict[str, list[V]]) -> None:
        self._texts = sorted(values)
        self._values: Sequence[list[V]] = [values[one] for one in self._texts]
        self._shorter: list[int] = []
        """For each text the place of the longest other that it begins with; -1: none."""
        chain: list[int] = []
        for place, text in enumerate(self._texts):
            while chain and not text.startswith(self._texts[chain[-1]]):
                chain.pop()
            self._shorter.append(chain[-1] if chain else -1)
            chain.append(place)

    def __bool__(self) -> bool:
        return bool(self._texts)

    def of(self, text: str) -> Iterator[V]:
        place = bisect_right(self._texts, text) - 1
        while place >= 0:
            if text.startswith(self._texts[place]):
                yield from self._values[place]
            place = self._shorter[place]
