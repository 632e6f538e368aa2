"""May this be done? Rules, what is known of the request, and who asks → the answer.

A denial counts before any allowance, and where no rule says anything nothing is allowed.
The one exception: who acts for the account that owns a service may always look at its policy,
replace it and remove it (`actions.POLICY`).

Rules are compiled once for an identity: most actions are then allowed whatever the key and
the facts, or denied so, and only for the rest is anything looked at. Nothing here has state,
but for what was compiled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from gateway.access.actions import POLICY, Action, Actions
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.rule_index import RuleIndex
from gateway.access.rules import ANYBODY, UNTOUCHED, Facts, Question, Rule, Target

Verdict = Literal["allow", "deny", "none"]


class Decision(NamedTuple):
    """`none`: no rule says anything of it. `rule` is the one that decided."""

    verdict: Verdict
    rule: Rule | None = None


_NONE = Decision("none")
OWNERS = Rule(effect="allow", who=ANYBODY, actions=POLICY, name="owner")
"""What decides where an owner looks at the policy, or changes it."""


class Compiled:
    """The rules of a service, for one identity."""

    __slots__ = ("_allowed", "_denied", "_looks", "always", "never")

    def __init__(self, rules: Iterable[Rule], identity: Identity, *, owner: bool = False) -> None:
        """`owner`: the identity acts for the account that owns the service."""
        allows: dict[Action, list[Rule]] = {}
        denies: dict[Action, list[Rule]] = {}
        for rule in rules:
            if rule.who.includes(identity, rule.effect):
                place = allows if rule.effect == "allow" else denies
                for action in rule.actions:
                    place.setdefault(action, []).append(rule)
        self._allowed: dict[Action, Rule] = dict.fromkeys(POLICY, OWNERS) if owner else {}
        self._denied: dict[Action, Rule] = {}
        self._looks: dict[Action, _Look] = {}
        for action in allows.keys() | denies.keys():
            if action not in self._allowed:
                self._sort(action, denies.get(action, ()), allows.get(action, ()))
        self.always: Actions = frozenset(self._allowed)
        """What is allowed whatever the key and the facts."""
        self.never: Actions = frozenset(self._denied)
        """What is denied so."""

    def _sort(self, action: Action, denies: Sequence[Rule], allows: Sequence[Rule]) -> None:
        denied = next((one for one in denies if one.plain), None)
        allowed = next((one for one in allows if one.plain), None)
        if denied is not None:
            self._denied[action] = denied
        elif allowed is not None and not denies:
            self._allowed[action] = allowed
        else:
            self._looks[action] = _Look(denies, (allowed,) if allowed else allows)

    def decide(
        self,
        action: Action,
        key: str | None,
        facts: Facts,
        identity: Identity = ANONYMOUS,
        target: Target = UNTOUCHED,
        folded: bool = False,
    ) -> Decision:
        """`identity` is the one that asks: others of whom the rules say the same have these
        rules, too."""
        look = self._looks.get(action)
        if look is not None:
            return look.decide(Question(action, key, facts, identity, target, folded))
        if action in self._allowed:
            return Decision("allow", self._allowed[action])
        if action in self._denied:
            return Decision("deny", self._denied[action])
        return _NONE

    def might(self, action: Action, facts: Facts, identity: Identity = ANONYMOUS) -> bool:
        """Whether these rules may allow it for some key. Where it is not sure, it says yes."""
        look = self._looks.get(action)
        if look is None:
            return action in self._allowed
        return look.might(Question(action, None, facts, identity))


class _Look:
    """What there is to look at for one action. It is put in order when it is first needed:
    many rules name many actions, few of which are asked for."""

    __slots__ = ("_allows", "_denies", "_indexed")

    def __init__(self, denies: Sequence[Rule], allows: Sequence[Rule]) -> None:
        self._denies, self._allows = denies, allows
        self._indexed: tuple[RuleIndex, RuleIndex] | None = None

    def _index(self) -> tuple[RuleIndex, RuleIndex]:
        self._indexed = RuleIndex(self._denies), RuleIndex(self._allows)
        return self._indexed

    def decide(self, question: Question) -> Decision:
        denies, allows = self._indexed or self._index()
        rule = denies.first(question)
        if rule is not None:
            return Decision("deny", rule)
        rule = allows.first(question)
        return _NONE if rule is None else Decision("allow", rule)

    def might(self, question: Question) -> bool:
        denies, allows = self._indexed or self._index()
        return (
            denies.first_for_all_keys(question) is None
            and allows.first_for_some_key(question) is not None
        )
