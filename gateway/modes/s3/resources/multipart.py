"""Uploads in parts. Completing moves no bytes in the stores that come with the gateway; so
its answer is not begun before it is known (`complete_multipart_upload` is where white
space would keep a connection alive for a store that takes long)."""

from __future__ import annotations

from contextlib import suppress

from gateway.common.xml import document, element, flag
from gateway.modes.s3 import bodies, documents, encryption, headers, parsing, replies, sums
from gateway.modes.s3.lifecycle import expiration
from gateway.modes.s3.replies import Headers, Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.modes.s3.resources.encryption import with_bucket_key
from gateway.storage import (
    Complete,
    NoSuchUpload,
    Part,
    PreconditionFailed,
    Put,
    Unsupported,
    Upload,
    UploadQuery,
)
from gateway.web import http_fields

SMALLEST_PART = 5 << 20
"""Bytes of all parts but the last (Amazon S3 User Guide, "Multipart upload limits")."""


def create_multipart_upload(request: S3Request) -> Reply:
    request.require()
    algorithms, kind = sums.of_upload(request)
    options = headers.new_object(request, checksums=algorithms, checksum_type=kind)
    upload = request.access.begin(request.key, with_bucket_key(request, options))
    said: Headers = replies.new_encryption(upload.options.encryption)
    said += expiration.of_upload(request, upload)
    for algorithm in algorithms:
        said += [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind or "")]
    return xml(documents.initiated(request.bucket, upload), headers=said)


def upload_part(request: S3Request) -> Reply:
    access = request.access
    request.require()
    number = headers.part_number(request)
    assert number is not None  # this operation is chosen by the parameter
    key = encryption.for_reading(request)
    upload = access.upload(request.key, parameters.upload_id(request))
    body = bodies.receive(request)
    sums.check_part(upload, body.checksums)
    options = Put(size=body.size, checksums=body.checksums, digests=body.digests, encryption=key)
    part = access.put_part(request.key, upload.id, number, body.source, options)
    used = replies.encryption(upload.options.encryption)
    told = replies.sums(sums.of_part(upload, part, body.checksums))
    return Reply(200, [("etag", replies.quoted(part.etag)), *told, *used])


def list_parts(request: S3Request) -> Reply:
    limit = parameters.number(request, "max-parts")
    marker = parameters.number(request, "part-number-marker", 0, headers.MOST_PARTS)
    upload = request.access.upload(request.key, parameters.upload_id(request), "list-parts")
    encryption.for_reading(request)  # what cannot be a key is refused
    found, more = _page(request, upload, marker, limit)
    people = documents.people(request)
    options = upload.options
    return xml(
        document(
            "ListPartsResult",
            element("Bucket", request.bucket),
            element("Key", request.key),
            element("UploadId", upload.id),
            people.named("Initiator", options.owner),
            people.named("Owner", options.owner),
            element("StorageClass", options.storage_class),
            element("PartNumberMarker", marker),
            element("NextPartNumberMarker", found[-1].number if found else marker),
            element("MaxParts", limit),
            flag("IsTruncated", more),
            documents.algorithm(options),
            *[documents.part(one, sums.of_part(upload, one)) for one in found],
        ),
        headers=expiration.of_upload(request, upload),
    )


def _page(
    request: S3Request, upload: Upload, after: int, limit: int
) -> tuple[tuple[Part, ...], bool]:
    if limit == 0:
        return (), False
    parts = request.access.parts(upload.key, upload.id, after, limit)
    if len(parts) < limit:
        return parts, False
    return parts, bool(request.access.parts(upload.key, upload.id, parts[-1].number, 1))


def complete_multipart_upload(request: S3Request) -> Reply:
    access = request.access
    request.require()
    data = bodies.document(request, limit=bodies.COMPLETE_LIMIT, summed=False)
    parts, upload = parsing.complete(data), parameters.upload_id(request)
    options = Complete(
        conditions=http_fields.write_conditions(request.environ),
        min_part=SMALLEST_PART,
        size=_announced_size(request),
        checksums=sums.of_whole(request),
        checksum_type=sums.type_named(request),
        encryption=encryption.for_reading(request),
    )
    with suppress(NoSuchUpload):  # it may be complete, and be asked to say so again
        sums.check_complete(access.upload(request.key, upload), parts, options.checksum_type)
    info = access.complete(request.key, upload, parts, options)
    said = replies.new_version(info) + replies.encryption(info.encryption)
    said += expiration.said(request, info)
    return xml(documents.completed(request.location, request.bucket, info), headers=said)


def _announced_size(request: S3Request) -> int | None:
    text = request.header("x-amz-mp-object-size")
    return int(text) if text else None


def abort_multipart_upload(request: S3Request) -> Reply:
    access, upload = request.access, parameters.upload_id(request)
    if begun := request.header("x-amz-if-match-initiated-time"):
        _check_begun(request, access.upload(request.key, upload, "abort"), begun)
    access.abort(request.key, upload)
    return Reply(204)


def _check_begun(request: S3Request, upload: Upload, text: str) -> None:
    """A date to come is no condition, as in reads (RFC 9110 §13.1.3)."""
    wanted = http_fields.parse_date(text)
    assert wanted is not None, "it is looked at before"
    if wanted > request.gateway.clock():
        return
    if wanted // 1000 != _begun(request, upload) // 1000:
        raise PreconditionFailed(key=upload.key, condition="x-amz-if-match-initiated-time")


def _begun(request: S3Request, upload: Upload) -> int:
    """When it began: what an upstream does not say of one upload, its list does, in which those
    of a key are the first of all that begin with it."""
    if upload.begun:
        return upload.begun
    service = request.access.service
    for one in service.uploads(UploadQuery(prefix=upload.key)).uploads:
        if one.id == upload.id and one.begun:
            return one.begun
    raise Unsupported(
        f"The service {service.sid!r} (driver {service.about.driver!r}) does not tell when that"
        " upload began.",
        key=upload.key,
    )
