"""THE table of S3's operations: routing (`application`), errors, documentation and tests
read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from gateway.access.actions import Action
from gateway.modes.s3.configuration import cors, website
from gateway.modes.s3.configuration.acceleration import SETTING as ACCELERATION
from gateway.modes.s3.configuration.access_logging import SETTING as LOGGING
from gateway.modes.s3.configuration.cors import SETTING as CORS
from gateway.modes.s3.configuration.encryption import SETTING as ENCRYPTION
from gateway.modes.s3.configuration.lifecycle import SETTING as LIFECYCLE
from gateway.modes.s3.configuration.notification import SETTING as NOTIFICATION
from gateway.modes.s3.configuration.object_lock import SETTING as OBJECT_LOCK
from gateway.modes.s3.configuration.ownership import SETTING as OWNERSHIP
from gateway.modes.s3.configuration.policy.document import SETTING as POLICY
from gateway.modes.s3.configuration.public_access_block import SETTING as PUBLIC_ACCESS_BLOCK
from gateway.modes.s3.configuration.setting import BucketSetting
from gateway.modes.s3.configuration.tagging import SETTING as TAGGING
from gateway.modes.s3.configuration.website import SETTING as WEBSITE
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request, Scope
from gateway.modes.s3.resources import (
    absent,
    access_logging,
    acl,
    annotating,
    buckets,
    copying,
    deleting,
    fixed,
    lifecycle,
    listing,
    locking,
    multipart,
    notification,
    objects,
    ownership,
    policy,
    posting,
    restoring,
    settings,
    tagging,
    versioning,
)

Handler = Callable[[S3Request], Reply]


class Operation(NamedTuple):
    """`query`: parameters that select it, as names or `name=value`; `header` likewise.
    `accepts`: parameters that select others, and that it takes besides. `body`: it has one.
    `action`: what it does to the bucket or the object, by which rules decide (of a version
    that is named: `actions.OF_VERSION`); None: it is done to neither. What a copy reads, and
    what an object is given besides its bytes, `Access` asks for by itself."""

    name: str
    method: str
    scope: Scope
    action: Action | None
    handler: Handler
    query: tuple[str, ...] = ()
    header: str = ""
    accepts: tuple[str, ...] = ()
    body: bool = False


_COPY = "x-amz-copy-source"
_PART = ("partNumber", "uploadId")


def _operation(
    scope: Scope,
    name: str,
    method: str,
    action: Action | None,
    handler: Handler,
    *query: str,
    header: str = "",
    accepts: tuple[str, ...] = (),
    body: bool = False,
) -> Operation:
    return Operation(name, method, scope, action, handler, query, header, accepts, body)


_bucket, _object = partial(_operation, "bucket"), partial(_operation, "object")


def _setting(
    name: str,
    query: str,
    setting: BucketSetting[Any],
    *,
    get: Handler | None = None,
    put: Handler | None = None,
    delete: Handler | None = None,
    removed: str | None = "",
) -> Iterator[Operation]:
    """Those of a bucket's setting, by the actions of its kind; handlers are named where one does
    more than all do. `removed` names the one that removes it; None: there is none."""
    kind = setting.kind
    get = get or partial(settings.shown, setting=setting)
    put = put or partial(settings.stored, setting=setting)
    yield _bucket(f"Get{name}", "GET", kind.read, get, query)
    yield _bucket(f"Put{name}", "PUT", kind.write, put, query, body=True)
    if removed is not None:
        delete = delete or partial(settings.removed, setting=setting)
        yield _bucket(removed or f"Delete{name}", "DELETE", kind.remove, delete, query)


TABLE: tuple[Operation, ...] = (
    Operation("ListBuckets", "GET", "service", None, buckets.list_buckets),
    # buckets
    _bucket("CreateBucket", "PUT", None, buckets.create_bucket, body=True),
    _bucket("DeleteBucket", "DELETE", "drop", buckets.delete_bucket),
    _bucket("HeadBucket", "HEAD", "list", buckets.head_bucket),
    _bucket("GetBucketLocation", "GET", "read-location", buckets.get_bucket_location, "location"),
    _bucket(
        "GetBucketVersioning",
        "GET",
        "read-versioning",
        versioning.get_bucket_versioning,
        "versioning",
    ),
    _bucket(
        "PutBucketVersioning",
        "PUT",
        "write-versioning",
        versioning.put_bucket_versioning,
        "versioning",
        body=True,
    ),
    _bucket("GetBucketAcl", "GET", "read-grants", acl.get_bucket_acl, "acl"),
    _bucket("PutBucketAcl", "PUT", "write-grants", acl.put_bucket_acl, "acl", body=True),
    *_setting(
        "BucketTagging",
        "tagging",
        TAGGING,
        put=partial(settings.stored, setting=TAGGING, status=204),
    ),
    *_setting("BucketEncryption", "encryption", ENCRYPTION),
    *_setting(
        "BucketLogging",
        "logging",
        LOGGING,
        put=access_logging.put_bucket_logging,
        removed=None,
    ),
    *_setting(
        "BucketNotificationConfiguration",
        "notification",
        NOTIFICATION,
        put=notification.put_bucket_notification_configuration,
        removed=None,
    ),
    *_setting(
        "BucketPolicy",
        "policy",
        POLICY,
        get=policy.get_bucket_policy,
        put=policy.put_bucket_policy,
        delete=policy.delete_bucket_policy,
    ),
    _bucket(
        "GetBucketPolicyStatus",
        "GET",
        "read-policy-status",
        policy.get_bucket_policy_status,
        "policyStatus",
    ),
    *_setting("PublicAccessBlock", "publicAccessBlock", PUBLIC_ACCESS_BLOCK),
    *_setting(
        "BucketOwnershipControls",
        "ownershipControls",
        OWNERSHIP,
        put=ownership.put_bucket_ownership_controls,
    ),
    _bucket(
        "GetBucketRequestPayment",
        "GET",
        "read-request-payment",
        fixed.get_bucket_request_payment,
        "requestPayment",
    ),
    _bucket(
        "PutBucketRequestPayment",
        "PUT",
        "write-request-payment",
        fixed.put_bucket_request_payment,
        "requestPayment",
        body=True,
    ),
    *_setting("BucketAccelerateConfiguration", "accelerate", ACCELERATION, removed=None),
    _bucket("GetBucketAbac", "GET", "admin", fixed.get_bucket_abac, "abac"),
    _bucket("PutBucketAbac", "PUT", "admin", fixed.put_bucket_abac, "abac", body=True),
    *(
        Operation(one.name, one.method, "bucket", one.action, one.handler, one.query)
        for one in absent.TABLE
    ),
    *_setting(
        "BucketCors", "cors", CORS, put=partial(settings.stored, setting=CORS, limit=cors.LIMIT)
    ),
    *_setting(
        "BucketLifecycleConfiguration",
        "lifecycle",
        LIFECYCLE,
        get=lifecycle.get_bucket_lifecycle_configuration,
        put=lifecycle.put_bucket_lifecycle_configuration,
        removed="DeleteBucketLifecycle",
    ),
    *_setting(
        "ObjectLockConfiguration",
        "object-lock",
        OBJECT_LOCK,
        get=locking.get_object_lock_configuration,
        put=locking.put_object_lock_configuration,
        removed=None,
    ),
    *_setting(
        "BucketWebsite",
        "website",
        WEBSITE,
        put=partial(settings.stored, setting=WEBSITE, limit=website.LIMIT),
    ),
    _bucket("ListObjects", "GET", "list", listing.list_objects),
    _bucket("ListObjectsV2", "GET", "list", listing.list_objects_v2, "list-type=2"),
    _bucket("ListObjectVersions", "GET", "list-versions", listing.list_object_versions, "versions"),
    _bucket(
        "ListMultipartUploads", "GET", "list-uploads", listing.list_multipart_uploads, "uploads"
    ),
    _bucket("DeleteObjects", "POST", "delete", deleting.delete_objects, "delete", body=True),
    # objects
    _object("PutObject", "PUT", "write", objects.put_object, body=True),
    _object("CopyObject", "PUT", "write", copying.copy_object, header=_COPY),
    _object("GetObject", "GET", "read", objects.get_object, accepts=("partNumber",)),
    _object("HeadObject", "HEAD", "read", objects.head_object, accepts=("partNumber",)),
    _object("DeleteObject", "DELETE", "delete", deleting.delete_object),
    _object(
        "GetObjectAttributes", "GET", "read-attributes", objects.get_object_attributes, "attributes"
    ),
    _object("GetObjectAcl", "GET", "read-acl", acl.get_object_acl, "acl"),
    _object("PutObjectAcl", "PUT", "write-acl", acl.put_object_acl, "acl", body=True),
    _object("GetObjectTagging", "GET", "read-tags", tagging.get_object_tagging, "tagging"),
    _object(
        "PutObjectTagging", "PUT", "write-tags", tagging.put_object_tagging, "tagging", body=True
    ),
    _object(
        "DeleteObjectTagging", "DELETE", "delete-tags", tagging.delete_object_tagging, "tagging"
    ),
    _object(
        "GetObjectAnnotation",
        "GET",
        "read-annotation",
        annotating.get_object_annotation,
        "annotation",
        "annotationName",
    ),
    _object(
        "ListObjectAnnotations",
        "GET",
        "list-annotations",
        annotating.list_object_annotations,
        "annotation",
    ),
    _object(
        "PutObjectAnnotation",
        "PUT",
        "write-annotation",
        annotating.put_object_annotation,
        "annotation",
        "annotationName",
        body=True,
    ),
    _object(
        "DeleteObjectAnnotation",
        "DELETE",
        "delete-annotation",
        annotating.delete_object_annotation,
        "annotation",
        "annotationName",
    ),
    _object("RestoreObject", "POST", "read", restoring.restore_object, "restore", body=True),
    _object(
        "GetObjectRetention", "GET", "read-retention", locking.get_object_retention, "retention"
    ),
    _object(
        "PutObjectRetention",
        "PUT",
        "write-retention",
        locking.put_object_retention,
        "retention",
        body=True,
    ),
    _object("GetObjectLegalHold", "GET", "read-hold", locking.get_object_legal_hold, "legal-hold"),
    _object(
        "PutObjectLegalHold",
        "PUT",
        "write-hold",
        locking.put_object_legal_hold,
        "legal-hold",
        body=True,
    ),
    # uploads in parts
    _object("CreateMultipartUpload", "POST", "write", multipart.create_multipart_upload, "uploads"),
    _object("UploadPart", "PUT", "write", multipart.upload_part, *_PART, body=True),
    _object("UploadPartCopy", "PUT", "write", copying.upload_part_copy, *_PART, header=_COPY),
    _object("ListParts", "GET", "list-parts", multipart.list_parts, "uploadId"),
    _object(
        "CompleteMultipartUpload",
        "POST",
        "write",
        multipart.complete_multipart_upload,
        "uploadId",
        body=True,
    ),
    _object(
        "AbortMultipartUpload", "DELETE", "abort", multipart.abort_multipart_upload, "uploadId"
    ),
)

FORM = Operation("PostObject", "POST", "bucket", "write", posting.post_object, body=True)
"""What AWS documents and its model does not have: a browser's form, posted to a bucket."""

