"""Conditions that evaluation knows from inside, so that a thousand are as fast as one.

A condition is what answers for a question (`rules.RuleCondition`). What policies say most is
said by these, which are data: an index is made of them (`rule_index`). All else is a function,
which is called. Each of these can be called, too, and answers the same.

Facts may be unknown, or not be there. `unknown` is the answer then, and every language says it:
what has an effect because something is not known must be a denial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from gateway.access.network_index import Address, Network, parsed
from gateway.access.patterns import fits
from gateway.access.rules import Facts, Question, RuleCondition


class Fact(NamedTuple):
    """What is known as text: the `key` (or prefix) that is asked for; the value of a `header`
    or of a `query` parameter; the `tag` of that name that an object is to get; `tls`, "true"
    or "false"; `country`; `referer`, the host of the page that led here, in lower case, "" where
    what the client says is no address."""

    kind: Literal["key", "header", "query", "tag", "tls", "country", "referer"]
    name: str = ""

    def of(self, question: Question) -> str | None:
        """None: it is unknown, or not there."""
        if self.kind == "key":
            return question.key
        return _READ[self.kind](question.facts, self.name)


def _tls(facts: Facts, _: str) -> str | None:
    return None if facts.tls is None else str(facts.tls).lower()


def _referer(facts: Facts, _: str) -> str | None:
    said = facts.header("referer")
    if said is None:
        return None
    try:
        return (urlsplit(said).hostname or "").rstrip(".")
    except ValueError:
        return ""


_READ: Mapping[str, Callable[[Facts, str], str | None]] = {
    "header": lambda facts, name: facts.header(name),
    "query": lambda facts, name: facts.query(name),
    "tag": lambda facts, name: facts.tags.get(name),
    "tls": _tls,
    "country": lambda facts, _: facts.country,
    "referer": _referer,
}
KEY = Fact("key")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactMatches:
    """Whether one of `patterns` fits the fact (see `patterns`); `negated`: whether none does."""

    fact: Fact
    patterns: tuple[str, ...]
    negated: bool = False
    unknown: bool

    @property
    def choices(self) -> tuple[str, ...]:
        return self.patterns

    def __call__(self, question: Question) -> bool:
        text = self.fact.of(question)
        if text is None:
            return self.unknown
        return any(fits(one)(text) for one in self.patterns) is not self.negated


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressWithin:
    """Whether the client's address is in one of `networks`; `negated`: whether in none."""

    networks: tuple[Network, ...]
    negated: bool = False
    unknown: bool

    @property
    def choices(self) -> tuple[Network, ...]:
        return self.networks

    def __call__(self, question: Question) -> bool:
        address = address_of(question)
        if address is None:
            return self.unknown
        return any(address in one for one in self.networks) is not self.negated


def address_of(question: Question) -> Address | None:
    return parsed(question.facts.address)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Whether all of them hold."""

    conditions: tuple[RuleCondition, ...]

    def __call__(self, question: Question) -> bool:
        return all(one(question) for one in self.conditions)


def parts_of(condition: RuleCondition | None) -> Iterator[RuleCondition]:
    """Those of which all must hold."""
    if isinstance(condition, AllOf):
        for one in condition.conditions:
            yield from parts_of(one)
    elif condition is not None:
        yield condition
