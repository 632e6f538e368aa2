"""Rules and their evaluation, beside an evaluator that was written apart from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access import actions
from gateway.access.actions import ALL, OF_VERSION, POLICY, Action
from gateway.access.evaluation import Compiled
from gateway.access.grants import GRANTS, Grant
from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.access.pattern_index import PatternIndex
from gateway.access.patterns import fits, literal
from gateway.access.rules import (
    ANYBODY,
    AUTHENTICATED,
    EVERYONE,
    UNKNOWN,
    Effect,
    Facts,
    Limits,
    Question,
    Rule,
    Unknown,
    Untouched,
    Who,
)
from gateway.access.ruleset import RuleSet
from gateway.storage import ObjectInfo

many = settings(deadline=None, max_examples=100)
ACTIONS: tuple[Action, ...] = ("read", "write", "list", "remove-policy", "read-policy")

# the reference: one rule after the other, and no form but the rules themselves


def fitting(pattern: str, key: str) -> bool:
    """By trying all that a star may stand for."""
    if not pattern:
        return not key
    first, rest = pattern[0], pattern[1:]
    if first == "*":
        return any(fitting(rest, key[n:]) for n in range(len(key) + 1))
    if first == "\\" and rest:
        first, rest = rest[0], rest[1:]
        return key[:1] == first and fitting(rest, key[1:])
    return bool(key) and first in ("?", key[0]) and fitting(rest, key[1:])


def meant(who: Who, identity: Identity, effect: Effect) -> bool:
    whole = identity.access in ("own", "admin")
    names = {EVERYONE}
    if identity.account and (whole or effect == "deny" or who.others):
        names |= {identity.account, AUTHENTICATED}
    found = bool(names & who.accounts) or (bool(identity.key) and identity.key in who.keys)
    return found != who.others


def counts(rule: Rule, identity: Identity, question: Question) -> bool:
    return (
        meant(rule.who, identity, rule.effect)
        and question.action in rule.actions
        and (
            not rule.keys
            or (question.key is not None and any(fitting(one, question.key) for one in rule.keys))
        )
        and (rule.when is None or rule.when(question))
    )


def reference(rules: Iterable[Rule], identity: Identity, question: Question, owner: bool) -> str:
    if owner and question.action in POLICY:
        return "allow"
    effects = {one.effect for one in rules if counts(one, identity, question)}
    return "deny" if "deny" in effects else "allow" if effects else "none"


class Known(Unknown):
    """Facts of a test: an address, and whether by TLS."""

    def __init__(self, address: str, tls: bool) -> None:
        self.address, self.tls = address, tls


def inside(question: Question) -> bool:
    return question.facts.address.startswith("10.")


def plainly(question: Question) -> bool:
    return question.facts.tls is False


def short(question: Question) -> bool:
    return question.key is not None and len(question.key) < 3


letters = st.text("ab/*?\\", max_size=6)
keys = st.none() | st.text("ab/*?", max_size=6)
whos = st.builds(
    Who,
    accounts=st.frozensets(st.sampled_from(["one", "two", EVERYONE, AUTHENTICATED]), max_size=2),
    keys=st.frozensets(st.sampled_from(["k1", "k2"]), max_size=2),
    others=st.booleans(),
)
rules = st.builds(
    Rule,
    effect=st.sampled_from(["allow", "deny"]),
    who=whos,
    actions=st.frozensets(st.sampled_from(ACTIONS), min_size=1),
    keys=st.lists(letters, max_size=3).map(tuple),
    when=st.sampled_from([None, None, inside, plainly, short]),
)
accesses: st.SearchStrategy[KeyAccess] = st.sampled_from(
    ["own", "admin", "read-all", "write-all", {"sid": "read"}, {"sid": "admin"}, {}]
)
identities = st.just(ANONYMOUS) | st.builds(
    Identity,
    key=st.sampled_from(["k1", "k2", "k3"]),
    account=st.sampled_from(["one", "two", "three"]),
    access=accesses,
)
facts = st.builds(Known, st.sampled_from(["10.0.0.1", "192.0.2.1", ""]), st.booleans())


@pytest.mark.usefixtures("seconds")
@given(st.lists(rules, max_size=12), identities, st.booleans(), st.data())
@many
def test_what_is_compiled_decides_as_rule_after_rule_does(
    said: list[Rule], identity: Identity, owner: bool, data: st.DataObject
) -> None:
    compiled = Compiled(said, identity, owner=owner)
    for _ in range(8):
        known: Facts = data.draw(facts)
        question = Question(data.draw(st.sampled_from(ACTIONS)), data.draw(keys), known)
        verdict, rule = compiled.decide(*question)
        assert verdict == reference(said, identity, question, owner)
        if verdict == "none":
            assert rule is None
        else:
            assert rule is not None
            assert rule.effect == verdict
            assert rule.name == "owner" or counts(rule, identity, question)
        if question.action in compiled.always:
            assert verdict == "allow"
        if question.action in compiled.never:
            assert verdict == "deny"


@pytest.mark.usefixtures("seconds")
@given(st.lists(rules, max_size=8), identities, facts, keys)
@many
def test_what_is_allowed_for_a_key_might_be(
    said: list[Rule], identity: Identity, known: Facts, key: str | None
) -> None:
    """But for conditions on keys: they are asked about none."""
    said = [one for one in said if one.when is not short]
    compiled = Compiled(said, identity)
    for action in ACTIONS:
        if compiled.decide(action, key, known).verdict == "allow":
            assert compiled.might(action, known)


@given(letters, st.text("ab/*?\\", max_size=8))
@many
def test_a_pattern_fits_what_its_signs_say(pattern: str, key: str) -> None:
    assert bool(fits(pattern)(key)) is fitting(pattern, key)
    if "\\" not in pattern:
        assert fitting(pattern, key) is fnmatchcase(key, pattern)


@given(st.text(max_size=8), st.text(max_size=8))
@many
def test_a_literal_fits_itself_alone(text: str, other: str) -> None:
    assert fits(literal(text))(text)
    assert bool(fits(literal(text))(other)) is (text == other)


@given(st.lists(letters, max_size=20), st.lists(st.text("ab/*?\\", max_size=8), max_size=8))
@many
def test_an_index_finds_all_that_fit(patterns: list[str], asked: list[str]) -> None:
    index = PatternIndex((pattern, place) for place, pattern in enumerate(patterns))
    for key in asked:
        wanted = [place for place, pattern in enumerate(patterns) if fitting(pattern, key)]
        assert index.find(key) == sum(1 << place for place in wanted)


def test_no_pattern_takes_longer_than_it_must() -> None:
    """A search that goes back would not end within anybody's life."""
    pattern = "*a" * 60 + "*c"
    assert not fits(pattern)("a" * 1000 + "b")
    assert fits(pattern)("a" * 1000 + "c")


