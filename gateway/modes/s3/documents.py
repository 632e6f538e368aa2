"""Values of the storage contract → the documents of answers. Pure functions; bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from gateway.access.grants import Grant
from gateway.access.identity import Account
from gateway.common.xml import document, element, escape, flag, optional
from gateway.modes.s3 import grants
from gateway.modes.s3.parsing import CHECKSUM_ELEMENTS
from gateway.modes.s3.replies import quoted
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.wire import iso
from gateway.storage import AnnotationPage, Deleted, ObjectInfo, Part, Put, Upload

XSI = "http://www.w3.org/2001/XMLSchema-instance"

ANONYMOUS_ID = "65a011a29cdf8ec533ec3d1ccaae921c"
"""Whom AWS calls the owner of what an anonymous request wrote."""

Accounts = Callable[[str], Account | None]


class People:
    """Accounts as documents name them, each looked up once. `nobody`: who is named where there
    is none; "" for the anonymous one."""

    __slots__ = ("_accounts", "_nobody", "_written")

    def __init__(self, accounts: Accounts, nobody: str = "") -> None:
        self._accounts, self._nobody = accounts, nobody
        self._written: dict[tuple[str, str], str] = {}

    def inner(self, account: str) -> str:
        account = account or self._nobody
        found = self._accounts(account) if account else None
        name = found.name if found is not None else ""
        return element("ID", account or ANONYMOUS_ID) + optional("DisplayName", name)

    def named(self, element_name: str, account: str) -> str:
        """`Owner` or `Initiator`, with id and name."""
        written = self._written.get((element_name, account))
        if written is None:
            written = f"<{element_name}>{self.inner(account)}</{element_name}>"
            self._written[element_name, account] = written
        return written


def people(request: S3Request) -> People:
    """Those whom documents about the bucket's objects name: where objects have no owners, they
    are the bucket owner's."""
    service = request.access.service
    return People(request.gateway.account, "" if service.keeps_owners else service.owner)


def sums_of(info: ObjectInfo, part: Part) -> Mapping[str, str]:
    """Of a part's checksums the one that the object has."""
    return {name: text for name, text in part.checksums.items() if name in info.checksums}


def checksums(found: Mapping[str, str]) -> str:
    return "".join(element(CHECKSUM_ELEMENTS[name], text) for name, text in found.items())


def buckets(
    owner: str, found: Iterable[tuple[str, int]], region: str, prefix: str, token: str
) -> bytes:
    """`found`: (name, created)."""
    rows = "".join(
        f"<Bucket><Name>{escape(name)}</Name><CreationDate>{iso(created)}</CreationDate>"
        f"<BucketRegion>{escape(region)}</BucketRegion></Bucket>"
        for name, created in found
    )
    return document(
        "ListAllMyBucketsResult",
        owner,
        f"<Buckets>{rows}</Buckets>",
        optional("Prefix", prefix),
        optional("ContinuationToken", token),
    )


def acl(owner: str, listed: Sequence[Grant], people: People) -> bytes:
    rows = "".join(
        f"<Grant>{_grantee(one.grantee, people)}"
        f"<Permission>{grants.NAMES[one.permission]}</Permission></Grant>"
        for one in sorted(listed, key=lambda one: one.grantee not in grants.URIS)  # groups first
    )
    return document(
        "AccessControlPolicy",
        people.named("Owner", owner),
        f"<AccessControlList>{rows}</AccessControlList>",
    )


def _grantee(grantee: str, people: People) -> str:
    uri = grants.URIS.get(grantee)
    kind, inner = (
        ("Group", element("URI", uri)) if uri else ("CanonicalUser", people.inner(grantee))
    )
    return f'<Grantee xmlns:xsi="{XSI}" xsi:type="{kind}">{inner}</Grantee>'


def tagging(tags: Mapping[str, str]) -> bytes:
    rows = "".join(
        f"<Tag>{element('Key', key)}{element('Value', value)}</Tag>"
        for key, value in sorted(tags.items())
    )
    return document("Tagging", f"<TagSet>{rows}</TagSet>")


def annotated(key: str, name: str) -> bytes:
    return document(
        "PutObjectAnnotationOutput", element("Key", key), element("AnnotationName", name)
    )


