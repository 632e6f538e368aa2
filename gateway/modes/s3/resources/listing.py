"""Lists of objects, of versions, and of uploads under way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import repeat

from gateway.common.xml import document, element, escape, flag, optional
from gateway.modes.s3 import access_lists, documents
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, quoted, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.modes.s3.wire import encoded, encoder, iso, isos
from gateway.storage import (
    Entry,
    ListPage,
    ListQuery,
    Upload,
    UploadPage,
    UploadQuery,
    VersionEntry,
    VersionPage,
    VersionQuery,
    Versions,
)
from gateway.storage.objects import NULL_VERSION

_BARE = re.compile("[0-9a-f-]*").fullmatch


class _Writing:
    """How keys and owners are written in one answer."""

    __slots__ = ("_owner", "encoding", "key", "people")

    def __init__(self, request: S3Request) -> None:
        self.encoding = request.param("encoding-type")
        self.key = encoder(self.encoding)
        self.people = documents.people(request)
        self._owner = request.access.service.owner if access_lists.disabled(request) else None
        """Who owns everything."""

    def coded(self, name: str, text: str) -> str:
        return f"<{name}>{self.key(text)}</{name}>"

    def coded_optional(self, name: str, text: str) -> str:
        return self.coded(name, text) if text else ""

    def keys(self, found: Sequence[str]) -> Sequence[str]:
        return encoded(found, self.encoding)

    def prefixes(self, found: Sequence[str]) -> list[str]:
        return [
            f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in self.keys(found)
        ]

    def owners(self, found: Iterable[str]) -> list[str]:
        named, always = self.people.named, self._owner
        return [named("Owner", one if always is None else always) for one in found]


# A thousand entries are one page: what can be done for all of them at once is done so.


def _entries(writing: _Writing, found: Sequence[Entry], *, owner: bool) -> list[str]:
    if not found:
        return []
    keys, sizes, etags, modified, _, _, classes, owners = zip(*found, strict=True)
    return [
        f"<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>{etag}</ETag>"
        f"<Size>{size}</Size>{named}<StorageClass>{kind}</StorageClass></Contents>"
        for key, time, etag, size, named, kind in zip(
            writing.keys(keys), isos(modified), _etags(etags), sizes,
            writing.owners(owners) if owner else repeat(""), encoded(classes),
            strict=False,  # nobody has no end
        )
    ]  # fmt: skip


def _etags(found: Sequence[str]) -> list[str]:
    if _BARE("".join(found)):
        return [f"&quot;{one}&quot;" for one in found]
    return [escape(quoted(one)) for one in found]


def _page(request: S3Request, limit: int, after: str, *, brief: bool = False) -> ListPage:
    access = request.access
    request.require()
    if limit == 0:
        return ListPage()
    return access.list(
        ListQuery(
            prefix=request.param("prefix"),
            delimiter=request.param("delimiter"),
            after=after,
            limit=limit,
            brief=brief,
        )
    )


def list_objects(request: S3Request) -> Reply:
    limit, marker = parameters.number(request, "max-keys"), request.param("marker")
    writing, delimiter = _Writing(request), request.param("delimiter")
    _refuse_unordered(request)
    page = _page(request, limit, marker)
    following = page.next if page.next is not None and delimiter else ""
    return xml(
        document(
            "ListBucketResult",
            element("Name", request.bucket),
            writing.coded("Prefix", request.param("prefix")),
            writing.coded("Marker", marker),
            writing.coded_optional("NextMarker", following),
            element("MaxKeys", limit),
            writing.coded_optional("Delimiter", delimiter),
            optional("EncodingType", writing.encoding),
            flag("IsTruncated", page.next is not None),
            *_entries(writing, page.entries, owner=True),
            *writing.prefixes(page.prefixes),
        )
    )


def list_objects_v2(request: S3Request) -> Reply:
    limit, token = (
        parameters.number(request, "max-keys"),
        request.query.get("continuation-token"),
    )
    writing, start = _Writing(request), request.param("start-after")
    after = parameters.behind_token(token) if token else start
    owner = request.param("fetch-owner").lower() == "true"
    page = _page(request, limit, after, brief=not owner)
    following = "" if page.next is None else parameters.token_of(page.next)
    return xml(
        document(
            "ListBucketResult",
            element("Name", request.bucket),
            writing.coded("Prefix", request.param("prefix")),
            writing.coded_optional("StartAfter", start),
            "" if token is None else element("ContinuationToken", token),
            optional("NextContinuationToken", following),
            element("KeyCount", len(page.entries) + len(page.prefixes)),
            element("MaxKeys", limit),
            writing.coded_optional("Delimiter", request.param("delimiter")),
            optional("EncodingType", writing.encoding),
            flag("IsTruncated", page.next is not None),
            *_entries(writing, page.entries, owner=owner),
            *writing.prefixes(page.prefixes),
        )
    )


def _refuse_unordered(request: S3Request) -> None:
    if request.param("allow-unordered") == "true" and request.param("delimiter"):
        raise S3Problem("InvalidArgument", "allow-unordered cannot be used with a delimiter")


# versions


def list_object_versions(request: S3Request) -> Reply:
    limit, writing = parameters.number(request, "max-keys"), _Writing(request)
    marker, version = (
        request.param("key-marker"),
        parameters.marker_id(request, "version-id-marker"),
    )
    if "version-id-marker" in request.query and not marker:
        raise S3Problem(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version,
        )
    page = _versions(request, limit, marker, version)
    return xml(
        document(
            "ListVersionsResult",
            element("Name", request.bucket),
            writing.coded("Prefix", request.param("prefix")),
            writing.coded("KeyMarker", marker),
            element("VersionIdMarker", version),
            writing.coded_optional("NextKeyMarker", page.next or ""),
            optional("NextVersionIdMarker", page.next_version),
            element("MaxKeys", limit),
            writing.coded_optional("Delimiter", request.param("delimiter")),
            optional("EncodingType", writing.encoding),
            flag("IsTruncated", page.next is not None),
            *_version_entries(writing, page.entries),
            *writing.prefixes(page.prefixes),
        )
    )


def _versions(request: S3Request, limit: int, marker: str, version: str) -> VersionPage:
    request.require()
    if request.access.service.find(Versions) is None:
        return _only_versions(_page(request, limit, marker))
    if limit == 0:
        return VersionPage()
    return request.access.versions(
        VersionQuery(
            prefix=request.param("prefix"),
            delimiter=request.param("delimiter"),
            after=marker,
            after_version=version,
            limit=limit,
        )
    )


def _only_versions(page: ListPage) -> VersionPage:
    """What a store without versions has: each object is its own null version."""
    entries = tuple(
        VersionEntry(
            key=one.key,
            version=one.version or NULL_VERSION,
            latest=True,
            marker=False,
            size=one.size,
            etag=one.etag,
            modified=one.modified,
            storage_class=one.storage_class,
            owner=one.owner,
        )
        for one in page.entries
    )
    return VersionPage(entries=entries, prefixes=page.prefixes, next=page.next)


def _version_entries(writing: _Writing, found: Sequence[VersionEntry]) -> list[str]:
    if not found:
        return []
    keys, names, latest, markers, sizes, etags, modified, classes, owners, _ = zip(
        *found, strict=True
    )
    rows = []
    for key, name, newest, marker, size, etag, time, kind, owner in zip(
        writing.keys(keys), encoded(names), latest, markers, sizes,
        _etags(etags), isos(modified), encoded(classes), writing.owners(owners),
        strict=True,
    ):  # fmt: skip
        stored = (
            f"<ETag>{etag}</ETag><Size>{size}</Size><StorageClass>{kind}</StorageClass>"
            if not marker
            else ""
        )
        tag = "DeleteMarker" if marker else "Version"
        rows.append(
            f"<{tag}><Key>{key}</Key><VersionId>{name}</VersionId>"
            f"<IsLatest>{'true' if newest else 'false'}</IsLatest>"
            f"<LastModified>{time}</LastModified>{stored}{owner}</{tag}>"
        )
    return rows


# uploads


def list_multipart_uploads(request: S3Request) -> Reply:
    limit, writing = parameters.number(request, "max-uploads"), _Writing(request)
    marker = request.param("key-marker")
    upload = parameters.marker_id(request, "upload-id-marker") if marker else ""
    page = _uploads(request, limit, marker, upload)
    return xml(
        document(
            "ListMultipartUploadsResult",
            element("Bucket", request.bucket),
            writing.coded("KeyMarker", marker),
            element("UploadIdMarker", upload),
            writing.coded_optional("NextKeyMarker", page.next or ""),
            optional("NextUploadIdMarker", page.next_upload),
            writing.coded("Prefix", request.param("prefix")),
            writing.coded_optional("Delimiter", request.param("delimiter")),
            optional("EncodingType", writing.encoding),
            element("MaxUploads", limit),
            flag("IsTruncated", page.next is not None),
            *[_upload(one, writing) for one in page.uploads],
            *writing.prefixes(page.prefixes),
        )
    )


def _uploads(request: S3Request, limit: int, marker: str, upload: str) -> UploadPage:
    request.require()
    if limit == 0:
        return UploadPage()
    return request.access.uploads(
        UploadQuery(
            prefix=request.param("prefix"),
            delimiter=request.param("delimiter"),
            after=marker,
            after_upload=upload,
            limit=limit,
        )
    )


def _upload(one: Upload, writing: _Writing) -> str:
    options = one.options
    return (
        f"<Upload><Key>{writing.key(one.key)}</Key>{element('UploadId', one.id)}"
        f"{writing.people.named('Initiator', options.owner)}"
        f"{writing.people.named('Owner', options.owner)}"
        f"<StorageClass>{options.storage_class}</StorageClass>"
        f"<Initiated>{iso(one.begun)}</Initiated>"
        f"{documents.algorithm(options) if options.checksums else ''}</Upload>"
    )