# denials, owners, limited keys


def rule(effect: Effect, *does: Action, who: Who = ANYBODY, keys: tuple[str, ...] = ()) -> Rule:
    return Rule(effect=effect, who=who, actions=frozenset(does), keys=keys)


OWNER = Identity(key="k", account="photos")


def verdict(said: RuleSet, identity: Identity, action: Action, key: str | None = "a/b") -> str:
    return said.compiled(identity).decide(action, key, UNKNOWN).verdict


def test_a_denial_counts_for_the_owner_too_and_never_for_the_policy_itself() -> None:
    said = RuleSet("sid", "photos", rules=[rule("deny", *ALL)])
    for action in ALL:
        wanted = "allow" if action in POLICY else "deny"
        assert verdict(said, OWNER, action) == wanted
        assert verdict(said, Identity(key="root", account="root", access="admin"), action) == "deny"
        limited = Identity(key="l", account="photos", access={"sid": "admin"})
        assert verdict(said, limited, action) == "deny", "it does not act for its account"


def test_an_account_that_is_denied_is_denied_by_all_of_its_keys() -> None:
    who = Who(accounts=frozenset(("photos",)))
    said = RuleSet("sid", "root", rules=[rule("deny", "read", who=who)])
    for access in ("own", "read-all", "admin", {"sid": "read"}):
        identity = Identity(key="k", account="photos", access=access)  # type: ignore[arg-type]  # one of them
        assert verdict(said, identity, "read") == "deny"
    other = Identity(key="k", account="others", access="read-all")
    assert verdict(said, other, "read") == "allow"


def test_what_is_given_to_an_account_is_not_given_to_its_limited_keys() -> None:
    who = Who(accounts=frozenset(("photos",)))
    said = RuleSet("sid", "root", rules=[rule("allow", "write", who=who)])
    assert verdict(said, OWNER, "write") == "allow"
    limited = Identity(key="l", account="photos", access="read-all")
    assert verdict(said, limited, "write") == "none"
    named = RuleSet("sid", "root", rules=[rule("allow", "write", who=Who(keys=frozenset("l")))])
    assert verdict(named, limited, "write") == "allow", "it is meant itself"


