"""What makes a statement for everybody one that is not public: a condition by which few come.

"The meaning of 'public'" (Amazon S3 User Guide, "Blocking public access to your Amazon S3
storage"): fixed values, without wildcards and variables, of keys that say who or from where.
"""

from __future__ import annotations

from ipaddress import ip_network

from gateway.modes.s3.configuration.policy.conditions import Condition
from gateway.modes.s3.configuration.policy.facts import ANONYMOUS

_OPERATORS = frozenset(
    ("StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "IpAddress")
)
_KEYS = frozenset(
    (
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceip",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "aws:username",
        "s3:dataaccesspointaccount",
        "s3:dataaccesspointarn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_WIDEST = {4: 8, 6: 32}
"""Bits that a network has to name, by version."""


def narrows(condition: Condition) -> bool:
    if (
        condition.operator.name not in _OPERATORS
        or condition.if_exists
        or condition.quantifier == "ForAllValues"
        or condition.asked.id not in _KEYS
    ):
        return False
    if condition.asked.id == "aws:sourceip":
        networks = [ip_network(one, strict=False) for one in condition.values]
        return all(one.prefixlen >= _WIDEST[one.version] for one in networks)
    if condition.asked.id == "aws:userid" and ANONYMOUS in map(str.lower, condition.values):
        return False  # that is everybody
    return not any(sign in one for one in condition.values for sign in ("*", "?", "${"))
