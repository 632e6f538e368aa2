"""Patterns of keys and of other texts.

`*` stands for any characters, also none and "/"; `?` for one; a backslash makes the next
character stand for itself. A pattern takes time in proportion to the key, whoever wrote
it: what a `*` took is never given back (`(?>…)`, as `fnmatch` of Python's library does). To make
one takes little, too: only one that has a `?` becomes an expression, and that when it is first
asked, for those who write many have them all made whatever is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

Fits = Callable[[str], object]

ANY, ONE = object(), object()
_TOKEN = re.compile(r"\\(.)|([*?])|(\\$|[^\\*?]+)", re.DOTALL)


def literal(text: str) -> str:
    """The pattern that fits this text alone."""
    return re.sub(r"([\\*?])", r"\\\1", text)


def tokens_of(pattern: str) -> list[object]:
    """Texts, `ONE`, and `ANY`, never twice in a row. The pattern of the empty text has none."""
    found: list[object] = []
    for escaped, wild, plain in _TOKEN.findall(pattern):
        if wild == "*":
            if not found or found[-1] is not ANY:
                found.append(ANY)
        elif wild:
            found.append(ONE)
        elif found and isinstance(found[-1], str):
            found[-1] += escaped or plain
        else:
            found.append(escaped or plain)
    return found


def fits(pattern: str) -> Fits:
    """Whether a key fits, as a function: true or false. What is written most, one text with
    stars around it, is compared; texts with stars between them are looked for."""
    tokens = tokens_of(pattern)
    texts = [one for one in tokens if isinstance(one, str)]
    if len(texts) == 1 and ONE not in tokens:
        (text,) = texts
        if len(tokens) == 3:
            return lambda key: text in key
        if len(tokens) == 2:
            return _ends(text) if tokens[0] is ANY else _begins(text)
        return text.__eq__
    return _looked_for(tokens) if len(texts) > 1 and ONE not in tokens else _expression(tokens)


def _begins(text: str) -> Fits:
    return lambda key: key.startswith(text)


def _ends(text: str) -> Fits:
    return lambda key: key.endswith(text)


def _looked_for(tokens: list[object]) -> Fits:
    """Each text is taken where it first is: what is behind it is the most that there can be."""
    first = "" if tokens[0] is ANY else str(tokens[0])
    last = "" if tokens[-1] is ANY else str(tokens[-1])
    between = [
        one for one in tokens[bool(first) : len(tokens) - bool(last)] if isinstance(one, str)
    ]

    def found(key: str) -> bool:
        place, end = len(first), len(key) - len(last)
        if place > end or not (key.startswith(first) and key.endswith(last)):
            return False
        for text in between:
            place = key.find(text, place, end)
            if place < 0:
                return False
            place += len(text)
        return True

    return found


def _expression(tokens: Iterable[object]) -> Fits:
    @cache
    def made() -> Fits:
        return _compiled(tokens)

    def fit(key: str) -> object:
        return made()(key)

    return fit


def _compiled(tokens: Iterable[object]) -> Fits:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token is ANY:
            parts.append([])
        else:
            parts[-1].append("." if token is ONE else re.escape(str(token)))
    first, *middle = map("".join, parts)
    if not middle:
        return re.compile(first, re.DOTALL).fullmatch
    *between, last = middle
    searched = "".join(f"(?>.*?{one})" for one in between)
    return re.compile(f"{first}{searched}.*{last}", re.DOTALL).fullmatch
