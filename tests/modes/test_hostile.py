"""Whatever a client says, it is the client's fault: each operation of S3 and each function of
the standard mode, each of its parameters, and a table of values that break parsers. In this
process, through the gateway's own application; what servers refuse by themselves is left out.

The parameters of S3 are those of AWS's own description of it, which is botocore's data.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import pytest
from defusedxml import ElementTree

from gateway.common import sigv4
from gateway.common.xml import escape
from gateway.modes.management.functions import TABLE as MANAGEMENT
from gateway.modes.s3.operations import TABLE, Operation
from gateway.modes.s3.signatures.auth import signed_headers
from gateway.modes.standard.functions import TABLE as FUNCTIONS
from gateway.services.runtime import open_runtime
from gateway.telemetry.metrics import Metrics
from gateway.web.admission import Admission
from gateway.web.api.table import Function
from gateway.web.app import App, create_app
from gateway.web.request_head import variable
from tests.modes.model_requests import model as of_aws
from tests.modes.standard_gateway import ROOT, S3_KEY, configuration

NESTED = "[" * 3000
TEXTS = (
    "", " ", "0", "-1", "1e400", "NaN", "9" * 19, "9" * 5000, "-" + "9" * 5000, "\u0663",
    "null", "*", '"', "é\U0001f4c1", "%00", "a/../../b", NESTED,
    urlsafe_b64encode(NESTED.encode()).decode(), "<" * 3000, "=" * 99, ".", "a" * 8000,
    "Fri, 31 Dec 9999 23:59:59 -9999", "arn:aws:s3:::b/k", "bytes=" + "9" * 5000 + "-",
)  # fmt: skip
"""As headers carry them, and queries."""
RAW = ("%00", "%01", "%0D%0Ax-y:%20z", "%EF%BF%BE", "%ED%A0%80", "%FF", "%", "%zz", "+", "&&=&")
"""For queries and paths only: bytes that no header can have, and what is no UTF-8."""
ALL_RAW = (*(quote(text, safe="") for text in TEXTS), *RAW)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes


class Hostile:
    """The gateway's application, and requests that it is called with."""

    def __init__(self, app: App) -> None:
        self.app = app

    def ask(
        self, method: str, path: str, query: str = "", body: bytes = b"", **headers: str
    ) -> Answer:
        """`path` and `query` are encoded; `headers` have their WSGI names. A request that does
        not say who makes it is signed."""
        environ = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "QUERY_STRING": query,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "HTTP_HOST": "gateway",
            "REMOTE_ADDR": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
            "SERVER_NAME": "gateway", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.input": BytesIO(body), "wsgi.url_scheme": "http", "wsgi.errors": sys.stderr,
            **headers,
        }  # fmt: skip
        if not environ.keys() & {"HTTP_X_OWNCDN_KEY", "HTTP_X_API_KEY", "HTTP_AUTHORIZATION"}:
            sign(environ)
        said: list[Any] = []
        answer = self.app(environ, lambda *args: said.append(args))
        data = b"".join(answer)
        getattr(answer, "close", lambda: None)()
        status, given = said[0]
        return Answer(int(status[:3]), {name.lower(): text for name, text in given}, data)


