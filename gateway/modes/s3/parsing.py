"""Documents of requests → what the gateway understands. Each raises S3Problem
(MalformedXML unless said otherwise) for anything that is not such a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from gateway.modes import KEY_LIMIT
from gateway.modes.s3 import headers, tags, wire
from gateway.modes.s3.grants import PERMISSIONS, NamedGrant
from gateway.modes.s3.problems import S3Problem, malformed
from gateway.storage import NOTHING, Conditions, Delete, InvalidRequest, PartRef
from gateway.storage.checksums import CHECKSUMS, decode
from gateway.web.http_fields import matching
from gateway.web.request_head import whole_number

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MOST_DELETES = 1000

CHECKSUM_ELEMENTS = {name: f"Checksum{name}" for name in CHECKSUMS}


class Deletion(NamedTuple):
    quiet: bool
    items: tuple[tuple[str, Delete], ...]


class Creation(NamedTuple):
    """What CreateBucket's document asks for. `location`: a region, "" for none."""

    location: str = ""
    tags: Mapping[str, str] = NOTHING


class AclDocument(NamedTuple):
    owner: str
    grants: tuple[NamedGrant, ...]


def delete_objects(data: bytes, *, bypass: bool) -> Deletion:
    """`Delete`: at most 1,000 objects, at least one."""
    root = wire.parse(data, "Delete")
    items = tuple(_item(one, bypass) for one in wire.children(root, "Object"))
    if not 0 < len(items) <= MOST_DELETES:
        raise malformed(f"Delete has 1 to {MOST_DELETES} Object, here {len(items)}.")
    return Deletion(wire.flag_of(root, "Quiet"), items)


def _item(node: Element, bypass: bool) -> tuple[str, Delete]:
    key = wire.text_of(node, "Key")
    if not key:
        raise malformed("An Object needs a Key.")
    if len(key.encode()) > KEY_LIMIT:
        raise S3Problem("KeyTooLongError", MaxSizeAllowed=str(KEY_LIMIT))
    match, size, time = (wire.text_of(node, name) for name in ("ETag", "Size", "LastModifiedTime"))
    only = None if match is None else Conditions(if_match=matching(match))
    conditions = headers.deletion(only, size, time)
    version = wire.word_of(node, "VersionId") or None
    return key, Delete(version=version, conditions=conditions, bypass=bypass)


def tagging(data: bytes, most: int = tags.MOST) -> Mapping[str, str]:
    """`Tagging`. Raises InvalidTag beyond S3's limits."""
    tag_set = wire.child(wire.parse(data, "Tagging"), "TagSet")
    if tag_set is None:
        raise malformed("Tagging needs a TagSet.")
    return tags.check((_tag(one) for one in wire.children(tag_set, "Tag")), most)


def _tag(node: Element) -> tuple[str, str]:
    key, value = wire.text_of(node, "Key"), wire.text_of(node, "Value")
    if key is None or value is None:
        raise malformed("A Tag needs a Key and a Value.")
    return key, value


def versioning(data: bytes) -> Literal["on", "suspended"]:
    root = wire.parse(data, "VersioningConfiguration")
    protected = wire.word_of(root, "MfaDelete")
    if protected == "Enabled":
        raise S3Problem("NotImplemented", "MFA delete is not implemented.")
    status = wire.word_of(root, "Status")
    if status not in ("Enabled", "Suspended") or protected not in ("", "Disabled"):
        raise malformed(
            "Status has to be Enabled or Suspended, and MfaDelete, if it is there, Disabled."
        )
    return "on" if status == "Enabled" else "suspended"


def creation(data: bytes) -> Creation:
    """`CreateBucketConfiguration`. Raises InvalidTag beyond S3's limits."""
    if not data.strip():
        return Creation()
    root = wire.parse(data, "CreateBucketConfiguration")
    for name in ("Location", "Bucket"):
        if wire.child(root, name) is not None:
            raise S3Problem("NotImplemented", f"{name}: there are no directory buckets here.")
    tagged = wire.child(root, "Tags")
    found = () if tagged is None else map(_tag, wire.children(tagged, "Tag"))
    constraint = wire.word_of(root, "LocationConstraint")
    return Creation(constraint, tags.check(found, tags.MOST_OF_BUCKET))