def test_the_same_key_with_another_access_is_another_identity() -> None:
    """Configurations change; what was compiled for the key before must not count."""
    said = RuleSet("sid", "root", rules=[rule("deny", "write", keys=("a/*",))])
    assert (
        verdict(said, Identity(key="k", account="a", access="write-all"), "write", "b") == "allow"
    )
    assert verdict(said, Identity(key="k", account="a", access="read-all"), "write", "b") == "none"


def test_rules_are_compiled_once_for_an_identity() -> None:
    said = RuleSet("sid", "root", [Grant(EVERYONE, "read")])
    assert said.compiled(OWNER) is said.compiled(OWNER)
    alone = RuleSet("sid", "photos")
    assert alone.compiled(OWNER) is RuleSet("other", "photos").compiled(OWNER)


def test_what_has_a_name_for_versions_is_an_action_of_its_own() -> None:
    assert {*OF_VERSION, *OF_VERSION.values()} <= ALL
    assert actions.of("read", "v") == "read-version"
    assert actions.of("read", None) == "read"
    assert actions.of("write", "v") == "write"


@pytest.mark.parametrize("setting", sorted(one for one in ALL if one.startswith("write-")))
def test_what_can_be_written_can_be_read(setting: Action) -> None:
    if setting != "write-new-acl":  # the list is then the object's
        assert re.sub("^write", "read", setting) in ALL


# what limits others


GIVEN = [Grant(EVERYONE, "read"), Grant("bob", "read")]
BOB, STRANGER = Identity(key="b", account="bob"), Identity(key="s", account="stranger")


@pytest.mark.parametrize(
    ("grants", "bob", "stranger"),
    [("all", "allow", "allow"), ("named", "allow", "none"), ("none", "none", "none")],
)
def test_grants_count_as_far_as_the_narrowest_limit_lets_them(
    grants: Literal["all", "named", "none"], bob: str, stranger: str
) -> None:
    limits = [Limits(), Limits(grants=grants), Limits()]
    said = RuleSet("sid", "photos", GIVEN, limits)
    assert (verdict(said, BOB, "list"), verdict(said, STRANGER, "list")) == (bob, stranger)
    assert verdict(said, OWNER, "list") == "allow"
    kept = {GRANTS: [[EVERYONE, "read"], ["bob", "read"]]}
    info = ObjectInfo(key="k", size=0, etag="e", modified=1, owner="writer", attributes=kept)
    assert ("read" in said.given_by(info, BOB)) is (bob == "allow")
    assert ("read" in said.given_by(info, STRANGER)) is (stranger == "allow")
    writer = Identity(key="w", account="writer")
    assert ("write-acl" in said.given_by(info, writer)) is (grants != "none")


def test_a_public_rule_closes_all_that_others_have_where_there_must_be_none() -> None:
    public = Rule(effect="allow", who=ANYBODY, actions=frozenset(("read",)), public=True)
    other = rule("allow", "list", who=Who(accounts=frozenset(("bob",))))
    for said, closed in (
        (RuleSet("sid", "photos", GIVEN, [public, other]), False),
        (RuleSet("sid", "photos", GIVEN, [other, Limits(public=False)]), False),
        (RuleSet("sid", "photos", GIVEN, [public, other, Limits(public=False)]), True),
    ):
        info = ObjectInfo(key="k", size=0, etag="e", modified=1, owner="bob")
        assert (verdict(said, BOB, "list") == "none") is closed
        assert (said.given_by(info, BOB) == frozenset()) is closed
        assert verdict(said, OWNER, "list") == "allow"
        operator = Identity(key="o", account="ops", access="read-all")
        assert verdict(said, operator, "list") == "allow", "by what its key may do"
    nobodys = RuleSet("sid", "", (), [public, Limits(public=False)])
    assert verdict(nobodys, ANONYMOUS, "read") == "none", "nobody owns it"


def test_the_object_is_looked_at_only_by_rules_that_are_left_to_decide() -> None:
    class Looked(Untouched):
        times = 0

        @property
        def tags(self) -> Mapping[str, str]:  # type: ignore[override]  # counted
            self.times += 1
            return {"class": "open"}

    def opened(question: Question) -> bool:
        return question.target.tags.get("class") == "open"

    said = [
        Rule(effect="allow", who=ANYBODY, actions=frozenset(("read",)), keys=("a/*",), when=opened),
        rule("deny", "read", keys=("b/*",)),
    ]
    compiled, target = Compiled(said, OWNER), Looked()
    assert compiled.decide("read", "b/1", UNKNOWN, OWNER, target).verdict == "deny"
    assert compiled.decide("read", "c/1", UNKNOWN, OWNER, target).verdict == "none"
    assert target.times == 0
    assert compiled.decide("read", "a/1", UNKNOWN, OWNER, target).verdict == "allow"
    assert target.times == 1
