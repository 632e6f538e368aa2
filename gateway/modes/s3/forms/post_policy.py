"""The policy of a form: what its signer lets others upload. Parsed, and then asked.

Every field but the file, the policy and the signature itself must stand in a condition, and
one must be about the bucket; fields that begin with `x-ignore-` are for the page itself.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from gateway.modes.s3 import wire
from gateway.modes.s3.problems import S3Problem

_UNCOVERED = frozenset({"file", "policy", "x-amz-signature", "signature", "awsaccesskeyid"})
"""Fields that need no condition; the last two are those of signature version 2."""

_EXPIRATION = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]+)?Z")
"""In UTC: AWS refuses other offsets."""


class FieldCondition(NamedTuple):
    """`operation` is eq or starts-with; `text` is how it was written."""

    operation: str
    field: str
    value: str
    text: str

    def holds(self, found: str | None) -> bool:
        if found is None:
            return False
        if self.operation == "eq":
            return found == self.value
        # A list of content types must be one of such that all fit.
        many = found.split(",") if self.field == "content-type" else [found]
        return all(one.strip(" ").startswith(self.value) for one in many)


class PostPolicy(NamedTuple):
    """`expiration` in milliseconds since the epoch; `sizes` are the (least, most) bytes that
    a file may have."""

    expiration: int
    conditions: tuple[FieldCondition, ...]
    sizes: tuple[tuple[int, int], ...]

    def check(self, bucket: str, fields: Mapping[str, str], now_ms: int) -> None:
        """Raise AccessDenied unless it allows these fields. Sizes are for who reads the file."""
        if self.expiration < now_ms:
            raise expired()
        covered = {one.field for one in self.conditions}
        for name in fields:
            if name not in covered and name not in _UNCOVERED and not _ignored(name):
                raise _denied(f"Extra input fields: {name}")
        if "bucket" not in covered:
            raise _denied("Extra input fields: bucket")
        for one in self.conditions:
            if not one.holds(bucket if one.field == "bucket" else fields.get(one.field)):
                raise _failed(one.text)


def _ignored(name: str) -> bool:
    return name.startswith("x-ignore-")


def parse(text: str) -> PostPolicy:
    """From base64, as it was signed. Raises InvalidPolicyDocument, and AccessDenied for a
    condition that nothing can fulfil."""
    document = _document(text)
    for name in document:
        if name not in ("expiration", "conditions"):
            raise _invalid(f"Unexpected: '{name.lower()}'")
    if "expiration" not in document:
        raise _invalid("Policy missing expiration.")
    if "conditions" not in document:
        raise _invalid("Policy missing conditions.")
    listed = document["conditions"]
    if not isinstance(listed, list):
        raise _invalid("Invalid 'conditions' value: must be a List.")
    found = [_condition(one) for one in listed]
    return PostPolicy(
        _expiration(document["expiration"]),
        tuple(one for one in found if isinstance(one, FieldCondition)),
        tuple(one for one in found if not isinstance(one, FieldCondition)),
    )


def _document(text: str) -> dict[str, Any]:
    text = text.strip()
    if not text:
        raise _invalid("Expecting '{' but found End-of-Input")
    try:
        data = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("invalid Base64 encoding.") from None
    try:
        found = json.loads(data.decode(), object_pairs_hook=wire.unrepeated)
    except (ValueError, RecursionError):
        raise _not_json() from None
    if not isinstance(found, dict):
        raise _not_json()
    return found


def _expiration(found: object) -> int:
    if not isinstance(found, str):
        raise _not_json()
    try:
        match = _EXPIRATION.fullmatch(found)
        if match is not None:
            return int(datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError:
        pass
    raise _invalid(f"Invalid 'expiration' value: '{found}'")


def _condition(found: object) -> FieldCondition | tuple[int, int]:
    if isinstance(found, dict):
        return _simple(found)
    if not isinstance(found, list):
        raise _invalid("Invalid condition test: must be a List or Object.")
    if not found:
        raise _invalid("Invalid Condition: missing operation identifier.")
    operation = found[0].lower() if isinstance(found[0], str) else found[0]
    if operation not in ("eq", "starts-with", "content-length-range"):
        raise _invalid(f"Invalid Condition: unknown operation '{found[0]}'.")
    if len(found) != 3:
        raise _invalid(f"Invalid {operation}: wrong number of arguments.")
    if operation == "content-length-range":
        return _bytes(found[1]), _bytes(found[2])
    text = json.dumps(found, ensure_ascii=False)
    name, value = found[1], _scalar(found[2])
    if not isinstance(name, str):
        raise _not_json()
    if len(name) < 2 or not name.startswith("$"):
        raise _failed(text)
    return FieldCondition(operation, name[1:].lower(), value, text)


def _simple(found: dict[str, Any]) -> FieldCondition:
    if len(found) != 1:
        raise _invalid(
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
        )
    name, value = next(iter(found.items()))
    if value is None:
        raise _not_json()
    if not isinstance(value, str):
        raise _invalid("Invalid Simple-Condition: value must be a string.")
    text = json.dumps(["eq", f"${name}", value], ensure_ascii=False)
    return FieldCondition("eq", name.lower(), value, text)


def _scalar(found: object) -> str:
    if isinstance(found, bool) or not isinstance(found, (str, int, float)):
        raise _not_json()
    return str(found)


def _bytes(found: object) -> int:
    """A number, which may be text. Raises for one below 0."""
    text = _scalar(found)
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        raise _not_json()
    return int(text)


def expired() -> S3Problem:
    return _denied("Policy expired.")


def _failed(condition: str) -> S3Problem:
    return _denied(f"Policy Condition failed: {condition}")


def _denied(text: str) -> S3Problem:
    return S3Problem("AccessDenied", f"Invalid according to Policy: {text}")


def _invalid(text: str) -> S3Problem:
    return S3Problem("InvalidPolicyDocument", f"Invalid Policy: {text}")


def _not_json() -> S3Problem:
    return _invalid("Invalid JSON.")
