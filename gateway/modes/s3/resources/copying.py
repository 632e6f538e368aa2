"""Copies: of an object, and of a part from an object.

A copy has its own headers (directive REPLACE) or the source's (COPY); its
access control list is always its own. So that bytes and headers are of the
same source, the copy is tied to the version, or the ETag, that was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from gateway.access.access import Access
from gateway.access.grants import GRANTS
from gateway.modes import KEY_LIMIT, bucket_names
from gateway.modes.s3 import beside, causes, documents, encryption, headers, replies, sums, tags
from gateway.modes.s3.beside import Beside
from gateway.modes.s3.lifecycle import expiration
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.redirects import HEADER
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request, check_version
from gateway.modes.s3.resources import parameters
from gateway.modes.s3.resources.encryption import with_bucket_key
from gateway.storage import (
    NOTHING,
    REDIRECT,
    Annotates,
    Conditions,
    Get,
    MethodNotAllowed,
    NoSuchStore,
    ObjectInfo,
    PreconditionFailed,
    Put,
    Range,
    carried,
)
from gateway.storage.types import Checksum
from gateway.web import http_fields
from gateway.web.request_head import form_decoded, well_encoded

_TRIES = 3
_SOURCE = "HTTP_X_AMZ_COPY_SOURCE"


class CopySource(NamedTuple):
    bucket: str
    key: str
    version: str | None


def parse_source(text: str) -> CopySource:
    """`[/]bucket/key[?versionId=…]`, encoded as in forms: Amazon S3 takes a `+` for a space.
    Raises InvalidArgument."""
    path, mark, version = text.partition("?versionId=")
    try:
        decoded, named = form_decoded(path), form_decoded(version)
    except ValueError:
        raise _wrong_source("Invalid copy source encoding", text) from None
    if not well_encoded(text):
        raise _wrong_source("Invalid copy source encoding", text)
    bucket, _, key = decoded.removeprefix("/").partition("/")
    if not bucket or not key or (mark and not named) or bucket.startswith("arn:"):
        raise _wrong_source(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", text
        )
    if len(key.encode()) > KEY_LIMIT:
        raise S3Problem("KeyTooLongError", MaxSizeAllowed=str(KEY_LIMIT))
    return CopySource(bucket, key, named or None)


def _wrong_source(message: str, text: str) -> S3Problem:
    return S3Problem(
        "InvalidArgument", message, ArgumentName="x-amz-copy-source", ArgumentValue=text
    )


class _Seen(NamedTuple):
    """A source that was looked at, with what keeps a copy to what was seen."""

    named: CopySource
    access: Access
    info: ObjectInfo
    want: Get


def _look(request: S3Request) -> _Seen:
    named = parse_source(request.environ[_SOURCE])
    try:
        access = request.open(named.bucket, "HTTP_X_AMZ_SOURCE_EXPECTED_BUCKET_OWNER")
    except NoSuchStore:
        if not bucket_names.is_valid(named.bucket):
            raise _wrong_source(
                "Invalid copy source bucket name", request.environ[_SOURCE]
            ) from None
        raise
    if named.version is not None:
        check_version(access, named.version)
    key = encryption.of_source(request)
    try:
        info = access.stat(named.key, Get(version=named.version, encryption=key))
    except MethodNotAllowed:
        raise S3Problem(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by"
            " version id.",
        ) from None
    conditions = http_fields.read_conditions(request.environ, f"{_SOURCE}_")
    if conditions is not None:
        conditions.check_copy(info)
    weak = info.etag.startswith("W/")
    want = Get(
        version=named.version or info.version,
        conditions=None if weak else Conditions(if_match=(info.etag,)),
        encryption=key,
    )
    return _Seen(named, access, info, want)


def _directive(request: S3Request, name: str) -> bool:
    """True: REPLACE."""
    return request.header(name) == "REPLACE"


def copy_object(request: S3Request) -> Reply:
    replaces = _directive(request, "x-amz-metadata-directive")
    retags = _directive(request, "x-amz-tagging-directive")
    directive = request.header("x-amz-object-annotation-directive")
    if retags:
        request.require()
    else:  # which tags it will have is not known yet
        request.require_some()
    if directive == "COPY":
        request.access.service.need(Annotates)
    new = headers.new_object(
        request,
        checksums=sums.chosen(request),
        conditions=http_fields.write_conditions(request.environ),
        cause=causes.COPY,
    )
    fresh = with_bucket_key(request, new)
    for again in reversed(range(_TRIES)):
        seen = _look(request)
        if not retags:
            _require_tags(request, seen)
            request.require()
        _refuse_nothing(request, seen, replaces)
        options = of_copy(fresh, seen.info, replaces=replaces, retags=retags)
        try:
            info = request.access.copy(
                seen.access,
                seen.named.key,
                request.key,
                seen.want,
                options,
                named=seen.named.version is not None,
                annotated=directive != "EXCLUDE",
            )
        except PreconditionFailed:
            if not again or not _changed(seen):
                raise
        else:
            return _copied(request, info, seen)
    raise AssertionError("the last try returns or raises")


def _require_tags(request: S3Request, seen: _Seen) -> None:
    """The source's go along, so they are read, too; to rules they are what is asked for."""
    found = seen.info.tags
    if found:
        seen.access.require_of("read-tags", seen.info, seen.named.version)
    request.facts.said = tags.as_header(found)


