"""A request that is over → its line in the access log of its bucket, in AWS's fields.

What the gateway does not know is `-`. May surprise: signatures, tokens and customers' keys in
the query of a presigned URL are left out, and so is whatever could end a line or a field.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from time import gmtime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from gateway.modes.s3.beside import Beside
from gateway.modes.s3.operations import TABLE
from gateway.modes.s3.replies import Reply
from gateway.telemetry.record import Record

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PRINTABLE = "".join(chr(one) for one in range(0x20, 0x7F) if chr(one) != '"')
_SECRETS = frozenset(
    {
        "signature",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-signature",
    }
)
"""Parameters, in lower case; the keys are those that presigners have moved there."""

_HEAD = "latin-1"
"""As WSGI writes the bytes of a request's head."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_TOTAL = re.compile(r"bytes [^/]*/([0-9]+)")

_RESOURCES: Mapping[str, str] = {
    # of operations whose resource is not what their query says
    "AbortMultipartUpload": "UPLOAD",
    "CompleteMultipartUpload": "UPLOAD",
    "CopyObject": "OBJECT",
    "CreateMultipartUpload": "UPLOADS",
    "DeleteObjects": "MULTI_OBJECT_DELETE",
    "GetBucketLogging": "LOGGING_STATUS",
    "GetBucketPolicy": "BUCKETPOLICY",
    "GetObjectAcl": "ACL",
    "GetObjectAnnotation": "OBJECT_ANNOTATION",
    "GetObjectLegalHold": "OBJECT_LOCK_LEGALHOLD",
    "GetObjectLockConfiguration": "OBJECT_LOCK_CONFIGURATION",
    "GetObjectRetention": "OBJECT_LOCK_RETENTION",
    "GetObjectTagging": "OBJECT_TAGGING",
    "ListMultipartUploads": "UPLOADS",
    "ListObjectAnnotations": "OBJECT_ANNOTATION",
    "ListObjectVersions": "BUCKETVERSIONS",
    "ListObjectsV2": "BUCKET",
    "ListParts": "UPLOAD",
    "PutBucketLogging": "LOGGING_STATUS",
    "PutBucketPolicy": "BUCKETPOLICY",
    "PutObjectAnnotation": "OBJECT_ANNOTATION",
    "PutObjectLegalHold": "OBJECT_LOCK_LEGALHOLD",
    "PutObjectLockConfiguration": "OBJECT_LOCK_CONFIGURATION",
    "PutObjectRetention": "OBJECT_LOCK_RETENTION",
    "PutObjectTagging": "OBJECT_TAGGING",
    "DeleteBucketPolicy": "BUCKETPOLICY",
    "DeleteObjectAnnotation": "OBJECT_ANNOTATION",
    "DeleteObjectTagging": "OBJECT_TAGGING",
    "UploadPart": "PART",
    "UploadPartCopy": "PART",
}
_VERBS = {"CopyObject": "COPY", "UploadPartCopy": "COPY"}
_SELECTORS = {one.name: one.query[0] for one in TABLE if one.query}


class Asked(NamedTuple):
    """What a line says of a request beyond its record."""

    target: str
    referer: str
    agent: str
    version: str
    size: str
    signed: str
    host: str


def asked(environ: Mapping[str, Any], reply: Reply) -> Asked:
    said = {name.lower(): value for name, value in reply.headers}
    path = quote(environ["PATH_INFO"], safe="/~", encoding="latin-1", errors="replace")
    query = _without_secrets(environ.get("QUERY_STRING", ""))
    referer, mark, asked_there = environ.get("HTTP_REFERER", "").partition("?")
    protocol = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    return Asked(
        target=f"{environ['REQUEST_METHOD']} {path}{'?' if query else ''}{query} {protocol}",
        referer=f"{referer}{mark}{_without_secrets(asked_there)}",
        agent=environ.get("HTTP_USER_AGENT", ""),
        version=said.get("x-amz-version-id", ""),
        size=_size(environ, said) if reply.status < 300 else "",
        signed=_signed(environ),
        host=environ.get("HTTP_HOST", ""),
    )


