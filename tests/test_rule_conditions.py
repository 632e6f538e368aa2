"""Conditions that are data: what they say, that an index says the same, and what that costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.evaluation import Compiled
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.pattern_index import PatternIndex
from gateway.access.rule_conditions import KEY, AddressWithin, AllOf, Fact, FactMatches
from gateway.access.rules import ANYBODY, UNKNOWN, Effect, Question, Rule, RuleCondition, Unknown
from gateway.access.ruleset import RuleSet
from tests.test_rules import ACTIONS, fitting, keys, letters, reference, whos

many = settings(deadline=None, max_examples=100)


class Known(Unknown):
    """Facts of a test."""

    def __init__(
        self, address: str = "", tls: bool | None = None, texts: Mapping[str, str] | None = None
    ) -> None:
        self.address, self.tls, self.tags = address, tls, texts or {}

    def header(self, name: str) -> str | None:
        return self.tags.get(name)

    def query(self, name: str) -> str | None:
        return self.tags.get(name)


# the reference: each condition by what its fields mean, and no index


def holds(condition: RuleCondition, question: Question) -> bool:
    match condition:
        case AllOf(conditions):
            return all(holds(one, question) for one in conditions)
        case FactMatches(fact=fact, patterns=patterns):
            text = said(fact, question)
            if text is None:
                return condition.unknown
            return any(fitting(one, text) for one in patterns) != condition.negated
        case AddressWithin(networks=networks):
            address = question.facts.address.removeprefix("::ffff:")
            if not address[:1].isdigit():
                return condition.unknown
            inside = any(ip_address(address) in one for one in networks)
            return inside != condition.negated
    return condition(question)


def said(fact: Fact, question: Question) -> str | None:
    facts = question.facts
    if fact.kind == "tls":
        return {None: None, True: "true", False: "false"}[facts.tls]
    if fact.kind == "key":
        return question.key
    assert isinstance(facts, Known)
    return facts.tags.get(fact.name)


def plainly(question: Question) -> bool:
    return question.facts.tls is False


networks = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "192.0.2.0/24", "2001:db8::/32"]
).map(ip_network)
addresses = st.sampled_from(
    ["", "unknown", "10.1.2.3", "::ffff:10.1.2.3", "10.9.9.9", "192.0.2.7", "2001:db8::1"]
)
facts_said = st.sampled_from(
    [KEY, Fact("header", "a"), Fact("query", "a"), Fact("tag", "b"), Fact("tls")]
)
matches = st.builds(
    FactMatches,
    fact=facts_said,
    patterns=st.lists(letters | st.just("true"), max_size=3).map(tuple),
    negated=st.booleans(),
    unknown=st.booleans(),
)
within = st.builds(
    AddressWithin,
    networks=st.lists(networks, max_size=3).map(tuple),
    negated=st.booleans(),
    unknown=st.booleans(),
)
single: st.SearchStrategy[RuleCondition] = matches | within | st.just(plainly)
conditions: st.SearchStrategy[RuleCondition] = st.recursive(
    single, lambda one: st.lists(one, max_size=4).map(lambda some: AllOf(tuple(some))), max_leaves=5
)
rules = st.builds(
    Rule,
    effect=st.sampled_from(["allow", "deny"]),
    who=st.just(ANYBODY) | whos,
    actions=st.frozensets(st.sampled_from(ACTIONS), min_size=1),
    keys=st.lists(letters, max_size=2).map(tuple),
    when=st.none() | conditions,
)
facts = st.builds(
    Known,
    addresses,
    st.none() | st.booleans(),
    st.dictionaries(st.sampled_from("ab"), st.text("ab/*", max_size=4)),
)
identities = st.sampled_from([ANONYMOUS, Identity(key="k1", account="one")])


@given(conditions, facts, keys)
@many
def test_a_condition_says_what_its_fields_mean(
    condition: RuleCondition, known: Known, key: str | None
) -> None:
    question = Question("read", key, known)
    assert condition(question) is holds(condition, question)


@pytest.mark.usefixtures("seconds")
@given(st.lists(rules, max_size=15), identities, st.booleans(), st.data())
@many
def test_what_is_compiled_decides_as_rule_after_rule_does(
    said: list[Rule], identity: Identity, owner: bool, data: st.DataObject
) -> None:
    compiled = Compiled(said, identity, owner=owner)
    for _ in range(4):
        known, key = data.draw(facts), data.draw(keys)
        question = Question(data.draw(st.sampled_from(ACTIONS)), key, known)
        verdict = compiled.decide(*question).verdict
        assert verdict == reference(said, identity, question, owner)
        if verdict == "allow":
            assert compiled.might(question.action, known)


@given(st.lists(rules.map(lambda one: replace(one, effect="deny")), max_size=5), facts, keys)
@many
def test_what_is_denied_for_all_keys_is_not_shown(
    said: list[Rule], known: Known, key: str | None
) -> None:
    allowed = Rule(effect="allow", who=ANYBODY, actions=frozenset(ACTIONS))
    compiled = Compiled([allowed, *said], ANONYMOUS)
    for action in ACTIONS:
        if not compiled.might(action, known):
            assert compiled.decide(action, key, known).verdict == "deny"


WORDS = ["".join(one) for size in range(1, 7) for one in product("ab", repeat=size)]


def test_an_index_finds_all_of_many_that_lie_in_one_another() -> None:
    """All words of two letters, in all places."""
    kinds: list[tuple[str, Callable[[str, str], bool]]] = [
        ("{}", str.__eq__),
        ("{}*", str.startswith),
        ("*{}", str.endswith),
        ("*{}*", str.__contains__),
    ]
    entries = [(form, fit, word) for form, fit in kinds for word in WORDS]
    index = PatternIndex((form.format(word), n) for n, (form, _, word) in enumerate(entries))
    for text in ["", *WORDS]:
        wanted = (n for n, (_, fit, word) in enumerate(entries) if fit(text, word))
        assert index.find(text) == sum(1 << n for n in wanted)


def test_of_a_long_chain_of_beginnings_just_those_count_that_the_text_has() -> None:
    index = PatternIndex(("a" * n + "*", n) for n in range(100))
    for n in range(100):
        assert index.find("a" * n + "b") == (1 << n + 1) - 1


word = st.text("ab", min_size=1, max_size=6)
several = st.builds(
    "{}{}{}{}".format, st.sampled_from(["", "*"]), word, st.sampled_from("*?"), word
)


@given(st.lists(several, max_size=30), st.lists(st.text("ab", max_size=14), max_size=8))
@many
def test_an_index_finds_patterns_of_several_parts(patterns: list[str], asked: list[str]) -> None:
    index = PatternIndex((pattern, place) for place, pattern in enumerate(patterns))
    for text in asked:
        wanted = [place for place, pattern in enumerate(patterns) if fitting(pattern, text)]
        assert index.find(text) == sum(1 << place for place in wanted)


@pytest.mark.parametrize("negated", [True, False])
@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("192.0.2.1", False), ("2001:db8::1", True),
     ("2001:db9::1", False)],
)  # fmt: skip
def test_an_address_is_looked_up_as_what_it_is(address: str, inside: bool, negated: bool) -> None:
    networks = (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    within = AddressWithin(networks=networks, negated=negated, unknown=False)
    known = Known(address)
    assert within(Question("read", "k", known)) is (inside is not negated)
    verdict = Compiled([rule(when=within)], ANONYMOUS).decide("read", "k", known).verdict
    assert verdict == ("deny" if inside is not negated else "none")


# what is asked, and how often


def rule(
    effect: Effect = "deny", keys: tuple[str, ...] = (), when: RuleCondition | None = None
) -> Rule:
    return Rule(effect=effect, who=ANYBODY, actions=frozenset(("read",)), keys=keys, when=when)


class Counted:
    """A function of its own; `asked` counts."""

    def __init__(self, answer: bool) -> None:
        self.answer, self.asked = answer, 0

    def __call__(self, question: Question) -> bool:
        self.asked += 1
        return self.answer


@pytest.mark.parametrize("answer", [True, False])
def test_a_function_is_asked_once_for_all_rules_that_have_it(answer: bool) -> None:
    shared, others = Counted(answer), [Counted(False) for _ in range(50)]
    said = [rule(when=AllOf((shared, other))) for other in others]
    Compiled(said, ANONYMOUS).decide("read", "k", UNKNOWN)
    assert shared.asked == 1
    assert {one.asked for one in others} == {int(answer)}


def test_facts_are_not_asked_for_where_no_key_fits() -> None:
    def forbidden(question: Question) -> bool:
        raise AssertionError

    class Closed(Unknown):
        @property
        def tags(self) -> Mapping[str, str]:  # type: ignore[override]  # it is lazy
            raise AssertionError

    tagged = FactMatches(fact=Fact("tag", "a"), patterns=("b",), unknown=True)
    said = [rule(keys=("secret/*",), when=AllOf((forbidden, tagged))), rule("allow", ("*",))]
    assert Compiled(said, ANONYMOUS).decide("read", "open/a", Closed()).verdict == "allow"


def test_of_several_the_first_decides() -> None:
    said = [rule(keys=("*a*",)), rule(keys=("a",)), rule(keys=("a*",)), rule(keys=("*",))]
    for number in range(len(said)):
        assert Compiled(said[number:], ANONYMOUS).decide("read", "a", UNKNOWN).rule is said[number]


def test_conditions_on_one_fact_must_all_hold() -> None:
    name = Fact("header", "a")
    some = FactMatches(fact=name, patterns=("a*",), unknown=False)
    but = FactMatches(fact=name, patterns=("ab*",), negated=True, unknown=False)
    compiled = Compiled([rule(when=AllOf((some, AllOf((but,)))))], ANONYMOUS)
    for text, denied in (("a", True), ("ab", False), ("b", False)):
        verdict = compiled.decide("read", "k", Known(texts={"a": text})).verdict
        assert verdict == ("deny" if denied else "none")


def _header(pattern: str) -> RuleCondition:
    return FactMatches(fact=Fact("header", "a"), patterns=(pattern,), unknown=False)


def _network(text: str) -> RuleCondition:
    return AddressWithin(networks=(ip_network(text),), unknown=False)


ASKED = "tenants/0777/2026/11/29/report-0000042.parquet"
KINDS: dict[str, Callable[[int], Rule]] = {
    "beginnings": lambda n: rule(keys=(f"tenants/{n + 1000}/*",)),
    "beginnings of each other": lambda n: rule(keys=(f"tenants/0{'6' * (n + 1)}*",)),
    "endings": lambda n: rule(keys=(f"*.type{n}",)),
    "words": lambda n: rule(keys=(f"*word{n}*",)),
    "words of one beginning": lambda n: rule(keys=(f"*repo{n}*",)),
    "short words": lambda n: rule(keys=(f"*{chr(200 + n)}*",)),
    "several parts": lambda n: rule(keys=(f"tenants/*/x{n}-*.parquet",)),
    "equal headers": lambda n: rule(when=_header(f"value-{n}")),
    "beginnings of headers": lambda n: rule(when=_header(f"value-{n}-*")),
    "networks": lambda n: rule(when=_network(f"10.{n // 256}.{n % 256}.0/24")),
    "keys and networks": lambda n: rule(
        keys=(f"{ASKED[: n % len(ASKED)]}*",), when=_network(f"10.{n // 256}.{n % 256}.0/24")
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_many_rules_take_as_many_steps_as_few(kind: str) -> None:
    few, many = (_steps([KINDS[kind](n) for n in range(count)]) for count in (10, 1000))
    assert many <= few + 50, "but for the logarithm of their number"


def _steps(said: list[Rule]) -> int:
    """Calls, of C too, that a decision takes which no rule brings about."""
    compiled, known = Compiled(said, ANONYMOUS), Known("192.0.2.1", None, {"a": "value"})
    compiled.decide("read", ASKED, known)  # it is put in order
    steps = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        verdict = compiled.decide("read", ASKED, known).verdict
    finally:
        sys.setprofile(before)
    assert verdict == "none"
    return steps


def test_who_is_told_the_same_has_the_same_compiled() -> None:
    said = RuleSet("sid", "owner", rules=[rule(keys=("secret/*",))])
    one, other = (Identity(key=name, account=name) for name in ("one", "other"))
    assert said.compiled(one) is said.compiled(other)
    owner = Identity(key="own", account="owner")
    assert said.compiled(owner) is not said.compiled(one)


def test_a_condition_on_keys_is_none_of_the_list_of_services() -> None:
    no = FactMatches(fact=KEY, patterns=("a/*",), negated=True, unknown=True)
    said = [rule("allow"), rule(when=no)]
    compiled = Compiled(said, ANONYMOUS)
    assert compiled.might("read", UNKNOWN)
    assert compiled.decide("read", "a/b", UNKNOWN).verdict == "allow"
    assert compiled.decide("read", "b", UNKNOWN).verdict == "deny"
