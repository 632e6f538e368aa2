"""For each operation a request that works, with all that must be there for it, where to look
afterwards; and for each member a value that makes a difference (`model_effects` says which), in
that scene or in one of `SPECIAL`."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from gateway.storage.checksums import CHECKSUMS, compute
from tests.modes.model_requests import Heard, Mode, Params, members, of_object

BODY = b"0123456789"
EVERYBODY = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


@dataclass
class Scene:
    """`look`: requests whose answers show what was done, `then`: what is done before they are
    sent. `names`: see `Heard.told`."""

    params: Params
    look: list[tuple[str, Params]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    then: Callable[[Mode, Heard], None] = lambda mode, heard: None


# buckets

_EXPIRES: Params = {
    "ID": "one",
    "Status": "Enabled",
    "Filter": {"Prefix": "a"},
    "Expiration": {"Days": 1},
}
_DOCUMENTS: Mapping[str, tuple[str, Any, Any]] = {
    # operation: member, a document, another
    "PutBucketVersioning": (
        "VersioningConfiguration",
        {"Status": "Enabled"},
        {"Status": "Suspended"},
    ),
    "PutBucketTagging": (
        "Tagging",
        {"TagSet": [{"Key": "a", "Value": "1"}]},
        {"TagSet": [{"Key": "a", "Value": "2"}]},
    ),
    "PutBucketCors": (
        "CORSConfiguration",
        {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
        {"CORSRules": [{"AllowedMethods": ["PUT"], "AllowedOrigins": ["*"]}]},
    ),
    "PutBucketEncryption": (
        "ServerSideEncryptionConfiguration",
        {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]},
        {"Rules": [{"BucketKeyEnabled": True}]},
    ),
    "PutBucketLifecycleConfiguration": (
        "LifecycleConfiguration",
        {"Rules": [_EXPIRES]},
        {"Rules": [{**_EXPIRES, "Expiration": {"Days": 2}}]},
    ),
    "PutBucketLogging": (
        "BucketLoggingStatus",
        {},
        None,  # its own
    ),
    "PutBucketNotificationConfiguration": (
        "NotificationConfiguration",
        {},
        {"QueueConfigurations": [{"QueueArn": "arn:gateway:sqs:::none", "Events": ["s3:*"]}]},
    ),
    "PutBucketWebsite": (
        "WebsiteConfiguration",
        {"IndexDocument": {"Suffix": "index.html"}},
        {"IndexDocument": {"Suffix": "start.html"}},
    ),
    "PutPublicAccessBlock": (
        "PublicAccessBlockConfiguration",
        {"BlockPublicAcls": True},
        {"BlockPublicPolicy": True},
    ),
    "PutBucketOwnershipControls": (
        "OwnershipControls",
        {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
    ),
    "PutObjectLockConfiguration": (
        "ObjectLockConfiguration",
        {"ObjectLockEnabled": "Enabled"},
        {
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    ),
    "PutBucketRequestPayment": (
        "RequestPaymentConfiguration",
        {"Payer": "BucketOwner"},
        {"Payer": "Requester"},
    ),
    "PutBucketAccelerateConfiguration": (
        "AccelerateConfiguration",
        {"Status": "Suspended"},
        {"Status": "Enabled"},
    ),
    "PutBucketAbac": ("AbacStatus", {"Status": "Disabled"}, {"Status": "Enabled"}),
}

_LOCKED = frozenset({"PutObjectLockConfiguration", "GetObjectLockConfiguration"})


def _policy(bucket: str, action: str) -> str:
    allowed = {"Effect": "Allow", "Principal": "*", "Action": action}
    statement = {**allowed, "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _shared(mode: Mode, kind: str, fill: Callable[[str], None] | None = None) -> str:
    """A bucket of that kind, made and filled once: making one takes longer than all else."""
    if kind not in mode.once:
        locked = kind == "locked" or kind in _LOCKED
        mode.once[kind] = bucket = mode.bucket(ObjectLockEnabledForBucket=locked)
        if fill:
            fill(bucket)
    return str(mode.once[kind])


def _of_bucket(mode: Mode, operation: str) -> Scene:
    """What is set, is set anew each time."""
    reads = operation.startswith(("Get", "Head", "List")) and operation not in _LOCKED
    once = operation == "DeleteBucket"
    bucket = mode.bucket() if once else _shared(mode, "read" if reads else operation)
    scene = Scene({"Bucket": bucket}, names={bucket: "BUCKET"})
    if operation in _DOCUMENTS:
        member, document, _ = _DOCUMENTS[operation]
        scene.params[member] = document
        scene.look = [(operation.replace("Put", "Get", 1), {"Bucket": bucket})]
    elif operation == "PutBucketPolicy":
        scene.params["Policy"] = _policy(bucket, "s3:GetObject")
        scene.look = [("GetBucketPolicy", {"Bucket": bucket})]
    elif operation == "PutBucketAcl":
        scene.params["ACL"] = "private"
        scene.look = [("GetBucketAcl", {"Bucket": bucket})]
    elif operation == "DeleteBucketTagging":
        tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
        mode.call("PutBucketTagging", {"Bucket": bucket, "Tagging": tags})
    if "Id" in members(operation):
        scene.params["Id"] = "an-id"
    return scene


def _list_buckets(mode: Mode, operation: str) -> Scene:
    bucket = mode.bucket()
    mode.call("CreateBucket", {"Bucket": f"{bucket}b"})
    return Scene({"Prefix": bucket}, names={bucket: "BUCKET"})


def _create_bucket(mode: Mode, operation: str) -> Scene:
    bucket = mode.name()
    shown = (
        "GetBucketAcl",
        "GetBucketTagging",
        "GetObjectLockConfiguration",
        "GetBucketOwnershipControls",
    )
    look = [(name, {"Bucket": bucket}) for name in shown]
    return Scene({"Bucket": bucket}, look, {bucket: "BUCKET"})


# lists


_KEYS = ("a b", "a/1", "a/2", "b")


def _list(mode: Mode, operation: str) -> Scene:
    def fill(bucket: str) -> None:
        for key in _KEYS:
            mode.call("PutObject", {"Bucket": bucket, "Key": key, "Body": BODY})

    bucket = _shared(mode, "list", fill)
    return Scene({"Bucket": bucket}, names={bucket: "BUCKET"})


def _list_uploads(mode: Mode, operation: str) -> Scene:
    def fill(bucket: str) -> None:
        for key in _KEYS:
            mode.call("CreateMultipartUpload", {"Bucket": bucket, "Key": key})

    bucket = _shared(mode, "uploads", fill)
    return Scene({"Bucket": bucket, "KeyMarker": "a"}, names={bucket: "BUCKET"})


# objects


def _looks(bucket: str, key: str) -> list[tuple[str, Params]]:
    params = {"Bucket": bucket, "Key": key}
    return [
        ("HeadObject", {**params, "ChecksumMode": "ENABLED"}),
        ("GetObjectAcl", params),
        ("GetObjectTagging", params),
    ]


def _put(mode: Mode, bucket: str, key: str, body: bytes = BODY, **more: Any) -> str:
    """Its version."""
    done = mode.call("PutObject", {"Bucket": bucket, "Key": key, "Body": body, **more})
    assert done.status == 200, done
    return done.headers.get("x-amz-version-id", "")


def _of_object(mode: Mode, operation: str) -> Scene:
    bucket = _shared(mode, "objects")
    _put(mode, bucket, "k", ContentType="text/plain", Metadata={"m": "1"}, Tagging="t=1")
    params: Params = {"Bucket": bucket, "Key": "k"}
    special: dict[str, Params] = {
        "PutObject": {"Body": b"new"},
        "PutObjectAcl": {"ACL": "private"},
        "PutObjectTagging": {"Tagging": {"TagSet": [{"Key": "a", "Value": "1"}]}},
        "DeleteObjects": {"Delete": {"Objects": [{"Key": "k"}]}},
        "RestoreObject": {"RestoreRequest": {"Days": 1}},
    }
    more = special.get(operation, {})
    if operation == "DeleteObjects":
        del params["Key"]
    look = [] if operation.startswith(("Get", "Head")) else _looks(bucket, "k")
    return Scene({**params, **more}, look, {bucket: "BUCKET"})


_NAMES = ("a", "b.1", "b.2")


def _annotate(mode: Mode, bucket: str, key: str) -> None:
    params = {"Bucket": bucket, "Key": key}
    for name in _NAMES:
        given = {"AnnotationName": name, "AnnotationPayload": f"{key} {name}".encode()}
        assert mode.call("PutObjectAnnotation", {**params, **given}).status == 200


def _annotated(mode: Mode, operation: str) -> Scene:
    scene = _of_object(mode, operation)
    params = scene.params
    _annotate(mode, params["Bucket"], "k")
    scene.look = []
    if operation in ("PutObjectAnnotation", "DeleteObjectAnnotation"):
        scene.look.append(("ListObjectAnnotations", {**params}))
    if operation == "PutObjectAnnotation":
        scene.look.append(("GetObjectAnnotation", {**params, "AnnotationName": "a"}))
        params["AnnotationPayload"] = BODY
    if operation != "ListObjectAnnotations":
        params["AnnotationName"] = "a"
    return scene


def _copy(mode: Mode, operation: str) -> Scene:
    scene = _of_object(mode, operation)
    bucket = scene.params["Bucket"]
    _put(mode, bucket, "from", ContentType="text/source", Metadata={"s": "1"}, Tagging="s=1")
    _annotate(mode, bucket, "from")
    scene.look.append(("ListObjectAnnotations", {"Bucket": bucket, "Key": "k"}))
    _put(mode, bucket, "other", b"other")
    scene.params |= {
        "CopySource": f"{bucket}/from",
        "MetadataDirective": "REPLACE",
        "TaggingDirective": "REPLACE",
    }
    return scene


def _protected(mode: Mode, operation: str, **more: Any) -> Scene:
    """A version in a bucket with object lock."""
    bucket = _shared(mode, "locked")
    version = _put(mode, bucket, "k", ContentMD5=_MD5, **more)
    params: Params = {"Bucket": bucket, "Key": "k"}
    if operation == "PutObjectLegalHold":
        params["LegalHold"] = {"Status": "OFF"}
    if operation == "PutObjectRetention":
        params["Retention"] = {"Mode": "GOVERNANCE", "RetainUntilDate": _soon(2)}
    look = [(name, {"Bucket": bucket, "Key": "k"}) for name in ("GetObjectRetention", "HeadObject")]
    look.append(("GetObjectLegalHold", {"Bucket": bucket, "Key": "k"}))
    return Scene(params, look, {bucket: "BUCKET", version: "VERSION"})


def _soon(days: int) -> datetime:
    return datetime(datetime.now(UTC).year + 1, 1, days, tzinfo=UTC)


# uploads in parts


def _upload(mode: Mode, operation: str) -> Scene:
    scene = _of_object(mode, operation)
    bucket = scene.params["Bucket"]
    params: Params = {"Bucket": bucket, "Key": "k"}
    if operation == "CreateMultipartUpload":
        scene.then = lambda mode, heard: _completed(mode, params, heard.element("UploadId"))
        return scene
    begun = mode.call("CreateMultipartUpload", params)
    params["UploadId"] = begun.element("UploadId")
    tag = ""
    for number in _PARTS.get(operation, ()):
        sent = {**params, "PartNumber": number, "Body": BODY}
        tag = mode.call("UploadPart", sent).headers["etag"]
    one = {"ETag": tag, "PartNumber": 1}
    if operation == "UploadPartCopy":
        _put(mode, bucket, "from")
        _put(mode, bucket, "other", b"other")
    special: dict[str, Params] = {
        "UploadPart": {"PartNumber": 1, "Body": b"part"},
        "UploadPartCopy": {"PartNumber": 1, "CopySource": f"{bucket}/from"},
        "CompleteMultipartUpload": {"MultipartUpload": {"Parts": [one]}},
    }
    more = special.get(operation, {})
    if operation in ("UploadPart", "UploadPartCopy", "AbortMultipartUpload"):
        scene.look = [("ListParts", params)]
    scene.params = {**params, **more}
    return scene


_PARTS: Mapping[str, tuple[int, ...]] = {"CompleteMultipartUpload": (1,), "ListParts": (1, 2)}
"""Those that have come."""


def _completed(mode: Mode, params: Params, upload: str, *bodies: bytes) -> None:
    """What an upload has been given is seen when it is complete."""
    params, parts = {**params, "UploadId": upload}, []
    for number, body in enumerate(bodies or (BODY,), 1):
        part = mode.call("UploadPart", {**params, "PartNumber": number, "Body": body})
        parts.append({"ETag": part.headers.get("etag", "none"), "PartNumber": number})
    mode.call("CompleteMultipartUpload", {**params, "MultipartUpload": {"Parts": parts}})


def _of_parts(mode: Mode, operation: str) -> Scene:
    if "parts" not in mode.once:
        params: Params = {"Bucket": mode.bucket(), "Key": "k"}
        begun = mode.call("CreateMultipartUpload", params)
        _completed(mode, params, begun.element("UploadId"), bytes(5 << 20), BODY)
        mode.once["parts"] = params
    params = mode.once["parts"]
    bucket = params["Bucket"]
    return Scene({**params, "ObjectAttributes": ["ObjectParts"]}, names={bucket: "BUCKET"})


_PROTECTED = (
    "GetObjectLegalHold",
    "PutObjectLegalHold",
    "GetObjectRetention",
    "PutObjectRetention",
)
_BUILDERS: Mapping[str, Callable[[Mode, str], Scene]] = {
    "ListBuckets": _list_buckets,
    "CreateBucket": _create_bucket,
    **dict.fromkeys(("ListObjects", "ListObjectsV2", "ListObjectVersions"), _list),
    "ListMultipartUploads": _list_uploads,
    "CopyObject": _copy,
    **dict.fromkeys(
        (
            "GetObjectAnnotation",
            "ListObjectAnnotations",
            "PutObjectAnnotation",
            "DeleteObjectAnnotation",
        ),
        _annotated,
    ),
    "DeleteObjects": _of_object,
    "GetObjectAttributes": _of_parts,
    **dict.fromkeys(_PROTECTED, _protected),
    **dict.fromkeys(
        (
            "CreateMultipartUpload",
            "UploadPart",
            "UploadPartCopy",
            "ListParts",
            "CompleteMultipartUpload",
            "AbortMultipartUpload",
        ),
        _upload,
    ),
}


def scene(mode: Mode, operation: str) -> Scene:
    usual = _of_object if of_object(operation) else _of_bucket
    return _BUILDERS.get(operation, usual)(mode, operation)


# values that make a difference

Value = Callable[[Mode, Scene], Any]


def _always(value: Any) -> Value:
    return lambda mode, scene: value


def _etag(mode: Mode, scene: Scene) -> str:
    key = scene.params.get("Key", "k")
    return mode.call("HeadObject", {"Bucket": scene.params["Bucket"], "Key": key}).headers["etag"]


def _source_etag(mode: Mode, scene: Scene) -> str:
    return mode.call("HeadObject", {"Bucket": scene.params["Bucket"], "Key": "from"}).headers[
        "etag"
    ]


def _now(mode: Mode, scene: Scene) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def _sum(algorithm: str, mode: Mode, scene: Scene) -> str:
    """Of the body; of an upload's parts it is none."""
    body = scene.params.get("Body") or scene.params.get("AnnotationPayload")
    return compute(algorithm, body or b"none")


