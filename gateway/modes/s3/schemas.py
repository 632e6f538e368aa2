"""Which elements the documents of requests have, and which of them may come several times: what
is not among them, or there once too often, is refused, for it asks for something that would not
be done.

By the root's name, and the name of each element that has others in it, which are the same
wherever it stands in that document. (Of RestoreObject no document is taken.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Inside(NamedTuple):
    """The names of what may be in an element: `once` each, or `several` times."""

    once: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()


def _inside(text: str) -> Inside:
    names = text.split()
    several = frozenset(name[:-1] for name in names if name.endswith("*"))
    return Inside(frozenset(name for name in names if not name.endswith("*")), several)


_LIST = {
    "Grant": "Grantee Permission",
    "Grantee": "DisplayName EmailAddress ID URI",
}
_TAGS = {"Tag": "Key Value"}
_TOLD = "Id Event* Filter"

# A name with * is of one that may come several times.

_SCHEMAS: Mapping[str, Mapping[str, str]] = {
    "CreateBucketConfiguration": {
        "CreateBucketConfiguration": "LocationConstraint Location Bucket Tags",
        "Location": "Type Name",
        "Bucket": "DataRedundancy Type",
        "Tags": "Tag*",
        **_TAGS,
    },
    "VersioningConfiguration": {"VersioningConfiguration": "MfaDelete Status"},
    "AccessControlPolicy": {
        "AccessControlPolicy": "AccessControlList Owner",
        "AccessControlList": "Grant*",
        "Owner": "DisplayName ID",
        **_LIST,
    },
    "PublicAccessBlockConfiguration": {
        "PublicAccessBlockConfiguration": (
            "BlockPublicAcls IgnorePublicAcls BlockPublicPolicy RestrictPublicBuckets"
        ),
    },
    "OwnershipControls": {"OwnershipControls": "Rule*", "Rule": "ObjectOwnership"},
    "Tagging": {"Tagging": "TagSet", "TagSet": "Tag*", **_TAGS},
    "CORSConfiguration": {
        "CORSConfiguration": "CORSRule*",
        "CORSRule": "ID AllowedHeader* AllowedMethod* AllowedOrigin* ExposeHeader* MaxAgeSeconds",
    },
    "ServerSideEncryptionConfiguration": {
        "ServerSideEncryptionConfiguration": "Rule*",
        "Rule": "ApplyServerSideEncryptionByDefault BucketKeyEnabled BlockedEncryptionTypes",
        "ApplyServerSideEncryptionByDefault": "SSEAlgorithm KMSMasterKeyID",
        "BlockedEncryptionTypes": "EncryptionType*",
    },
    "LifecycleConfiguration": {
        "LifecycleConfiguration": "Rule*",
        "Rule": (
            "ID Prefix Filter Status Expiration Transition* NoncurrentVersionTransition*"
            " NoncurrentVersionExpiration AbortIncompleteMultipartUpload"
        ),
        "Filter": "Prefix Tag ObjectSizeGreaterThan ObjectSizeLessThan And",
        "And": "Prefix Tag* ObjectSizeGreaterThan ObjectSizeLessThan",
        "Expiration": "Date Days ExpiredObjectDeleteMarker",
        "Transition": "Date Days StorageClass",
        "NoncurrentVersionExpiration": "NoncurrentDays NewerNoncurrentVersions",
        "NoncurrentVersionTransition": "NoncurrentDays NewerNoncurrentVersions StorageClass",
        "AbortIncompleteMultipartUpload": "DaysAfterInitiation",
        **_TAGS,
    },
    "BucketLoggingStatus": {
        "BucketLoggingStatus": "LoggingEnabled",
        "LoggingEnabled": "TargetBucket TargetGrants TargetPrefix TargetObjectKeyFormat",
        "TargetGrants": "Grant*",
        "TargetObjectKeyFormat": "SimplePrefix PartitionedPrefix",
        "PartitionedPrefix": "PartitionDateSource",
        **_LIST,
    },
    "NotificationConfiguration": {
        "NotificationConfiguration": (
            "TopicConfiguration* QueueConfiguration* CloudFunctionConfiguration*"
            " EventBridgeConfiguration"
        ),
        "TopicConfiguration": f"Topic {_TOLD}",
        "QueueConfiguration": f"Queue {_TOLD}",
        "CloudFunctionConfiguration": f"CloudFunction InvocationRole {_TOLD}",
        "Filter": "S3Key",
        "S3Key": "FilterRule*",
        "FilterRule": "Name Value",
    },
    "WebsiteConfiguration": {
        "WebsiteConfiguration": "ErrorDocument IndexDocument RedirectAllRequestsTo RoutingRules",
        "ErrorDocument": "Key",
        "IndexDocument": "Suffix",
        "RedirectAllRequestsTo": "HostName Protocol",
        "RoutingRules": "RoutingRule*",
        "RoutingRule": "Condition Redirect",
        "Condition": "HttpErrorCodeReturnedEquals KeyPrefixEquals",
        "Redirect": "HostName HttpRedirectCode Protocol ReplaceKeyPrefixWith ReplaceKeyWith",
    },
    "ObjectLockConfiguration": {
        "ObjectLockConfiguration": "ObjectLockEnabled Rule",
        "Rule": "DefaultRetention",
        "DefaultRetention": "Mode Days Years DefaultEventHold",
        "DefaultEventHold": "Days Years",
    },
    "RequestPaymentConfiguration": {"RequestPaymentConfiguration": "Payer"},
    "AccelerateConfiguration": {"AccelerateConfiguration": "Status"},
    "AbacStatus": {"AbacStatus": "Status"},
    "Delete": {"Delete": "Object* Quiet", "Object": "Key VersionId ETag LastModifiedTime Size"},
    "LegalHold": {"LegalHold": "Status"},
    "Retention": {
        "Retention": "Mode RetainUntilDate EventHold EventHoldDuration",
        "EventHoldDuration": "Days Years",
    },
    "CompleteMultipartUpload": {
        "CompleteMultipartUpload": "Part*",
        "Part": (
            "ETag PartNumber ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1"
            " ChecksumSHA256 ChecksumSHA512 ChecksumMD5 ChecksumXXHASH64 ChecksumXXHASH3"
            " ChecksumXXHASH128"
            # as ListParts answers it, by which some clients complete; they ask for nothing
            " LastModified Size"
        ),
    },
}

CHILDREN: Mapping[str, Mapping[str, Inside]] = {
    root: {name: _inside(text) for name, text in schema.items()}
    for root, schema in _SCHEMAS.items()
}
"""root → element → what may be in it; an element that is not here has only text."""
