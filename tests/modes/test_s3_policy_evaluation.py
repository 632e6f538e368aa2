"""Policies beside an evaluator that was written apart from them, over the documents themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.actions import Action
from gateway.access.evaluation import Compiled
from gateway.access.identity import ANONYMOUS, Identity
from gateway.access.rules import Unknown, Untouched
from gateway.modes.s3.configuration.policy.document import SETTING, parse

BUCKET = "ab"
NOW = 1_700_000_000_000
OBJECT_WORDS: Mapping[str, Action] = {
    "s3:GetObject": "read",
    "s3:PutObject": "write",
    "s3:DeleteObject": "delete",
}
BUCKET_WORDS: Mapping[str, Action] = {
    "s3:ListBucket": "list",
    "s3:GetBucketAcl": "read-grants",
}
WORDS = {**OBJECT_WORDS, **BUCKET_WORDS}


class Asked(Unknown):
    """A request of a test."""

    def __init__(self, headers: Mapping[str, str], query: Mapping[str, str], address: str) -> None:
        self._headers, self._query, self.address = headers, query, address
        self.tls: bool | None = address.startswith("10.")
        self.time: int | None = NOW

    def header(self, name: str) -> str | None:
        return self._headers.get(name)

    def query(self, name: str) -> str | None:
        return self._query.get(name)


class Tagged(Untouched):
    def __init__(self, tags: Mapping[str, str]) -> None:
        self.tags = tags


# the reference: as IAM's pages say it, one statement after the other


def like(value: str, pattern: str) -> bool:
    return fnmatchcase(value, pattern.replace("[", "[[]"))


def known(key: str, question: Mapping[str, Any]) -> list[str]:
    """The values of a condition key."""
    asked, identity, tags = question["facts"], question["who"], question["tags"]
    found = {
        "aws:SourceIp": asked.address,
        "aws:SecureTransport": str(asked.tls).lower(),
        "aws:CurrentTime": "2023-11-14T22:13:20Z",
        "aws:Referer": asked.header("referer"),
        "aws:username": identity.key or None,
        "s3:max-keys": asked.query("max-keys"),
        "s3:prefix": question["key"] or asked.query("prefix"),
        "s3:ExistingObjectTag/a": tags.get("a"),
    }[key]
    return [] if found is None else [found]


def compared(operator: str, value: str, wanted: str) -> bool:
    if operator == "StringEquals":
        return value == wanted
    if operator == "StringEqualsIgnoreCase":
        return value.lower() == wanted.lower()
    if operator == "StringLike":
        return like(value, wanted)
    if operator == "NumericLessThan":
        return value.isdigit() and int(value) < int(wanted)
    if operator == "DateLessThan":
        return datetime.fromisoformat(value) < datetime.fromisoformat(wanted)
    if operator == "Bool":
        return value == wanted
    assert operator == "IpAddress"
    return ip_address(value) in ip_network(wanted)


def holds(name: str, key: str, listed: list[str], question: Mapping[str, Any]) -> bool:
    values = known(key, question)
    if name == "Null":
        return any((one == "true") is (not values) for one in listed)
    quantifier, _, rest = name.rpartition(":")
    operator = rest.removesuffix("IfExists")
    negated = operator.startswith(("StringNot", "Not"))
    operator = operator.replace("StringNot", "String").replace("NotIp", "Ip")
    if not values:
        if quantifier == "ForAllValues" or rest.endswith("IfExists"):
            return True
        return negated and not quantifier
    (value,) = values
    return any(compared(operator, value, one) for one in listed) is not negated


def named(element: Any, identity: Identity) -> bool:
    if element == "*":
        return True
    return identity.account != "" and identity.account in element["AWS"]


def counts(one: Mapping[str, Any], question: Mapping[str, Any]) -> bool:
    word, identity = question["word"], question["who"]
    who = named(one.get("Principal", one.get("NotPrincipal")), identity) is ("Principal" in one)
    patterns = one.get("Action", one.get("NotAction"))
    action = any(like(word.lower(), text.lower()) for text in patterns) is ("Action" in one)
    name = BUCKET if word in BUCKET_WORDS else f"{BUCKET}/{question['key']}"
    texts = [
        text.removeprefix("arn:aws:s3:::").replace("${aws:username}", identity.key or "\0")
        for text in one.get("Resource", one.get("NotResource"))
    ]
    resource = any(like(name, text) for text in texts) is ("Resource" in one)
    return (
        who
        and action
        and resource
        and all(
            holds(operator, key, listed, question)
            for operator, block in one.get("Condition", {}).items()
            for key, listed in block.items()
        )
    )


def reference(statements: list[dict[str, Any]], question: Mapping[str, Any]) -> str:
    effects = {one["Effect"] for one in statements if counts(one, question)}
    return "deny" if "Deny" in effects else "allow" if effects else "none"


# policies and questions

texts = st.text("abAB/*?", max_size=4)
operators = st.sampled_from(
    ["StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase"]
)
quantified = st.builds(
    lambda quantifier, name, suffix: f"{quantifier}{name}{suffix}",
    st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]),
    operators,
    st.sampled_from(["", "", "IfExists"]),
)


def block(names: Any, keys: Any, values: Any) -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(values, min_size=1, max_size=2)
    return st.builds(lambda name, key, found: {name: {key: found}}, names, keys, listed)


def one_of(*found: str) -> st.SearchStrategy[str]:
    return st.sampled_from(found)


TAG = "s3:ExistingObjectTag/a"
flags, dates = one_of("true", "false"), one_of("2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z")
networks, sizes = one_of("10.0.0.0/8", "192.0.2.1"), one_of("5", "50")
less = one_of("NumericLessThan", "NumericLessThanIfExists")
conditions: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    block(quantified, one_of("aws:Referer", "aws:username"), texts),
    block(one_of("Null"), one_of("aws:Referer", "aws:username"), flags),
    block(one_of("IpAddress", "NotIpAddress"), one_of("aws:SourceIp"), networks),
    block(one_of("Bool"), one_of("aws:SecureTransport"), flags),
    block(one_of("DateLessThan"), one_of("aws:CurrentTime"), dates),
)
of_objects = st.one_of(
    block(quantified, one_of(TAG), texts), block(one_of("Null"), one_of(TAG), flags)
)
of_lists = st.one_of(
    block(quantified, one_of("s3:prefix"), texts), block(less, one_of("s3:max-keys"), sizes)
)
resources = st.builds(
    lambda text: f"arn:aws:s3:::{text}",
    st.one_of(
        st.sampled_from(["ab", "ab/*", "a*", "?b/a*", "*/a", "*", "ab/${aws:username}/*"]),
        texts.map(lambda text: f"ab/{text}"),
    ),
)
PATTERNS = ("s3:*", "*", "s3:get*", "s3:*Object")
ABOUT: list[tuple[tuple[str, ...], st.SearchStrategy[dict[str, Any]]]] = [
    ((*WORDS, *PATTERNS), conditions),
    ((*OBJECT_WORDS, *PATTERNS), of_objects),
    (("s3:ListBucket",), of_lists),
]


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    effect = draw(one_of("Allow", "Deny"))
    principal = draw(st.sampled_from(["*", {"AWS": ["one"]}, {"AWS": ["one", "two"]}]))
    who = draw(one_of("Principal", "NotPrincipal")) if effect == "Deny" else "Principal"
    words, when = draw(st.sampled_from(ABOUT))
    return {
        "Effect": effect,
        who: principal,
        draw(one_of("Action", "Action", "NotAction")): draw(
            st.lists(st.sampled_from(words), min_size=1, max_size=2)
        ),
        draw(one_of("Resource", "Resource", "NotResource")): draw(
            st.lists(resources, min_size=1, max_size=2)
        ),
        "Condition": draw(when),
    }


accounts = one_of("one", "two", "three")
identities = st.just(ANONYMOUS) | st.builds(Identity, key=one_of("a", "bb"), account=accounts)
maybe = st.dictionaries(st.just("referer"), texts, max_size=1)
queries = st.dictionaries(one_of("prefix", "max-keys"), one_of("a", "7", "70"))
asks = st.builds(Asked, maybe, queries, one_of("10.0.0.1", "192.0.2.1"))


@pytest.mark.usefixtures("seconds")
@given(st.lists(statements(), min_size=1, max_size=4), identities, st.data())
@settings(deadline=None, max_examples=80)
def test_a_policy_decides_as_its_statements_say(
    said: list[dict[str, Any]], who: Identity, data: st.DataObject
) -> None:
    found = parse(json.dumps({"Version": "2012-10-17", "Statement": said}).encode())
    assert SETTING.kind.rules is not None
    compiled = Compiled(SETTING.kind.rules(found, BUCKET), who)  # type: ignore[arg-type]  # no limits
    for _ in range(6):
        word, facts = data.draw(st.sampled_from([*WORDS])), data.draw(asks)
        key: str | None = data.draw(st.text("ab/", min_size=1, max_size=4))
        if word in BUCKET_WORDS:
            key = (facts.query("prefix") or "") if word == "s3:ListBucket" else None
        tags = {} if word in BUCKET_WORDS else data.draw(st.sampled_from([{}, {"a": "a"}]))
        question = {"word": word, "key": key, "who": who, "facts": facts, "tags": tags}
        verdict = compiled.decide(WORDS[word], key, facts, who, Tagged(tags)).verdict
        assert verdict == reference(said, question)
        if verdict == "allow":
            assert compiled.might(WORDS[word], facts, who)


EFFECTS = ("Allow", "Deny")


class ByTls(Unknown):
    def __init__(self, tls: bool | None, versions: tuple[str, ...]) -> None:
        self.tls: bool | None = tls
        self.tls_versions: Sequence[str] = versions


@pytest.mark.parametrize(
    ("tls", "versions", "operator", "value", "holds"),
    [
        (True, ("1.2",), "NumericLessThan", "1.3", True),
        (True, ("1.3",), "NumericLessThan", "1.3", False),
        (True, ("1.2", "1.3"), "NumericLessThan", "1.2", False),
        (True, ("1.2", "1.3"), "NumericGreaterThanEquals", "1.2", True),
        (True, ("1.2", "1.3"), "NumericLessThan", "1.3", None),
        (True, (), "NumericLessThan", "1.2", None),
        (True, ("1.2", "1.3"), "Null", "false", True),
        (False, (), "Null", "true", True),
        (False, (), "NumericLessThan", "1.2", False),
        (False, (), "NumericLessThanIfExists", "1.2", True),
        (None, (), "NumericLessThan", "1.2", None),
    ],
)
def test_what_is_unknown_of_tls_never_allows(
    tls: bool | None, versions: tuple[str, ...], operator: str, value: str, holds: bool | None
) -> None:
    """None: it is not known."""
    about = {"Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    condition = {operator: {"s3:TlsVersion": value}}
    allowed, denied = ({**about, "Effect": effect, "Condition": condition} for effect in EFFECTS)
    for statements, expected in (
        ([allowed], holds is True),
        ([denied, {**about, "Effect": "Allow"}], holds is False),
    ):
        found = parse(json.dumps({"Version": "2012-10-17", "Statement": statements}).encode())
        assert SETTING.kind.rules is not None
        compiled = Compiled(SETTING.kind.rules(found, BUCKET), ANONYMOUS)  # type: ignore[arg-type]  # no limits
        decided = compiled.decide("read", "k", ByTls(tls, versions))
        assert (decided.verdict == "allow") is expected


class FromPage(Unknown):
    def header(self, name: str) -> str | None:
        return "a" * 100 if name == "referer" else None


@pytest.mark.parametrize("value", ["*a*{}", "${{aws:Referer}}*b*{}"])
def test_no_expressions_are_made_for_those_who_ask(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """Whoever writes more patterns than are remembered has them made anew for each request."""
    compiled: list[str] = []
    monkeypatch.setattr("re.compile", lambda pattern, *_: compiled.append(pattern))
    listed = [value.format(number) for number in range(500)]
    about = {"Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    condition = {"StringLike": {"aws:Referer": listed}}
    said = {
        "Version": "2012-10-17",
        "Statement": [{**about, "Effect": "Deny", "Condition": condition}],
    }
    found = parse(json.dumps(said).encode())
    assert SETTING.kind.rules is not None
    rules = Compiled(SETTING.kind.rules(found, BUCKET), ANONYMOUS)  # type: ignore[arg-type]  # no limits
    assert rules.decide("read", "k", FromPage()).verdict == "none"
    assert not compiled