def _other_source(mode: Mode, scene: Scene) -> str:
    return f"{scene.params['Bucket']}/other"


_KEY = b"k" * 32
_CUSTOMER: Params = {
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKey": b64encode(_KEY).decode(),
    "SSECustomerKeyMD5": b64encode(hashlib.md5(_KEY, usedforsecurity=False).digest()).decode(),
}


def _first_page(mode: Mode, operation: str, scene: Scene, limit: str) -> str:
    """The token behind it."""
    page = mode.call(operation, {**scene.params, limit: 1})
    return page.element("NextContinuationToken") or page.element("ContinuationToken")


_SIMPLE: Mapping[str, Any] = {
    # of what and whose
    "Bucket": "no-such-bucket",
    "Key": "another-key",
    "UploadId": "no-upload",
    "PartNumber": 3,
    "ExpectedBucketOwner": "another",
    "ExpectedSourceBucketOwner": "another",
    "RequestPayer": "requester",
    "MFA": "serial 123456",
    "BypassGovernanceRetention": True,
    "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
    # bodies
    "Body": b"another body",
    "ContentLength": 2,
    "ContentMD5": f"{'A' * 22}==",
    "ChecksumAlgorithm": "SHA1",
    "ChecksumType": "FULL_OBJECT",
    "ChecksumMode": "ENABLED",
    # what is kept
    "CacheControl": "no-cache",
    "ContentDisposition": "inline",
    "ContentEncoding": "gzip",
    "ContentLanguage": "de",
    "ContentType": "text/other",
    "Expires": LONG_AGO,
    "Metadata": {"other": "1"},
    "StorageClass": "STANDARD_IA",
    "Tagging": "other=1",
    "WebsiteRedirectLocation": "/elsewhere",
    "MetadataDirective": "COPY",
    "TaggingDirective": "COPY",
    "AnnotationDirective": "EXCLUDE",
    "AnnotationName": "b.1",
    "AnnotationPayload": b"another payload",
    "AnnotationPrefix": "b.",
    "MaxAnnotationResults": 1,
    "ObjectIfMatch": '"another"',
    # who may
    "ACL": "public-read",
    "GrantFullControl": EVERYBODY,
    "GrantRead": EVERYBODY,
    "GrantReadACP": EVERYBODY,
    "GrantWrite": EVERYBODY,
    "GrantWriteACP": EVERYBODY,
    "AccessControlPolicy": {
        "Owner": {"ID": "main"},
        "Grants": [
            {
                "Grantee": {
                    "Type": "Group",
                    "URI": "http://acs.amazonaws.com/groups/global/AllUsers",
                },
                "Permission": "READ",
            }
        ],
    },
    # encryption
    "ServerSideEncryption": "AES256",
    "SSEKMSKeyId": "a-key",
    "SSEKMSEncryptionContext": "e30=",
    "BucketKeyEnabled": True,
    **_CUSTOMER,
    **{f"CopySource{name}": text for name, text in _CUSTOMER.items()},
    # protection
    "ObjectLockMode": "GOVERNANCE",
    "ObjectLockRetainUntilDate": datetime(2099, 1, 1, tzinfo=UTC),
    "ObjectLockLegalHoldStatus": "ON",
    "ObjectLockEventHold": "ON",
    "ObjectLockEventHoldDurationDays": 1,
    "ObjectLockEventHoldDurationYears": 1,
    "LegalHold": {"Status": "ON"},
    "Retention": {},
    "Token": "a-token",
    "WriteOffsetBytes": 10,
    # conditions
    "IfMatch": '"another"',
    "IfNoneMatch": "*",
    "IfUnmodifiedSince": LONG_AGO,
    "IfMatchLastModifiedTime": LONG_AGO,
    "IfMatchSize": 5,
    "IfMatchInitiatedTime": LONG_AGO,
    "CopySourceIfMatch": '"another"',
    "CopySourceIfUnmodifiedSince": LONG_AGO,
    # reading
    "Range": "bytes=0-1",
    "CopySourceRange": "bytes=0-1",
    "ResponseCacheControl": "no-store",
    "ResponseContentDisposition": "attachment",
    "ResponseContentEncoding": "br",
    "ResponseContentLanguage": "fr",
    "ResponseContentType": "text/asked",
    "ResponseExpires": LONG_AGO,
    "ObjectAttributes": ["StorageClass"],
    "MaxParts": 1,
    "PartNumberMarker": 1,
    # lists
    "Delimiter": "/",
    "EncodingType": "url",
    "Marker": "a/1",
    "KeyMarker": "a/1",
    "MaxKeys": 1,
    "MaxUploads": 1,
    "MaxBuckets": 1,
    "Prefix": "a/",
    "FetchOwner": True,
    "StartAfter": "a/1",
    "VersionIdMarker": "null",
    "BucketRegion": "elsewhere-1",
    "OptionalObjectAttributes": ["RestoreStatus"],
    "Id": "another-id",
    # documents
    "CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "1"}]},
    "ObjectLockEnabledForBucket": True,
    "ObjectOwnership": "BucketOwnerEnforced",
    "BucketNamespace": "account-regional",
    "Delete": {"Objects": [{"Key": "another"}]},
    "MultipartUpload": {"Parts": [{"ETag": "none", "PartNumber": 1}]},
    "MpuObjectSize": 5,
    "RestoreRequest": {"Days": 1},
    **{member: other for member, _, other in _DOCUMENTS.values() if member != "Tagging"},
}
_COMPUTED: Mapping[str, Value] = {
    "Policy": lambda mode, scene: _policy(scene.params["Bucket"], "s3:PutObject"),
    "BucketLoggingStatus": lambda mode, scene: {
        "LoggingEnabled": {"TargetBucket": scene.params["Bucket"], "TargetPrefix": ""}
    },
    "ContinuationToken": lambda mode, scene: _first_page(mode, "ListObjectsV2", scene, "MaxKeys"),
    "UploadIdMarker": lambda mode, scene: mode.call(
        "ListMultipartUploads", {"Bucket": scene.params["Bucket"], "Prefix": "a/1"}
    ).element("UploadId"),
    "VersionId": lambda mode, scene: next(
        (text for text, name in scene.names.items() if name == "EARLIER"), "no-version"
    ),
    "IfModifiedSince": _now,
    "CopySource": _other_source,
    "CopySourceIfNoneMatch": _source_etag,
    "CopySourceIfModifiedSince": _now,
    **{f"Checksum{name}": partial(_sum, name) for name in CHECKSUMS},
}
_OF_OPERATION: Mapping[tuple[str, str], Value] = {
    ("GetObject", "PartNumber"): _always(2),
    ("HeadObject", "PartNumber"): _always(2),
    ("GetObject", "IfNoneMatch"): _etag,
    ("HeadObject", "IfNoneMatch"): _etag,
    ("PutBucketTagging", "Tagging"): _always(_DOCUMENTS["PutBucketTagging"][2]),
    ("PutObjectTagging", "Tagging"): _always({"TagSet": [{"Key": "other", "Value": "1"}]}),
    ("CompleteMultipartUpload", "ChecksumType"): _always("COMPOSITE"),
    ("ListBuckets", "ContinuationToken"): lambda mode, scene: _first_page(
        mode, "ListBuckets", scene, "MaxBuckets"
    ),
    ("ListParts", "PartNumberMarker"): _always(1),
    ("ListObjectAnnotations", "ContinuationToken"): lambda mode, scene: _first_page(
        mode, "ListObjectAnnotations", scene, "MaxAnnotationResults"
    ),
    ("ListBuckets", "Prefix"): _always("none"),
    ("CreateBucket", "Bucket"): _always("another-bucket"),
}


