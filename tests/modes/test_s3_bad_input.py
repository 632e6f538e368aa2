"""What a client says wrong, and the code that Amazon S3 has for it: one table."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.modes.s3_gateway import Served

S3_NAMES = "http://s3.amazonaws.com/doc/2006-03-01/"
DTD = '<!DOCTYPE Delete SYSTEM "http://127.0.0.1:9/x.dtd">'
ENTITY = '<!DOCTYPE Delete [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
LAUGHS = (
    '<!DOCTYPE Delete [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">'
    '<!ENTITY e "&b;&b;&b;&b;&b;">]>'
)
BUCKET, KEY, PART, ABORT = "", "/k", "/up?partNumber=1&uploadId=UPLOAD", "/up?uploadId=UPLOAD"


class Wrong(NamedTuple):
    """A request below the test's bucket, and what it is refused with; "" where it is not.
    `says`: what must be in the error's document."""

    what: str
    method: str
    target: str
    body: str | bytes = ""
    headers: Mapping[str, str] = {}
    status: int = 400
    code: str = ""
    says: str = ""


def deleting(before: str = "", key: str = "none", names: str = "") -> str:
    return f"{before}<Delete{names}><Object><Key>{key}</Key></Object></Delete>"


def completing(*parts: tuple[Any, str]) -> str:
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in parts
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>"


def delete(what: str, body: str | bytes, **more: Any) -> Wrong:
    data = body.encode() if isinstance(body, str) else body
    md5 = b64encode(hashlib.md5(data).digest()).decode()
    return Wrong(what, "POST", "?delete", data, {"Content-MD5": md5}, **more)


def complete(what: str, *parts: tuple[Any, str], **more: Any) -> Wrong:
    return Wrong(what, "POST", ABORT, completing(*parts), **more)


MALFORMED: dict[str, Any] = {"code": "MalformedXML"}
ARGUMENT: dict[str, Any] = {"code": "InvalidArgument"}
AMZ_DATE = "x-amz-date"

XML = [
    delete("a document type", deleting(DTD), **MALFORMED),
    delete("an entity of a file", deleting(ENTITY, "&e;"), **MALFORMED),
    delete("an entity that grows", deleting(LAUGHS, "&e;"), **MALFORMED),
    delete("nothing", "", code="MalformedXML"),
    delete("no XML", "{}", **MALFORMED),
    delete("half of it", deleting()[:-3], **MALFORMED,
           says="<Advice>This is no XML document: "),
    delete("two roots", deleting() * 2, **MALFORMED),
    delete("another root", "<Tagging/>", **MALFORMED,
           says="<Advice>The document has to be Delete, not Tagging.</Advice>"),
    delete("an element that it does not have", deleting(key="<Name/>"), **MALFORMED,
           says="<Advice>Name is no element of Key: it has only text.</Advice>"),
    delete("another spelling", deleting().replace("Object", "object"), **MALFORMED,
           says="<Advice>object is no element of Delete: it may have Object, Quiet.</Advice>"),
    delete("an element with a long name", f"<Delete><{'n' * 9000}/></Delete>", **MALFORMED,
           says=f"<Advice>{'n' * 500}</Advice>"),
    delete("no key", "<Delete><Object/></Delete>", **MALFORMED),
    delete("no object", "<Delete></Delete>", **MALFORMED),
    delete("1,001 objects", f"<Delete>{'<Object><Key>n</Key></Object>' * 1001}</Delete>",
           **MALFORMED),
    delete("10 MB", b"<Delete>" + b" " * (10 << 20), code="MaxMessageLengthExceeded"),
    delete("bytes that are no UTF-8", b"<Delete><Object><Key>\xff</Key></Object></Delete>",
           **MALFORMED),
    delete("a key that is too long", deleting(key="k" * 1025), code="KeyTooLongError"),
    # clients send other namespaces, or none, and elements in any order
    delete("another namespace", deleting(names=' xmlns="urn:other"'), status=200),
    delete("S3's namespace", deleting(names=f' xmlns="{S3_NAMES}"'), status=200),
    delete("another order", "<Delete><Object><VersionId>null</VersionId><Key>n</Key></Object>"
           "<Quiet>true</Quiet></Delete>", status=200),
    Wrong("tags in another order", "PUT", "/k?tagging",
          "<Tagging><TagSet><Tag><Value>v</Value><Key>k</Key></Tag></TagSet></Tagging>",
          status=200),
    Wrong("a tag without a value", "PUT", "/k?tagging",
          "<Tagging><TagSet><Tag><Key>k</Key></Tag></TagSet></Tagging>", **MALFORMED),
    Wrong("a state that is none", "PUT", "?versioning",
          "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", **MALFORMED),
    delete("a version that cannot be one", "<Delete><Object><Key>k</Key><VersionId>x</VersionId>"
           "</Object></Delete>", status=200, says="<Code>InvalidArgument</Code>"),
]  # fmt: skip

