"""Objects: put, get, ask about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.modes.s3 import bodies, documents, encryption, headers, protection, replies
from gateway.modes.s3.lifecycle import expiration
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers, Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.modes.s3.resources.encryption import with_bucket_key
from gateway.storage import (
    BytesBody,
    Get,
    InvalidPart,
    ObjectInfo,
    Varies,
    range_of,
)
from gateway.web import http_fields, http_ranges, request_head
from gateway.web.http_fields import CONDITIONAL, byte_range, read_conditions
from gateway.web.http_ranges import T

_OVERRIDES = {
    f"response-{name}": name
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}


def put_object(request: S3Request) -> Reply:
    request.require()
    if request.query and "versionId" in request.query:
        raise S3Problem(
            "InvalidArgument",
            "This operation does not accept a version-id.",
            ArgumentName="versionId",
            ArgumentValue=request.query["versionId"],
        )
    _, said = store(request, bodies.receive(request))
    return Reply(200, said)


def store(request: S3Request, body: bodies.Body, cause: str = "") -> tuple[ObjectInfo, Headers]:
    """An object of that body, as the request's headers say, and what is said of it."""
    options = headers.new_object(
        request,
        size=body.size,
        checksums=body.checksums,
        checksum_type="FULL_OBJECT" if body.checksums else None,
        digests=body.digests,
        conditions=http_fields.write_conditions(request.environ),
        cause=cause,
    )
    access = request.access
    ruled = access.settings  # few have any
    if ruled:
        protection.require_sum(request, options)
        options = with_bucket_key(request, options)
    info = access.put(request.key, body.source, options)
    said = replies.written(info)
    if ruled:
        said += expiration.said(request, info)
    return info, said


_WHOLE = Get()
_READING = CONDITIONAL | encryption.HEADERS | {"HTTP_RANGE"}


def reading(request: S3Request) -> Get:
    """GET and HEAD of an object."""
    environ, query = request.environ, request.query
    if not query and environ.keys().isdisjoint(_READING):
        return _WHOLE
    wanted = environ.get("HTTP_RANGE")
    part = headers.part_number(request) if query else None
    span = byte_range(wanted) if wanted else None
    if part is not None and span is not None:
        raise S3Problem(
            "InvalidRequest", "Cannot specify both Range header and partNumber query parameter"
        )
    conditions = None if CONDITIONAL.isdisjoint(environ) else read_conditions(environ)
    return Get(
        range=span,
        conditions=conditions,
        version=request.version if query else None,
        part=part,
        query=_variant(request) if query else "",
        encryption=encryption.for_reading(request),
    )


def _variant(request: S3Request) -> str:
    """What a store reads in a query (an image's width). The rest is S3's, or nobody's. An
    origin, which would read all of it, is sent none: there are keys in it."""
    varies = request.access.service.store.find(Varies)
    names = varies.parameters if varies is not None else None
    return request_head.only(request.environ["QUERY_STRING"], names) if names else ""


def get_object(request: S3Request) -> Reply:
    want = reading(request)
    overrides = _overrides(request) if request.query else None
    access = request.access
    opened, want = _read(request, access.get, want)
    info, whole = opened.info, want.range is None and want.part is None
    if opened.trace:
        request.environ["gateway.record"].cache = ", ".join(opened.trace)
    said = _described(request, info)
    if info.protection is not None:
        said += protection.said(request, info)
    if access.settings:
        said += expiration.said(request, info)
    if not whole:
        said += _extent(info, want, opened.start, opened.length)
    if request.wants_checksums:
        said += _checksums(info, want)
    if overrides:
        said = _overridden(said, overrides)
    status = opened.status if opened.status != 200 else 200 if whole else 206
    if status == 206 and not opened.length:
        status = 200  # there is no Content-Range of nothing
    body = opened.body
    if isinstance(body, BytesBody):
        return Reply(status, said, body.data)
    return Reply(status, said, body, opened.length)