def value(mode: Mode, scene: Scene, operation: str, member: str) -> Any:
    found = _OF_OPERATION.get((operation, member)) or _COMPUTED.get(member)
    return found(mode, scene) if found else _SIMPLE[member]


def _bypassing(mode: Mode, operation: str) -> Scene:
    until = _soon(5)
    kept = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": until}
    scene = _protected(mode, operation, **kept)
    version = next(text for text, name in scene.names.items() if name == "VERSION")
    if operation == "DeleteObject":
        scene.params["VersionId"] = version
    if operation == "DeleteObjects":
        del scene.params["Key"]
        scene.params["Delete"] = {"Objects": [{"Key": "k", "VersionId": version}]}
    return scene


def _by_kms(mode: Mode, operation: str) -> Scene:
    found = scene(mode, operation)
    found.params["ServerSideEncryption"] = "aws:kms"
    return found


def _bare(mode: Mode, operation: str) -> Scene:
    """A list is said in one way only."""
    found = scene(mode, operation)
    found.params.pop("ACL", None)
    return found


def _marked(mode: Mode, operation: str) -> Scene:
    """A marker that names a version or an upload goes with one that names its key."""
    found = scene(mode, operation)
    found.params["KeyMarker"] = "a/1"
    return found


def _in_parts(mode: Mode, operation: str) -> Scene:
    found, parts = scene(mode, operation), _of_parts(mode, operation)
    if operation in ("GetObject", "HeadObject"):
        found.params |= {name: parts.params[name] for name in ("Bucket", "Key")}
    return found


