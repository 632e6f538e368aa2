"""Uploads by browsers' forms: what they may say, who may send them, and what stays of them."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.modes import Options, WSGIApp
from gateway.modes.s3 import S3Mode
from gateway.modes.s3.forms import post_policy
from gateway.modes.s3.problems import S3Problem
from gateway.storage import IncompleteBody, InvalidRequest
from gateway.web.forms import Form
from tests.modes.s3_gateway import Answer, Served, serving, wrapped
from tests.modes.test_hostile import TEXTS
from tests.modes.test_s3_objects import refused

EDGE = "--of-the-form"
Fields = Mapping[str, str]


def form(fields: Fields, file: bytes | None = b"hello", filename: str = "a.txt") -> bytes:
    parts = [
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    body = "".join(parts).encode()
    if file is not None:
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"'
        body += f"{head}\r\nContent-Type: text/html\r\n\r\n".encode() + file + b"\r\n"
    return body + f"--{EDGE}--\r\n".encode()


def post(
    s3: Served, bucket: str, body: bytes, *, key: str = "", host: str = "", **headers: str
) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    named.setdefault("Content-Type", f"multipart/form-data; boundary={EDGE}")
    target = f"/{bucket}" if bucket else "/"
    return s3.raw("POST", target, body=body, key=key, headers=named, host=host)


def signed(
    s3: Served, bucket: str, key: str = "k", conditions: Any = (), **more: str
) -> dict[str, str]:
    """The fields of a form as boto3 signs it; `more` are in its policy."""
    named = {name.replace("_", "-"): text for name, text in more.items()}
    made = s3.client().generate_presigned_post(
        bucket,
        key,
        Fields=dict(named),
        Conditions=[*({n: t} for n, t in named.items()), *conditions],
    )
    fields: dict[str, str] = made["fields"]
    return fields


def by_hand(document: object, **more: str) -> dict[str, str]:
    """The fields of a form with any policy, signed; `more` are in the form."""
    text = document if isinstance(document, str) else json.dumps(document)
    now = datetime.now(UTC)
    fields = {
        "key": "k",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-date": now.strftime("%Y%m%dT%H%M%SZ"),
        "x-amz-credential": f"main-key/{now:%Y%m%d}/us-east-1/s3/aws4_request",
        "policy": b64encode(text.encode()).decode(),
        **more,
    }
    key = b"AWS4secret of main-key"
    for part in (f"{now:%Y%m%d}", "us-east-1", "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    made = hmac.digest(key, fields["policy"].encode(), "sha256").hex()
    return {"x-amz-signature": made, **fields}


def allowing(bucket: str, *conditions: object) -> dict[str, object]:
    """A policy of all that `by_hand` sends."""
    plain = [["starts-with", f"${name}", ""] for name in ("key", *AUTH)]
    return {
        "expiration": "2100-01-01T00:00:00Z",
        "conditions": [{"bucket": bucket}, *plain, *conditions],
    }


AUTH = ("x-amz-algorithm", "x-amz-date", "x-amz-credential")


def test_a_presigned_form_stores_what_its_fields_say(s3: Served, bucket: str) -> None:
    tags = "<Tagging><TagSet><Tag><Key>env</Key><Value>test</Value></Tag></TagSet></Tagging>"
    sent = {
        "Content-Type": "text/plain",
        "Cache-Control": "max-age=1",
        "Content-Disposition": "inline",
        "Content-Encoding": "identity",
        "x-amz-meta-color": "grün",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-checksum-crc32": "NhCmhg==",
        "acl": "public-read",
        "tagging": tags,
        "x-ignore-me": "yes",
    }
    answer = post(s3, bucket, form(signed(s3, bucket, "a/ö.txt", **sent)), Cache_Control="no-cache")
    assert (answer.status, answer.body) == (204, b"")
    etag = hashlib.md5(b"hello", usedforsecurity=False).hexdigest()
    assert answer.headers["etag"] == f'"{etag}"'
    assert answer.headers["location"] == f"{s3.url}/{bucket}/a%2F%C3%B6.txt"
    assert answer.headers["x-amz-checksum-crc32"] == "NhCmhg=="
    found = s3.raw("GET", f"/{bucket}/a/%C3%B6.txt", key="")  # the ACL lets anybody
    assert (found.status, found.body) == (200, b"hello")
    for name in ("content-type", "cache-control", "content-disposition", "x-amz-storage-class"):
        assert found.headers[name] == {k.lower(): v for k, v in sent.items()}[name]
    client = s3.client()
    assert client.head_object(Bucket=bucket, Key="a/ö.txt")["Metadata"]["color"]
    assert client.get_object_tagging(Bucket=bucket, Key="a/ö.txt")["TagSet"] == [
        {"Key": "env", "Value": "test"}
    ]
    made = next(one for one in s3.records if one.operation == "PostObject")
    assert (made.key_id, made.key, made.sid) == ("main-key", "a/ö.txt", bucket)


def test_what_stands_in_the_file_alone_says_nothing(s3: Served, bucket: str) -> None:
    behind = form(signed(s3, bucket)) + b"and more"
    assert post(s3, bucket, behind, Cache_Control="no-cache").status == 204  # a browser's own
    head = s3.client().head_object(Bucket=bucket, Key="k")
    assert "CacheControl" not in head
    assert (head["ContentType"], head["ContentLength"]) == ("binary/octet-stream", 5)


def test_a_form_names_its_file(s3: Served, bucket: str) -> None:
    fields = signed(s3, bucket, "up/${filename}")
    assert post(s3, bucket, form(fields, filename="C:/of the user/x.txt")).status == 204
    assert s3.client().head_object(Bucket=bucket, Key="up/x.txt")["ContentLength"] == 5
    nameless = form(signed(s3, bucket, "${filename}")).replace(b'; filename="a.txt"', b"")
    assert post(s3, bucket, nameless).status == 204  # as AWS has it
    assert s3.raw("HEAD", f"/{bucket}/%24%7Bfilename%7D").status == 200


@pytest.mark.parametrize(
    ("said", "status"), [("200", 200), ("201", 201), ("204", 204), ("404", 204)]
)
def test_a_form_says_how_to_answer(s3: Served, bucket: str, said: str, status: int) -> None:
    fields = signed(s3, bucket, "a b", success_action_status_=said)
    fields["success_action_status"] = said
    answer = post(
        s3,
        bucket,
        form(
            by_hand(allowing(bucket, {"success_action_status": said}), success_action_status=said)
        ),
    )
    assert answer.status == status
    assert answer.headers["location"] == f"{s3.url}/{bucket}/k"
    if status == 201:
        for text in (
            f"<Bucket>{bucket}<",
            "<Key>k<",
            "<ETag>&quot;",
            f"<Location>{s3.url}/{bucket}/k<",
        ):
            assert text in answer.body.decode()


def test_a_form_sends_its_browser_on(s3: Served, bucket: str) -> None:
    def sent_to(address: str) -> Answer:
        wanted = {"success_action_redirect": address}
        return post(s3, bucket, form(by_hand(allowing(bucket, wanted), **wanted)))

    answer = sent_to("https://example.com/done?a=b#there")
    assert answer.status == 303
    found = urlsplit(answer.headers["location"])
    assert (found.netloc, found.path, found.fragment) == ("example.com", "/done", "there")
    assert parse_qs(found.query) == {
        "a": ["b"],
        "bucket": [bucket],
        "key": ["k"],
        "etag": ['"5d41402abc4b2a76b9719d911017c592"'],
    }
    assert sent_to("javascript:alert(1)").status == 204


def test_anybody_may_where_the_bucket_lets(s3: Served, bucket: str) -> None:
    plain = form({"key": "k", "acl": "public-read"})
    assert post(s3, bucket, plain).code() == "AccessDenied"
    wrong = form({"key": "k", "bucket": "other"})
    assert post(s3, bucket, wrong).code() == "AccessDenied"  # nothing else is looked at
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert post(s3, bucket, plain).status == 204
    document = b64encode(json.dumps(allowing(bucket)).encode()).decode()
    held = post(s3, bucket, form({"key": "k", "policy": document}))  # by nobody, and obeyed
    assert b"Policy Condition failed" in held.body
    assert post(s3, "no-such-bucket", plain).code() == "NoSuchBucket"
    assert post(s3, bucket, wrong).code() == "InvalidArgument"


def by_version_2(bucket: str) -> dict[str, str]:
    document = {
        "expiration": "2100-01-01T00:00:00Z",
        "conditions": [{"bucket": bucket}, {"key": "k"}],
    }
    text = b64encode(json.dumps(document).encode()).decode()
    made = b64encode(hmac.digest(b"secret of main-key", text.encode(), "sha1")).decode()
    return {"key": "k", "AWSAccessKeyId": "main-key", "policy": text, "signature": made}


def test_signature_version_2_of_a_form(s3: Served, bucket: str) -> None:
    fields = by_version_2(bucket)
    assert post(s3, bucket, form(fields)).status == 204
    assert post(s3, bucket, form({**fields, "signature": fields["signature"][::-1]})).code() == (
        "SignatureDoesNotMatch"
    )
    del fields["signature"]
    assert b"<ArgumentName>signature<" in post(s3, bucket, form(fields)).body


def test_rules_know_a_form_and_how_it_is_signed(s3: Served, bucket: str) -> None:
    def denied(key: str, operator: str, value: str) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": f"arn:aws:s3:::{bucket}/*",
            "Condition": {operator: {f"s3:{key}": value}},
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        s3.client().put_bucket_policy(Bucket=bucket, Policy=document)

    fourth, second = form(signed(s3, bucket)), form(by_version_2(bucket))
    denied("authType", "StringNotEquals", "POST")
    assert [post(s3, bucket, one).status for one in (fourth, second)] == [204, 204]
    assert refused(s3.client().put_object, Bucket=bucket, Key="k")[1] == "AccessDenied"
    denied("signatureversion", "StringEquals", "AWS")
    assert [post(s3, bucket, one).status for one in (fourth, second)] == [204, 403]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch", "StringToSignBytes"),
        ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, "InvalidArgument", "X-Amz-Algorithm"),
        ({"x-amz-date": "yesterday"}, "InvalidArgument", "X-Amz-Date"),
        ({"x-amz-credential": "main-key"}, "InvalidArgument", "mal-formed"),
        (
            {"x-amz-credential": "main-key/20200101/us-east-1/s3/aws4_request"},
            "InvalidArgument",
            "20200101",
        ),
        (
            {"x-amz-credential": "main-key/20200101/eu-west-1/s3/aws4_request"},
            "InvalidArgument",
            "expecting 'us-east-1'",
        ),
        ({"policy": None}, "InvalidArgument", "<ArgumentName>policy<"),
        ({"key": None}, "InvalidArgument", "named 'key'"),
        ({"key": "x" * 1025}, "KeyTooLongError", ""),
        ({"key": "other"}, "AccessDenied", "Policy Condition failed: ["),
        ({"x-amz-meta-more": "1"}, "AccessDenied", "Extra input fields: x-amz-meta-more"),
        ({"x-amz-security-token": "t"}, "InvalidToken", ""),
        ({"x-amz-copy-source": "a/b"}, "InvalidArgument", "x-amz-copy-source"),
        ({"x-amz-checksum-crc99": "AAAAAA=="}, "InvalidRequest", "algorithm type"),
        ({"x-amz-meta-a": "1\r\n2"}, "InvalidArgument", "x-amz-meta-a"),
        ({"x-amz-meta-ä": "1"}, "InvalidArgument", ""),
        ({"tagging": "a=b"}, "MalformedXML", ""),
        ({"KEY": "k"}, "InvalidArgument", "twice"),
        ({"x-ignore-this": "x" * (20 << 10)}, "MaxPostPreDataLengthExceeded", "20480"),
    ],
)
def test_what_is_wrong_with_a_form(
    s3: Served, bucket: str, change: dict[str, str | None], code: str, said: str
) -> None:
    fields = {**signed(s3, bucket), **change}
    body = form({name: text for name, text in fields.items() if text is not None})
    answer = post(s3, bucket, body)
    assert answer.code() == code
    assert said in answer.body.decode()
    assert refused(s3.client().head_object, Bucket=bucket, Key="k")[0] == 404


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("x-amz-storage-class", "InvalidStorageClass"),
        ("x-amz-server-side-encryption", "InvalidArgument"),
        ("x-amz-object-lock-legal-hold", "InvalidArgument"),
        ("x-amz-sdk-checksum-algorithm", "InvalidRequest"),
        ("acl", "InvalidArgument"),
    ],
)
def test_what_is_none_of_the_words_of_a_field_is_refused(
    s3: Served, bucket: str, name: str, code: str
) -> None:
    said = {name: "perhaps"}
    assert post(s3, bucket, form(signed(s3, bucket, **said))).code() == code
    beyond = form({**signed(s3, bucket), **said})  # what the policy has not is said first
    assert post(s3, bucket, beyond).code() == "AccessDenied"
    assert refused(s3.client().head_object, Bucket=bucket, Key="k")[0] == 404


def test_what_is_no_form(s3: Served, bucket: str) -> None:
    good = form(signed(s3, bucket))
    assert post(s3, bucket, good, Content_Type="application/json").code() == "PreconditionFailed"
    assert (
        post(s3, bucket, good, Content_Type="multipart/form-data").code() == "MalformedPOSTRequest"
    )
    assert post(s3, bucket, good.replace(b"--\r\n", b"")[:-9]).code() == "MalformedPOSTRequest"
    assert post(s3, bucket, good.replace(b'"key"', b'"\xff"')).code() == "MalformedPOSTRequest"
    assert post(s3, bucket, form(signed(s3, bucket), None)).code() == "InvalidArgument"
    assert post(s3, bucket, good, x_amz_acl="public-read").code() == "InvalidRequest"
    assert post(s3, bucket, good, key="main-key").code() == "InvalidRequest"
    assert refused(s3.client().head_object, Bucket=bucket, Key="k")[0] == 404


NAMES = (
    "key", "acl", "tagging", "content-type", "expires", "content-md5", "policy", "redirect",
    "success_action_redirect", "success_action_status", "bucket", "x-amz-meta-a",
    "x-amz-storage-class", "x-amz-checksum-sha256", "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-key",
    "x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-grant-read",
    "x-amz-website-redirect-location", "x-amz-expected-bucket-owner", "x-amz-signature",
    "x-amz-credential", "x-amz-date", "x-amz-algorithm", "awsaccesskeyid", "signature",
)  # fmt: skip


SIGNING = frozenset({"policy", "bucket", "key", *AUTH, "x-amz-signature"})


def test_no_field_is_a_mistake_of_ours(s3: Served, bucket: str) -> None:
    """Whatever it says: in a form that is signed what signs, in one of anybody the others."""
    s3.client().put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    app = wrapped(S3Mode().app(s3.gateway))
    nasty = [text.encode() for text in ("\0", "a\r\nb", *TEXTS)]
    for name in NAMES:
        plain = {"key": "k"}
        if name in SIGNING:
            plain = by_hand(allowing(bucket, ["starts-with", f"${name}", ""]))
        body = form({**plain, name: "TEXT"})
        for text in ("\ud800".encode("utf-8", "surrogatepass"), *nasty):
            assert 200 <= asked(app, bucket, body.replace(b"TEXT", text)) < 500, (name, text)


def asked(app: WSGIApp, bucket: str, body: bytes) -> int:
    """In process: the status of a form's answer."""
    statuses: list[int] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": f"/{bucket}",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": f"multipart/form-data; boundary={EDGE}",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
    }
    app(environ, lambda line, _: statuses.append(int(line[:3])))
    return statuses[0]