def sign(environ: dict[str, Any]) -> None:
    """As any client of S3 does, with a key that may do everything."""
    now = environ["HTTP_X_AMZ_DATE"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    payload = environ.setdefault("HTTP_X_AMZ_CONTENT_SHA256", sigv4.UNSIGNED)
    keys = [key for key in environ if key == "HTTP_HOST" or key.startswith("HTTP_X_AMZ_")]
    names = ";".join(sorted(key[5:].lower().replace("_", "-") for key in keys))
    headers = signed_headers(names)
    assert headers is not None
    canonical = sigv4.canonical_request(
        environ["REQUEST_METHOD"],
        sigv4.canonical_path(environ["PATH_INFO"]),
        sigv4.canonical_query(environ["QUERY_STRING"]),
        headers.lines(environ, environ["HTTP_HOST"]),
        names,
        payload,
    )
    scope = sigv4.scope_of(now[:8], "us-east-1")
    key = sigv4.signing_key(S3_KEY[1], now[:8], "us-east-1")
    signature = sigv4.signature(key, sigv4.string_to_sign(now, scope, canonical))
    environ["HTTP_AUTHORIZATION"] = (
        f"{sigv4.ALGORITHM} Credential={S3_KEY[0]}/{scope},SignedHeaders={names},"
        f"Signature={signature}"
    )


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    configured = configuration(tmp_path_factory.mktemp("hostile"))
    runtime = open_runtime(configured, server="waitress")
    app = create_app(
        runtime,
        configured,
        admission=Admission(100),
        metrics=Metrics(None),
    )
    yield Hostile(app)
    runtime.close()


def fair(answer: Answer, *what: str) -> Answer:
    """No mistake of the gateway; one line per header; and errors that can be read."""
    shown = what, answer
    assert answer.status < 500 or answer.status in (501, 503), shown
    assert not any(one in text for text in answer.headers.values() for one in "\r\n\0"), shown
    kind = answer.headers.get("content-type")
    if answer.status >= 400 and kind == "application/xml" and answer.body:
        code = ElementTree.fromstring(answer.body).findtext("Code")
        assert code not in ("SignatureDoesNotMatch", "InvalidAccessKeyId"), shown
    elif answer.status >= 400 and kind == "application/json" and answer.body:
        said = json.loads(answer.body)
        assert said.get("error", said.get("code")) not in ("unauthorized", "Unauthorized"), shown
    return answer


def latin(text: str) -> str:
    """As WSGI has it."""
    return text.encode().decode("latin-1")


# S3

GENERAL = (
    "Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since",
    "Content-MD5", "Date", "x-amz-content-sha256", "x-amz-decoded-content-length",
    "x-amz-security-token", "X-Forwarded-For", "X-Forwarded-Host",
)  # fmt: skip


def parameters(operation: Operation) -> Iterator[tuple[str, str]]:
    """(place, name on the wire) of what AWS's operation takes beside bucket, key and body."""
    shape = of_aws().operation_model(operation.name).input_shape
    for member in shape.members.values() if shape is not None else ():
        place, name = member.serialization.get("location"), member.serialization.get("name")
        if place in ("querystring", "header") and name != "Content-Length":  # the servers' own
            yield place, name
    if operation.name in ("GetObject", "PutObject", "DeleteObject", "UploadPartCopy"):
        yield from (("header", name) for name in GENERAL)


class Base(NamedTuple):
    """A request that is the operation's, and right."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def ask(self, gateway: Hostile, **changed: Any) -> Answer:
        one = self._replace(**changed)
        query = "&".join(f"{name}={raw}" for name, raw in one.query.items())
        return gateway.ask(one.method, one.path, query, one.body, **one.headers)


def base_of(gateway: Hostile, operation: Operation) -> Base:
    for key in ("k", "source"):
        assert gateway.ask("PUT", f"/files/{key}", body=b"0123456789").status == 200
    begun = gateway.ask("POST", "/files/k", "uploads=").body.decode()
    upload = begun.partition("<UploadId>")[2].partition("<")[0]
    right = {"uploadId": upload, "partNumber": "1", "list-type": "2"}
    names = [selector.partition("=")[0] for selector in operation.query]
    headers = {variable(operation.header): "files/source"} if operation.header else {}
    if operation.name == "GetObjectAttributes":
        headers["HTTP_X_AMZ_OBJECT_ATTRIBUTES"] = "ETag,ObjectParts"
    return Base(
        operation.method,
        {"service": "/", "bucket": "/files", "object": "/files/k"}[operation.scope],
        {name: right.get(name, "") for name in names},
        headers,
        DOCUMENTS[operation.name]("1").encode() if operation.name in DOCUMENTS else b"",
    )


@pytest.mark.parametrize("operation", TABLE, ids=lambda one: one.name)
def test_no_parameter_of_s3_is_a_mistake_of_ours(gateway: Hostile, operation: Operation) -> None:
    base = base_of(gateway, operation)
    assert fair(base.ask(gateway)).status != 405
    for place, name in parameters(operation):
        if place == "querystring":
            for raw in ALL_RAW:
                fair(base.ask(gateway, query=base.query | {name: raw}), name, raw)
            continue
        for text in TEXTS:
            headers = base.headers | {variable(name): latin(text)}
            fair(base.ask(gateway, headers=headers), name, text)


def of_paths() -> Iterator[Operation]:
    """All of objects; of buckets one of a kind, for what is no bucket's name is none for all."""
    kinds = set[object]()
    for one in TABLE:
        kind = (one.method, bool(one.query), bool(one.body))
        if one.scope == "object" or (one.scope == "bucket" and kind not in kinds):
            kinds.add(kind)
            yield one


@pytest.mark.parametrize("operation", list(of_paths()), ids=lambda one: one.name)
def test_no_path_of_s3_is_a_mistake_of_ours(gateway: Hostile, operation: Operation) -> None:
    base, place = base_of(gateway, operation), "/" if operation.scope == "bucket" else "/files/"
    for raw in ALL_RAW:
        fair(base.ask(gateway, path=place + raw), raw)


_CLAIMS = {
    "X-Amz-Algorithm": sigv4.ALGORITHM,
    "X-Amz-Credential": f"{S3_KEY[0]}/20300101/us-east-1/s3/aws4_request",
    "X-Amz-Date": "20300101T000000Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0" * 64,
}


def test_no_signature_is_a_mistake_of_ours(gateway: Hostile) -> None:
    """In a URL, and in headers: each of its parts, and the dates of a request."""
    right = {name: quote(text, safe="") for name, text in _CLAIMS.items()}
    for name in (*right, "X-Amz-Security-Token", "X-Amz-Content-Sha256"):
        for raw in ALL_RAW:
            query = joined(right | {name: raw})
            refused(gateway.ask("GET", "/files/k", query, HTTP_AUTHORIZATION=""), name, raw)
    credential = f"{S3_KEY[0]}/{time.strftime('%Y%m%d', time.gmtime())}/us-east-1/s3/aws4_request"
    parts = {"Credential": credential, "SignedHeaders": "host", "Signature": "0"}
    for text in map(latin, TEXTS):
        for name in parts:
            said = ",".join(f"{one}={value}" for one, value in (parts | {name: text}).items())
            for authorization in (f"{sigv4.ALGORITHM} {said}", text or "x"):
                given = {"HTTP_AUTHORIZATION": authorization, "HTTP_DATE": text}
                refused(gateway.ask("GET", "/files/k", "", b"", **given), name, text)
                given["HTTP_X_AMZ_DATE"] = text
                refused(gateway.ask("GET", "/files/k", "", b"", **given), name, text)


def refused(answer: Answer, *what: str) -> None:
    assert 400 <= answer.status < 404, (what, answer)
    if "application/xml" in answer.headers.values():
        ElementTree.fromstring(answer.body)


def within(name: str, *content: str) -> str:
    return f"<{name}>{''.join(content)}</{name}>"


def acl(text: str) -> str:
    granted = within("Grantee", within("ID", text)), within("Permission", text)
    return within(
        "AccessControlPolicy",
        within("Owner", within("ID", text)),
        within("AccessControlList", within("Grant", *granted)),
    )


DOCUMENTS: dict[str, Callable[[str], str]] = {
    "DeleteObjects": lambda text: within(
        "Delete",
        within("Object", within("Key", "a"), within("VersionId", text)),
        within("Object", within("Key", text), within("Size", text)),
        within("Quiet", text),
    ),
    "CompleteMultipartUpload": lambda text: within(
        "CompleteMultipartUpload",
        within(
            "Part",
            *(within(name, text) for name in ("PartNumber", "ETag", "ChecksumCRC32")),
        ),
    ),
    "PutObjectTagging": lambda text: within(
        "Tagging", within("TagSet", within("Tag", within("Key", text), within("Value", text)))
    ),
    "PutBucketVersioning": lambda text: within(
        "VersioningConfiguration", within("Status", text), within("MfaDelete", text)
    ),
    "CreateBucket": lambda text: within(
        "CreateBucketConfiguration", within("LocationConstraint", text)
    ),
    "PutBucketCors": lambda text: within(
        "CORSConfiguration",
        within(
            "CORSRule",
            *(
                within(name, text)
                for name in (
                    "ID",
                    "AllowedOrigin",
                    "AllowedHeader",
                    "ExposeHeader",
                    "MaxAgeSeconds",
                )
            ),
            within("AllowedMethod", "GET"),
        ),
    ),
    "PutBucketWebsite": lambda text: within(
        "WebsiteConfiguration",
        within("IndexDocument", within("Suffix", text)),
        within("ErrorDocument", within("Key", text)),
        within(
            "RoutingRules",
            within(
                "RoutingRule",
                within("Condition", within("HttpErrorCodeReturnedEquals", text)),
                within("Redirect", within("HostName", text), within("HttpRedirectCode", text)),
            ),
        ),
    ),
    "PutBucketTagging": lambda text: within(
        "Tagging", within("TagSet", within("Tag", within("Key", text), within("Value", text)))
    ),
    "PutBucketEncryption": lambda text: within(
        "ServerSideEncryptionConfiguration",
        within(
            "Rule",
            within(
                "ApplyServerSideEncryptionByDefault",
                within("SSEAlgorithm", text),
                within("KMSMasterKeyID", text),
            ),
            within("BlockedEncryptionTypes", within("EncryptionType", text)),
        ),
    ),
    "PutBucketLifecycleConfiguration": lambda text: within(
        "LifecycleConfiguration",
        within(
            "Rule",
            within("Filter", within("Prefix", text)),
            within("Status", "Enabled"),
            *(
                within(action, within(name, text))
                for action, name in (
                    ("Expiration", "Date"),
                    ("NoncurrentVersionExpiration", "NoncurrentDays"),
                    ("AbortIncompleteMultipartUpload", "DaysAfterInitiation"),
                )
            ),
        ),
    ),
    "PutObjectLockConfiguration": lambda text: within(
        "ObjectLockConfiguration",
        within("ObjectLockEnabled", "Enabled"),
        within(
            "Rule",
            within("DefaultRetention", within("Mode", "GOVERNANCE"), within("Days", text)),
        ),
    ),
    "PutObjectRetention": lambda text: within(
        "Retention", within("Mode", "GOVERNANCE"), within("RetainUntilDate", text)
    ),
    "PutObjectLegalHold": lambda text: within("LegalHold", within("Status", text)),
    "PutBucketNotificationConfiguration": lambda text: within(
        "NotificationConfiguration",
        within(
            "QueueConfiguration",
            *(within(name, text) for name in ("Id", "Queue", "Event")),
            within("Filter", within("S3Key", within("FilterRule", within("Name", text)))),
        ),
    ),
    "PutBucketLogging": lambda text: within(
        "BucketLoggingStatus",
        within("LoggingEnabled", within("TargetBucket", text), within("TargetPrefix", text)),
    ),
    "PutBucketOwnershipControls": lambda text: within(
        "OwnershipControls", within("Rule", within("ObjectOwnership", text))
    ),
    "PutPublicAccessBlock": lambda text: within(
        "PublicAccessBlockConfiguration", within("BlockPublicAcls", text)
    ),
    "PutBucketPolicy": lambda text: text,
    "PutBucketRequestPayment": lambda text: within(
        "RequestPaymentConfiguration", within("Payer", text)
    ),
    "PutBucketAccelerateConfiguration": lambda text: within(
        "AccelerateConfiguration", within("Status", text)
    ),
    "PutBucketAbac": lambda text: within("AbacStatus", within("Status", text)),
    "RestoreObject": lambda text: within("RestoreRequest", within("Days", text)),
    "PutBucketAcl": acl,
    "PutObjectAcl": acl,
}
"""An operation's document, with a text where texts go."""


LARGE = ("DeleteObjects", "CompleteMultipartUpload", "PutBucketPolicy")
"""Those with a limit, or a reader, of their own: the others are read alike."""


BYTES = {"PutObject", "PutObjectAnnotation", "UploadPart"}
"""Whose body is no document."""


def test_every_operation_with_a_document_is_here() -> None:
    assert {one.name for one in TABLE if one.body} - BYTES == set(DOCUMENTS)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_of_s3_is_a_mistake_of_ours(gateway: Hostile, name: str) -> None:
    operation = next(one for one in TABLE if one.name == name)
    base = base_of(gateway, operation)
    deep = within("Key", "<a>" * 90_000 + "</a>" * 90_000)
    many = "<a/>" * 300_000
    odd = ("&#xD800;", "&#0;", "&#x1;", "&#xFFFE;", "&nbsp;", "<![CDATA[]]>")
    large = (deep, many) if name in LARGE else ()
    for text in (*(escape(text) for text in TEXTS), *odd, *large):
        body = DOCUMENTS[name](text).encode()
        digest = b64encode(hashlib.md5(body).digest()).decode()
        answer = base.ask(gateway, body=body, headers={"HTTP_CONTENT_MD5": digest})
        fair(answer, text[:40])


# the standard mode

SERVICES = ("files", "kept", "cached", "none")
_RIGHT = {"sid": "files", "path": "k", "wait": "0"}


def call(
    gateway: Hostile, function: Function[Any], method: str, query: str, **headers: str
) -> Answer:
    body = b"0123" if function.body else b""
    headers = {"HTTP_X_OWNCDN_KEY": ROOT, **headers}
    return gateway.ask(method, f"/{function.name}", query, body, **headers)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda one: one.name)
