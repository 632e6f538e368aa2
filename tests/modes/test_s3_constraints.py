"""What is a word, a flag, a number or a date to S3 is one here, or refused: on every operation
that has such a member, as a header and as a parameter of the query alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.modes.s3 import constraints, model
from gateway.modes.s3.constraints import Constraint
from tests.modes import model_scenes
from tests.modes.model_requests import Mode, Params, members
from tests.modes.s3_gateway import small_gateway

FREE = {
    "Expires": "kept, and said again, as the text that it is",
    "ResponseExpires": "said as the text that it is",
    "ContentLength": "bodies have one rule for it, with or without framing",
    "IfModifiedSince": "of a read: what is no date is no condition (RFC 9110 §13.1.3)",
    "IfUnmodifiedSince": "of a read: what is no date is no condition (RFC 9110 §13.1.4)",
}
"""Members that are dates or numbers in the model, and take any text."""

NOT_HERE = {
    "ServerSideEncryption": {"aws:fsx", "aws:backup"},
    "StorageClass": {
        "AWS_BACKUP_LOW_COST_WARM",
        "AWS_BACKUP_WARM",
        "EXPRESS_ONEZONE",
        "FSX_ONTAP",
        "FSX_OPENZFS",
        "OUTPOSTS",
        "SNOW",
    },
}
"""Words of the model that are refused: there is nothing here that they could mean."""

WRONG = {
    "PartNumber": ["", "0", "10001", "-1", "1.5", "１"],
    "MaxKeys": ["", "-1", "1e3", "2147483648"],
    "MaxBuckets": ["0", "10001"],
    "IfMatchSize": ["", "-1", "0x10"],
    "ServerSideEncryption": ["", "aes256", *NOT_HERE["ServerSideEncryption"]],
    "StorageClass": ["standard", "SNOW"],
    "BucketKeyEnabled": ["", "1"],
    "ObjectLockRetainUntilDate": ["2030-13-01T00:00:00Z", "tomorrow"],
    "ObjectAttributes": ["etag", "ETag,Size"],
    "ChecksumAlgorithm": ["CRC64"],
    "FetchOwner": ["1"],
}
"""Beside `perhaps`, which no member takes."""


@pytest.fixture(scope="module")
def mode() -> Iterator[Mode]:
    gateway = small_gateway()
    try:
        yield Mode(gateway)
    finally:
        gateway.close()


def _place(shape: Any) -> tuple[str, bool]:
    """(name, whether it is in the query)"""
    where = shape.serialization.get("location", "body")
    return shape.serialization.get("name", "").lower(), where == "querystring"


def _constrained(shape: Any) -> bool:
    if shape.serialization.get("location") not in ("header", "querystring"):
        return False
    inner = shape.member if shape.type_name == "list" else shape
    return bool(getattr(inner, "enum", ())) or inner.type_name not in ("string", "list", "map")


def _rows(operation: str) -> dict[str, Any]:
    """The constrained members of an operation that are not refused whatever they say."""
    refused = model.OPERATIONS[operation].refused
    return {
        name: shape
        for name, shape in members(operation).items()
        if _constrained(shape) and name not in FREE and name not in refused
    }


def _constraint(name: str, shape: Any) -> Constraint:
    (found,) = (
        one
        for one in constraints.TABLE.get(name, ())
        if (one.name.lower(), one.query) == _place(shape)
    )
    return found


@pytest.mark.parametrize("operation", model.OPERATIONS)
def test_every_constrained_member_has_a_constraint_that_takes_its_words(operation: str) -> None:
    for name, shape in _rows(operation).items():
        known = shape.member.enum if shape.type_name == "list" else getattr(shape, "enum", ())
        one = _constraint(name, shape)
        assert {word for word in known if not one.fits(word)} == (
            NOT_HERE.get(name, set()) if known else set()
        ), name


def test_every_constraint_is_of_a_member() -> None:
    rows = {name for operation in model.OPERATIONS for name in _rows(operation)}
    assert set(constraints.TABLE) == rows
    every = {name for operation in model.OPERATIONS for name in members(operation)}
    assert set(FREE) < every
    assert {*WRONG, *NOT_HERE} <= rows


@pytest.mark.parametrize("operation", model.OPERATIONS)
def test_what_is_none_of_its_words_is_refused_wherever_it_stands(
    mode: Mode, operation: str
) -> None:
    scene = model_scenes.scene(mode, operation)
    for member, shape in _rows(operation).items():
        one = _constraint(member, shape)
        params = {name: value for name, value in scene.params.items() if name != member}
        for text in ["perhaps", *WRONG.get(member, ())]:
            sent = text.encode().decode("latin-1")
            problem = one.refusal(one.name, text)
            ways: list[tuple[Params, Params, Params]] = [(params, {}, {one.name: text})]
            if not one.query:
                ways.append((scene.params, {one.name: sent}, {}))
            for given, headers, query in ways:
                heard = mode.call(operation, given, headers, query)
                assert (heard.code, heard.message) == (problem.code, problem.message), (
                    one.name,
                    text,
                    heard,
                )


def test_what_is_not_there_and_what_one_may_not_is_said_first(mode: Mode) -> None:
    wrong = {"x-amz-checksum-mode": "perhaps"}
    there = {"Bucket": mode.bucket(), "Key": "k"}
    assert mode.call("GetObject", there, wrong).code == "InvalidRequest"
    assert mode.call("GetObject", there, wrong, key="other-key").code == "AccessDenied"
    assert mode.call("GetObject", there, wrong, key="").code == "AccessDenied"
    nowhere = {"Bucket": "no-such-bucket", "Key": "k"}
    assert mode.call("GetObject", nowhere, wrong).code == "NoSuchBucket"
    most = {"max-buckets": "0"}
    assert mode.call("ListBuckets", {}, query=most).code == "InvalidArgument"
    assert mode.call("ListBuckets", {}, query=most, key="").code == "AccessDenied"
