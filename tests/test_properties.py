"""What an object takes along of another is decided in one place: `gateway.storage.objects`."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import MISSING, Field, fields, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.storage import (
    Encryption,
    Get,
    ObjectInfo,
    OriginAnswer,
    Period,
    Properties,
    Protection,
    Put,
    Secret,
    carried,
    packed,
    stated,
    unpacked,
)
from gateway.storage.objects import answered
from tests.code_blocks import ROOT

OF_A_PUT = {"size", "checksums", "checksum_type", "digests", "conditions", "cause", "annotations"}
"""Of its body, and of the moment."""
OF_AN_OBJECT = {
    *("key", "size", "etag", "modified", "version"),
    *("checksums", "checksum_type", "parts", "origin", "trace"),
}
"""Which object it is, of its bytes, and whose answer it was."""
ALL = Properties(
    content_type="text/plain",
    headers=(("Cache-Control", "no-cache"), ("X", "1"), ("X", "2")),
    metadata={"a": "é"},
    tags={"t": ""},
    protection=Protection(mode="governance", until=10, hold=True, event=Period(2, "years")),
    encryption=Encryption(
        kind="kms", key_md5="m", key_id="arn:k", context="e30=", double=True, bucket_key=False
    ),
    storage_class="GLACIER",
    owner="me",
    attributes={"grants": [["*", "read"]]},
)


def names(kind: Any) -> set[str]:
    return {one.name for one in fields(kind)}


def test_every_field_is_carried_or_named_as_one_that_is_not() -> None:
    assert names(Put) == names(Properties) | OF_A_PUT
    assert names(ObjectInfo) == names(Properties) | OF_AN_OBJECT
    assert carried(Put()).keys() == names(Properties)


def _said(one: Field[Any]) -> bool:
    assert one.default is not MISSING
    return bool(getattr(ALL, one.name) != one.default)


def test_all_that_is_said_arrives() -> None:
    assert all(map(_said, fields(Properties))), "a new field is to be tried too"
    assert stated(ALL) == names(Properties)
    assert stated(Properties()) == frozenset()
    put = Put(size=1, **carried(ALL))
    info = ObjectInfo(key="k", size=1, etag="e", modified=2, **carried(put))
    assert Properties(**carried(info)) == ALL
    assert Properties(**unpacked(packed(info))) == ALL
    assert Properties(**unpacked({**packed(Properties()), "unknown": 1})) == Properties()


def test_an_object_of_another_answer_is_the_same_object() -> None:
    info = ObjectInfo(key="k", size=1, etag="e", modified=2, version="v", parts=(), **carried(ALL))
    told = OriginAnswer(status=200, headers=(("Age", "1"),), asked=1, answered=2)
    made = answered(info, told)
    assert made == info == replace(info, origin=told)
    assert made.origin is told
    assert info.origin is None


def test_a_question_that_is_said_otherwise_is_the_same_question() -> None:
    """A field that is added to it must not get lost on the way through a cache."""
    given = {one.name: object() for one in fields(Get)}
    want = Get(**given)  # type: ignore[arg-type]  # whatever they are
    headers = {"accept": "a"}
    assert want.said("q", headers) == replace(want, query="q", headers=headers)


def test_a_customers_key_is_never_carried() -> None:
    ours = Encryption(kind="customer", key=Secret(bytes(32)), key_md5="m")
    expected = Encryption(kind="customer", key_md5="m")
    assert carried(Put(encryption=ours))["encryption"] == expected
    assert unpacked(packed(Put(encryption=ours)))["encryption"] == expected


def test_a_protection_of_before_there_were_events_is_read() -> None:
    expected = Protection(mode="governance", until=10, hold=True)
    assert unpacked({"protection": ["governance", 10, True]}) == {"protection": expected}


def test_a_protection_that_protects_from_nothing_is_none() -> None:
    assert carried(Put(protection=Protection()))["protection"] is None


@pytest.mark.usefixtures("processes")
def test_a_new_field_is_declared_once_and_carried_or_refused_by_all(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.one_more_field", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