PARTS = [
    *(
        Wrong(f"part {number}", "PUT", f"/up?partNumber={number}&uploadId=UPLOAD", "x", **ARGUMENT,
              says=f"<ArgumentValue>{number}</ArgumentValue>")
        for number in ("0", "10001", "-1", "1.0", "x")
    ),
    Wrong("a part without an upload", "PUT", "/up?partNumber=1", "x", status=405,
          code="MethodNotAllowed"),
    Wrong("a part of no upload", "PUT", "/up?partNumber=1&uploadId=none", "x", status=404,
          code="NoSuchUpload", says="<UploadId>none</UploadId>"),
    complete("no parts", **MALFORMED),
    complete("part 0", (0, "ETAG"), **ARGUMENT, says="<ArgumentName>PartNumber</ArgumentName>"),
    complete("part -4", (-4, "ETAG"), **ARGUMENT, says="<ArgumentValue>-4</ArgumentValue>"),
    complete("part 10,001", (10_001, "ETAG"), **ARGUMENT),
    complete("a part x", ("x", "ETAG"), **MALFORMED),
    complete("10,001 parts", *[(n, "e") for n in range(1, 10_002)], **ARGUMENT),
    complete("a part that is not there", (1, "ETAG"), (3, "ETAG"), code="InvalidPart",
             says="<PartNumber>3</PartNumber>"),
    complete("a part with another ETag", (1, "0" * 32), code="InvalidPart"),
    complete("a part without an ETag", (1, ""), **MALFORMED),
    complete("parts in another order", (2, "ETAG"), (1, "ETAG"), code="InvalidPartOrder",
             says="must be ordered by part number.</Message><Advice>The parts are not in"),
    complete("a part that is too small", (1, "ETAG"), (2, "ETAG"), code="EntityTooSmall",
             says="<ProposedSize>1</ProposedSize><MinSizeAllowed>5242880</MinSizeAllowed>"),
    Wrong("the size of another object", "POST", ABORT, completing((1, "ETAG")),
          {"x-amz-mp-object-size": "7"}, code="InvalidRequest"),
    Wrong("an upload that began at another time", "DELETE", ABORT,
          headers={"x-amz-if-match-initiated-time": "Thu, 01 Jan 2015 00:00:00 GMT"},
          status=412, code="PreconditionFailed"),
    Wrong("an upload that began at no time", "DELETE", ABORT,
          headers={"x-amz-if-match-initiated-time": "soon"}, **ARGUMENT),
    Wrong("a part beyond the parts", "GET", "/k?partNumber=2", status=416, code="InvalidPartNumber",
          says="<ActualPartCount>1</ActualPartCount><PartNumberRequested>2</PartNumberRequested>"),
]  # fmt: skip

DATES = [
    *(
        Wrong(f"signed at {date or 'no time'}", "GET", KEY, headers={AMZ_DATE: date}, status=403,
              code="AccessDenied")
        for date in ("2026-11-29T12:00:00Z", "20261129", "20261329T000000Z", "now",
                     "99999999T999999Z", "20150101T000000", "\u0662\u0660150101T000000Z", "")
    ),
    Wrong("signed long ago", "GET", KEY, headers={AMZ_DATE: "20150101T000000Z"}, status=403,
          code="RequestTimeTooSkewed"),
    *(
        Wrong(f"written if unmodified since {date}", "PUT", KEY, "x",
              {"If-Unmodified-Since": date}, code="InvalidRequest")
        for date in ("now", "2026", "32 Jan 2026 00:00:00 GMT")
    ),
    *(
        Wrong(f"read if modified since {date}", "GET", KEY, headers={"If-Modified-Since": date},
              status=200)
        for date in ("now", "2026-99-99", "Mon, 99 Jan 2026 99:99:99 GMT")
    ),
    Wrong("removed if it is of no time", "DELETE", KEY,
          headers={"x-amz-if-match-last-modified-time": "then"}, **ARGUMENT,
          says="<ArgumentValue>then</ArgumentValue>"),
    Wrong("removed if it is of no size", "DELETE", KEY, headers={"x-amz-if-match-size": "-1"},
          **ARGUMENT, says="<ArgumentName>x-amz-if-match-size</ArgumentName>"),
]  # fmt: skip

