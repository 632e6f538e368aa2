"""What passes through the `s3` driver in the words of S3, seen by an upstream that records."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any
from urllib.parse import quote

import pytest
from defusedxml import ElementTree

from drivers.s3 import S3
from gateway.storage import (
    REDIRECT,
    BytesBody,
    Complete,
    Conditions,
    Context,
    Delete,
    Deleted,
    DisabledEncryptionKey,
    Encryption,
    Get,
    InvalidRange,
    InvalidRequest,
    NoSuchEncryptionKey,
    NoSuchKey,
    NotModified,
    ObjectInfo,
    OriginDenied,
    OriginFailed,
    PartRef,
    Period,
    PreconditionFailed,
    Protected,
    Protection,
    Put,
    Range,
    Secret,
    StorageError,
    Unsupported,
)
from gateway.storage.checksums import etag_of_parts
from gateway.testing.upstreams import Act, Upstream, answer, md5, refuse

SSE = "x-amz-server-side-encryption"
VERSION = {"ETag": '"e"', "x-amz-version-id": "v"}
UNTIL = {"x-amz-object-lock-mode": "GOVERNANCE"}
KMS = Encryption(kind="kms", key_id="arn:aws:kms:x:y:key/z", context="e30=", bucket_key=True)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def store(upstream: Upstream) -> Iterator[S3]:
    store = S3(
        bucket="bkt",
        endpoint_url=upstream.url,
        access_key=Secret("key"),
        secret_key=Secret("secret"),
    )
    store.open(Context())
    yield store
    store.close()


def told(upstream: Upstream, store: S3, headers: dict[str, Any], want: Get = Get()) -> ObjectInfo:
    upstream.will(answer(200, b"data", {"ETag": '"e"', **headers}))
    return store.stat("k", want)


def test_encryption_by_an_upstreams_key_service_passes_both_ways(
    upstream: Upstream, store: S3
) -> None:
    said = {
        SSE: "aws:kms",
        f"{SSE}-aws-kms-key-id": KMS.key_id,
        f"{SSE}-context": "e30=",
        f"{SSE}-bucket-key-enabled": "true",
    }
    upstream.will(answer(200, b"", {"ETag": f'"{"0" * 32}"', **said}))  # no MD5 of the body
    info = store.put("k", BytesBody(b"data"), Put(size=4, encryption=KMS))
    assert info.encryption == KMS
    sent = upstream.requests[0].headers
    assert {name: sent[name] for name in said} == said
    assert told(upstream, store, said).encryption == KMS


def test_an_upload_is_encrypted_as_the_upstream_says_and_not_as_it_was_asked(
    upstream: Upstream, store: S3
) -> None:
    begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    upstream.will(answer(200, begun, {SSE: "AES256"}), answer(200, begun))
    for said in (Encryption(kind="managed"), None):
        assert store.begin("k", Put(encryption=KMS)).options.encryption == said
        assert upstream.requests[-1].headers[SSE] == "aws:kms"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("KMS.NotFoundException", NoSuchEncryptionKey),
        ("KMS.DisabledException", DisabledEncryptionKey),
    ],
)
def test_what_an_upstreams_key_service_refuses_is_passed_on(
    upstream: Upstream, store: S3, code: str, error: type[StorageError]
) -> None:
    upstream.will(refuse(400, code))
    with pytest.raises(error, match=f"{code} it is"):
        store.put("k", BytesBody(b"data"), Put(size=4, encryption=KMS))


def test_retention_and_hold_pass_both_ways(upstream: Upstream, store: S3) -> None:
    protection = Protection(mode="governance", until=1_900_000_000_000, hold=True)
    said = {
        "x-amz-object-lock-mode": "GOVERNANCE",
        "x-amz-object-lock-retain-until-date": "2030-03-17T17:46:40Z",
        "x-amz-object-lock-legal-hold": "ON",
    }
    upstream.will(answer(200, b"", {"ETag": f'"{md5(b"data")}"'}))
    store.put("k", BytesBody(b"data"), Put(size=4, protection=protection))
    sent = upstream.requests[0].headers
    assert {name: sent[name] for name in said} == said
    assert told(upstream, store, said).protection == protection


def test_an_event_hold_is_told_and_never_sent_where_it_might_be_ignored(
    upstream: Upstream, store: S3
) -> None:
    said = {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": "2030-03-17T17:46:40Z",
        "x-amz-object-lock-event-hold": "ON",
        "x-amz-object-lock-event-hold-duration-days": "7",
    }
    week, until = Period(7, "days"), 1_900_000_000_000
    awaiting = Protection(mode="compliance", until=until, event=week)
    assert told(upstream, store, said).protection == awaiting
    upstream.requests.clear()
    with pytest.raises(Unsupported, match="event"):
        store.put("k", BytesBody(b"data"), Put(size=4, protection=awaiting))
    with pytest.raises(Unsupported, match="event"):
        store.set_retention("k", None, "compliance", None, event=week)
    assert upstream.requests == []


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"x-amz-object-lock-legal-hold": "ON"}, Protected),
        (UNTIL | {"x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z"}, Protected),
        (UNTIL | {"x-amz-object-lock-retain-until-date": "2001-01-01T00:00:00Z"}, OriginDenied),
        ({}, OriginDenied),
    ],
)
def test_a_version_that_is_kept_is_so_also_where_the_upstream_does_not_say_why(
    upstream: Upstream, store: S3, said: dict[str, str], error: type[StorageError]
) -> None:
    denied, there = refuse(403, "AccessDenied"), answer(200, b"", {**VERSION, **said})
    upstream.will(denied, there)
    with pytest.raises(error):
        store.delete("k", Delete(version="v"))
    row = b"<Error><Key>k</Key><VersionId>v</VersionId><Code>AccessDenied</Code></Error>"
    listed = answer(200, b"<DeleteResult>" + row + b"</DeleteResult>")
    upstream.will(listed, there)
    (result,) = store.delete_many([("k", Delete(version="v"))])
    assert type(result) is error


def test_a_redirect_passes_both_ways_and_no_other_attribute(upstream: Upstream, store: S3) -> None:
    attributes, header = {REDIRECT: "/é"}, "x-amz-website-redirect-location"
    info = store.put("k", BytesBody(b""), Put(size=0, attributes=attributes))
    assert info.attributes == attributes
    assert upstream.requests[0].headers[header].encode("latin-1").decode() == "/é"
    assert told(upstream, store, {header: "/é"}).attributes == attributes
    for act in (store.check_put, lambda one: store.put("k", BytesBody(b""), one)):
        with pytest.raises(Unsupported, match="grants"):
            act(Put(size=0, attributes={**attributes, "grants": []}))
    assert len(upstream.requests) == 2


def test_what_is_not_ASCII_is_read_as_S3_writes_it(upstream: Upstream, store: S3) -> None:
    said = {
        "x-amz-meta-word": "=?UTF-8?B?Z3LDvG4=?=",
        "x-amz-meta-raw": "grün".encode().decode("latin-1"),
        "x-amz-meta-plain": "=?no word",
    }
    sent = "".join(f"{name}: {value}\r\n" for name, value in said.items())
    head = f'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n{sent}\r\n'.encode("latin-1")
    upstream.will(lambda exchange: exchange.send(head))
    found = store.stat("k").metadata
    assert dict(found) == {"word": "grün", "raw": "grün", "plain": "=?no word"}


def test_a_copy_upstream_excludes_annotations_where_it_is_asked_to(
    upstream: Upstream, store: S3
) -> None:
    copied = b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>'
    for options, said in ((Put(), None), (Put(annotations=()), "EXCLUDE")):
        upstream.will(answer(200, copied), answer(200, b"", {"ETag": '"e"'}))
        store.copy(store, "k", "l", options=options)
        copy = upstream.requests[-2]
        assert copy.headers.get("x-amz-object-annotation-directive") == said


def test_metadata_goes_up_in_words_and_a_copy_keeps_them(upstream: Upstream, store: S3) -> None:
    word = "=?UTF-8?B?w6TDtsO8?="
    info = told(upstream, store, {"x-amz-meta-name": word})
    assert info.metadata == {"name": "äöü"}
    upstream.will(answer(200, b"", {"ETag": f'"{md5(b"x")}"'}))
    store.put("k", BytesBody(b"x"), Put(size=1, metadata={"name": "äöü", "same": word, "b": " b "}))
    copied = b'<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>'
    upstream.will(answer(200, copied), answer(200, b"", {"ETag": '"e"'}))
    store.copy(store, "k", "l", options=Put(metadata=info.metadata))
    _, put, copy, _ = upstream.requests
    assert put.headers["x-amz-meta-name"] == put.headers["x-amz-meta-same"] == word
    assert put.headers["x-amz-meta-b"] == "=?UTF-8?B?IGIg?="
    assert copy.headers["x-amz-meta-name"] == word


@pytest.mark.parametrize(
    "options",
    [
        Put(size=1, content_type="text/ü"),
        Put(size=1, headers=(("Content-Disposition", 'attachment; filename="ü"'),)),
    ],
)
def test_headers_that_an_upstream_does_not_take_are_said_to_be_the_reason(
    upstream: Upstream, store: S3, options: Put
) -> None:
    upstream.always(refuse(403, "SignatureDoesNotMatch"))
    for act in (
        lambda: store.put("k", BytesBody(b"x"), options),
        lambda: store.begin("k", options),
        lambda: store.copy(store, "j", "k", options=options),
    ):
        with pytest.raises(Unsupported, match="not ASCII"):
            act()


def test_a_word_in_a_header_that_is_no_metadata_stays_one(upstream: Upstream, store: S3) -> None:
    said = {"Content-Disposition": "=?UTF-8?B?w6Q=?=", "Content-Type": "=?UTF-8?Q?a?="}
    info = told(upstream, store, said)
    assert info.headers == (("Content-Disposition", "=?UTF-8?B?w6Q=?="),)
    assert info.content_type == "=?UTF-8?Q?a?="


def test_headers_of_one_name_are_one_that_says_the_same(upstream: Upstream, store: S3) -> None:
    head = b'HTTP/1.1 200 OK\r\nCache-Control: no-cache\r\nETag: "e"\r\nContent-Length: 0\r\n'
    upstream.will(lambda exchange: exchange.send(head + b"Cache-Control: private\r\n\r\n"))
    assert store.stat("k").headers == (("Cache-Control", "no-cache, private"),)


def test_tags_are_fetched_only_when_somebody_looks(upstream: Upstream, store: S3) -> None:
    info = told(upstream, store, {"x-amz-tagging-count": "1"})
    assert (len(info.tags), len(upstream.requests)) == (1, 1)
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    upstream.will(answer(200, tags))
    assert dict(info.tags) == {"a": "1"}
    assert upstream.requests[1].target == "/bkt/k?tagging="
    assert dict(info.tags) == {"a": "1"}
    assert len(upstream.requests) == 2


def test_parts_are_asked_for_one_by_one_where_they_are_not_told(
    upstream: Upstream, store: S3
) -> None:
    info = told(upstream, store, {"ETag": f'"{"a" * 32}-2"'})
    assert (len(info.parts), len(upstream.requests)) == (2, 1)
    upstream.will(refuse(501, "NotImplemented"))
    for first, last in ((0, 5), (6, 9)):
        extent: dict[str, Any] = {
            "Content-Length": last - first + 1,
            "Content-Range": f"bytes {first}-{last}/10",
        }
        upstream.will(answer(206, b"", extent))
    assert [(part.number, part.size) for part in info.parts] == [(1, 6), (2, 4)]


def test_an_upstream_that_reads_no_single_parts_is_found_out(upstream: Upstream, store: S3) -> None:
    upstream.always(answer(200, b"all of it", {"ETag": f'"{"a" * 32}-2"'}))
    with pytest.raises(Unsupported):
        store.get("k", Get(part=1))


def deleted(*keys: bytes) -> bytes:
    rows = b"".join(b"<Deleted><Key>%s</Key></Deleted>" % key for key in keys)
    return b"<DeleteResult>%s</DeleteResult>" % rows


def test_a_carriage_return_in_a_key_stays_one_in_a_list_to_delete(
    upstream: Upstream, store: S3
) -> None:
    upstream.will(answer(200, deleted(b"a&#13;b", b"a&lt;b")))
    done = store.delete_many([("a\rb", Delete()), ("a<b", Delete())])
    assert [one.key for one in done if isinstance(one, Deleted)] == ["a\rb", "a<b"]
    sent = ElementTree.fromstring(upstream.requests[0].body)
    assert [node.text for node in sent.iter() if node.tag.endswith("Key")] == ["a\rb", "a<b"]


@pytest.mark.parametrize("key", ["a\x01b", "a\x0bb", "\uffff"])
def test_a_key_that_XML_cannot_carry_is_deleted_by_itself(
    upstream: Upstream, store: S3, key: str
) -> None:
    upstream.always(answer(204))
    done = store.delete_many([(key, Delete()), ("b", Delete())])
    assert [one.key for one in done if isinstance(one, Deleted)] == [key, "b"]
    assert {one.method for one in upstream.requests} == {"DELETE"}
    assert quote(key) in upstream.requests[0].target


def test_what_no_document_can_carry_is_refused_and_not_sent(upstream: Upstream, store: S3) -> None:
    with pytest.raises(InvalidRequest, match="ETag"):
        store.complete("k", "u", [PartRef(number=1, etag="a\x01")])
    for tags in ({"a\x0b": "1"}, {"a": "\r"}, {"a": "\x85"}):
        with pytest.raises(Unsupported):
            store.set_labels("k", tags=tags)
    assert upstream.requests == []


def test_a_key_that_is_no_text_is_OriginFailed(upstream: Upstream, store: S3) -> None:
    page = (
        b"<ListBucketResult><EncodingType>url</EncodingType>"
        b"<Contents><Key>%FF</Key><Size>1</Size></Contents></ListBucketResult>"
    )
    upstream.will(answer(200, page))
    with pytest.raises(OriginFailed, match="no key"):
        store.list()


def test_a_range_is_cut_out_where_an_upstream_sends_the_whole(
    upstream: Upstream, store: S3
) -> None:
    body = bytes(range(256)) * 1000
    upstream.always(answer(200, body, {"ETag": '"e"'}))
    with store.get("k", Get(range=Range(100_000, 100_009))) as opened:
        assert (opened.start, opened.length, opened.info.size) == (100_000, 10, len(body))
        assert b"".join(iter(opened.body.read, b"")) == body[100_000:100_010]


def test_the_last_bytes_of_an_empty_object_are_none_where_an_upstream_refuses_them(
    upstream: Upstream, store: S3
) -> None:
    refused = answer(
        416, b"<Error><Code>InvalidRange</Code></Error>", {"Content-Range": "bytes */0"}
    )
    empty = answer(200, b"", {"ETag": '"e"'})
    upstream.will(refused, empty)
    with store.get("k", Get(range=Range(None, 5))) as opened:
        assert (opened.start, opened.length, opened.body.read()) == (0, 0, b"")
    upstream.will(empty)
    assert store.stat("k", Get(range=Range(None, 5))).size == 0
    upstream.will(refused)
    with pytest.raises(InvalidRange):
        store.get("k", Get(range=Range(0, 5)))


@pytest.mark.parametrize(
    ("conditions", "error"),
    [
        (Conditions(if_match=("other",)), PreconditionFailed),
        (Conditions(if_none_match=("e",)), NotModified),
        (Conditions(unmodified_since=0), PreconditionFailed),
    ],
)
def test_a_condition_holds_although_an_upstream_does_not_know_it(
    upstream: Upstream, store: S3, conditions: Conditions, error: type[StorageError]
) -> None:
    said = {"ETag": '"e"', "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT"}
    upstream.always(answer(200, b"data", said))
    for ask in (store.get, store.stat):
        with pytest.raises(error):
            ask("k", Get(conditions=conditions))


# conditions of writes, which this upstream passes over


STALE = Conditions(if_match=("other",))


@pytest.mark.parametrize("conditions", [STALE, Conditions(if_size=5), Conditions(if_modified=1000)])
def test_what_a_delete_compares_is_compared_before(
    upstream: Upstream, store: S3, conditions: Conditions
) -> None:
    upstream.objects["/bkt/k"] = b"data"
    with pytest.raises(PreconditionFailed):
        store.delete("k", Delete(conditions=conditions))
    (result,) = store.delete_many([("k", Delete(conditions=conditions))])
    assert isinstance(result, PreconditionFailed)
    assert "/bkt/k" in upstream.objects
    store.delete("k", Delete(conditions=Conditions(if_match=(md5(b"data"),), if_size=4)))
    assert "/bkt/k" not in upstream.objects
    with pytest.raises(NoSuchKey):
        store.delete("k", Delete(conditions=STALE))


def test_so_is_what_a_copy_compares(upstream: Upstream, store: S3) -> None:
    upstream.objects["/bkt/k"] = b"data"
    with pytest.raises(PreconditionFailed):
        store.copy(store, "j", "k", options=Put(conditions=Conditions(if_none_match=("*",))))
    assert [one.method for one in upstream.requests] == ["HEAD"]


def test_a_marker_is_none_of_what_a_delete_compares(upstream: Upstream, store: S3) -> None:
    hidden = {"x-amz-delete-marker": "true", "x-amz-version-id": "v"}
    upstream.will(answer(404, b"", hidden))
    with pytest.raises(PreconditionFailed):
        store.delete("k", Delete(conditions=STALE))


def test_a_completion_that_is_repeated_is_not_compared_with_what_it_made(
    upstream: Upstream, store: S3
) -> None:
    etag = etag_of_parts([md5(b"data")])
    there, gone = answer(200, b"data", {"ETag": f'"{etag}"'}), refuse(404, "NoSuchUpload")
    upstream.will(there, gone, there)
    new = Complete(conditions=Conditions(if_none_match=("*",)))
    assert store.complete("k", "u", [PartRef(number=1, etag=md5(b"data"))], new).etag == etag
    upstream.will(there, answer(200, b"<ListPartsResult/>"))
    with pytest.raises(PreconditionFailed):
        store.complete("k", "u", [PartRef(number=1, etag=md5(b"data"))], new)


def test_an_upstream_is_asked_once_whether_it_compares_what_it_removes(
    upstream: Upstream, store: S3
) -> None:
    compared = Delete(conditions=STALE)
    store.check_delete(Delete())
    assert not upstream.requests
    for _ in range(2):
        with pytest.raises(Unsupported, match="passes over"):
            store.check_delete(compared)
    assert not upstream.objects
    assert [one.method for one in upstream.requests] == ["PUT", "DELETE", "DELETE"]


@pytest.mark.parametrize(
    ("second", "compares"), [(refuse(412, "PreconditionFailed"), True), (answer(204), False),
                             (refuse(501, "NotImplemented"), False)]
)  # fmt: skip
def test_all_that_a_delete_may_say_must_count(
    upstream: Upstream, store: S3, second: Act, compares: bool
) -> None:
    made = answer(200, b"", {"ETag": f'"{md5(b"")}"'})
    upstream.will(made, refuse(412, "PreconditionFailed"), second, answer(204))
    with nullcontext() if compares else pytest.raises(Unsupported):
        store.check_delete(Delete(conditions=STALE))
    tried = [one.headers for one in upstream.requests[1:3]]
    assert tried[0]["if-match"] != tried[1]["if-match"] == f'"{md5(b"")}"'
    assert "x-amz-if-match-last-modified-time" in tried[1]
    assert upstream.requests[3].target == upstream.requests[0].target
    if compares:
        upstream.will(refuse(412, "PreconditionFailed"))
        with pytest.raises(PreconditionFailed):
            store.delete("k", Delete(conditions=STALE))
        assert len(upstream.requests) == 5, "what the upstream looks at is not looked at here"
