"""The table of the S3 model is complete, and true: each member does what it says there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.modes.s3 import known_headers, model, operations
from tests.modes import model_effects, model_scenes
from tests.modes.model_requests import Mode, Params, members
from tests.modes.model_requests import model as of_aws
from tests.modes.model_scenes import Scene
from tests.modes.s3_gateway import small_gateway

ELSEWHERE = {
    ("PutBucketNotificationConfiguration", "SkipDestinationValidation"): (
        "needs a webhook that does not answer: test_s3_notification"
    ),
    ("PutBucketPolicy", "ConfirmRemoveSelfBucketAccess"): (
        "needs a key that keeps itself from the policy: test_s3_policy"
    ),
}
"""Rows that another test shows."""

NOT_HOISTED = {
    "x-amz-sdk-checksum-algorithm": "presigners name it for a body that they do not have",
}
"""Headers that have no effect in the query."""

_ALWAYS = model.EVERYWHERE


@pytest.fixture(scope="module")
def mode() -> Iterator[Mode]:
    gateway = small_gateway()
    gateway.catalog.add_encryption_key("a-key")
    try:
        yield Mode(gateway)
    finally:
        gateway.close()


def _rows(operation: str, kind: str) -> list[str]:
    one = model.OPERATIONS[operation]
    known = {*getattr(one, kind), *getattr(_ALWAYS, kind)}
    return [name for name in members(operation) if name in known]


# complete


def test_every_operation_of_the_model_is_decided() -> None:
    decided = [*model.OPERATIONS, *model.REFUSED, *model.ALSO]
    assert len(decided) == len(set(decided))
    assert set(decided) == set(of_aws().operation_names)
    assert set(model.OPERATIONS) == {one.name for one in operations.TABLE}


@pytest.mark.parametrize("operation", model.OPERATIONS)
def test_every_member_is_decided_once(operation: str) -> None:
    one = model.OPERATIONS[operation]
    own = [*one.obeyed, *one.refused, *one.ignored]
    every = {*_ALWAYS.obeyed, *_ALWAYS.ignored}
    assert len(own) == len(set(own))
    assert set(own) <= set(members(operation)), "no such member"
    assert set(members(operation)) <= {*own, *every}, "nobody has decided"
    assert not every.intersection(own)


def test_operations_that_are_others_are_told_from_them_by_nothing() -> None:
    for name, other in model.ALSO.items():
        mine, theirs = (of_aws().operation_model(one).http for one in (name, other))
        assert (mine["method"], mine["requestUri"]) == (theirs["method"], theirs["requestUri"])


def test_every_header_of_the_model_is_known() -> None:
    found = set()
    for name in of_aws().operation_names:
        for shape in members(name).values():
            header = shape.serialization.get("name", "").lower()
            if shape.serialization.get("location") == "header" and header.startswith("x-amz-"):
                found.add(header)
    of_lambda = {name for name in found if name.startswith(("x-amz-fwd-", "x-amz-request-"))}
    of_lambda.discard("x-amz-request-payer")
    assert found - of_lambda == known_headers.HEADERS


# true


def _done(
    mode: Mode, operation: str, scene: Scene, params: Params, *, hoisted: bool = False
) -> str:
    """What is answered, and what is seen afterwards if it was not an error."""
    heard = mode.call(operation, params, hoisted=hoisted)
    assert heard.status < 500 or heard.status == 501, heard
    scene.then(mode, heard)
    look = scene.look if heard.status < 400 else []
    seen = [mode.call(name, asked).told(scene.names) for name, asked in look]
    return "\n\n".join([heard.told(scene.names), *seen])


class Trial:
    """One operation: what it does as it stands, and with a member set."""

    def __init__(self, mode: Mode, operation: str) -> None:
        self._mode, self._operation = mode, operation
        self.usual = self.without()
        self._last = model_scenes.prepared(mode, operation)  # for what changes nothing

    def without(self, member: str = "") -> str:
        """In the scene of a member."""
        scene = model_scenes.prepared(self._mode, self._operation, member)
        return _done(self._mode, self._operation, scene, scene.params)

    def given(self, member: str, *, usual: bool = False, hoisted: bool = False) -> str:
        """`usual`: in the usual scene."""
        scene = model_scenes.prepared(self._mode, self._operation, "" if usual else member)
        value = model_scenes.value(self._mode, scene, self._operation, member)
        params = {**scene.params, member: value}
        return _done(self._mode, self._operation, scene, params, hoisted=hoisted)

    def shows(self, member: str, *, hoisted: bool = False) -> bool:
        plain = self.without(member) if member in model_scenes.SPECIAL else self.usual
        given = self.given(member, hoisted=hoisted)
        return model_effects.effect(self._operation, member).shows(plain, given)

    def code(self, member: str, value: object = None) -> str:
        """What is refused with it, whatever it is, or when it is `value`."""
        if member in model_scenes.SPECIAL:
            scene = model_scenes.prepared(self._mode, self._operation, member)
        else:
            scene = self._last
        if value is None:
            value = model_scenes.value(self._mode, scene, self._operation, member)
        return self._mode.call(self._operation, {**scene.params, member: value}).code


@pytest.mark.parametrize("operation", model.OPERATIONS)
def test_every_row_is_true(mode: Mode, operation: str) -> None:
    trial = Trial(mode, operation)
    assert trial.without() == trial.usual, "what is seen must be the same twice"
    obeyed = [one for one in _rows(operation, "obeyed") if (operation, one) not in ELSEWHERE]
    assert [one for one in obeyed if not trial.shows(one)] == [], "without its effect"
    ignored = _rows(operation, "ignored")
    assert [one for one in ignored if trial.given(one, usual=True) != trial.usual] == [], (
        "with an effect"
    )
    refused = model.OPERATIONS[operation].refused
    wrong = model_effects.wrong(operation)
    values = {one: wrong[one][0] if one in wrong else None for one in refused}
    assert {one: trial.code(one, value) for one, value in values.items()} == refused
    found = {one: trial.code(one, value) for one, (value, _) in wrong.items()}
    assert found == {one: code for one, (_, code) in wrong.items()}, "a value that cannot be"


@pytest.mark.parametrize(
    "operation",
    [
        "CreateBucket",
        "PutObject",
        "CopyObject",
        "GetObject",
        "GetObjectAttributes",
        "DeleteObject",
        "CreateMultipartUpload",
        "UploadPart",
        "UploadPartCopy",
        "CompleteMultipartUpload",
    ],
)
def test_a_header_has_its_effect_in_the_query_too(mode: Mode, operation: str) -> None:
    trial = Trial(mode, operation)
    shapes = members(operation)
    named = [
        one
        for one in _rows(operation, "obeyed")
        if shapes[one].serialization.get("name", "").lower().startswith("x-amz-")
        and shapes[one].serialization["name"] not in NOT_HOISTED
        and not isinstance(model_effects.effect(operation, one), model_effects.Other)
    ]
    assert named
    assert [one for one in named if not trial.shows(one, hoisted=True)] == []


@pytest.mark.parametrize("operation", model.REFUSED)
def test_what_is_not_here_is_refused(mode: Mode, operation: str) -> None:
    bucket = mode.bucket()
    required = of_aws().operation_model(operation).input_shape.required_members
    usual: Params = {"structure": {}, "list": [], "integer": 1}
    params = {
        name: usual.get(shape.type_name, "x")
        for name, shape in members(operation).items()
        if name in required or name == "MaxDirectoryBuckets"
    }
    if "Bucket" in members(operation):
        params["Bucket"] = bucket
    assert mode.call(operation, params).code == model.REFUSED[operation].code


# what nobody has decided about


def test_a_header_that_nobody_knows_is_told_once_when_something_is_written(
    mode: Mode, caplog: pytest.LogCaptureFixture
) -> None:
    bucket = mode.bucket()
    put = {"Bucket": bucket, "Key": "k", "Body": b"x"}
    told = {"x-amz-object-lock-next-thing": "1", "x-amz-meta-a": "1", "x-amz-storage-class": ""}
    with caplog.at_level("WARNING", "gateway.s3"):
        for _ in range(2):
            assert mode.call("PutObject", put, told).status == 200
        mode.call("GetObject", {"Bucket": bucket, "Key": "k"}, {"x-amz-read-thing": "1"})
        mode.call("PutBucketAcl", {"Bucket": bucket, "ACL": "public-read-write"})
        told = {"x-amz-unsigned-thing": "1", "x-amz-meta-a": "1"}
        assert mode.call("PutObject", put, told, key="").status == 200
        told = {"x-amz-checksum-next": "1"}
        assert mode.call("PutObject", put, told, key="").code == "InvalidRequest"
    names = ("x-amz-object-lock-next-thing", "x-amz-unsigned-thing")
    assert [record.args for record in caplog.records] == [(name,) for name in names]