@pytest.mark.parametrize(
    ("size", "code", "proposed"),
    [(9, "EntityTooSmall", 9), (10, "", 0), (20, "", 0), (21, "EntityTooLarge", 21)],
)
def test_a_policy_bounds_the_file(
    s3: Served, bucket: str, size: int, code: str, proposed: int
) -> None:
    fields = signed(s3, bucket, conditions=[["content-length-range", 10, "20"]])
    answer = post(s3, bucket, form(fields, b"x" * size))
    assert answer.code() == code
    assert not code or f"<ProposedSize>{proposed}<" in answer.body.decode()
    assert (s3.raw("HEAD", f"/{bucket}/k").status == 200) == (not code)


def test_a_checksum_holds(s3: Served, bucket: str) -> None:
    for text, code in (("AAAAAA==", "BadDigest"), ("invalid", "InvalidRequest")):
        fields = signed(s3, bucket, **{"x-amz-checksum-crc32": text})
        assert post(s3, bucket, form(fields)).code() == code
    of_hello = {"x-amz-checksum-crc32": "NhCmhg=="}
    for algorithm, code in (("SHA1", "InvalidRequest"), ("CRC32", "")):
        assert refused(s3.client().head_object, Bucket=bucket, Key="k")[0] == 404
        fields = signed(s3, bucket, **of_hello, **{"x-amz-checksum-algorithm": algorithm})
        answer = post(s3, bucket, form(fields))
        assert (answer.code() if answer.status >= 400 else "") == code