def _without_secrets(query: str) -> str:
    pairs = [one.partition("=") for one in query.split("&")]
    return "&".join(
        f"{name}{mark}{'' if unquote(name).lower() in _SECRETS else text}"
        for name, mark, text in pairs
    )


def _size(environ: Mapping[str, Any], said: Mapping[str, str]) -> str:
    """Of the object: what was stored, or what there is of which a part may have been sent."""
    if environ["REQUEST_METHOD"] == "PUT":
        return str(
            environ.get("HTTP_X_AMZ_DECODED_CONTENT_LENGTH") or environ.get("CONTENT_LENGTH") or ""
        )
    part = _TOTAL.match(said.get("content-range", ""))
    return part[1] if part else said.get("content-length", "")


def _signed(environ: Mapping[str, Any]) -> str:
    if environ.get("HTTP_AUTHORIZATION", "").startswith("AWS4"):
        return "AuthHeader"
    return "QueryString" if "X-Amz-Signature=" in environ.get("QUERY_STRING", "") else ""


class _Said(NamedTuple):
    """What differs between the line of a request and those of what it does beside."""

    bucket: str
    operation: str
    key: str
    target: str
    status: int
    code: str
    sent: int
    size: str
    total: str
    referer: str
    agent: str
    version: str


def line(record: Record, about: Asked, owner: str) -> str:
    said = _Said(
        record.sid,
        operation(record),
        record.key,
        _quoted(about.target),
        record.status,
        record.code,
        record.sent,
        about.size if record.key else "",
        str(round(record.duration * 1000)),
        _quoted(about.referer),
        _quoted(about.agent),
        about.version,
    )
    return _line(record, about, owner, said)


def line_beside(record: Record, about: Asked, owner: str, one: Beside) -> str:
    """The same of what a request did beside; `owner` has that bucket."""
    none = ("-", one.status, one.code, 0, "", "-", "-", "-")
    said = _Said(one.bucket, one.operation, one.key, *none, one.version)
    return _line(record, about, owner, said)


def _line(record: Record, about: Asked, owner: str, said: _Said) -> str:
    signature = "SigV4" if about.signed else "-"
    turn_around = cipher = tls = access_point = acl = "-"
    fields = (
        _word(owner),
        _word(said.bucket),
        f"[{_time(record.started)}]",
        _word(record.client),
        _word(record.account),
        record.request_id,
        said.operation,
        quote(said.key, safe="/~", errors="replace") or "-",
        said.target,
        str(said.status),
        said.code or "-",
        str(said.sent or "-"),
        _word(said.size),
        said.total,
        turn_around,
        said.referer,
        said.agent,
        _word(said.version),
        record.request_id,
        signature,
        cipher,
        about.signed or "-",
        _word(about.host, _HEAD),
        tls,
        access_point,
        acl,
    )
    return " ".join(fields)


def operation(record: Record) -> str:
    """Such as REST.GET.OBJECT."""
    name = record.operation
    if name.startswith("Website"):
        return f"WEBSITE.{name.removeprefix('Website').upper()}.OBJECT"
    resource = _RESOURCES.get(name)
    if record.method == "OPTIONS":
        resource = "PREFLIGHT"
    if resource is None:
        selector = _SELECTORS.get(name, "OBJECT" if record.key else "BUCKET")
        resource = _CAMEL.sub("_", selector).upper().replace("-", "_")
    method = record.method if record.method.isascii() and record.method.isalpha() else "-"
    return f"REST.{_VERBS.get(name, method)}.{resource}"


def _time(started: float) -> str:
    t = gmtime(started)
    return (
        f"{t.tm_mday:02}/{_MONTHS[t.tm_mon - 1]}/{t.tm_year}"
        f":{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )


def _quoted(text: str) -> str:
    return f'"{_printable(text, _HEAD) or "-"}"'


def _word(text: str, encoding: str = "utf-8") -> str:
    return _printable(text, encoding).replace(" ", "%20") or "-"


def _printable(text: str, encoding: str) -> str:
    return quote(text, safe=_PRINTABLE, encoding=encoding, errors="replace")