def test_no_parameter_of_a_function_is_a_mistake_of_ours(
    gateway: Hostile, function: Function[Any]
) -> None:
    right = {one.name: _RIGHT[one.name] for one in function.query if one.name in _RIGHT}
    method = function.methods[0]
    for sid in SERVICES if "sid" in right else ("",):
        given = right | ({"sid": sid} if sid else {})
        fair(call(gateway, function, method, joined(given)), sid)
        for one in function.query:
            for raw in ALL_RAW:
                fair(call(gateway, function, method, joined(given | {one.name: raw})), raw)
    for name in {one.name for one in function.headers} | {*GENERAL, "x-meta-a", "Accept"}:
        key = variable(name).removeprefix("HTTP_" if name == "Content-Type" else "")
        for text in TEXTS:
            fair(call(gateway, function, method, joined(right), **{key: latin(text)}), name)


def test_no_key_is_a_mistake_of_ours(gateway: Hostile) -> None:
    for text in TEXTS:
        answer = gateway.ask("GET", "/servicelist", HTTP_X_OWNCDN_KEY=latin(text))
        assert answer.status == 401, text


# the management API

_PARTS = {"bucket": "files", "key": "k", "id": "1", "upload_id": "u", "volume": "media"}
_VALUES: tuple[Any, ...] = (
    *TEXTS,
    -1,
    1 << 70,
    1.5,
    True,
    None,
    [],
    {},
    ["\x00"],
    [NESTED],
    "\x00",
    "\u2028",
)


