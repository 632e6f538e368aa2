"""Operators of conditions: how a value of a request is compared with one of a policy.

"IAM JSON policy elements: Condition operators" (IAM User Guide). A value that is not of an
operator's kind fits nothing; in a policy it is refused.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from ipaddress import IPv4Network, IPv6Network, ip_network
from operator import eq, ge, gt, le, lt
from typing import Any, NamedTuple

from gateway.access.network_index import parsed as address
from gateway.access.patterns import fits
from gateway.modes.s3.configuration.policy.keys import find
from gateway.modes.s3.configuration.policy.problems import Place, malformed
from gateway.modes.s3.configuration.policy.text import Text, Values, fits_text, text
from gateway.storage.folding import lower
from gateway.web.http_fields import parse_date

Matches = Callable[[str, Values], bool]
"""Whether a request's value fits one of the policy's, which may have variables."""

Prepare = Callable[[str, bool], Matches]
"""Of a policy's value, and whether it may have variables. Raises ValueError."""

_ARN_FIELDS = 6
_NUMBER = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_INVALID_IP = "Invalid IP address in Conditions"


class Operator(NamedTuple):
    """`folded`: the same whatever the case, where it can be asked of names."""

    name: str
    prepare: Prepare
    negated: bool = False
    folded: Prepare | None = None


def prepared(
    operator: Operator, key: str, values: tuple[str, ...], place: Place, *, variables: bool
) -> tuple[Matches, ...]:
    """Raises MalformedPolicy."""
    if key == "aws:sourceip":  # whatever it is compared by
        for value in values:
            _check_address(value, place)
    try:
        return tuple(operator.prepare(one, variables) for one in values)
    except ValueError as error:
        message = _INVALID_IP if "Ip" in operator.name else "Syntax errors in policy"
        raise malformed(message, place, error) from None


def _check_address(value: str, place: Place) -> None:
    try:
        ip_network(value, strict=False)
    except ValueError:
        raise malformed(_INVALID_IP, place, value) from None


def _text(written: str, variables: bool, *, wild: bool) -> Text:
    found = text(written, wild=wild, variables=variables)
    for one in found.variables:
        if find(one.key) is None:
            raise ValueError(f"${{{one.key}}}")
    return found


def _string(written: str, variables: bool) -> Matches:
    return _fitting(_text(written, variables, wild=False))


def _like(written: str, variables: bool) -> Matches:
    return _fitting(_text(written, variables, wild=True))


def _fitting(wanted: Text) -> Matches:
    if not wanted.variables:
        fit = fits(wanted.widest)
        return lambda value, _: bool(fit(value))

    def matches(value: str, values: Values) -> bool:
        pattern = wanted.pattern(values)
        return pattern is not None and fits_text(pattern, value)

    return matches


def _string_folded(written: str, variables: bool) -> Matches:
    return _whatever_case(_text(written, variables, wild=False))


def _like_folded(written: str, variables: bool) -> Matches:
    return _whatever_case(_text(written, variables, wild=True))


def _whatever_case(wanted: Text) -> Matches:
    def matches(value: str, values: Values) -> bool:
        pattern = wanted.pattern(values)
        return pattern is not None and fits_text(lower(pattern), lower(value))

    return matches


def _number(written: str) -> Decimal:
    if not _NUMBER.fullmatch(written):
        raise ValueError(written)
    return Decimal(written)


def _date(written: str) -> Decimal:
    """Milliseconds. Dates are ISO 8601, or seconds since the epoch."""
    if _NUMBER.fullmatch(written):
        return Decimal(written) * 1000
    found = parse_date(written)
    if found is None:
        raise ValueError(written)
    return Decimal(found)


def _ordered(read: Callable[[str], Decimal], compare: Callable[[Any, Any], bool]) -> Prepare:
    def prepare(written: str, _: bool) -> Matches:
        wanted = read(written)

        def matches(value: str, _: Values) -> bool:
            try:
                return compare(read(value), wanted)
            except (ValueError, InvalidOperation):
                return False

        return matches

    return prepare


def _bool(written: str, _: bool) -> Matches:
    wanted = written.lower()
    if wanted not in ("true", "false"):
        raise ValueError(written)
    return lambda value, _: value.lower() == wanted


def _binary(written: str, _: bool) -> Matches:
    b64decode(written, validate=True)
    return lambda value, _: value == written


def _network(written: str, _: bool) -> Matches:
    wanted: IPv4Network | IPv6Network = ip_network(written, strict=False)

    def matches(value: str, _: Values) -> bool:
        found = address(value)
        return found is not None and found in wanted

    return matches


def _arn(written: str, variables: bool) -> Matches:
    """Field by field: a star does not go beyond the colon."""
    fields = written.split(":", _ARN_FIELDS - 1)
    if len(fields) != _ARN_FIELDS and written != "*":
        raise ValueError(written)
    wanted = [_like(one, variables) for one in fields]

    def matches(value: str, values: Values) -> bool:
        found = value.split(":", len(wanted) - 1)
        return len(found) == len(wanted) and all(
            fit(one, values) for fit, one in zip(wanted, found, strict=True)
        )

    return matches


def _pair(
    name: str, negation: str, prepare: Prepare, folded: Prepare | None = None
) -> tuple[Operator, Operator]:
    return Operator(name, prepare, False, folded), Operator(negation, prepare, True, folded)


BY_NAME: Mapping[str, Operator] = {
    one.name: one
    for one in (
        *_pair("StringEquals", "StringNotEquals", _string, _string_folded),
        *_pair("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", _string_folded),
        *_pair("StringLike", "StringNotLike", _like, _like_folded),
        *_pair("NumericEquals", "NumericNotEquals", _ordered(_number, eq)),
        Operator("NumericLessThan", _ordered(_number, lt)),
        Operator("NumericLessThanEquals", _ordered(_number, le)),
        Operator("NumericGreaterThan", _ordered(_number, gt)),
        Operator("NumericGreaterThanEquals", _ordered(_number, ge)),
        *_pair("DateEquals", "DateNotEquals", _ordered(_date, eq)),
        Operator("DateLessThan", _ordered(_date, lt)),
        Operator("DateLessThanEquals", _ordered(_date, le)),
        Operator("DateGreaterThan", _ordered(_date, gt)),
        Operator("DateGreaterThanEquals", _ordered(_date, ge)),
        Operator("Bool", _bool),
        Operator("BinaryEquals", _binary),
        *_pair("IpAddress", "NotIpAddress", _network),
        *_pair("ArnEquals", "ArnNotEquals", _arn),
        *_pair("ArnLike", "ArnNotLike", _arn),
        Operator("Null", _bool),
    )
}