@pytest.mark.usefixtures("sockets")
def test_a_form_for_a_bucket_by_its_host_name() -> None:
    with serving(Options(domains=("s3.example.com",))) as s3:
        s3.raw("PUT", "/bucket")
        answer = post(s3, "", form(signed(s3, "bucket")), host="bucket.s3.example.com")
        assert answer.status == 204
        assert answer.headers["location"] == "http://bucket.s3.example.com/k"
        assert s3.raw("GET", "/bucket/k").body == b"hello"


# policies

NOW = 1_000_000_000_000
LATER = "2100-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "Expecting '{'"),
        ("no json", "Invalid JSON."),
        ("[" * 15_000, "Invalid JSON."),
        ([], "Invalid JSON."),
        ({"conditions": []}, "Policy missing expiration."),
        ({"expiration": LATER}, "Policy missing conditions."),
        ({"expiration": True, "conditions": []}, "Invalid JSON."),
        (f'{{"expiration":"{LATER}","conditions":[1],"conditions":[]}}', "Invalid JSON."),
        (f'{{"expiration":"{LATER}","conditions":[{{"acl":"a","acl":"b"}}]}}', "Invalid JSON."),
        ({"expiration": "2100-01-01 00:00:00+00:00", "conditions": []}, "Invalid 'expiration'"),
        ({"expiration": "2100-01-01T00:00:00+00:00", "conditions": []}, "Invalid 'expiration'"),
        ({"expiration": "2100-13-01T00:00:00Z", "conditions": []}, "Invalid 'expiration'"),
        ({"expiration": LATER, "conditions": True}, "must be a List"),
        ({"expiration": LATER, "conditions": [], "extra": 1}, "Unexpected: 'extra'"),
        ({"EXPIRATION": LATER, "conditions": []}, "Unexpected: 'expiration'"),
        *(
            ({"expiration": LATER, "conditions": [condition]}, said)
            for condition, said in [
                (True, "must be a List or Object"),
                ([], "missing operation identifier"),
                ([["a"], "$key", "k"], "unknown operation"),
                (["ends-with", "$key", "k"], "unknown operation 'ends-with'"),
                (["eq", "$key", "k", "more"], "wrong number of arguments"),
                (["content-length-range", 0], "wrong number of arguments"),
                (["content-length-range", -1, 0], "Invalid JSON."),
                (["content-length-range", 1, True], "Invalid JSON."),
                (["eq", 1, "k"], "Invalid JSON."),
                (["eq", "$key", True], "Invalid JSON."),
                ({}, "exactly one property"),
                ({"a": "b", "c": "d"}, "exactly one property"),
                ({"a": 1}, "must be a string"),
                ({"a": None}, "Invalid JSON."),
                (["eq", "key", "k"], 'Policy Condition failed: ["eq", "key", "k"]'),
            ]
        ),
    ],
)
def test_policies_that_are_none(document: object, said: str) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(S3Problem) as caught:
        post_policy.parse(b64encode(text.encode()).decode())
    assert said in caught.value.message
    assert caught.value.code == ("AccessDenied" if "failed" in said else "InvalidPolicyDocument")