def complete(data: bytes) -> list[PartRef]:
    """The parts that `CompleteMultipartUpload` names, as they stand. Of one that is named
    several times running the last counts: who has sent it twice at once names both, that
    which ended last behind (ceph/s3-tests, `test_multipart_resend_first_finishes_last`)."""
    root = wire.parse(data, "CompleteMultipartUpload")
    parts: list[PartRef] = []
    for part in map(_part, wire.children(root, "Part")):
        if parts and parts[-1].number == part.number:
            parts.pop()
        parts.append(part)
    if not parts or len(parts) > headers.MOST_PARTS:
        raise malformed(
            f"CompleteMultipartUpload has 1 to {headers.MOST_PARTS} Part, here {len(parts)}."
        )
    return parts


def _part(node: Element) -> PartRef:
    text, etag = wire.word_of(node, "PartNumber"), wire.word_of(node, "ETag")
    number = whole_number(text.removeprefix("-"), 0, 1 << 31)
    if number is None or not etag:
        raise malformed("A Part needs a PartNumber, which is a number, and an ETag.")
    if text.startswith("-") or number == 0:
        raise _part_number("PartNumber must be >= 1", text)
    if number > headers.MOST_PARTS:
        raise _part_number(f"PartNumber must be <= {headers.MOST_PARTS}", text)
    sums = _sums(node) if len(node) > 2 else NOTHING
    return PartRef(number=number, etag=etag.strip('"'), checksums=sums)


def _sums(node: Element) -> Mapping[str, str]:
    """The checksum of a part. Raises InvalidArgument for two, and for one that is no digest."""
    found = {
        name: text for name, tag in CHECKSUM_ELEMENTS.items() if (text := wire.word_of(node, tag))
    }
    try:
        for name, text in found.items():
            decode(name, text)
        if len(found) < 2:
            return found
        given = "".join(f"{name}:{text};" for name, text in found.items())
    except InvalidRequest:
        given = text
    raise S3Problem(
        "InvalidArgument",
        "Invalid Base64 or multiple checksums present in request",
        ArgumentName="Checksum",
        ArgumentValue=given,
    )


def _part_number(message: str, text: str) -> S3Problem:
    return S3Problem("InvalidArgument", message, ArgumentName="PartNumber", ArgumentValue=text)


_NO_LIST = "MalformedACLError"
_PERMITTED = ", ".join(PERMISSIONS)
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_GRANTEES: tuple[tuple[str, Literal["id", "uri", "emailAddress"], str], ...] = (
    ("CanonicalUser", "id", "ID"),
    ("Group", "uri", "URI"),
    ("AmazonCustomerByEmail", "emailAddress", "EmailAddress"),
)


def acl(data: bytes) -> AclDocument:
    """`AccessControlPolicy`. Raises MalformedACLError."""
    root = wire.parse(data, "AccessControlPolicy", _NO_LIST)
    owner, listed = wire.child(root, "Owner"), wire.child(root, "AccessControlList")
    if owner is None or listed is None or not wire.word_of(owner, "ID"):
        raise malformed("An Owner with an ID and an AccessControlList are needed.", _NO_LIST)
    found = tuple(named_grant(one) for one in wire.children(listed, "Grant"))
    return AclDocument(wire.word_of(owner, "ID"), found)


def named_grant(node: Element, code: str = _NO_LIST) -> NamedGrant:
    """A `Grant`. Raises S3Problem with `code`."""
    grantee, permission = wire.child(node, "Grantee"), wire.word_of(node, "Permission")
    if grantee is None or permission not in PERMISSIONS:
        raise malformed(f"A Grant needs a Grantee, and a Permission of {_PERMITTED}.", code)
    said = grantee.get(_TYPE)
    for type_, kind, name in _GRANTEES:
        if said in (None, type_) and (text := wire.word_of(grantee, name)):
            return NamedGrant(kind, text, permission)
    raise malformed("A Grantee needs an ID, a URI or an EmailAddress, as its xsi:type says.", code)
