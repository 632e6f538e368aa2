"""Policies that are none: refused with S3's words, and where it is that they are wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.access.actions import ALL
from gateway.config import ConfigurationError, load
from gateway.modes.s3 import operations
from gateway.modes.s3.configuration.policy import document as policy
from gateway.modes.s3.configuration.policy.actions import OF_BUCKET, OF_OBJECT, WORDS
from gateway.modes.s3.configuration.policy.text import remainders
from gateway.modes.s3.problems import S3Problem
from tests.modes.s3_gateway import Served

ALLOWED: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::bucket/*",
}


def document(**changes: Any) -> bytes:
    """A policy of one statement with changes; None takes an element out."""
    found = {name: value for name, value in {**ALLOWED, **changes}.items() if value is not None}
    return json.dumps({"Version": "2012-10-17", "Statement": [found]}).encode()


def condition(operator: str, key: str, value: Any, action: Any = "s3:GetObject") -> bytes:
    return document(Action=action, Condition={operator: {key: value}})


def refusal(data: bytes) -> tuple[str, str, str]:
    """(code, message, detail)."""
    with pytest.raises(S3Problem) as caught:
        policy.parse(data).check("bucket")
    return caught.value.code, caught.value.message, caught.value.extra["Detail"]


INVALID_JSON = "This policy contains invalid Json"
FIRST_BYTE = "Policies must be valid JSON and the first byte must be '{'"
SYNTAX = "Syntax errors in policy"
PRINCIPAL, ACTION = "Invalid principal in policy", "Policy has invalid action"
RESOURCE = "Policy has invalid resource"
MISMATCH = "Action does not apply to any resource(s) in statement"
KEY = "Policy has an invalid condition key"
CONDITION = "Conditions do not apply to combination of actions and resources in statement"
ADDRESS = "Invalid IP address in Conditions"
VERSION = "The policy must contain a valid version string"
NOT_PRINCIPAL = "Allow with NotPrincipal is not allowed."
TYPE = "Invalid Condition type : {}"
AT, IN = "Statement[0]", "Statement[0].Condition"
MINE, THEIRS = "arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"
PUT_AND_GET = ["s3:PutObject", "s3:GetObject"]
ACL = "s3:x-amz-acl"
WRONG: list[tuple[bytes, str, str]] = [
    (b"", FIRST_BYTE, "byte 0"),
    (b"[]", FIRST_BYTE, "byte 0"),
    (b' {"Statement": []}', FIRST_BYTE, "byte 0"),
    (b"\xff", FIRST_BYTE, "byte 0"),
    (b'{\n "Statement": ]}', INVALID_JSON, "line 2, column 15"),
    (b'{"Statement": "\xff"}', INVALID_JSON, "utf-8"),
    (b'{"Id": "a", "Id": "b"}', INVALID_JSON, "twice"),
    (b'{"Id": NaN}', INVALID_JSON, "NaN"),
    (b'{"Id": ' + b"1" * 5000 + b"}", INVALID_JSON, "limit"),
    (b"{}", "Missing required field Statement", "Policy"),
    (b'{"Statement": []}', "Could not parse the policy: Statement is empty!", "Statement"),
    (b'{"Statement": [{}, []]}', "Could not parse the policy: Statement is empty!", "Statement"),
    (b'{"Statement": ["x"]}', SYNTAX, AT),
    (b'{"Id": 1, "Statement": [1]}', SYNTAX, "Id"),
    (b'{"Version": "2020", "Statement": [1]}', VERSION, "Version"),
    (b'{"Principal": "*", "Statement": [1]}', "Unknown field Principal", "Policy"),
    (document(Principle="*"), "Unknown field Principle", AT),
    (document(Effect=None), "Missing required field Effect", AT),
    (document(Effect="allow"), "Invalid effect: allow", f"{AT}.Effect"),
    (document(Principal=None), "Missing required field Principal", AT),
    (document(NotPrincipal="*"), SYNTAX, "Principal and NotPrincipal"),
    (document(Principal=None, NotPrincipal="*"), NOT_PRINCIPAL, "NotPrincipal"),
    (document(Principal="main"), PRINCIPAL, f"{AT}.Principal: 'main'"),
    (document(Principal=[]), PRINCIPAL, f"{AT}.Principal"),
    (document(Principal={}), PRINCIPAL, f"{AT}.Principal"),
    (document(Principal={"AWS": []}), PRINCIPAL, f"{AT}.Principal.AWS"),
    (document(Principal={"AWS": ["main", ""]}), PRINCIPAL, f"{AT}.Principal.AWS: ''"),
    (document(Principal={"AWS": 1}), PRINCIPAL, f"{AT}.Principal.AWS: '1'"),
    (document(Principal={"AWS": "arn:aws:iam::main:role/any"}), PRINCIPAL, "role/any"),
    (document(Principal={"AWS": "arn:aws:iam::main:user/*"}), PRINCIPAL, "user/*"),
    (document(Principal={"AWS": "arn:aws:iam::*:root"}), PRINCIPAL, ":*:root"),
    (document(Principal={"Federated": "accounts.google.com"}), PRINCIPAL, "Federated"),
    (document(Principal={"Service": "me"}), PRINCIPAL, "Service"),
    (document(Sid="\ud800"), INVALID_JSON, "surrogates"),
    (document(Action=None), "Missing required field Action", AT),
    (document(Action=[]), ACTION, f"{AT}.Action"),
    (document(Action=["s3:GetObject", 1]), ACTION, f"{AT}.Action"),
    (document(Action="s3:Fly"), ACTION, f"{AT}.Action: 's3:Fly'"),
    (document(Action="s3:ListAllMyBuckets"), ACTION, f"{AT}.Action"),
    (document(Action="ec2:GetObject"), ACTION, f"{AT}.Action"),
    (document(Action=None, NotAction="s3:Fly*"), ACTION, f"{AT}.NotAction: 's3:Fly*'"),
    (document(Resource=None), "Missing required field Resource", AT),
    (document(Resource="bucket/*"), RESOURCE, f"{AT}.Resource: 'bucket/*'"),
    (document(Resource="arn:aws:s3:::/bucket"), RESOURCE, f"{AT}.Resource"),
    (document(Resource=[MINE, THEIRS]), RESOURCE, f"{AT}.Resource: 'other/*'"),
    (document(Resource="arn:aws:s3:::bucket/${aws:nobody"), RESOURCE, f"{AT}.Resource"),
    (document(Resource="arn:aws:s3:::bucket"), MISMATCH, f"{AT}.Action: 's3:GetObject'"),
    (document(Action=["s3:GetObject", "s3:ListB*"]), MISMATCH, f"{AT}.Action: 's3:ListB*'"),
    (document(Condition=[]), SYNTAX, f"{AT}.Condition"),
    (document(Condition={"Bool": "true"}), SYNTAX, f"{AT}.Condition.Bool"),
    (condition("stringequals", "aws:Referer", "x"), TYPE.format("stringequals"), IN),
    (condition("NullIfExists", "aws:Referer", "true"), TYPE.format("NullIfExists"), IN),
    (condition("ForAllValues:Null", "aws:Referer", "true"), TYPE.format("ForAllValues:Null"), IN),
    (condition("For:StringEquals", "aws:Referer", "x"), TYPE.format("For:StringEquals"), IN),
    (condition("StringEquals", "s3:Fly", "x"), KEY, f"{AT}.Condition.StringEquals.s3:Fly"),
    (condition("StringEquals", "s3:ExistingObjectTag", "x"), KEY, "ExistingObjectTag"),
    (condition("StringEquals", "aws:Referer/x", "x"), KEY, "Referer/x"),
    (condition("StringEquals", "s3:prefix", "x"), CONDITION, f"{IN}.StringEquals"),
    (condition("StringEquals", ACL, "x", PUT_AND_GET), CONDITION, "x-amz-acl"),
    (condition("StringEquals", "aws:Referer", []), SYNTAX, "aws:Referer"),
    (condition("StringEquals", "aws:Referer", [["x"]]), SYNTAX, "aws:Referer"),
    (condition("StringEquals", "aws:Referer", "${aws:nobody}"), SYNTAX, "aws:nobody"),
    (condition("NumericEquals", "s3:signatureAge", "ten"), SYNTAX, "'ten'"),
    (condition("DateLessThan", "aws:CurrentTime", "tomorrow"), SYNTAX, "'tomorrow'"),
    (condition("Bool", "aws:SecureTransport", "yes"), SYNTAX, "'yes'"),
    (condition("ArnLike", "aws:PrincipalArn", "main"), SYNTAX, "'main'"),
    (condition("IpAddress", "aws:SourceIp", "300.1.1.1/40"), ADDRESS, "300.1.1.1/40"),
    (condition("Null", "aws:SourceIp", "true"), ADDRESS, "true"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_what_is_wrong_is_said_with_its_place(number: int) -> None:
    data, message, place = WRONG[number]
    code, said, detail = refusal(data)
    assert (code, said) == ("MalformedPolicy", message)
    assert place in detail


@pytest.mark.parametrize("depth", [9_000, 1_000_000])
def test_nesting_is_refused_however_deep_a_python_reads(depth: int) -> None:
    code, said, _ = refusal(b'{"Id": ' + b"[" * depth + b"]" * depth + b"}")
    assert (code, said) in (("MalformedPolicy", INVALID_JSON), ("MalformedPolicy", SYNTAX))


def test_a_policy_has_20_kib_without_white_space() -> None:
    filling = "x" * (
        policy.LARGEST - len(json.dumps(json.loads(document(Sid="")), separators=(",", ":")))
    )
    data = document(Sid=filling)
    policy.parse(data.replace(b" ", b" " * 3000)).check("bucket")
    assert refusal(document(Sid=filling + "x"))[1].startswith("The policy exceeds")


def test_names_of_statements_are_distinct() -> None:
    one = {**ALLOWED, "Sid": "a"}
    assert refusal(json.dumps({"Statement": [one, one]}).encode())[1].startswith("Statement IDs")


def test_the_answer_has_the_place_beside_the_message(s3: Served, bucket: str) -> None:
    answer = s3.raw("PUT", f"/{bucket}?policy", body=b'{"Statement": [{"Effect": "Maybe"}]}')
    assert (answer.status, answer.code()) == (400, "MalformedPolicy")
    assert b"<Message>Invalid effect: Maybe</Message>" in answer.body
    assert b"<Detail>Statement[0].Effect</Detail>" in answer.body


@pytest.mark.parametrize(
    ("pattern", "begin", "found"),
    [
        ("bucket/a*", "bucket/", {"a*"}),
        ("b*", "bucket/", {"*"}),
        ("*", "bucket/", {"*"}),
        ("b?cket/x?", "bucket/", {"x?"}),
        ("other/*", "bucket/", set()),
        ("bucket", "bucket/", set()),
        ("*t/x", "bucket/", {"*t/x", "x"}),
        ("bucket/a\\*b", "bucket/", {"a\\*b"}),
        ("*b*", "abb", {"*"}),
        ("*b" * 999, "b" * 99, {"*b" * 900}),  # of all places where one may be, the one that counts
    ],
)
def test_what_of_a_pattern_is_left_behind_a_beginning(
    pattern: str, begin: str, found: set[str]
) -> None:
    assert remainders(pattern, begin) == found


def test_every_action_of_an_operation_has_a_word() -> None:
    """Else no policy could say anything of it."""
    asked = {one.action for one in operations.TABLE if one.action not in (None, "admin")}
    said = frozenset().union(*WORDS.values())
    assert asked <= said
    assert not OF_BUCKET & OF_OBJECT
    assert ALL - said == {"admin", "flush", "read-changes", "read-requests", "read-stats"}


def test_a_declared_policy_that_is_none_is_said_at_the_start() -> None:
    tables = {
        "server": {"memory": True},
        "services": {"bucket": {"driver": "memory", "settings": {"policy": '{"Statement": [[]]}'}}},
    }
    where = r"services\.bucket\.settings\.policy: .*Statement is empty! \(Statement\)"
    with pytest.raises(ConfigurationError, match=where):
        load(tables=tables, environ={})
