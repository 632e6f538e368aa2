"""Lists of objects, versions and uploads, page by page, as boto3 reads them and as they are."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

import pytest
from defusedxml import ElementTree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.common.xml import S3, carries, escape
from gateway.modes.s3.replies import quoted
from gateway.modes.s3.resources.listing import _etags
from gateway.modes.s3.resources.parameters import behind_token, token_of
from gateway.modes.s3.wire import encoded as encoded_texts
from gateway.modes.s3.wire import iso, isos, url_encode
from tests.modes.s3_gateway import Served, encoded
from tests.modes.test_s3_objects import put

KEYS = ["a", "b/1", "b/2", "b/c/3", "b0", "c&<>", "d é+ %", "e"]


@pytest.fixture
def filled(s3: Served, bucket: str) -> str:
    for key in KEYS:
        assert put(s3, bucket, key, key.encode()).status == 200
    return bucket


def keys(page: dict[str, Any]) -> list[str]:
    return [one["Key"] for one in page.get("Contents", [])]


def prefixes(page: dict[str, Any]) -> list[str]:
    return [one["Prefix"] for one in page.get("CommonPrefixes", [])]


def test_all_keys_in_order(s3: Served, filled: str) -> None:
    client = s3.client()
    for page in (client.list_objects(Bucket=filled), client.list_objects_v2(Bucket=filled)):
        assert keys(page) == KEYS
        assert (page["IsTruncated"], page["MaxKeys"], page["Prefix"]) == (False, 1000, "")
        one = page["Contents"][0]
        assert (one["Size"], one["StorageClass"]) == (1, "STANDARD")
        head = client.head_object(Bucket=filled, Key="a")
        assert (one["ETag"], one["LastModified"]) == (head["ETag"], head["LastModified"])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_have_everything_once(s3: Served, filled: str, limit: int, delimiter: str) -> None:
    more = {"Delimiter": delimiter} if delimiter else {}
    wanted = [key for key in KEYS if "/" not in key] if delimiter else KEYS
    for name in ("list_objects", "list_objects_v2"):
        pages = list(
            s3.client()
            .get_paginator(name)
            .paginate(Bucket=filled, PaginationConfig={"PageSize": limit}, **more)
        )
        assert [key for page in pages for key in keys(page)] == wanted
        assert [one for page in pages for one in prefixes(page)] == (["b/"] if delimiter else [])
        assert all(len(keys(page)) + len(prefixes(page)) <= limit for page in pages)


def test_the_first_version_says_a_next_marker_only_with_a_delimiter(
    s3: Served, filled: str
) -> None:
    client = s3.client()
    plain = client.list_objects(Bucket=filled, MaxKeys=2)
    assert (plain["IsTruncated"], "NextMarker" in plain) == (True, False)
    folded = client.list_objects(Bucket=filled, MaxKeys=2, Delimiter="/")
    assert (folded["IsTruncated"], folded["NextMarker"]) == (True, "b/")
    rest = client.list_objects(Bucket=filled, Marker=folded["NextMarker"], Delimiter="/")
    assert (keys(rest), prefixes(rest)) == (["b0", "c&<>", "d é+ %", "e"], [])
    assert plain["Contents"][0]["Owner"] == {"ID": "main", "DisplayName": "Main account"}


def test_the_second_version_counts_and_goes_on(s3: Served, filled: str) -> None:
    client = s3.client()
    page = client.list_objects_v2(Bucket=filled, MaxKeys=3, Delimiter="/", StartAfter="a")
    assert (keys(page), prefixes(page)) == (["b0", "c&<>"], ["b/"])
    assert (page["KeyCount"], page["StartAfter"], page["Delimiter"]) == (3, "a", "/")
    token = page["NextContinuationToken"]
    rest = client.list_objects_v2(Bucket=filled, ContinuationToken=token, StartAfter="zzz")
    assert keys(rest) == ["d é+ %", "e"]
    assert (rest["ContinuationToken"], rest["IsTruncated"]) == (token, False)
    assert "NextContinuationToken" not in rest
    assert "Owner" not in rest["Contents"][0]
    owned = client.list_objects_v2(Bucket=filled, FetchOwner=True)
    assert owned["Contents"][0]["Owner"]["ID"] == "main"
    nothing_behind = client.list_objects_v2(Bucket=filled, ContinuationToken="")
    assert (nothing_behind["ContinuationToken"], keys(nothing_behind)) == ("", KEYS)


def test_none_wanted_is_none_and_not_truncated(s3: Served, filled: str) -> None:
    client = s3.client()
    for call in (client.list_objects, client.list_objects_v2, client.list_object_versions):
        page = call(Bucket=filled, MaxKeys=0)
        assert (page["IsTruncated"], page["MaxKeys"]) == (False, 0)
        assert not keys(page)
        assert "Versions" not in page


@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "99999999999", "١"])
def test_a_limit_must_be_a_number(s3: Served, filled: str, text: str) -> None:
    for query in ("", "list-type=2&", "versions&"):
        answer = s3.raw("GET", f"/{filled}?{query}max-keys={encoded(text)}")
        assert (answer.status, answer.code()) == (400, "InvalidArgument")
    uploads = s3.raw("GET", f"/{filled}?uploads&max-uploads={encoded(text)}")
    assert (uploads.status, uploads.code()) == (400, "InvalidArgument")


def test_more_than_a_thousand_are_a_thousand(s3: Served, filled: str) -> None:
    assert s3.client().list_objects_v2(Bucket=filled, MaxKeys=5000)["MaxKeys"] == 1000


def test_keys_are_encoded_when_that_is_asked_for(s3: Served, filled: str) -> None:
    coded = s3.raw(
        "GET", f"/{filled}?list-type=2&encoding-type=url&start-after=c&delimiter=%2F"
    ).body
    assert b"<EncodingType>url</EncodingType>" in coded
    assert b"<Key>c%26%3C%3E</Key>" in coded
    assert b"<Key>d%20%C3%A9%2B%20%25</Key>" in coded
    assert b"<Delimiter>/</Delimiter>" in coded
    plain = s3.raw("GET", f"/{filled}?list-type=2").body
    assert b"<Key>c&amp;&lt;&gt;</Key>" in plain
    assert "<Key>d é+ %</Key>".encode() in plain
    assert b"EncodingType" not in plain
    wrong = s3.raw("GET", f"/{filled}?encoding-type=base64")
    assert (wrong.status, wrong.code()) == (400, "InvalidArgument")


def test_control_characters_are_listed_as_references(s3: Served, bucket: str) -> None:
    put(s3, bucket, "a\x01\r\nb")
    assert b"<Key>a&#x1;&#xd;&#xa;b</Key>" in s3.raw("GET", f"/{bucket}").body
    assert keys(s3.client().list_objects_v2(Bucket=bucket)) == ["a\x01\r\nb"]


ODD = ["&<>", 'a"b', "a\x00b", "a\x1f\n\t\x7f", "a b+%", "é", "\ufffe\uffff", "📁~", "\\", "]]>"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("call", ["list-type=2", "list-type=1", "versions"])
def test_one_odd_key_among_plain_ones_is_written_as_it_must_be(
    s3: Served, bucket: str, call: str, odd: str
) -> None:
    """Keys are looked at all at once; each is written as it would be alone."""
    for key in ("0", odd, f"{odd}/1", "~"):
        put(s3, bucket, key)
    for encoding, write in (("", escape), ("&encoding-type=url", url_encode)):
        body = s3.raw("GET", f"/{bucket}?{call}&delimiter=%2F{encoding}").body.decode()
        alone = sorted(("0", odd, "~"), key=str.encode)
        assert re.findall("<Key>(.*?)</Key>", body, re.DOTALL) == list(map(write, alone))
        assert f"<CommonPrefixes><Prefix>{write(f'{odd}/')}</Prefix></CommonPrefixes>" in body
    found = s3.client().list_objects_v2(Bucket=bucket)
    assert keys(found) == sorted(("0", odd, f"{odd}/1", "~"), key=str.encode)


ECHOED = {
    "list-type=1": {"prefix": "Prefix", "delimiter": "Delimiter", "marker": "Marker"},
    "list-type=2": {"prefix": "Prefix", "delimiter": "Delimiter", "start-after": "StartAfter"},
    "versions": {"prefix": "Prefix", "delimiter": "Delimiter", "key-marker": "KeyMarker"},
    "uploads": {"prefix": "Prefix", "delimiter": "Delimiter", "key-marker": "KeyMarker"},
}


@pytest.mark.parametrize("text", [*ODD, "\n", "\r", "\t\x85\u2028", " ", "%0A", "\x0b"])
@pytest.mark.parametrize("call", ECHOED)
def test_what_was_asked_is_said_again(s3: Served, bucket: str, call: str, text: str) -> None:
    """Encoded as keys are, so that what a client decodes is what it asked; without an encoding
    it is what XML holds, and else the references that S3 writes."""
    query = "&".join(f"{name}={quote(text, safe='')}" for name in ECHOED[call])
    for encoding in ("", "&encoding-type=url"):
        body = s3.raw("GET", f"/{bucket}?{call}&{query}{encoding}").body
        for name in ECHOED[call].values():
            if encoding or carries(text):
                said = ElementTree.fromstring(body).findtext(f"{{{S3}}}{name}") or ""
                assert (unquote(said) if encoding else said) == text, name
            else:
                assert f"<{name}>{escape(text)}</{name}>".encode() in body, name


def test_boto3_reads_what_it_asked(s3: Served, bucket: str) -> None:
    client, odd = s3.client(), "\n&+%20\x01"
    where = {"Bucket": bucket, "Prefix": odd, "Delimiter": odd}
    one = client.list_objects(**where, Marker=odd)
    two = client.list_objects_v2(**where, StartAfter=odd)
    three = client.list_object_versions(**where, KeyMarker=odd)
    assert [one["Marker"], two["StartAfter"], three["KeyMarker"]] == [odd] * 3
    assert {page["Delimiter"] for page in (one, two, three)} == {odd}
    assert {two["Prefix"], three["Prefix"], unquote(one["Prefix"])} == {odd}  # one it leaves coded


@pytest.mark.parametrize(
    ("call", "name", "element"),
    [
        ("versions&key-marker=k", "version-id-marker", "VersionIdMarker"),
        ("uploads&key-marker=k", "upload-id-marker", "UploadIdMarker"),
    ],
)
def test_an_id_that_no_document_holds_is_none(
    s3: Served, bucket: str, call: str, name: str, element: str
) -> None:
    for encoding in ("", "&encoding-type=url"):
        for raw in ("%00", "a%01", "%EF%BF%BF"):
            answer = s3.raw("GET", f"/{bucket}?{call}&{name}={raw}{encoding}")
            assert (answer.status, answer.code()) == (400, "InvalidArgument")
            ElementTree.fromstring(answer.body)
        answer = s3.raw("GET", f"/{bucket}?{call}&{name}=a%26%3C%0D%2B{encoding}")
        assert ElementTree.fromstring(answer.body).findtext(f"{{{S3}}}{element}") == "a&<\r+"


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from('aZ09-_.~/ &<"\x00\n\ud7ffé📁+%'))))
def test_texts_written_at_once_are_as_each_alone(texts: list[str]) -> None:
    assert list(encoded_texts(texts)) == list(map(escape, texts))
    assert list(encoded_texts(texts, "url")) == [quote(text, safe="/") for text in texts]


@given(st.integers(0, 253402300799999))
def test_times_are_whole_seconds(milliseconds: int) -> None:
    seconds = timedelta(seconds=milliseconds // 1000)  # `fromtimestamp` ends in 3000 on Windows
    wanted = (datetime(1970, 1, 1, tzinfo=UTC) + seconds).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert [iso(milliseconds)] == isos([milliseconds]) == [wanted.rjust(24, "0")]


def test_etags_that_are_no_digests_are_escaped() -> None:
    for etag in ('W/"x"', "a<b&c", ""):
        assert _etags([etag, "0a"]) == [escape(quoted(etag)), "&quot;0a&quot;"]


def test_a_delimiter_or_token_that_is_empty_or_wrong(s3: Served, filled: str) -> None:
    assert b"<Delimiter>" not in s3.raw("GET", f"/{filled}?delimiter=").body
    for token in ("rubbish", "%C3%A9", "MQ", "Mg%3D%3D", "MQ%3D%3Dx"):
        answer = s3.raw("GET", f"/{filled}?list-type=2&continuation-token={token}")
        assert (answer.status, answer.code()) == (400, "InvalidArgument")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_token_means_what_it_was_made_of(text: str) -> None:
    assert behind_token(token_of(text)) == text


# versions and uploads


def test_versions_in_pages(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    wanted = []
    for key in ("a", "b", "d/x"):
        versions = [client.put_object(Bucket=bucket, Key=key, Body=b"")["VersionId"] for _ in "12"]
        wanted += [(key, one) for one in reversed(versions)]
    marker = client.delete_object(Bucket=bucket, Key="a")["VersionId"]
    for limit in (1, 2, 100):
        pages = list(
            client.get_paginator("list_object_versions").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": limit}
            )
        )
        found = [one for page in pages for one in page.get("Versions", [])]
        assert [(one["Key"], one["VersionId"]) for one in found] == wanted
        assert [one["IsLatest"] for one in found] == [False, False, True, False, True, False]
        (deleted,) = [one for page in pages for one in page.get("DeleteMarkers", [])]
        assert (deleted["Key"], deleted["VersionId"], deleted["IsLatest"]) == ("a", marker, True)
        assert deleted["Owner"]["ID"]
    folded = client.list_object_versions(Bucket=bucket, Delimiter="/", KeyMarker="a")
    assert [one["Key"] for one in folded["Versions"]] == ["b", "b"]
    assert prefixes(folded) == ["d/"]
    answer = s3.raw("GET", f"/{bucket}?versions&version-id-marker=x")
    assert (answer.status, answer.code()) == (400, "InvalidArgument")


def test_uploads_in_pages(s3: Served, bucket: str) -> None:
    client = s3.client()
    begun = [
        (key, client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"])
        for key in ("a", "a", "b/c", "d")
    ]
    pages = list(
        client.get_paginator("list_multipart_uploads").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 1}
        )
    )
    found = [(one["Key"], one["UploadId"]) for page in pages for one in page.get("Uploads", [])]
    assert sorted(found) == sorted(begun)
    assert [key for key, _ in found] == ["a", "a", "b/c", "d"]
    folded = client.list_multipart_uploads(Bucket=bucket, Delimiter="/", Prefix="b")
    assert (prefixes(folded), "Uploads" in folded) == (["b/"], False)
    one = client.list_multipart_uploads(Bucket=bucket, Prefix="d")["Uploads"][0]
    assert (one["Initiator"]["ID"], one["Owner"]["ID"]) == ("main", "main")
