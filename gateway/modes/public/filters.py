"""Whom a binding lets in by where they come from: rules made of its options, which the one
evaluator decides by. They ask nothing of keys, so all is decided before anything is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.access.evaluation import Compiled
from gateway.access.identity import ANONYMOUS
from gateway.access.rule_conditions import Fact, FactMatches
from gateway.access.rules import ANYBODY, Rule

NONE = "none"
"""In place of a host: a request that says of no page that led to it."""

_HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_COUNTRY = re.compile("[A-Z]{2}")
_READING = Rule(effect="allow", who=ANYBODY, actions=frozenset(("read",)), name="binding")


def compiled(options: Any) -> Compiled | None:
    """None where the options let everybody in. Raises `ValueError`."""
    rules = [_denial(one) for one in _conditions(options)]
    return Compiled([_READING, *rules], ANONYMOUS) if rules else None


def _denial(when: FactMatches) -> Rule:
    return Rule(
        effect="deny", who=ANYBODY, actions=_READING.actions, when=when, name=when.fact.kind
    )


def _conditions(options: Any) -> Iterator[FactMatches]:
    """What is unknown counts against who asks, but for a page that led here: browsers often say
    of none."""
    allowed = _hosts("referers", options.referers)
    denied = _hosts("referers_deny", options.referers_deny)
    referer = Fact("referer")
    if allowed:
        yield FactMatches(fact=referer, patterns=allowed, negated=True, unknown=False)
    if options.referers_deny:
        unknown = NONE in options.referers_deny
        yield FactMatches(fact=referer, patterns=denied, unknown=unknown)
    for name, negated in (("countries_allow", True), ("countries_deny", False)):
        codes = _countries(name, getattr(options, name))
        if codes:
            country = Fact("country")
            yield FactMatches(fact=country, patterns=codes, negated=negated, unknown=True)


def _hosts(option: str, given: Sequence[str]) -> tuple[str, ...]:
    """Patterns: each with what is below it."""
    found: list[str] = []
    for text in given:
        host = text.lower()
        if not _HOST.fullmatch(host):
            raise ValueError(f'{option}: "{text}" is no host, as "www.example.com", and not "none"')
        if host != NONE:
            found += [host] if host.startswith("*.") else [host, f"*.{host}"]
    return tuple(found)


def _countries(option: str, given: Sequence[str]) -> tuple[str, ...]:
    codes = tuple(text.upper() for text in given)
    for code in codes:
        if not _COUNTRY.fullmatch(code):
            raise ValueError(f'{option}: "{code}" is no country, as "CH" (ISO 3166-1 alpha-2)')
    return codes