def annotation_list(
    page: AnnotationPage, bucket: str, *, prefix: str, limit: int, token: str, following: str
) -> bytes:
    rows = "".join(
        f"<AnnotationEntry>{element('AnnotationName', one.name)}"
        f"<LastModified>{iso(one.modified)}</LastModified>"
        f"{element('ETag', quoted(one.etag))}"
        + "".join(element("ChecksumAlgorithm", name) for name in one.checksums)
        + f"<Size>{one.size}</Size></AnnotationEntry>"
        for one in page.annotations
    )
    return document(
        "ListObjectAnnotationsOutput",
        f"<Annotations>{rows}</Annotations>",
        element("Bucket", bucket),
        element("Key", page.object.key),
        optional("AnnotationPrefix", prefix),
        element("MaxAnnotationResults", limit),
        element("AnnotationCount", len(page.annotations)),
        optional("ContinuationToken", token),
        optional("NextContinuationToken", following),
    )


def copied(root: str, etag: str, modified: int, found: Mapping[str, str], kind: str) -> bytes:
    """`CopyObjectResult` and `CopyPartResult`."""
    return document(
        root,
        element("LastModified", iso(modified)),
        element("ETag", quoted(etag)),
        checksums(found),
        optional("ChecksumType", kind),
    )


def initiated(bucket: str, upload: Upload) -> bytes:
    return document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket),
        element("Key", upload.key),
        element("UploadId", upload.id),
    )


def completed(location: str, bucket: str, info: ObjectInfo) -> bytes:
    return document(
        "CompleteMultipartUploadResult",
        element("Location", location),
        element("Bucket", bucket),
        element("Key", info.key),
        element("ETag", quoted(info.etag)),
        checksums(info.checksums),
        optional("ChecksumType", info.checksum_type or ""),
    )


def algorithm(options: Put) -> str:
    """What the parts of an upload have, and the whole: `null` when it began without."""
    return element("ChecksumAlgorithm", next(iter(options.checksums), "null")) + element(
        "ChecksumType", options.checksum_type or "null"
    )


def part(one: Part, told: Mapping[str, str]) -> str:
    """`told`: of its checksums."""
    return (
        f"<Part><PartNumber>{one.number}</PartNumber>"
        f"<LastModified>{iso(one.modified)}</LastModified>"
        f"{element('ETag', quoted(one.etag))}<Size>{one.size}</Size>{checksums(told)}"
        "</Part>"
    )


def removed(wanted_version: str | None, done: Deleted) -> str:
    """One `Deleted` of a DeleteResult."""
    if not done.marker:
        inner = optional("VersionId", wanted_version or "")
    elif wanted_version is None:
        inner = flag("DeleteMarker", True) + optional("DeleteMarkerVersionId", done.version or "")
    else:
        inner = (
            element("VersionId", wanted_version)
            + flag("DeleteMarker", True)
            + element("DeleteMarkerVersionId", wanted_version)
        )
    return f"<Deleted>{element('Key', done.key)}{inner}</Deleted>"


def not_removed(key: str, version: str | None, code: str, message: str) -> str:
    return (
        f"<Error>{element('Key', key)}{optional('VersionId', version or '')}"
        f"{element('Code', code)}{element('Message', message)}</Error>"
    )


def attributes(info: ObjectInfo, wanted: frozenset[str], after: int, limit: int) -> bytes:
    """`GetObjectAttributesResponse`: of all that is known, what was asked for."""
    content = []
    if "ETag" in wanted:
        content.append(element("ETag", info.etag))
    if "Checksum" in wanted and info.checksums:
        kind = element("ChecksumType", info.checksum_type or "FULL_OBJECT")
        content.append(f"<Checksum>{checksums(info.checksums)}{kind}</Checksum>")
    if "ObjectParts" in wanted and info.parts:
        content.append(_object_parts(info, after, limit))
    if "StorageClass" in wanted:
        content.append(element("StorageClass", info.storage_class))
    if "ObjectSize" in wanted:
        content.append(element("ObjectSize", info.size))
    return document("GetObjectAttributesResponse", *content)


def _object_parts(info: ObjectInfo, after: int, limit: int) -> str:
    later = [one for one in info.parts if one.number > after]
    page = later[:limit]
    rows = "".join(
        f"<Part><PartNumber>{one.number}</PartNumber><Size>{one.size}</Size>"
        f"{checksums(sums_of(info, one))}</Part>"
        for one in page
    )
    return (
        "<ObjectParts>"
        f"<PartsCount>{len(info.parts)}</PartsCount>"
        f"<PartNumberMarker>{after}</PartNumberMarker>"
        f"<NextPartNumberMarker>{page[-1].number if page else after}</NextPartNumberMarker>"
        f"<MaxParts>{limit}</MaxParts>"
        f"{flag('IsTruncated', len(later) > len(page))}{rows}</ObjectParts>"
    )