HEADERS = [
    Wrong("2 KB of metadata and one byte", "PUT", KEY, "x", {"x-amz-meta-a": "v" * 2048},
          code="MetadataTooLarge",
          says="<Size>2049</Size><MaxSizeAllowed>2048</MaxSizeAllowed>"),
    Wrong("a control character", "PUT", KEY, "x", {"x-amz-meta-a": "a\x01b"}),  # by the server
    Wrong("8 KiB of headers", "PUT", KEY, "x", {"x-amz-meta-a": "v" * 8192},
          code="RequestHeaderSectionTooLarge", says="<MaxSizeAllowed>8192</MaxSizeAllowed>"),
    Wrong("8 KiB of parameters", "GET", f"?prefix={'p' * 8192}",
          code="RequestHeaderSectionTooLarge"),
    Wrong("a count below nothing", "GET", "?max-keys=-5", **ARGUMENT,
          says="Argument max-keys must be an integer between 0 and 2147483647"),
    Wrong("a count that is none", "GET", "?max-keys=x", **ARGUMENT,
          says="<ArgumentName>max-keys</ArgumentName><ArgumentValue>x</ArgumentValue>"),
    Wrong("a bypass that is neither", "DELETE", KEY,
          headers={"x-amz-bypass-governance-retention": "yes"}, **ARGUMENT,
          says="<ArgumentValue>yes</ArgumentValue>"),
    Wrong("half an escape in a tag", "PUT", KEY, "x", {"x-amz-tagging": "a=%4"}, **ARGUMENT),
    Wrong("a tag without a name", "PUT", KEY, "x", {"x-amz-tagging": "=b"}, **ARGUMENT),
    Wrong("a tag twice", "PUT", KEY, "x", {"x-amz-tagging": "a=b&a=b"}, **ARGUMENT,
          says="<ArgumentName>x-amz-tagging</ArgumentName>"),
    Wrong("eleven tags", "PUT", KEY, "x", {"x-amz-tagging": "&".join(f"t{n}" for n in range(11))},
          code="BadRequest"),
    Wrong("a tag with a sign", "PUT", KEY, "x", {"x-amz-tagging": "a=!"}, code="InvalidTag"),
    Wrong("an MD5 that is none", "PUT", KEY, "x", {"Content-MD5": "x"}, code="InvalidDigest",
          says="<Content-MD5>x</Content-MD5>"),
    Wrong("the MD5 of something else", "PUT", KEY, "x", {"Content-MD5": "XrY7u+Ae7tCTyyK7j1rNww=="},
          code="BadDigest", says="<ExpectedDigest>5eb63bbbe01eeed093cb22bb8f5acdc3</ExpectedDigest>"
          "<CalculatedDigest>ndTkYSaMgDT1yFZOFVxnpg==</CalculatedDigest>"),
    Wrong("the hash of something else", "PUT", KEY, "x", {"x-amz-content-sha256": "0" * 64},
          code="XAmzContentSHA256Mismatch",
          says=f"<ClientComputedContentSHA256>{'0' * 64}</ClientComputedContentSHA256>"),
    Wrong("half an escape in a source", "PUT", KEY, headers={"x-amz-copy-source": "b/%ZZ"},
          **ARGUMENT, says="<ArgumentValue>b/%ZZ</ArgumentValue>"),
    Wrong("a source in what is no bucket", "PUT", KEY,
          headers={"x-amz-copy-source": "192.168.1.1/k"}, **ARGUMENT),
    Wrong("a source in a bucket that is not there", "PUT", KEY,
          headers={"x-amz-copy-source": "not-there/k"}, status=404, code="NoSuchBucket",
          says="<BucketName>not-there</BucketName>"),
    Wrong("a source of no version", "PUT", KEY, headers={"x-amz-copy-source": "SELF/k?versionId=x"},
          **ARGUMENT),
    Wrong("a version that cannot be one", "GET", "/k?versionId=x", **ARGUMENT,
          says="<ArgumentName>versionId</ArgumentName><ArgumentValue>x</ArgumentValue>"),
    Wrong("a version that is not there", "GET", f"/k?versionId={'0' * 32}", status=404,
          code="NoSuchVersion"),
    Wrong("a document in unsigned chunks", "PUT", "?tagging", "0\r\n\r\n",
          {"x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
           "x-amz-decoded-content-length": "0"}, code="InvalidRequest"),
    Wrong("no attributes asked for", "GET", "/k?attributes", code="InvalidRequest"),
    Wrong("attributes that are none", "GET", "/k?attributes",
          headers={"x-amz-object-attributes": "ETag,Colour"}, **ARGUMENT,
          says="<ArgumentValue>Colour</ArgumentValue>"),
    Wrong("a range beyond the end", "GET", KEY, headers={"Range": "bytes=5-"}, status=416,
          code="InvalidRange", says="<RangeRequested>bytes=5-</RangeRequested>"),
]  # fmt: skip