def _read(request: S3Request, ask: Callable[[str, Get], T], want: Get) -> tuple[T, Get]:
    """What is there, and what of it is sent."""
    if want.range is not None:
        one = partial(ask, request.key)
        return http_ranges.read(one, want, request.environ.get("HTTP_IF_RANGE"))
    if want.part is None:
        return ask(request.key, want), want
    try:
        found = ask(request.key, want)
        if isinstance(found, ObjectInfo):
            range_of(found, want)
    except InvalidPart:
        whole = request.access.stat(request.key, replace(want, part=None))
        raise S3Problem(
            "InvalidPartNumber",
            ActualPartCount=str(len(whole.parts) or 1),
            PartNumberRequested=str(want.part),
        ) from None
    return found, want


def head_object(request: S3Request) -> Reply:
    want = reading(request)
    overrides = _overrides(request) if request.query else None
    access = request.access
    if request.wants_checksums:
        want = replace(want, checksums=True)
    info, want = _read(request, access.stat, want)
    if info.trace:
        request.environ["gateway.record"].cache = ", ".join(info.trace)
    said, status, length = _described(request, info), 200, info.size
    if info.protection is not None:
        said += protection.said(request, info)
    if access.settings:
        said += expiration.said(request, info)
    if want.range is not None or want.part is not None:
        start, length = range_of(info, want)
        said += _extent(info, want, start, length)
        status = 206 if length else 200
    if request.wants_checksums:
        said += _checksums(info, want)
    if overrides:
        said = _overridden(said, overrides)
    return Reply(status, said, length=length)


def _described(request: S3Request, info: ObjectInfo) -> Headers:
    """What GET and HEAD say; how many tags it has, to who may read them."""
    said = replies.described(info)
    if info.tags and request.may_know("read-tags", info):
        said.append(("x-amz-tagging-count", str(len(info.tags))))
    return said


def _extent(info: ObjectInfo, want: Get, start: int, length: int) -> Headers:
    said = http_ranges.extent(info, start, length)
    if want.part is not None and info.parts:
        said.append(("x-amz-mp-parts-count", str(len(info.parts))))
    return said


def _checksums(info: ObjectInfo, want: Get) -> Headers:
    """Those of the bytes that are sent: of the whole, or of a part; a range has none."""
    if want.range is not None:
        return []
    if want.part is None or not info.parts:
        return replies.checksums(info)
    part = next((one for one in info.parts if one.number == want.part), None)
    if part is None:
        return []
    return replies.checksums(replace(info, checksums=documents.sums_of(info, part)))


def _overrides(request: S3Request) -> Headers:
    """`response-…` parameters: headers in place of the object's own."""
    found = [(name, request.query[key]) for key, name in _OVERRIDES.items() if key in request.query]
    if found and request.anonymous:
        raise S3Problem(
            "InvalidRequest",
            "Request specific response headers cannot be used for anonymous GET requests.",
        )
    for name, text in found:
        if any(ord(one) < 32 or ord(one) == 127 for one in text):
            raise S3Problem(
                "InvalidArgument",
                "Header value cannot contain control characters.",
                ArgumentName=f"response-{name}",
                ArgumentValue=text,
            )
    return [(name, replies.value(text)) for name, text in found]


def _overridden(said: Headers, overrides: Headers) -> Headers:
    names = {name for name, _ in overrides}
    return [(name, text) for name, text in said if name not in names] + overrides


def get_object_attributes(request: S3Request) -> Reply:
    access = request.access  # first: of a bucket that is not there nothing can be wrong
    wanted = frozenset(
        name.strip()
        for name in request.header("x-amz-object-attributes").split(",")
        if name.strip()
    )
    if not wanted:
        raise S3Problem(
            "InvalidRequest",
            "The x-amz-object-attributes header specifying the attributes to be retrieved is"
            " either missing or empty",
        )
    limit = parameters.header_number(request, "x-amz-max-parts", 1000, 1000)
    after = parameters.header_number(request, "x-amz-part-number-marker", 0, headers.MOST_PARTS)
    want = Get(
        version=request.version,
        encryption=encryption.for_reading(request),
        checksums="Checksum" in wanted,
    )
    info = access.stat(request.key, want)
    access.require_of("read-attributes", info, want.version)
    said = [("last-modified", replies.http_date(info.modified)), *replies.version(info)]
    return xml(documents.attributes(info, wanted, after, limit), headers=said)
