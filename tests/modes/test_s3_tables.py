"""The tables of the S3 mode are complete, and its parsers refuse whatever is not theirs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.common import xml
from gateway.modes.s3 import S3Mode, errors, operations, parsing, problems, request, wire
from gateway.modes.s3.problems import TABLE, S3Problem
from gateway.modes.s3.resources import absent, copying
from gateway.modes.s3.resources.settings import removed, shown, stored
from gateway.storage import Full, Range, StorageError
from gateway.web import http_fields, request_head
from tests.modes.model_requests import model as of_aws

many = settings(deadline=None, max_examples=200)
PARSERS: list[Callable[[bytes], Any]] = [
    lambda data: parsing.delete_objects(data, bypass=False),
    parsing.tagging,
    parsing.versioning,
    parsing.creation,
    parsing.complete,
    parsing.acl,
]


def every_error(kind: type[StorageError] = StorageError) -> Iterator[type[StorageError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__.startswith("gateway.") and ".modes." not in one.__module__:
            yield from every_error(one)


@pytest.mark.parametrize("kind", sorted(set(every_error()), key=str))
def test_every_error_has_a_code_of_its_own(kind: type[StorageError]) -> None:
    assert errors.CODES[kind] in TABLE


def test_every_code_is_said_somewhere() -> None:
    """As a text of its own in the mode's sources, wherever that stands."""
    said = set()
    for path in Path(problems.__file__).parent.rglob("*.py"):
        if path != Path(problems.__file__):
            tree = ast.walk(ast.parse(path.read_text("utf-8")))
            said |= {one.value for one in tree if isinstance(one, ast.Constant)}
    assert TABLE.keys() - said == set()


def test_a_full_store_is_507() -> None:
    assert TABLE[errors.CODES[Full]][0] == 507


