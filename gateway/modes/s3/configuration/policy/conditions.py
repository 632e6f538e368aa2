"""Conditions of a statement: operators, compared with what a request has.

"IAM JSON policy elements: Condition operators" (IAM User Guide). Where a request has no value
for a key, operators that ask for one do not hold, and their negations do; `…IfExists` holds.
Of what no request asked for nothing is known: there a denial's condition holds, and an
allowance's does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any, Literal, NamedTuple

from gateway.access.actions import OBJECT_ACTIONS, OF_PREFIX
from gateway.access.rule_conditions import AddressWithin, Fact, FactMatches
from gateway.access.rules import UNKNOWN, Question, RuleCondition
from gateway.modes.s3.configuration.policy import operators
from gateway.modes.s3.configuration.policy.actions import words
from gateway.modes.s3.configuration.policy.facts import OneOf
from gateway.modes.s3.configuration.policy.keys import Asked, find, value_of
from gateway.modes.s3.configuration.policy.operators import Matches, Operator
from gateway.modes.s3.configuration.policy.problems import Place, malformed
from gateway.modes.s3.configuration.policy.text import Values

_WITH_KEYS = OBJECT_ACTIONS | OF_PREFIX

Quantifier = Literal["", "ForAllValues", "ForAnyValue"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Condition:
    """Whether the request's values fit `values`, as `operator` has it. All of them are texts."""

    operator: Operator
    quantifier: Quantifier
    if_exists: bool
    asked: Asked
    values: tuple[str, ...]
    matches: tuple[Matches, ...]
    folded: tuple[Matches, ...]
    """Where keys are not told apart by case."""
    denies: bool

    def __call__(self, question: Question) -> bool:
        if question.facts is UNKNOWN:
            return self.denies
        if self.asked.key.late and question.key is None and question.action in _WITH_KEYS:
            return not self.denies  # for some key it may hold
        found = self.asked.key.read(question)
        if isinstance(found, OneOf):
            answers = {self._holds((one,), question) for one in found}
            return answers.pop() if len(answers) == 1 else self.denies
        return self._holds(found, question)

    def _holds(self, found: Sequence[str], question: Question) -> bool:
        if self.operator.name == "Null":
            return any(one.lower() == str(not found).lower() for one in self.values)
        return self._compared(found, question) if found else self._absent()

    def as_rules_have_it(self) -> RuleCondition:
        """The same as data that evaluation knows, so that what policies ask most is indexed."""
        if self.quantifier or self.if_exists:
            return self
        name, id = self.operator.name, self.asked.id
        if name == "Bool" and id == "aws:securetransport":
            wanted = tuple(one.lower() for one in self.values)
            return FactMatches(fact=Fact("tls"), patterns=wanted, unknown=self.denies)
        if name in ("IpAddress", "NotIpAddress") and id == "aws:sourceip":
            networks = tuple(ip_network(one, strict=False) for one in self.values)
            negated = self.operator.negated
            return AddressWithin(networks=networks, negated=negated, unknown=self.denies)
        return self

    def _absent(self) -> bool:
        if self.quantifier == "ForAllValues" or self.if_exists:
            return True
        return self.operator.negated and self.quantifier == ""

    def _compared(self, found: Sequence[str], question: Question) -> bool:
        matches, values = self.folded if question.folded else self.matches, value_of(question)
        fits = (self._fits(one, matches, values) for one in found)
        if self.quantifier == "ForAllValues" or (self.quantifier == "" and self.operator.negated):
            return all(fits)
        return any(fits)

    def _fits(self, value: str, matches: tuple[Matches, ...], values: Values) -> bool:
        return any(one(value, values) for one in matches) is not self.operator.negated


class _Named(NamedTuple):
    quantifier: Quantifier
    operator: Operator
    if_exists: bool


def parsed(
    written: Any, place: Place, actions: tuple[str, ...], *, denies: bool, variables: bool
) -> tuple[Condition, ...]:
    """Of a statement about `actions`, as they were written; all must hold. Raises
    MalformedPolicy."""
    if not isinstance(written, Mapping):
        raise malformed("Syntax errors in policy", place, written)
    return tuple(_parsed(written, place, actions, denies, variables))


def _parsed(
    written: Mapping[str, Any],
    place: Place,
    actions: tuple[str, ...],
    denies: bool,
    variables: bool,
) -> Iterator[Condition]:
    for name, block in written.items():
        named = _named(name, place)
        if not isinstance(block, Mapping):
            raise malformed("Syntax errors in policy", f"{place}.{name}", block)
        for key, listed in block.items():
            there = f"{place}.{name}.{key}"
            asked = _asked(key, there, actions)
            values = _values(listed, there)
            compare = operators.prepared(
                named.operator, asked.id, values, there, variables=variables
            )
            folded = named.operator.folded if asked.key.names else None
            yield Condition(
                operator=named.operator,
                quantifier=named.quantifier,
                if_exists=named.if_exists,
                asked=asked,
                values=values,
                matches=compare,
                folded=tuple(folded(one, variables) for one in values) if folded else compare,
                denies=denies,
            )


def _named(name: str, place: Place) -> _Named:
    quantifier, colon, rest = name.rpartition(":")
    base = rest.removesuffix("IfExists")
    operator = operators.BY_NAME.get(base)
    plain = base == rest and not colon
    if (
        operator is None
        or (operator.name == "Null" and not plain)
        or (colon and quantifier not in ("ForAllValues", "ForAnyValue"))
    ):
        raise malformed(f"Invalid Condition type : {name}", place)
    return _Named(quantifier, operator, base != rest)  # type: ignore[arg-type]  # one of its literals


def _asked(key: str, place: Place, actions: tuple[str, ...]) -> Asked:
    found = find(key)
    if found is None:
        raise malformed("Policy has an invalid condition key", place, key)
    about = found.key.words
    named = [one for one in actions if "*" not in one and "?" not in one]
    if about is not None and not all(words(one) <= about for one in named):
        raise malformed(
            "Conditions do not apply to combination of actions and resources in statement", place
        )
    return found


def _values(listed: Any, place: Place) -> tuple[str, ...]:
    found = tuple(_value(one, place) for one in (listed if isinstance(listed, list) else [listed]))
    if not found:
        raise malformed("Syntax errors in policy", place, listed)
    return found


def _value(one: Any, place: Place) -> str:
    if isinstance(one, bool):
        return str(one).lower()
    if isinstance(one, str | int | float):
        return str(one)
    raise malformed("Syntax errors in policy", place, one)