def _summed(mode: Mode, operation: str) -> Scene:
    found = scene(mode, operation)
    if operation == "CreateMultipartUpload":
        found.params["ChecksumAlgorithm"] = "CRC32"
    return found


_MD5 = b64encode(hashlib.md5(BODY, usedforsecurity=False).digest()).decode()
_MODE: Params = {"ObjectLockMode": "GOVERNANCE"}
_UNTIL: Params = {"ObjectLockRetainUntilDate": _soon(2)}
_KEPT: Mapping[str, Params] = {
    "GetObjectRetention": _MODE | _UNTIL,
    "GetObjectLegalHold": {"ObjectLockLegalHoldStatus": "ON"},
}


def _versions(mode: Mode, operation: str) -> Scene:
    """Of two versions the earlier one is named."""
    found, bucket = scene(mode, operation), _shared(mode, "locked")
    kept = _KEPT.get(operation, {})
    earlier = _put(mode, bucket, "k", ContentMD5=_MD5, **kept)
    if "AnnotationName" in found.params or operation == "ListObjectAnnotations":
        _annotate(mode, bucket, "k")
    _put(mode, bucket, "k", ContentMD5=_MD5)
    found.params |= {"Bucket": bucket, "Key": "k"}
    found.names |= {bucket: "BUCKET", earlier: "EARLIER"}
    if operation == "PutObjectLegalHold":
        found.params["LegalHold"] = {"Status": "ON"}
    if operation in _PROTECTED:  # no answer says the version
        shown = operation.replace("Put", "Get", 1)
        found.look = [(shown, {"Bucket": bucket, "Key": "k", "VersionId": earlier})]
    if operation in _KEPT:
        found.look = []
    return found