@pytest.mark.parametrize("function", MANAGEMENT, ids=lambda one: one.name)
def test_nothing_that_a_manager_says_is_a_mistake_of_ours(
    gateway: Hostile, function: Function[Any]
) -> None:
    right: dict[str, Any]
    right = {one.name: one.sample for one in function.members if one.required}

    def ask(parts: dict[str, str], query: str = "", body: dict[str, Any] = right) -> None:
        path = "/api/v1/" + function.path.format(**{**_PARTS, **parts})
        data = json.dumps(body).encode() if function.members else b""
        answer = gateway.ask(function.methods[0], path, query, data, HTTP_X_API_KEY=ROOT)
        fair(answer, path, query, str(body)[:80])

    volume = json.dumps({"name": _PARTS["volume"], "owner_id": 1}).encode()
    made = gateway.ask("POST", "/api/v1/volumes", "", volume, HTTP_X_API_KEY=ROOT)
    assert made.status in (201, 409), made
    for raw in ALL_RAW:
        for one in function.parts:
            ask({one.name: raw})
        for one in function.query:
            ask({}, f"{one.name}={raw}")
    for one in function.members:
        for value in _VALUES:
            ask({}, body={**right, one.name: value})


def joined(query: dict[str, str]) -> str:
    return "&".join(f"{name}={raw}" for name, raw in query.items())