def camel(name: str) -> str:
    """`ListObjectsV2` as its handler and boto3's method are named."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


OF_SETTINGS = {"GET": shown, "PUT": stored, "DELETE": removed}


def absent_ones() -> list[operations.Operation]:
    """Those of configurations that no bucket has: few handlers answer them all."""
    names = {one.name for one in absent.TABLE}
    return [one for one in operations.TABLE if one.name in names]


@pytest.mark.parametrize("one", operations.TABLE, ids=lambda one: one.name)
def test_an_operation_is_what_aws_says(one: operations.Operation) -> None:
    if isinstance(one.handler, partial):
        assert one.handler.func is OF_SETTINGS[one.method]
    else:
        assert one in absent_ones() or one.handler.__name__ == camel(one.name)
    model = of_aws().operation_model(one.name)
    assert model.http["method"] == one.method
    uri: str = model.http["requestUri"]
    scope = "object" if "{Key+}" in uri else "bucket" if "{Bucket}" in uri else "service"
    assert one.scope == scope
    query = uri.partition("?")[2]
    assert set(filter(None, query.split("&"))) <= {*one.query, ""}
    members = model.input_shape.members if model.input_shape else {}
    required = {
        members[name].serialization["name"]
        for name in (model.input_shape.required_members if model.input_shape else ())
        if members[name].serialization.get("location") == "querystring"
    }
    assert required <= set(one.query)


def test_every_operation_is_in_a_test() -> None:
    text = "".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_s3_*.py"))
    missing = [
        one.name
        for one in operations.TABLE
        if not re.search(rf"\.{camel(one.name)}[(,]|\"{camel(one.name)}\"", text)
        and one not in absent_ones()  # one test is of all of them
    ]
    assert missing == []


def test_every_operation_of_aws_is_here_or_refused() -> None:
    """Nothing that AWS defines may be taken for another operation."""
    model = of_aws()
    here = {one.name for one in operations.TABLE}
    elsewhere = {"ListDirectoryBuckets", "WriteGetObjectResponse"}  # other end points
    for name in set(model.operation_names) - here - elsewhere:
        uri: str = model.operation_model(name).http["requestUri"]
        scope: request.Scope = "object" if "{Key+}" in uri else "bucket"
        selectors = {one.partition("=")[0] for one in uri.partition("?")[2].split("&")}
        method = model.operation_model(name).http["method"]
        if any(one.method == method and selectors == {*one.query} for one in operations.TABLE):
            continue  # what AWS has renamed is the same request
        assert selectors & operations.NOT_HERE[scope], name


def test_the_mode_claims_what_only_s3_has() -> None:
    claims = S3Mode().claims
    assert claims({"HTTP_AUTHORIZATION": "AWS4-HMAC-SHA256 Credential=x"})
    assert claims({"HTTP_AUTHORIZATION": "AWS x:y"})
    assert claims({"HTTP_X_AMZ_ACL": "private"})
    assert claims({"QUERY_STRING": "a=1&X-Amz-Algorithm=AWS4-HMAC-SHA256"})
    assert not claims({"HTTP_AUTHORIZATION": "Bearer x", "QUERY_STRING": "a=X-Amz-Date"})


# parsers


@many
@given(
    data=st.binary(max_size=200)
    | st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_bytes_make_a_parser_fail_otherwise(data: bytes) -> None:
    for parse in PARSERS:
        try:
            parse(data)
        except S3Problem as problem:
            assert 400 <= problem.status < 500


NAMES = [
    "Delete",
    "Object",
    "Key",
    "VersionId",
    "ETag",
    "Size",
    "LastModifiedTime",
    "Quiet",
    "Tagging",
    "TagSet",
    "Tag",
    "Value",
    "VersioningConfiguration",
    "Status",
    "MfaDelete",
    "CompleteMultipartUpload",
    "Part",
    "PartNumber",
    "ChecksumCRC32",
    "AccessControlPolicy",
    "Owner",
    "ID",
    "AccessControlList",
    "Grant",
    "Grantee",
    "URI",
    "EmailAddress",
    "Permission",
    "CreateBucketConfiguration",
    "LocationConstraint",
]
_LEAF = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8) | st.sampled_from(
    ["1", "99999999999999999999", "Enabled", "FULL_CONTROL", "true", '"etag"', "-1"]
)


def _element(inner: Any) -> Any:
    content = st.lists(inner, max_size=4).map("".join)
    return st.builds(
        lambda name, ns, text: f"<{name}{ns}>{text}</{name}>",
        st.sampled_from(NAMES),
        st.sampled_from(["", f' xmlns="{xml.S3}"', ' xmlns="x"']),
        content,
    )


@many
@given(st.recursive(_LEAF.map(xml.escape), _element, max_leaves=20))
def test_no_document_makes_a_parser_fail_otherwise(text: str) -> None:
    for parse in PARSERS:
        for data in (text.encode(), *(f"<{n}>{text}</{n}>".encode() for n in NAMES[:1])):
            try:
                parse(data)
            except S3Problem as problem:
                assert problem.status in (400, 501)


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><Tagging><TagSet/></Tagging>',
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Tagging><TagSet/></Tagging>',
        b'<?xml version="1.0" encoding="nonsense"?><Tagging><TagSet/></Tagging>',
        b'<?xml version="1.0" encoding="utf-7"?><Tagging><TagSet/></Tagging>',
        b"<Tagging><TagSet>",
        b"\x00",
    ],
)
def test_dangerous_and_broken_documents_are_malformed(data: bytes) -> None:
    with pytest.raises(S3Problem, match="MalformedXML"):
        parsing.tagging(data)


@many
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_survives_being_written(text: str) -> None:
    valid = "".join(c for c in text if c in "\t\n\r" or (c >= " " and c not in "\x7f\ufffe\uffff"))
    data = xml.document("Tagging", f"<TagSet><Tag>{xml.element('Key', valid)}</Tag></TagSet>")
    node = wire.parse(data, "Tagging")
    (tag,) = wire.children(next(wire.children(node, "TagSet")), "Tag")
    assert wire.text_of(tag, "Key") == valid
    assert unescape(xml.escape(valid), {"&quot;": '"'}).count("<") == valid.count("<")


@many
@given(st.text(max_size=40) | st.from_regex(r"bytes ?= ?[0-9]{0,25}-[0-9]{0,25}", fullmatch=True))
def test_a_range_is_read_or_ignored(text: str) -> None:
    found = http_fields.byte_range(text)
    assert found is None or isinstance(found, Range)
    assert found is None or found.last is None or found.first is None or found.first <= found.last


@many
@given(st.text(max_size=60))
def test_a_date_is_read_or_ignored(text: str) -> None:
    found = http_fields.parse_date(text)
    assert found is None or isinstance(found, int)


@many
@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_a_copys_source_is_read_or_refused(text: str) -> None:
    try:
        found = copying.parse_source(text)
    except S3Problem as problem:
        assert problem.code in ("InvalidArgument", "KeyTooLongError")
    else:
        assert found.bucket
        assert found.key


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("b/k", ("b", "k", None)),
        ("/b/a/b", ("b", "a/b", None)),
        ("b/a%2Fb%3FversionId=x", ("b", "a/b?versionId=x", None)),
        ("b%2Fk?versionId=v%31", ("b", "k", "v1")),
        ("b/a+b%C3%A9", ("b", "a bé", None)),
        ("b/a%2Bb+c%20d%2bé".encode().decode("latin-1"), ("b", "a+b c d+é", None)),
        ("b%2Fk?versionId=v+%2B", ("b", "k", "v +")),
        ("b//k", ("b", "/k", None)),
    ],
)
def test_copy_sources(text: str, expected: tuple[str, str, str | None]) -> None:
    assert copying.parse_source(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"a"', ("a",)),
        ("a", ("a",)),
        ("*", ("*",)),
        ('"a", W/"b" ,"c,d"', ("a", "W/b", "c,d")),
        ("", ()),
        ('"', ('"',)),
    ],
)
def test_entity_tags(text: str, expected: tuple[str, ...]) -> None:
    assert http_fields.etags(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1&b&c=", {"a": "1", "b": "", "c": ""}),
        ("a=1&a=2", {"a": "1"}),
        ("a+b=c%20d%2B&&", {"a b": "c d+"}),
        ("p=%C3%A9", {"p": "é"}),
    ],
)
def test_queries(text: str, expected: dict[str, str]) -> None:
    assert request_head.parse_query(text) == expected
