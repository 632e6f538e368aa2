"""What becomes of each member of each operation of the S3 model: obeyed, refused, or without
effect, and then why that is harmless.

The model is AWS's own, which botocore carries; its names are used here. A member that is not
in this table is one that nobody has decided about: `tests/modes/test_s3_model.py` compares the
table with the installed botocore, and sends a request for each row.

- `obeyed`: it changes what is done or what is answered (`tests/modes/model_effects.py` says
  how), and is refused where it is wrong (`constraints`, `schemas`).
- `refused`: with this code. An operation that is not here is refused whole.
- `ignored`: without effect, for the reason that is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Members(NamedTuple):
    """Of one operation, but for those that mean the same everywhere (`EVERYWHERE`)."""

    obeyed: frozenset[str] = frozenset()
    refused: Mapping[str, str] = {}
    ignored: Mapping[str, str] = {}


class Refused(NamedTuple):
    """An operation that is not here: `code`, and what stands in its way."""

    code: str
    why: str


def _members(
    *obeyed: str,
    refused: Mapping[str, str] | None = None,
    ignored: Mapping[str, str] | None = None,
) -> Members:
    """`obeyed`: names, several in each text."""
    return Members(frozenset(" ".join(obeyed).split()), refused or {}, ignored or {})


def members(operation: str) -> frozenset[str]:
    """All that the table says of an operation that is here; those of `EVERYWHERE`, too, though
    few have all of them."""
    found = frozenset[str]()
    for one in (OPERATIONS[operation], EVERYWHERE):
        found = found.union(one.obeyed, one.refused, one.ignored)
    return found


# members that many operations have

EVERYWHERE = _members(
    "Bucket Key VersionId UploadId PartNumber ExpectedBucketOwner ExpectedSourceBucketOwner",
    "ContentMD5 ContentLength ChecksumAlgorithm",
    ignored={"RequestPayer": "nobody pays for requests: a bucket cannot ask for it"},
)
"""In each operation that has them."""

_SUMS = (
    "ChecksumCRC32 ChecksumCRC32C ChecksumCRC64NVME ChecksumSHA1 ChecksumSHA256 ChecksumSHA512"
    " ChecksumMD5 ChecksumXXHASH64 ChecksumXXHASH3 ChecksumXXHASH128"
)
_CUSTOMER = "SSECustomerAlgorithm SSECustomerKey SSECustomerKeyMD5"
_SOURCE_CUSTOMER = (
    "CopySourceSSECustomerAlgorithm CopySourceSSECustomerKey CopySourceSSECustomerKeyMD5"
)
_SOURCE_CONDITIONS = (
    "CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch CopySourceIfUnmodifiedSince"
)
_ENCRYPTION = "ServerSideEncryption SSEKMSKeyId SSEKMSEncryptionContext BucketKeyEnabled"
_GRANTS = "ACL GrantFullControl GrantRead GrantReadACP GrantWriteACP"
_KEPT = (
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Expires Metadata"
    " StorageClass Tagging WebsiteRedirectLocation"
)
_LOCK = (
    "ObjectLockMode ObjectLockRetainUntilDate ObjectLockLegalHoldStatus ObjectLockEventHold"
    " ObjectLockEventHoldDurationDays ObjectLockEventHoldDurationYears"
)
_NEW_OBJECT = f"{_KEPT} {_GRANTS} {_LOCK} {_CUSTOMER} {_ENCRYPTION}"
_READING = (
    "IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince Range ChecksumMode"
    " ResponseCacheControl ResponseContentDisposition ResponseContentEncoding"
    " ResponseContentLanguage ResponseContentType ResponseExpires"
)

_NO_MFA = {"MFA": "no bucket can ask for it: MfaDelete is refused"}
_NO_RESTORING = {"OptionalObjectAttributes": "nothing is archived, so there is no RestoreStatus"}
_NOTHING_IS_THERE = {"Id": "there is no such configuration, whatever its id"}
_ONE_PAGE = {"ContinuationToken": "InvalidArgument"}  # no answer had one

# operations

OPERATIONS: Mapping[str, Members] = {
    "ListBuckets": _members("MaxBuckets ContinuationToken Prefix BucketRegion"),
    "CreateBucket": _members(
        _GRANTS,
        "GrantWrite CreateBucketConfiguration ObjectLockEnabledForBucket ObjectOwnership",
        "BucketNamespace",
    ),
    "DeleteBucket": _members(),
    "HeadBucket": _members(),
    "GetBucketLocation": _members(),
    # settings of buckets
    "GetBucketVersioning": _members(),
    "PutBucketVersioning": _members("VersioningConfiguration", ignored=_NO_MFA),
    "GetBucketAcl": _members(),
    "PutBucketAcl": _members(_GRANTS, "GrantWrite AccessControlPolicy"),
    "GetBucketPolicy": _members(),
    "GetBucketPolicyStatus": _members(),
    "PutBucketPolicy": _members("Policy ConfirmRemoveSelfBucketAccess"),
    "DeleteBucketPolicy": _members(),
    "GetPublicAccessBlock": _members(),
    "PutPublicAccessBlock": _members("PublicAccessBlockConfiguration"),
    "DeletePublicAccessBlock": _members(),
    "GetBucketOwnershipControls": _members(),
    "PutBucketOwnershipControls": _members("OwnershipControls"),
    "DeleteBucketOwnershipControls": _members(),
    "GetBucketTagging": _members(),
    "PutBucketTagging": _members("Tagging"),
    "DeleteBucketTagging": _members(),
    "GetBucketCors": _members(),
    "PutBucketCors": _members("CORSConfiguration"),
    "DeleteBucketCors": _members(),
    "GetBucketEncryption": _members(),
    "PutBucketEncryption": _members("ServerSideEncryptionConfiguration"),
    "DeleteBucketEncryption": _members(),
    "GetBucketLifecycleConfiguration": _members(),
    "PutBucketLifecycleConfiguration": _members(
        "LifecycleConfiguration TransitionDefaultMinimumObjectSize"
    ),
    "DeleteBucketLifecycle": _members(),
    "GetBucketLogging": _members(),
    "PutBucketLogging": _members("BucketLoggingStatus"),
    "GetBucketNotificationConfiguration": _members(),
    "PutBucketNotificationConfiguration": _members(
        "NotificationConfiguration SkipDestinationValidation"
    ),
    "GetBucketWebsite": _members(),
    "PutBucketWebsite": _members("WebsiteConfiguration"),
    "DeleteBucketWebsite": _members(),
    "GetObjectLockConfiguration": _members(),
    "PutObjectLockConfiguration": _members(
        "ObjectLockConfiguration",
        ignored={"Token": "who may configure the bucket needs no token of AWS's support"},
    ),
    # what no bucket has, or what never changes
    "GetBucketRequestPayment": _members(),
    "PutBucketRequestPayment": _members("RequestPaymentConfiguration"),
    "GetBucketAccelerateConfiguration": _members(),
    "PutBucketAccelerateConfiguration": _members("AccelerateConfiguration"),
    "GetBucketAbac": _members(),
    "PutBucketAbac": _members("AbacStatus"),
    "GetBucketAnalyticsConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "DeleteBucketAnalyticsConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "ListBucketAnalyticsConfigurations": _members(refused=_ONE_PAGE),
    "GetBucketIntelligentTieringConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "DeleteBucketIntelligentTieringConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "ListBucketIntelligentTieringConfigurations": _members(refused=_ONE_PAGE),
    "GetBucketInventoryConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "DeleteBucketInventoryConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "ListBucketInventoryConfigurations": _members(refused=_ONE_PAGE),
    "GetBucketMetricsConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "DeleteBucketMetricsConfiguration": _members(ignored=_NOTHING_IS_THERE),
    "ListBucketMetricsConfigurations": _members(refused=_ONE_PAGE),
    "GetBucketMetadataConfiguration": _members(),
    "DeleteBucketMetadataConfiguration": _members(),
    "GetBucketMetadataTableConfiguration": _members(),
    "DeleteBucketMetadataTableConfiguration": _members(),
    "GetBucketReplication": _members(),
    "DeleteBucketReplication": _members(),
    # lists
    "ListObjects": _members("Delimiter EncodingType Marker MaxKeys Prefix", ignored=_NO_RESTORING),
    "ListObjectsV2": _members(
        "Delimiter EncodingType MaxKeys Prefix ContinuationToken FetchOwner StartAfter",
        ignored=_NO_RESTORING,
    ),
    "ListObjectVersions": _members(
        "Delimiter EncodingType KeyMarker MaxKeys Prefix VersionIdMarker", ignored=_NO_RESTORING
    ),
    "ListMultipartUploads": _members(
        "Delimiter EncodingType KeyMarker MaxUploads Prefix UploadIdMarker"
    ),
    # objects
    "PutObject": _members(
        _NEW_OBJECT,
        _SUMS,
        "Body IfMatch IfNoneMatch",
        refused={"WriteOffsetBytes": "NotImplemented"},
    ),
    "CopyObject": _members(
        _NEW_OBJECT,
        "CopySource MetadataDirective TaggingDirective AnnotationDirective IfMatch IfNoneMatch",
        _SOURCE_CONDITIONS,
        _SOURCE_CUSTOMER,
    ),
    "GetObject": _members(_READING, _CUSTOMER),
    "HeadObject": _members(_READING, _CUSTOMER),
    "GetObjectAttributes": _members("MaxParts PartNumberMarker ObjectAttributes", _CUSTOMER),
    "DeleteObject": _members(
        "BypassGovernanceRetention IfMatch IfMatchLastModifiedTime IfMatchSize", ignored=_NO_MFA
    ),
    "DeleteObjects": _members("Delete BypassGovernanceRetention", ignored=_NO_MFA),
    "GetObjectAcl": _members(),
    # WRITE on an object is kept and shown, and gives nothing, as at AWS
    "PutObjectAcl": _members(_GRANTS, "GrantWrite AccessControlPolicy"),
    "GetObjectTagging": _members(),
    "PutObjectTagging": _members("Tagging"),
    "DeleteObjectTagging": _members(),
    "GetObjectLegalHold": _members(),
    "PutObjectLegalHold": _members("LegalHold"),
    "GetObjectRetention": _members(),
    "PutObjectRetention": _members("Retention BypassGovernanceRetention"),
    "GetObjectAnnotation": _members("AnnotationName ChecksumMode"),
    "ListObjectAnnotations": _members("AnnotationPrefix MaxAnnotationResults ContinuationToken"),
    "PutObjectAnnotation": _members("AnnotationName AnnotationPayload ObjectIfMatch", _SUMS),
    "DeleteObjectAnnotation": _members("AnnotationName ObjectIfMatch"),
    "RestoreObject": _members(refused={"RestoreRequest": "InvalidObjectState"}),
    # uploads in parts
    "CreateMultipartUpload": _members(_NEW_OBJECT, "ChecksumType"),
    "UploadPart": _members("Body", _SUMS, _CUSTOMER),
    "UploadPartCopy": _members(
        "CopySource CopySourceRange", _SOURCE_CONDITIONS, _CUSTOMER, _SOURCE_CUSTOMER
    ),
    "ListParts": _members(
        "MaxParts PartNumberMarker",
        _CUSTOMER,  # well-formed; no bytes are read that it would open
    ),
    "CompleteMultipartUpload": _members(
        "MultipartUpload ChecksumType MpuObjectSize IfMatch IfNoneMatch", _SUMS, _CUSTOMER
    ),
    "AbortMultipartUpload": _members("IfMatchInitiatedTime"),
}
"""Those that are here."""

_OF_DIRECTORIES = Refused("NotImplemented", "only directory buckets have it")
_NO_TABLES = Refused("NotImplemented", "there are no S3 tables to describe objects in")
_OF_COSTS = Refused("NotImplemented", "it would tell of storage and costs that are not here")

REFUSED: Mapping[str, Refused] = {
    # directory buckets
    "CreateSession": _OF_DIRECTORIES,
    "ListDirectoryBuckets": _OF_DIRECTORIES,
    "RenameObject": _OF_DIRECTORIES,
    # configurations of buckets
    "PutBucketReplication": Refused("NotImplemented", "buckets are not replicated"),
    "PutBucketAnalyticsConfiguration": _OF_COSTS,
    "PutBucketIntelligentTieringConfiguration": _OF_COSTS,
    "PutBucketInventoryConfiguration": _OF_COSTS,
    "PutBucketMetricsConfiguration": _OF_COSTS,
    "CreateBucketMetadataConfiguration": _NO_TABLES,
    "CreateBucketMetadataTableConfiguration": _NO_TABLES,
    "UpdateBucketMetadataAnnotationTableConfiguration": _NO_TABLES,
    "UpdateBucketMetadataInventoryTableConfiguration": _NO_TABLES,
    "UpdateBucketMetadataJournalTableConfiguration": _NO_TABLES,
    # objects
    "GetObjectTorrent": Refused("NotImplemented", "AWS has ended it, too"),
    "SelectObjectContent": Refused("NotImplemented", "AWS has it for few customers only"),
    "UpdateObjectEncryption": Refused("NotImplemented", "a copy onto itself encrypts anew"),
    "WriteGetObjectResponse": Refused("InvalidRequest", "it is of S3 Object Lambda's end point"),
}
"""Those that are not here, whatever they are given."""

ALSO: Mapping[str, str] = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""Operations of the model whose requests are those of another."""