@pytest.mark.parametrize(
    ("condition", "fields", "holds"),
    [
        ({"acl": "private"}, {"acl": "private"}, True),
        ({"ACL": "private"}, {"acl": "private"}, True),
        ({"acl": "private"}, {"acl": "public-read"}, False),
        ({"acl": "private"}, {}, False),
        (["EQ", "$Key", "a"], {"key": "a"}, True),
        (["starts-with", "$key", "user/"], {"key": "user/a"}, True),
        (["starts-with", "$key", "user/"], {"key": "other/user/"}, False),
        (["starts-with", "$key", ""], {"key": ""}, True),
        (["starts-with", "$key", ""], {}, False),
        (["starts-with", "$content-type", "text/"], {"content-type": "text/a, text/b"}, True),
        (["starts-with", "$content-type", "text/"], {"content-type": "text/a, image/b"}, False),
        (["eq", "$bucket", "b"], {"bucket": "other"}, True),  # which is asked, not what is said
        (["eq", "$bucket", "other"], {"bucket": "other"}, False),
    ],
)
def test_conditions(condition: object, fields: Fields, holds: bool) -> None:
    of_bucket = ["starts-with", "$bucket", ""]
    document = {"expiration": LATER, "conditions": [of_bucket, condition]}
    found = post_policy.parse(b64encode(json.dumps(document).encode()).decode().rstrip("="))
    if holds:
        found.check("b", fields, NOW)
    else:
        with pytest.raises(S3Problem, match="Policy Condition failed"):
            found.check("b", fields, NOW)


