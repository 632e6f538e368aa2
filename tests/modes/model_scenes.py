"""For each operation a request that works, with all that must be there for it, where to look
afterwards; and for each member a value that makes a difference."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.modes.model_requests import Heard, Mode, Params, members

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
        {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "ROT13"}}]},
    ),
    "PutBucketLifecycleConfiguration": (
        "LifecycleConfiguration",
        {"Rules": [_EXPIRES]},
        {"Rules": [{**_EXPIRES, "Expiration": {"Days": 2}}]},
    ),
    "PutBucketLogging": (
        "BucketLoggingStatus",
        {},
        {"LoggingEnabled": {"TargetBucket": "no-such-bucket", "TargetPrefix": ""}},
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
        mode.once[kind] = bucket = mode.bucket(ObjectLockEnabledForBucket=kind == "locked")
        if fill:
            fill(bucket)
    return str(mode.once[kind])


def _of_bucket(mode: Mode, operation: str) -> Scene:
    if operation.startswith(("Get", "Head", "List")):
        bucket = _shared(mode, "locked" if operation in _LOCKED else "read")
    else:
        bucket = mode.bucket(ObjectLockEnabledForBucket=operation in _LOCKED)
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
    shown = ("GetBucketAcl", "GetObjectLockConfiguration", "GetBucketOwnershipControls")
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
    return Scene({**params, **more}, _looks(bucket, "k"), {bucket: "BUCKET"})


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
    scene.look = [("ListObjectAnnotations", {**params})]
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
    version = _put(mode, bucket, "k", ContentMD5="eB5eJF1ptWaXm4bijSPyxw==", **more)
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
    for number in (1, 2):
        part = mode.call("UploadPart", {**params, "PartNumber": number, "Body": BODY})
    one = {"ETag": part.headers["etag"], "PartNumber": 1}
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


def scene(mode: Mode, operation: str, *, of_object: bool) -> Scene:
    builder = _BUILDERS.get(operation, _of_object if of_object else _of_bucket)
    return builder(mode, operation)


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


def _other_source(mode: Mode, scene: Scene) -> str:
    return f"{scene.params['Bucket']}/other"


_WRONG_SUMS = {
    "ChecksumCRC32": "AAAAAA==",
    "ChecksumCRC32C": "AAAAAA==",
    "ChecksumCRC64NVME": "AAAAAAAAAAA=",
    "ChecksumSHA1": f"{'A' * 27}=",
    "ChecksumSHA256": f"{'A' * 43}=",
    "ChecksumSHA512": f"{'A' * 86}==",
    "ChecksumMD5": f"{'A' * 22}==",
    "ChecksumXXHASH64": "AAAAAAAAAAA=",
    "ChecksumXXHASH3": "AAAAAAAAAAA=",
    "ChecksumXXHASH128": f"{'A' * 22}==",
}
_SIMPLE: Mapping[str, Any] = {
    **_WRONG_SUMS,
    # of what and whose
    "Bucket": "no-such-bucket",
    "Key": "another-key",
    "VersionId": "no-version",
    "UploadId": "no-upload",
    "PartNumber": 10_001,
    "ExpectedBucketOwner": "another",
    "ExpectedSourceBucketOwner": "another",
    "RequestPayer": "requester",
    "MFA": "serial 123456",
    "BypassGovernanceRetention": True,
    "ConfirmRemoveSelfBucketAccess": "perhaps",
    "TransitionDefaultMinimumObjectSize": "varies_by_storage_class",
    # bodies
    "Body": b"another body",
    "ContentLength": 2,
    "ContentMD5": f"{'A' * 22}==",
    "ChecksumAlgorithm": "SHA1",
    "ChecksumType": "COMPOSITE",
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
    "AccessControlPolicy": {"Owner": {"ID": "main"}, "Grants": []},
    # encryption: each is wrong alone
    "ServerSideEncryption": "AES256",
    "SSEKMSKeyId": "a-key",
    "SSEKMSEncryptionContext": "e30=",
    "BucketKeyEnabled": True,
    "SSECustomerAlgorithm": "AES256",
    "SSECustomerKey": "AAAA",
    "SSECustomerKeyMD5": "AAAA",
    "CopySourceSSECustomerAlgorithm": "AES256",
    "CopySourceSSECustomerKey": "AAAA",
    "CopySourceSSECustomerKeyMD5": "AAAA",
    # protection: of a bucket without it
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
    "ContinuationToken": "none",
    "FetchOwner": True,
    "StartAfter": "a/1",
    "UploadIdMarker": "none",
    "VersionIdMarker": "none",
    "BucketRegion": "elsewhere-1",
    "OptionalObjectAttributes": ["RestoreStatus"],
    "Id": "another-id",
    # documents
    "CreateBucketConfiguration": {"LocationConstraint": "elsewhere-1"},
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
    "IfModifiedSince": _now,
    "CopySource": _other_source,
    "CopySourceIfNoneMatch": _source_etag,
    "CopySourceIfModifiedSince": _now,
}
_OF_OPERATION: Mapping[tuple[str, str], Value] = {
    ("GetObject", "PartNumber"): _always(2),
    ("HeadObject", "PartNumber"): _always(2),
    ("GetObject", "IfNoneMatch"): _etag,
    ("HeadObject", "IfNoneMatch"): _etag,
    ("PutBucketTagging", "Tagging"): _always(_DOCUMENTS["PutBucketTagging"][2]),
    ("PutObjectTagging", "Tagging"): _always({"TagSet": []}),
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


SPECIAL: Mapping[str, str] = {
    "BypassGovernanceRetention": "kept",
    "SSEKMSKeyId": "aws:kms",
    "SSEKMSEncryptionContext": "aws:kms",
    "BucketKeyEnabled": "aws:kms",
}
"""Members that show what they do in a scene of that kind only."""


def prepared(mode: Mode, operation: str, kind: str, *, of_object: bool) -> Scene:
    """The scene of an operation; `kind` is one of those of `SPECIAL`, or ""."""
    if kind == "kept":
        return _bypassing(mode, operation)
    found = scene(mode, operation, of_object=of_object)
    if kind == "aws:kms":
        found.params["ServerSideEncryption"] = kind
    return found
