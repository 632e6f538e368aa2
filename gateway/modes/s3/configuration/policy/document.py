"""The policy of a bucket as a document: read, checked, and made a setting of the bucket.

What a policy allows counts for all objects of its bucket, also for those that others own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.access.access import Access
from gateway.access.rules import Rule, Who
from gateway.access.settings import SettingKind
from gateway.modes import Gateway
from gateway.modes.s3 import wire
from gateway.modes.s3.configuration import public_access_block
from gateway.modes.s3.configuration.policy import actions as s3_actions
from gateway.modes.s3.configuration.policy import conditions, principals
from gateway.modes.s3.configuration.policy import resources as s3_resources
from gateway.modes.s3.configuration.policy.problems import Place, malformed
from gateway.modes.s3.configuration.policy.statements import BucketPolicy, Statement
from gateway.modes.s3.configuration.setting import BucketSetting, fitting, of_text

LARGEST = 20 << 10
"""Bytes, white space between words left out (Amazon S3 User Guide, "Bucket policies")."""

_VARIABLES_SINCE = "2012-10-17"
_VERSIONS = (_VARIABLES_SINCE, "2008-10-17")
_SYNTAX = "Syntax errors in policy"
_ELEMENTS = frozenset(("Version", "Id", "Statement"))
_OF_STATEMENT = frozenset(
    f"{negation}{name}" for name in ("Principal", "Action", "Resource") for negation in ("", "Not")
) | {"Sid", "Effect", "Condition"}


def parse(data: bytes) -> BucketPolicy:
    """Raises MalformedPolicy."""
    found = _loaded(data)
    _only(found, _ELEMENTS, "Policy")
    version = found.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise malformed("The policy must contain a valid version string", "Version", version)
    if not isinstance(found.get("Id", ""), str):
        raise malformed(_SYNTAX, "Id", found["Id"])
    if "Statement" not in found:
        raise malformed("Missing required field Statement", "Policy")
    listed = found["Statement"] if isinstance(found["Statement"], list) else [found["Statement"]]
    if not all(listed) or not listed:
        raise malformed("Could not parse the policy: Statement is empty!", "Statement")
    statements = [
        _statement(one, f"Statement[{number}]", variables=version == _VARIABLES_SINCE)
        for number, one in enumerate(listed)
    ]
    _distinct(one.sid for one in statements)
    return BucketPolicy(data, tuple(statements))


def _loaded(data: bytes) -> Mapping[str, Any]:
    if not data.startswith(b"{"):
        raise malformed(
            "Policies must be valid JSON and the first byte must be '{'", "byte 0", data[:1]
        )
    try:
        found = json.loads(
            data.decode(), object_pairs_hook=wire.unrepeated, parse_constant=_no_constant
        )
        size = len(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode())
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise malformed("This policy contains invalid Json", place) from None
    except (ValueError, RecursionError) as error:  # half a surrogate, too
        raise malformed("This policy contains invalid Json", str(error)[:200]) from None
    if size > LARGEST:
        raise malformed("The policy exceeds the maximum allowed document size", f"{LARGEST} bytes")
    loaded: Mapping[str, Any] = found
    return loaded


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no value")


def _only(found: Mapping[str, Any], names: frozenset[str], place: Place) -> None:
    for name in found:
        if name not in names:
            raise malformed(f"Unknown field {name}", place)


def _distinct(sids: Iterable[str]) -> None:
    named = [one for one in sids if one]
    if len(set(named)) != len(named):
        raise malformed("Statement IDs (SID) in a single policy must be unique.", "Sid")


def _statement(found: Any, place: Place, *, variables: bool) -> Statement:
    if not isinstance(found, Mapping):
        raise malformed(_SYNTAX, place, found)
    _only(found, _OF_STATEMENT, place)
    sid = found.get("Sid", "")
    if not isinstance(sid, str):
        raise malformed(_SYNTAX, f"{place}.Sid", sid)
    denies = _denies(found, place)
    who = _who(found, place, denies)
    name, patterns = _names(found, "Action", place)
    s3_actions.check(patterns, f"{place}.{name}")
    about, resources = _names(found, "Resource", place)
    actions = patterns if name == "Action" else ()
    return Statement(
        place=place,
        sid=sid,
        effect="deny" if denies else "allow",
        who=who,
        actions=actions,
        words=s3_actions.meant(patterns, negated=name != "Action"),
        resources=s3_resources.parsed(
            resources, f"{place}.{about}", negated=about != "Resource", variables=variables
        ),
        conditions=conditions.parsed(
            found.get("Condition", {}),
            f"{place}.Condition",
            actions,
            denies=denies,
            variables=variables,
        ),
    )


def _denies(found: Mapping[str, Any], place: Place) -> bool:
    if "Effect" not in found:
        raise malformed("Missing required field Effect", place)
    effect = found["Effect"]
    if effect not in ("Allow", "Deny"):
        raise malformed(f"Invalid effect: {effect}", f"{place}.Effect")
    return bool(effect == "Deny")


def _who(found: Mapping[str, Any], place: Place, denies: bool) -> Who:
    name = _either(found, "Principal", place)
    if name != "Principal" and not denies:
        raise malformed("Allow with NotPrincipal is not allowed.", f"{place}.{name}")
    return principals.parsed(found[name], f"{place}.{name}", others=name != "Principal")


def _names(found: Mapping[str, Any], name: str, place: Place) -> tuple[str, tuple[str, ...]]:
    """Which of the two is there, and the texts that it lists."""
    name = _either(found, name, place)
    listed = found[name] if isinstance(found[name], list) else [found[name]]
    if not listed or not all(isinstance(one, str) and one for one in listed):
        kind = name.removeprefix("Not").lower()
        raise malformed(f"Policy has invalid {kind}", f"{place}.{name}", found[name])
    return name, tuple(listed)


def _either(found: Mapping[str, Any], name: str, place: Place) -> str:
    there = [one for one in (name, f"Not{name}") if one in found]
    if not there:
        raise malformed(f"Missing required field {name}", place)
    if len(there) > 1:
        raise malformed(_SYNTAX, place, " and ".join(there))
    return there[0]


def _rules(policy: BucketPolicy, bucket: str) -> Iterable[Rule]:
    for one in policy.statements:
        yield from one.rules(bucket)


def _render(policy: BucketPolicy) -> bytes:
    return policy.document


def _fits(gateway: Gateway, access: Access, policy: BucketPolicy) -> None:
    policy.check(access.service.sid)
    block = gateway.obeyed(access, public_access_block.SETTING.kind)
    if block is not None:
        block.of_policy(policy)


_EXAMPLE = """\
{
 "Version": "2012-10-17",
 "Statement": [
  {
   "Effect": "Allow",
   "Principal": "*",
   "Action": "s3:GetObject",
   "Resource": "arn:aws:s3:::BUCKET/public/*"
  }
 ]
}
"""


SETTING: BucketSetting[BucketPolicy] = BucketSetting(
    SettingKind(
        name="policy",
        read="read-policy",
        write="write-policy",
        remove="remove-policy",
        parse=of_text(parse),
        rules=_rules,
        fits=fitting(_fits),
        example=_EXAMPLE,
    ),
    _render,
    "NoSuchBucketPolicy",
    "MalformedPolicy",
)