def _locking(**more: Any) -> Callable[[Mode, str], Scene]:
    """In a bucket with object lock."""

    def prepare(mode: Mode, operation: str) -> Scene:
        found, bucket = scene(mode, operation), _shared(mode, "locked")
        _put(mode, bucket, "k", ContentMD5=_MD5)
        found.params |= {"Bucket": bucket, **more}
        if operation == "PutObject":
            digest = hashlib.md5(found.params["Body"], usedforsecurity=False).digest()
            found.params["ContentMD5"] = b64encode(digest).decode()
        if operation == "CreateMultipartUpload":
            where = {"Bucket": bucket, "Key": "k"}
            found.then = lambda mode, heard: _completed(mode, where, heard.element("UploadId"))
        found.look = _looks(bucket, "k")
        return found

    return prepare


def _by_customer(without: str) -> Callable[[Mode, str], Scene]:
    """Encrypted with a key that is said whole but for one member."""
    said = {name: text for name, text in _CUSTOMER.items() if name != without}

    def prepare(mode: Mode, operation: str) -> Scene:
        found = scene(mode, operation)
        where = {"Bucket": found.params["Bucket"], "Key": "k"}
        if operation.startswith(("Get", "Head")):
            _put(mode, where["Bucket"], "secret", **_CUSTOMER)
            found.params["Key"] = "secret"
        elif "UploadId" in found.params:
            upload = mode.call("CreateMultipartUpload", where | _CUSTOMER).element("UploadId")
            where |= {"UploadId": upload}
            sent = {**where, **_CUSTOMER, "PartNumber": 1, "Body": BODY}
            tag = mode.call("UploadPart", sent).headers["etag"]
            found.params |= where
            if operation == "CompleteMultipartUpload":
                found.params["MultipartUpload"] = {"Parts": [{"ETag": tag, "PartNumber": 1}]}
            found.look = []
        elif operation == "CopyObject":  # what it encrypts cannot have any
            found.params["AnnotationDirective"] = "EXCLUDE"
        found.params |= said
        return found

    return prepare


