"""Annotations of objects: named texts of up to 1 MiB beside a version's bytes.

What AWS says of names is in its user guide: Unicode letters and digits, `_`, `.` and `-`, at
most 512 bytes, and none that begin with `aws` or `s3`.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/annotations-overview.html
"""

from __future__ import annotations

import unicodedata

from gateway.modes.s3 import bodies, documents, replies
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers, Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.storage import (
    Annotate,
    Annotation,
    AnnotationQuery,
    BytesBody,
    Conditions,
    Delete,
    Intake,
    ObjectInfo,
    PreconditionFailed,
)
from gateway.storage.annotations import LARGEST
from gateway.storage.checksums import UNNAMED
from gateway.web import http_fields

MOST = 1000
"""Annotations of a version."""

_LONGEST = 512
_RESERVED = ("aws", "s3")
_TEXT = "text/plain; charset=utf-8"
_IF_MATCH = "x-amz-object-if-match"


def put_object_annotation(request: S3Request) -> Reply:
    request.require()
    name, version = _name(request), request.version
    body = bodies.receive(request, limit=LARGEST)
    intake = Intake(
        body.source, size=body.size, checksums=body.checksums or UNNAMED, digests=body.digests
    )
    data = b"".join(iter(intake.read, b""))
    if not data:
        raise S3Problem("InvalidRequest", "An annotation has a payload of at least one byte.")
    try:
        data.decode()
    except UnicodeDecodeError:
        raise S3Problem("UnsupportedMediaType") from None
    options = Annotate(
        version=version,
        checksums=intake.checksums,
        conditions=_conditions(request),
        most=MOST,
        bypass=parameters.bypass(request),
    )
    try:
        made, info = request.access.put_annotation(request.key, name, data, options)
    except PreconditionFailed as error:
        raise _of_object(error) from None
    said = [*_said(made, info), *replies.sums(made.checksums), *_kind(made)]
    return xml(documents.annotated(request.key, name), headers=said)


def get_object_annotation(request: S3Request) -> Reply:
    name, version = _name(request), request.version
    one, info, body = request.access.annotation(request.key, name, version)
    said = [
        ("content-type", _TEXT),
        ("x-content-type-options", "nosniff"),
        ("last-modified", replies.http_date(one.modified)),
        *_said(one, info),
    ]
    if request.wants_checksums:
        said += [*replies.sums(one.checksums), *_kind(one)]
    if isinstance(body, BytesBody):
        return Reply(200, said, body.data)
    return Reply(200, said, body, one.size)


def list_object_annotations(request: S3Request) -> Reply:
    limit = parameters.number(request, "max-annotation-results", MOST, MOST)
    prefix, token = request.param("annotation-prefix"), request.param("continuation-token")
    if _wrong(prefix):
        raise S3Problem("InvalidPrefix")
    query = AnnotationQuery(
        version=request.version,
        prefix=prefix,
        after=parameters.behind_token(token) if token else "",
        limit=limit,
    )
    page = request.access.annotations(request.key, query)
    content = documents.annotation_list(
        page,
        request.bucket,
        prefix=prefix,
        limit=limit,
        token=token,
        following=parameters.token_of(page.next) if page.next is not None else "",
    )
    return xml(content, headers=_version(page.object))


def delete_object_annotation(request: S3Request) -> Reply:
    request.require()
    options = Delete(
        version=request.version,
        conditions=_conditions(request),
        bypass=parameters.bypass(request),
    )
    try:
        info = request.access.delete_annotation(request.key, _name(request), options)
    except PreconditionFailed as error:
        raise _of_object(error) from None
    return Reply(204, _version(info))


def _name(request: S3Request) -> str:
    name = request.param("annotationName")
    if len(name.encode()) > _LONGEST:
        raise S3Problem("AnnotationNameTooLong")
    if not name or _wrong(name) or name.lower().startswith(_RESERVED):
        raise S3Problem("InvalidAnnotationName")
    return name


def _wrong(text: str) -> bool:
    """Whether no name could begin so."""
    return len(text.encode()) > _LONGEST or not all(map(_may_stand, text))


def _may_stand(one: str) -> bool:
    return one in "_.-" or unicodedata.category(one) in ("Lu", "Ll", "Lt", "Lm", "Lo", "Nd")


def _conditions(request: S3Request) -> Conditions | None:
    text = request.header(_IF_MATCH)
    return Conditions(if_match=http_fields.matching(text)) if text else None


def _of_object(error: PreconditionFailed) -> PreconditionFailed:
    """By the name of the header that said the condition."""
    return PreconditionFailed(key=error.key, condition=_IF_MATCH)


def _version(info: ObjectInfo) -> Headers:
    return [] if info.version is None else [("x-amz-object-version-id", info.version)]


def _said(one: Annotation, info: ObjectInfo) -> Headers:
    """The encryption is the object's; which key that is under, nothing in the model says."""
    encrypted = [
        header
        for header in replies.encryption(info.encryption)
        if header[0] == "x-amz-server-side-encryption"
    ]
    return [("etag", replies.quoted(one.etag)), *_version(info), *encrypted]


def _kind(one: Annotation) -> Headers:
    return [("x-amz-checksum-type", "FULL_OBJECT")] if one.checksums else []
