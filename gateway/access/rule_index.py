"""Which of many rules count for a question: by what they ask for, not one after the other.

For each fact that conditions ask for there is an index, which tells from the fact which rules
it leaves. What all of them leave is what counts; conditions that are functions are then asked,
each once for all rules that have it. Sets of rules are bitsets; the first rule is the highest
bit, which is found at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.access.network_index import NetworkIndex
from gateway.access.pattern_index import Bitset, PatternIndex
from gateway.access.rule_conditions import (
    KEY,
    AddressWithin,
    FactMatches,
    address_of,
    parts_of,
)
from gateway.access.rules import Question, Rule, RuleCondition

Known = FactMatches | AddressWithin


class RuleIndex:
    """Rules of one effect."""

    __slots__ = ("_all", "_by_facts", "_by_key", "_functions", "_keyless", "_rules", "_without")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules, self._all = rules[::-1], (1 << len(rules)) - 1
        self._functions: list[Sequence[RuleCondition]] = []
        self._without: dict[int, Bitset] = {}
        """The rules that do not have a function, by its `id`."""
        asked: dict[tuple[object, int], dict[int, Known]] = {}
        for number, rule in enumerate(self._rules):
            known, functions = _sorted(rule)
            self._functions.append(functions)
            for one in functions:
                self._without[id(one)] = self._without.get(id(one), self._all) & ~(1 << number)
            for place, condition in known.items():
                asked.setdefault(place, {})[number] = condition
        parts = {place: _Part(conditions, self._all) for place, conditions in asked.items()}
        self._by_key = [part for (subject, _), part in parts.items() if subject == KEY]
        self._by_facts = [part for (subject, _), part in parts.items() if subject != KEY]
        self._keyless = self._all
        for part in self._by_key:
            self._keyless &= part.others

    def first(self, question: Question) -> Rule | None:
        """The first that counts."""
        left = self._all
        for part in self._by_key:
            left &= part.find(question)
        return self._first(left, question)

    def first_for_all_keys(self, question: Question) -> Rule | None:
        """That counts whatever the key."""
        return self._first(self._keyless, question)

    def first_for_some_key(self, question: Question) -> Rule | None:
        """That may count for some key: what is asked of the key is left out of account."""
        return self._first(self._all, question)

    def _first(self, left: Bitset, question: Question) -> Rule | None:
        for part in self._by_facts:
            if not left:
                return None
            left &= part.find(question)
        held: set[int] = set()
        while left:
            number = left.bit_length() - 1
            for condition in self._functions[number]:
                if id(condition) in held:
                    continue
                if not condition(question):
                    left &= self._without[id(condition)]
                    break
                held.add(id(condition))
            else:
                return self._rules[number]
        return None


def _sorted(rule: Rule) -> tuple[dict[tuple[object, int], Known], Sequence[RuleCondition]]:
    """What a rule asks of each fact, the second time apart from the first; and its functions."""
    known: dict[tuple[object, int], Known] = {}
    functions: list[RuleCondition] = []
    conditions = [*parts_of(rule.when)]
    if rule.keys:
        conditions.append(FactMatches(fact=KEY, patterns=rule.keys, unknown=False))
    for condition in conditions:
        if isinstance(condition, FactMatches | AddressWithin):
            subject = condition.fact if isinstance(condition, FactMatches) else "address"
            known[subject, sum(one == subject for one, _ in known)] = condition
        else:
            functions.append(condition)
    return known, functions


class _Part:
    """What rules ask of one fact. `others` are those that do not."""

    __slots__ = ("_found", "_negated", "_not_found", "_read", "_unknown", "others")

    def __init__(self, conditions: Mapping[int, Known], all_: Bitset) -> None:
        one = next(iter(conditions.values()))
        self._read: Callable[[Question], Any]
        self._read = one.fact.of if isinstance(one, FactMatches) else address_of
        self.others, self._unknown, self._negated = all_, 0, 0
        for number, condition in conditions.items():
            this = 1 << number
            self.others ^= this
            self._unknown |= this if condition.unknown else 0
            self._negated |= this if condition.negated else 0
        self._unknown |= self.others
        self._found: Any = _index(conditions, negated=False)
        self._not_found: Any = _index(conditions, negated=True) if self._negated else None

    def find(self, question: Question) -> Bitset:
        """The rules that it leaves."""
        value = self._read(question)
        if value is None:
            return self._unknown
        found = self.others | self._found.find(value)
        if self._not_found is not None:
            found |= self._negated & ~self._not_found.find(value)
        left: Bitset = found
        return left


def _index(conditions: Mapping[int, Known], *, negated: bool) -> NetworkIndex | PatternIndex:
    one = next(iter(conditions.values()))
    kind: Any = NetworkIndex if isinstance(one, AddressWithin) else PatternIndex
    found: NetworkIndex | PatternIndex = kind(
        (choice, number)
        for number, condition in conditions.items()
        if condition.negated is negated
        for choice in condition.choices
    )
    return found