_NOT_ANONYMOUS = "Anonymous users cannot invoke this API. Please authenticate."
_OWNERSHIP = "s3:{}BucketOwnershipControls does not support Anonymous requests!"
SIGNED_ONLY: Mapping[str, str] = {
    "CopyObject": "Anonymous users cannot copy objects. Please authenticate.",
    "CreateBucket": _NOT_ANONYMOUS,
    "CreateMultipartUpload": (
        "Anonymous users cannot initiate multipart uploads. Please authenticate."
    ),
    "DeleteBucketOwnershipControls": _OWNERSHIP.format("Put"),
    "GetBucketOwnershipControls": _OWNERSHIP.format("Get"),
    "PutBucketAcl": _NOT_ANONYMOUS,
    "PutBucketOwnershipControls": _OWNERSHIP.format("Put"),
    "PutObjectAcl": _NOT_ANONYMOUS,
}
"""What nobody does who signs nothing, whatever rules allow; and what is said to that."""

NOT_HERE: Mapping[Scope, frozenset[str]] = {
    "service": frozenset(["max-directory-buckets"]),
    "bucket": frozenset(
        [
            "analytics",
            "intelligent-tiering",
            "inventory",
            "metadataAnnotationTable",
            "metadataConfiguration",
            "metadataInventoryTable",
            "metadataJournalTable",
            "metadataTable",
            "metrics",
            "replication",
            "session",
        ]
    ),
    "object": frozenset(
        [
            "encryption",
            "renameObject",
            "select",
            "torrent",
        ]
    ),
}
"""Sub-resources that AWS defines, of which the gateway does not have all operations: what is not
in the table is 501, whatever the method."""