def _changed(seen: _Seen) -> bool:
    """Whether the source is another than the one looked at: then nobody's condition failed."""
    want = replace(seen.want, conditions=None)
    return seen.access.stat(seen.named.key, want).etag != seen.info.etag


def _refuse_nothing(request: S3Request, seen: _Seen, replaces: bool) -> None:
    """A copy onto itself must change something."""
    fold = request.access.service.fold
    named = seen.named._replace(key=fold(seen.named.key))
    itself = named == (request.bucket, fold(request.key), None)
    moved = request.header("x-amz-storage-class") not in ("", seen.info.storage_class)
    encrypts = any(key.startswith("HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION") for key in request.environ)
    if itself and not (replaces or moved or encrypts or HEADER in request.environ):
        raise S3Problem(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself"
            " without changing the object's metadata, storage class, website redirect location"
            " or encryption attributes.",
        )


_NOT_COPIED = frozenset({GRANTS, REDIRECT})
"""Attributes that every object has by itself."""

_OWN = ("tags", "owner", "storage_class", "encryption", "protection")
"""What a copy has as its request says, and not as its source has it."""


def of_copy(fresh: Put, source: ObjectInfo, *, replaces: bool, retags: bool) -> Put:
    """All that a copy has: `fresh` is what its request says."""
    wanted: Mapping[str, Checksum] = fresh.checksums or dict.fromkeys(source.checksums, "")
    options = replace(
        fresh,
        tags=fresh.tags if retags else source.tags,
        checksums=wanted,
        checksum_type="FULL_OBJECT" if wanted else None,
    )
    if replaces:
        return options
    kept: dict[str, Any] = {k: v for k, v in source.attributes.items() if k not in _NOT_COPIED}
    own = {name: getattr(options, name) for name in _OWN}
    return replace(
        options, **carried(source, **own, attributes={**kept, **fresh.attributes} or NOTHING)
    )


def _note(request: S3Request, seen: _Seen, operation: str) -> None:
    bucket, key, version = seen.named
    beside.note(request.environ, Beside(bucket, operation, key, version or ""))


def _copied(request: S3Request, info: ObjectInfo, seen: _Seen) -> Reply:
    _note(request, seen, "REST.COPY.OBJECT_GET")
    said = replies.new_version(info) + replies.new_encryption(info.encryption)
    said += expiration.said(request, info)
    if seen.info.version is not None:
        said.append(("x-amz-copy-source-version-id", seen.info.version))
    kind = (info.checksum_type or "") if info.checksums else ""
    return xml(
        documents.copied("CopyObjectResult", info.etag, info.modified, info.checksums, kind),
        headers=said,
    )


def upload_part_copy(request: S3Request) -> Reply:
    request.require()
    number = headers.part_number(request)
    assert number is not None  # this operation is chosen by the parameter
    seen = _look(request)
    want = replace(seen.want, range=_part_range(request, seen.info.size))
    upload = request.access.upload(request.key, parameters.upload_id(request))
    part = request.access.copy_part(
        request.key,
        upload.id,
        number,
        seen.access,
        seen.named.key,
        want,
        Put(encryption=encryption.for_reading(request)),
        named=seen.named.version is not None,
    )
    _note(request, seen, "REST.COPY.PART_GET")
    said = replies.encryption(upload.options.encryption)
    if seen.info.version is not None:
        said.append(("x-amz-copy-source-version-id", seen.info.version))
    return xml(
        documents.copied(
            "CopyPartResult", part.etag, part.modified, sums.of_part(upload, part), ""
        ),
        headers=said,
    )


def _part_range(request: S3Request, size: int) -> Range | None:
    """`x-amz-copy-source-range`: both ends given, and within the source."""
    text = request.environ.get("HTTP_X_AMZ_COPY_SOURCE_RANGE")
    if text is None:
        return None
    found = http_fields.byte_range(text)
    if found is None or found.first is None or found.last is None:
        raise S3Problem(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first"
            " and last are the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    if found.last >= size:
        raise S3Problem(
            "InvalidArgument",
            f"Range specified is not valid for source object of size: {size}",
            ArgumentName="x-amz-copy-source-range",
            ArgumentValue=text,
        )
    return found