class Place(NamedTuple):
    bucket: str
    upload: str
    etag: str


@pytest.fixture(scope="module")
def place(s3: Served) -> Iterator[Place]:
    client, bucket = s3.client(), "bad-input"
    client.create_bucket(Bucket=bucket)
    client.put_object(Bucket=bucket, Key="k", Body=b"x")
    upload = client.create_multipart_upload(Bucket=bucket, Key="up")["UploadId"]
    where = {"Bucket": bucket, "Key": "up", "UploadId": upload}
    for number in (1, 2):
        etag = client.upload_part(**where, PartNumber=number, Body=b"x")["ETag"]
    yield Place(bucket, upload, etag)


@pytest.mark.parametrize("wrong", [*XML, *PARTS, *DATES, *HEADERS], ids=lambda one: one.what)
def test_what_is_wrong_has_its_code(s3: Served, place: Place, wrong: Wrong) -> None:
    target = f"/{place.bucket}{wrong.target}".replace("UPLOAD", place.upload)
    body = wrong.body if isinstance(wrong.body, bytes) else wrong.body.encode()
    headers = {name: text.replace("SELF", place.bucket) for name, text in wrong.headers.items()}
    body = body.replace(b"ETAG", place.etag.encode())
    if (date := headers.pop(AMZ_DATE, None)) is not None:
        signed = s3.signed(wrong.method, target, f"127.0.0.1:{s3.port}", headers=headers)
        answer = s3.send(wrong.method, target, {**signed, "X-Amz-Date": date})
    else:
        answer = s3.raw(wrong.method, target, body=body, headers=headers)
    assert (answer.status, answer.code() if answer.status >= 400 else "") == (
        wrong.status,
        wrong.code,
    )
    assert wrong.says in answer.body.decode()
    assert wrong.code != "MalformedXML" or "<Advice>" in answer.body.decode()


def test_nothing_of_it_was_done(s3: Served, place: Place) -> None:
    client = s3.client()
    assert client.get_object(Bucket=place.bucket, Key="k")["Body"].read() == b"x"
    assert (
        len(client.list_parts(Bucket=place.bucket, Key="up", UploadId=place.upload)["Parts"]) == 2
    )


def test_a_head_that_is_too_large_is_told_before_a_path_that_is_none(s3: Served) -> None:
    long = {"x-amz-meta-a": "v" * 8192}
    assert s3.raw("PUT", "//bucket/k", headers=long).code() == "RequestHeaderSectionTooLarge"
    assert s3.raw("PUT", "//bucket/k").code() == "InvalidURI"


def test_the_hash_is_judged_before_the_bucket(s3: Served) -> None:
    """The signature's part comes first."""
    wrong = {"x-amz-content-sha256": "0" * 64}
    for body in (b"", b"<Tagging/>"):
        answer = s3.raw("PUT", "/not-there/k?tagging", body=body, headers=wrong)
        assert (answer.status, answer.code()) == (400, "XAmzContentSHA256Mismatch")
        answer = s3.raw("PUT", "/not-there/k?tagging", body=body)
        assert (answer.status, answer.code()) == (404, "NoSuchBucket")
