"""THE table of S3's operations: routing (`application`), errors, documentation and tests
read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gateway.access.actions import Action
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request, Scope
from gateway.modes.s3.resources import (
    absent,
    access_logging,
    acl,
    annotating,
    buckets,
    copying,
    cors,
    deleting,
    encryption,
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
    public_access_block,
    restoring,
    tagging,
    versioning,
    website,
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

TABLE: tuple[Operation, ...] = (
    Operation("ListBuckets", "GET", "service", None, buckets.list_buckets),
    # buckets
    Operation("CreateBucket", "PUT", "bucket", None, buckets.create_bucket, body=True),
    Operation("DeleteBucket", "DELETE", "bucket", "drop", buckets.delete_bucket),
    Operation("HeadBucket", "HEAD", "bucket", "list", buckets.head_bucket),
    Operation(
        "GetBucketLocation",
        "GET",
        "bucket",
        "read-location",
        buckets.get_bucket_location,
        ("location",),
    ),
    Operation(
        "GetBucketVersioning",
        "GET",
        "bucket",
        "read-versioning",
        versioning.get_bucket_versioning,
        ("versioning",),
    ),
    Operation(
        "PutBucketVersioning",
        "PUT",
        "bucket",
        "write-versioning",
        versioning.put_bucket_versioning,
        ("versioning",),
        body=True,
    ),
    Operation("GetBucketAcl", "GET", "bucket", "read-grants", acl.get_bucket_acl, ("acl",)),
    Operation(
        "PutBucketAcl", "PUT", "bucket", "write-grants", acl.put_bucket_acl, ("acl",), body=True
    ),
    Operation(
        "GetBucketTagging",
        "GET",
        "bucket",
        "read-service-tags",
        tagging.get_bucket_tagging,
        ("tagging",),
    ),
    Operation(
        "PutBucketTagging",
        "PUT",
        "bucket",
        "write-service-tags",
        tagging.put_bucket_tagging,
        ("tagging",),
        body=True,
    ),
    Operation(
        "DeleteBucketTagging",
        "DELETE",
        "bucket",
        "write-service-tags",
        tagging.delete_bucket_tagging,
        ("tagging",),
    ),
    Operation(
        "GetBucketEncryption",
        "GET",
        "bucket",
        "read-encryption",
        encryption.get_bucket_encryption,
        ("encryption",),
    ),
    Operation(
        "PutBucketEncryption",
        "PUT",
        "bucket",
        "write-encryption",
        encryption.put_bucket_encryption,
        ("encryption",),
        body=True,
    ),
    Operation(
        "DeleteBucketEncryption",
        "DELETE",
        "bucket",
        "write-encryption",
        encryption.delete_bucket_encryption,
        ("encryption",),
    ),
    Operation(
        "GetBucketLogging",
        "GET",
        "bucket",
        "read-logging",
        access_logging.get_bucket_logging,
        ("logging",),
    ),
    Operation(
        "PutBucketLogging",
        "PUT",
        "bucket",
        "write-logging",
        access_logging.put_bucket_logging,
        ("logging",),
        body=True,
    ),
    Operation(
        "GetBucketNotificationConfiguration",
        "GET",
        "bucket",
        "read-notification",
        notification.get_bucket_notification_configuration,
        ("notification",),
    ),
    Operation(
        "PutBucketNotificationConfiguration",
        "PUT",
        "bucket",
        "write-notification",
        notification.put_bucket_notification_configuration,
        ("notification",),
        body=True,
    ),
    Operation(
        "GetBucketPolicy", "GET", "bucket", "read-policy", policy.get_bucket_policy, ("policy",)
    ),
    Operation(
        "PutBucketPolicy",
        "PUT",
        "bucket",
        "write-policy",
        policy.put_bucket_policy,
        ("policy",),
        body=True,
    ),
    Operation(
        "DeleteBucketPolicy",
        "DELETE",
        "bucket",
        "remove-policy",
        policy.delete_bucket_policy,
        ("policy",),
    ),
    Operation(
        "GetBucketPolicyStatus",
        "GET",
        "bucket",
        "read-policy-status",
        policy.get_bucket_policy_status,
        ("policyStatus",),
    ),
    Operation(
        "GetPublicAccessBlock",
        "GET",
        "bucket",
        "read-public-access-block",
        public_access_block.get_public_access_block,
        ("publicAccessBlock",),
    ),
    Operation(
        "PutPublicAccessBlock",
        "PUT",
        "bucket",
        "write-public-access-block",
        public_access_block.put_public_access_block,
        ("publicAccessBlock",),
        body=True,
    ),
    Operation(
        "DeletePublicAccessBlock",
        "DELETE",
        "bucket",
        "remove-public-access-block",
        public_access_block.delete_public_access_block,
        ("publicAccessBlock",),
    ),
    Operation(
        "GetBucketOwnershipControls",
        "GET",
        "bucket",
        "read-ownership",
        ownership.get_bucket_ownership_controls,
        ("ownershipControls",),
    ),
    Operation(
        "PutBucketOwnershipControls",
        "PUT",
        "bucket",
        "write-ownership",
        ownership.put_bucket_ownership_controls,
        ("ownershipControls",),
        body=True,
    ),
    Operation(
        "DeleteBucketOwnershipControls",
        "DELETE",
        "bucket",
        "remove-ownership",
        ownership.delete_bucket_ownership_controls,
        ("ownershipControls",),
    ),
    Operation(
        "GetBucketRequestPayment",
        "GET",
        "bucket",
        "read-request-payment",
        fixed.get_bucket_request_payment,
        ("requestPayment",),
    ),
    Operation(
        "PutBucketRequestPayment",
        "PUT",
        "bucket",
        "write-request-payment",
        fixed.put_bucket_request_payment,
        ("requestPayment",),
        body=True,
    ),
    Operation(
        "GetBucketAccelerateConfiguration",
        "GET",
        "bucket",
        "read-accelerate",
        fixed.get_bucket_accelerate_configuration,
        ("accelerate",),
    ),
    Operation(
        "PutBucketAccelerateConfiguration",
        "PUT",
        "bucket",
        "write-accelerate",
        fixed.put_bucket_accelerate_configuration,
        ("accelerate",),
        body=True,
    ),
    Operation("GetBucketAbac", "GET", "bucket", "admin", fixed.get_bucket_abac, ("abac",)),
    Operation(
        "PutBucketAbac", "PUT", "bucket", "admin", fixed.put_bucket_abac, ("abac",), body=True
    ),
    *(
        Operation(one.name, one.method, "bucket", one.action, one.handler, one.query)
        for one in absent.TABLE
    ),
    Operation("GetBucketCors", "GET", "bucket", "read-cors", cors.get_bucket_cors, ("cors",)),
    Operation(
        "PutBucketCors", "PUT", "bucket", "write-cors", cors.put_bucket_cors, ("cors",), body=True
    ),
    Operation(
        "DeleteBucketCors", "DELETE", "bucket", "write-cors", cors.delete_bucket_cors, ("cors",)
    ),
    Operation(
        "GetBucketLifecycleConfiguration",
        "GET",
        "bucket",
        "read-lifecycle",
        lifecycle.get_bucket_lifecycle_configuration,
        ("lifecycle",),
    ),
    Operation(
        "PutBucketLifecycleConfiguration",
        "PUT",
        "bucket",
        "write-lifecycle",
        lifecycle.put_bucket_lifecycle_configuration,
        ("lifecycle",),
        body=True,
    ),
    Operation(
        "DeleteBucketLifecycle",
        "DELETE",
        "bucket",
        "write-lifecycle",
        lifecycle.delete_bucket_lifecycle,
        ("lifecycle",),
    ),
    Operation(
        "GetObjectLockConfiguration",
        "GET",
        "bucket",
        "read-object-lock",
        locking.get_object_lock_configuration,
        ("object-lock",),
    ),
    Operation(
        "PutObjectLockConfiguration",
        "PUT",
        "bucket",
        "write-object-lock",
        locking.put_object_lock_configuration,
        ("object-lock",),
        body=True,
    ),
    Operation(
        "GetBucketWebsite",
        "GET",
        "bucket",
        "read-website",
        website.get_bucket_website,
        ("website",),
    ),
    Operation(
        "PutBucketWebsite",
        "PUT",
        "bucket",
        "write-website",
        website.put_bucket_website,
        ("website",),
        body=True,
    ),
    Operation(
        "DeleteBucketWebsite",
        "DELETE",
        "bucket",
        "remove-website",
        website.delete_bucket_website,
        ("website",),
    ),
    Operation("ListObjects", "GET", "bucket", "list", listing.list_objects),
    Operation("ListObjectsV2", "GET", "bucket", "list", listing.list_objects_v2, ("list-type=2",)),
    Operation(
        "ListObjectVersions",
        "GET",
        "bucket",
        "list-versions",
        listing.list_object_versions,
        ("versions",),
    ),
    Operation(
        "ListMultipartUploads",
        "GET",
        "bucket",
        "list-uploads",
        listing.list_multipart_uploads,
        ("uploads",),
    ),
    Operation(
        "DeleteObjects", "POST", "bucket", "delete", deleting.delete_objects, ("delete",), body=True
    ),
    # objects
    Operation("PutObject", "PUT", "object", "write", objects.put_object, body=True),
    Operation("CopyObject", "PUT", "object", "write", copying.copy_object, header=_COPY),
    Operation("GetObject", "GET", "object", "read", objects.get_object, accepts=("partNumber",)),
    Operation("HeadObject", "HEAD", "object", "read", objects.head_object, accepts=("partNumber",)),
    Operation("DeleteObject", "DELETE", "object", "delete", deleting.delete_object),
    Operation(
        "GetObjectAttributes",
        "GET",
        "object",
        "read-attributes",
        objects.get_object_attributes,
        ("attributes",),
    ),
    Operation("GetObjectAcl", "GET", "object", "read-acl", acl.get_object_acl, ("acl",)),
    Operation(
        "PutObjectAcl", "PUT", "object", "write-acl", acl.put_object_acl, ("acl",), body=True
    ),
    Operation(
        "GetObjectTagging", "GET", "object", "read-tags", tagging.get_object_tagging, ("tagging",)
    ),
    Operation(
        "PutObjectTagging",
        "PUT",
        "object",
        "write-tags",
        tagging.put_object_tagging,
        ("tagging",),
        body=True,
    ),
    Operation(
        "DeleteObjectTagging",
        "DELETE",
        "object",
        "delete-tags",
        tagging.delete_object_tagging,
        ("tagging",),
    ),
    Operation(
        "GetObjectAnnotation",
        "GET",
        "object",
        "read-annotation",
        annotating.get_object_annotation,
        ("annotation", "annotationName"),
    ),
    Operation(
        "ListObjectAnnotations",
        "GET",
        "object",
        "list-annotations",
        annotating.list_object_annotations,
        ("annotation",),
    ),
    Operation(
        "PutObjectAnnotation",
        "PUT",
        "object",
        "write-annotation",
        annotating.put_object_annotation,
        ("annotation", "annotationName"),
        body=True,
    ),
    Operation(
        "DeleteObjectAnnotation",
        "DELETE",
        "object",
        "delete-annotation",
        annotating.delete_object_annotation,
        ("annotation", "annotationName"),
    ),
    Operation(
        "RestoreObject", "POST", "object", "read", restoring.restore_object, ("restore",), body=True
    ),
    Operation(
        "GetObjectRetention",
        "GET",
        "object",
        "read-retention",
        locking.get_object_retention,
        ("retention",),
    ),
    Operation(
        "PutObjectRetention",
        "PUT",
        "object",
        "write-retention",
        locking.put_object_retention,
        ("retention",),
        body=True,
    ),
    Operation(
        "GetObjectLegalHold",
        "GET",
        "object",
        "read-hold",
        locking.get_object_legal_hold,
        ("legal-hold",),
    ),
    Operation(
        "PutObjectLegalHold",
        "PUT",
        "object",
        "write-hold",
        locking.put_object_legal_hold,
        ("legal-hold",),
        body=True,
    ),
    # uploads in parts
    Operation(
        "CreateMultipartUpload",
        "POST",
        "object",
        "write",
        multipart.create_multipart_upload,
        ("uploads",),
    ),
    Operation("UploadPart", "PUT", "object", "write", multipart.upload_part, _PART, body=True),
    Operation("UploadPartCopy", "PUT", "object", "write", copying.upload_part_copy, _PART, _COPY),
    Operation("ListParts", "GET", "object", "list-parts", multipart.list_parts, ("uploadId",)),
    Operation(
        "CompleteMultipartUpload",
        "POST",
        "object",
        "write",
        multipart.complete_multipart_upload,
        ("uploadId",),
        body=True,
    ),
    Operation(
        "AbortMultipartUpload",
        "DELETE",
        "object",
        "abort",
        multipart.abort_multipart_upload,
        ("uploadId",),
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