def test_a_policy_ends_and_is_of_a_bucket() -> None:
    at = datetime.fromtimestamp(NOW / 1000, UTC)

    def check(expiration: datetime, *conditions: object) -> None:
        document = {"expiration": f"{expiration:%Y-%m-%dT%H:%M:%SZ}", "conditions": conditions}
        post_policy.parse(b64encode(json.dumps(document).encode()).decode()).check("b", {}, NOW)

    check(at, {"bucket": "b"})
    with pytest.raises(S3Problem, match="expired"):
        check(at - timedelta(seconds=1), {"bucket": "b"})
    with pytest.raises(S3Problem, match="Extra input fields: bucket"):
        check(at)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["conditions", "eq"]), inner),
    max_leaves=5,
)


@settings(deadline=None, max_examples=30)
@given(JSON)
def test_no_policy_makes_the_parser_fail_otherwise(document: object) -> None:
    with pytest.raises(S3Problem):
        post_policy.parse(b64encode(json.dumps(document).encode()).decode())


# forms as they come


class Trickling:
    """A body in pieces of one size, of which `given` counts what was asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces, self.given = list(pieces), 0

    def read(self, size: int = -1, /) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if 0 <= size < len(piece):
            piece, rest = piece[:size], piece[size:]
            self._pieces.insert(0, rest)
        self.given += len(piece)
        return piece

    def close(self) -> None: ...


def opened(source: Trickling, size: int) -> Form:
    return Form(source, size, f"multipart/form-data; boundary={EDGE}", most=9)


def test_a_file_is_read_as_it_is_asked_for() -> None:
    head, _, tail = form({"key": "k"}, b"CUT").partition(b"CUT")
    piece, count = b"x" * 65536, 256
    source = Trickling(head, *[piece] * count, tail)
    made = opened(source, len(head) + len(piece) * count + len(tail))
    first, file = made.next(), made.next()
    assert first is not None and file is not None and first.name == "key"
    received = 0
    while found := file.read():
        received += len(found)
        assert source.given - received < 1 << 20
    assert received == len(piece) * count
    assert made.next() is None
    made.end()


def test_a_form_that_breaks_off_has_no_end() -> None:
    whole = form({}, b"hello")
    for cut in (5, 40, len(whole) - 20, len(whole) - 1):
        made = opened(Trickling(whole[:cut]), len(whole))
        with pytest.raises(IncompleteBody):
            while (part := made.next()) is not None:
                part.read()
            made.end()


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (b'name="a"', b'name="\xff"'),
        (b'name="a"', b"name=\"a\"; filename*=utf-7''+2AA-"),
        (b'name="a"', b"name=\"a\"; filename*=unicode_escape''%5Cud800"),
    ],
)
def test_a_form_whose_headers_are_no_text(text: bytes, header: bytes) -> None:
    body = form({"a": "x"}).replace(text, header)
    with pytest.raises(InvalidRequest):
        opened(Trickling(body), len(body)).next()