def _source_by_customer(without: str) -> Callable[[Mode, str], Scene]:
    said = {f"CopySource{name}": _CUSTOMER[name] for name in _CUSTOMER if name != without}

    def prepare(mode: Mode, operation: str) -> Scene:
        found = scene(mode, operation)
        _put(mode, found.params["Bucket"], "from", **_CUSTOMER)
        found.params |= said
        return found

    return prepare


_LISTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")
SPECIAL: Mapping[str, Callable[[Mode, str], Scene]] = {
    "BypassGovernanceRetention": _bypassing,
    **dict.fromkeys((*_LISTS, "AccessControlPolicy"), _bare),
    "VersionIdMarker": _marked,
    "UploadIdMarker": _marked,
    "PartNumber": _in_parts,
    "ChecksumType": _summed,
    "VersionId": _versions,
    **dict.fromkeys(("SSEKMSKeyId", "SSEKMSEncryptionContext", "BucketKeyEnabled"), _by_kms),
    "ObjectLockMode": _locking(**_UNTIL),
    "ObjectLockRetainUntilDate": _locking(**_MODE),
    "ObjectLockLegalHoldStatus": _locking(),
    "ObjectLockEventHold": _locking(**_MODE, ObjectLockEventHoldDurationDays=1),
    "ObjectLockEventHoldDurationDays": _locking(**_MODE, ObjectLockEventHold="ON"),
    "ObjectLockEventHoldDurationYears": _locking(**_MODE, ObjectLockEventHold="ON"),
    **{name: _by_customer(name) for name in _CUSTOMER},
    **{f"CopySource{name}": _source_by_customer(name) for name in _CUSTOMER},
}
"""Members that show what they do in such a scene only."""


def prepared(mode: Mode, operation: str, member: str = "") -> Scene:
    """The scene of an operation, in which that member shows what it does."""
    return SPECIAL.get(member, scene)(mode, operation)
