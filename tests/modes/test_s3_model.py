"""The table of the S3 model is complete, and true: each member does what it says there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from gateway.modes.s3 import known_headers, model, operations
from tests.modes import model_scenes
from tests.modes.model_requests import Heard, Mode, Params, members, of_object
from tests.modes.model_requests import model as of_aws
from tests.modes.model_scenes import Scene
from tests.modes.s3_gateway import small_gateway

ELSEWHERE = {
    ("PutBucketNotificationConfiguration", "SkipDestinationValidation"): (
        "needs a webhook that does not answer: test_s3_notification"
    ),
}
"""Rows that another test shows."""

_ALWAYS = model.EVERYWHERE


@pytest.fixture(scope="module")
def mode() -> Iterator[Mode]:
    gateway = small_gateway()
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


def _done(mode: Mode, operation: str, scene: Scene, params: Params) -> tuple[object, ...]:
    heard = mode.call(operation, params)
    assert heard.status < 500 or heard.status == 501, heard
    scene.then(mode, heard)
    seen = [mode.call(name, asked).told(scene.names) for name, asked in scene.look]
    return heard.told(scene.names), *seen


class Trial:
    """One operation: what it does as it stands, and with a member set."""

    def __init__(self, mode: Mode, operation: str) -> None:
        self._mode, self._operation, self._of_object = mode, operation, of_object(operation)
        self.plain = cache(self.done)

    def _scene(self, kind: str) -> Scene:
        return model_scenes.prepared(self._mode, self._operation, kind, of_object=self._of_object)

    def done(self, kind: str = "") -> tuple[object, ...]:
        scene = self._scene(kind)
        return _done(self._mode, self._operation, scene, scene.params)

    def differs(self, member: str) -> bool:
        kind = model_scenes.SPECIAL.get(member, "")
        scene, params = self._with(member, kind)
        return _done(self._mode, self._operation, scene, params) != self.plain(kind)

    def heard(self, member: str) -> Heard:
        return self._mode.call(self._operation, self._with(member, "")[1])

    def _with(self, member: str, kind: str) -> tuple[Scene, Params]:
        scene = self._scene(kind)
        value = model_scenes.value(self._mode, scene, self._operation, member)
        return scene, {**scene.params, member: value}


@pytest.mark.parametrize("operation", model.OPERATIONS)
def test_every_row_is_true(mode: Mode, operation: str) -> None:
    trial = Trial(mode, operation)
    assert trial.done() == trial.plain(""), "what is seen must be the same twice"
    obeyed = [one for one in _rows(operation, "obeyed") if (operation, one) not in ELSEWHERE]
    assert [one for one in obeyed if not trial.differs(one)] == [], "without effect"
    ignored = _rows(operation, "ignored")
    assert [one for one in ignored if trial.differs(one)] == [], "with an effect"
    refused = model.OPERATIONS[operation].refused
    assert {one: trial.heard(one).code for one in refused} == refused


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
