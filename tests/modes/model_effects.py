"""What is seen of each member of the S3 model: with the value that `model_scenes` gives it, and not
without it; and how a value is refused that the member cannot have.

What is a word, a flag, a number or a date is in `test_s3_constraints` and
`test_s3_model_documents`; here is what has another form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.storage.checksums import CHECKSUMS
from tests.modes.model_requests import members


class Seen(NamedTuple):
    """`text` of an answer (see `Heard.told`): there with the member, and not without it."""

    text: str

    def shows(self, plain: str, given: str) -> bool:
        return self.text in given and self.text not in plain


class Gone(NamedTuple):
    """The other way round."""

    text: str

    def shows(self, plain: str, given: str) -> bool:
        return self.text in plain and self.text not in given


class Other(NamedTuple):
    """Anything, for the reason `why`."""

    why: str

    def shows(self, plain: str, given: str) -> bool:
        return plain != given


class Nothing(NamedTuple):
    """A right value changes nothing, for the reason `why`; `WRONG` has one that is refused."""

    why: str

    def shows(self, plain: str, given: str) -> bool:
        return plain == given


Effect = Seen | Gone | Other | Nothing

_EVERYBODY = Seen("global/AllUsers")
_REFUSED = Seen("PreconditionFailed")
_BY_CUSTOMER = Seen("x-amz-server-side-encryption-customer-algorithm: AES256")

EFFECTS: Mapping[str | tuple[str, str], Effect] = {
    # of what and whose
    "Bucket": Seen("The specified bucket does not exist"),
    ("CreateBucket", "Bucket"): Seen("another-bucket"),
    "Key": Other("it is done to another object, and not to this one"),
    "VersionId": Seen("EARLIER"),
    "UploadId": Seen("NoSuchUpload"),
    ("AbortMultipartUpload", "UploadId"): Seen("<UploadId>no-upload"),
    "ExpectedBucketOwner": Seen("AccessDenied"),
    "ExpectedSourceBucketOwner": Seen("AccessDenied"),
    "PartNumber": Seen("<PartNumber>3</PartNumber>"),
    ("GetObject", "PartNumber"): Seen("x-amz-mp-parts-count: 2"),
    ("HeadObject", "PartNumber"): Seen("x-amz-mp-parts-count: 2"),
    "BypassGovernanceRetention": Gone("AccessDenied"),
    # bodies
    "Body": Seen("feca7f0455b7a6ca58a384e20f72e43e"),  # its MD5
    "ContentLength": Seen("EntityTooLarge"),
    "ContentMD5": Seen("BadDigest"),
    "ChecksumAlgorithm": Seen("x-amz-sdk-checksum-algorithm specified, but no corresponding"),
    ("CopyObject", "ChecksumAlgorithm"): Seen("<ChecksumSHA1>"),
    ("CreateMultipartUpload", "ChecksumAlgorithm"): Seen("x-amz-checksum-algorithm: SHA1"),
    "ChecksumType": Seen("x-amz-checksum-crc32: "),  # completed without those of its parts
    ("CompleteMultipartUpload", "ChecksumType"): Seen("must use the same checksum mode"),
    "ChecksumMode": Seen("x-amz-checksum-crc64nvme: "),
    **{f"Checksum{name}": Seen(f"x-amz-checksum-{name.lower()}: ") for name in CHECKSUMS},
    **{("CompleteMultipartUpload", f"Checksum{name}"): Seen("BadDigest") for name in CHECKSUMS},
    ("PutObject", "ChecksumCRC64NVME"): Nothing("it is what is computed in any case"),
    ("PutObjectAnnotation", "ChecksumCRC64NVME"): Nothing("it is what is computed in any case"),
    # what is kept
    "CacheControl": Seen("cache-control: no-cache"),
    "ContentDisposition": Seen("content-disposition: inline"),
    "ContentEncoding": Seen("content-encoding: gzip"),
    "ContentLanguage": Seen("content-language: de"),
    "ContentType": Seen("content-type: text/other"),
    "Expires": Seen("expires: TIME"),
    "Metadata": Seen("x-amz-meta-other: 1"),
    "StorageClass": Seen("x-amz-storage-class: STANDARD_IA"),
    "Tagging": Seen("<Key>other</Key>"),
    "WebsiteRedirectLocation": Seen("x-amz-website-redirect-location: /elsewhere"),
    "MetadataDirective": Seen("content-type: text/source"),
    "TaggingDirective": Seen("<Key>s</Key>"),
    # who may
    "ACL": _EVERYBODY,
    "AccessControlPolicy": _EVERYBODY,
    "GrantFullControl": _EVERYBODY,
    "GrantRead": Seen("<Permission>READ</Permission>"),
    "GrantReadACP": Seen("<Permission>READ_ACP</Permission>"),
    "GrantWrite": Seen("<Permission>WRITE</Permission>"),
    "GrantWriteACP": Seen("<Permission>WRITE_ACP</Permission>"),
    # encryption
    "ServerSideEncryption": Seen("x-amz-server-side-encryption: AES256"),
    "SSEKMSKeyId": Seen("x-amz-server-side-encryption-aws-kms-key-id: a-key"),
    "SSEKMSEncryptionContext": Seen("x-amz-server-side-encryption-context: e30="),
    "BucketKeyEnabled": Seen("x-amz-server-side-encryption-bucket-key-enabled: true"),
    "SSECustomerAlgorithm": _BY_CUSTOMER,
    "SSECustomerKey": _BY_CUSTOMER,
    "SSECustomerKeyMD5": _BY_CUSTOMER,
    "CopySourceSSECustomerAlgorithm": Seen("</Copy"),
    "CopySourceSSECustomerKey": Seen("</Copy"),
    "CopySourceSSECustomerKeyMD5": Seen("</Copy"),
    ("GetObjectAttributes", "SSECustomerAlgorithm"): Seen("<GetObjectAttributesResponse"),
    ("GetObjectAttributes", "SSECustomerKey"): Seen("<GetObjectAttributesResponse"),
    ("GetObjectAttributes", "SSECustomerKeyMD5"): Seen("<GetObjectAttributesResponse"),
    ("ListParts", "SSECustomerAlgorithm"): Seen("<ListPartsResult"),
    ("ListParts", "SSECustomerKey"): Seen("<ListPartsResult"),
    ("ListParts", "SSECustomerKeyMD5"): Seen("<ListPartsResult"),
    # protection
    "ObjectLockMode": Seen("x-amz-object-lock-mode: GOVERNANCE"),
    "ObjectLockRetainUntilDate": Seen("x-amz-object-lock-retain-until-date: TIME"),
    "ObjectLockLegalHoldStatus": Seen("x-amz-object-lock-legal-hold: ON"),
    "ObjectLockEventHold": Seen("x-amz-object-lock-event-hold: ON"),
    "ObjectLockEventHoldDurationDays": Seen("x-amz-object-lock-event-hold-duration-days: 1"),
    "ObjectLockEventHoldDurationYears": Seen("x-amz-object-lock-event-hold-duration-years: 1"),
    "LegalHold": Seen("<Status>ON</Status>"),
    "Retention": Seen("NoSuchObjectLockConfiguration"),
    # conditions
    "IfMatch": _REFUSED,
    "IfNoneMatch": _REFUSED,
    ("GetObject", "IfNoneMatch"): Seen("304"),
    ("HeadObject", "IfNoneMatch"): Seen("304"),
    "IfModifiedSince": Seen("304"),
    "IfUnmodifiedSince": _REFUSED,
    "IfMatchLastModifiedTime": _REFUSED,
    "IfMatchSize": _REFUSED,
    "IfMatchInitiatedTime": _REFUSED,
    "CopySourceIfMatch": _REFUSED,
    "CopySourceIfModifiedSince": _REFUSED,
    "CopySourceIfNoneMatch": _REFUSED,
    "CopySourceIfUnmodifiedSince": _REFUSED,
    # reading
    "CopySource": Seen("795f3202b17cb6bc3d4b771d8c6c9eaf"),  # the MD5 of the other object
    "CopySourceRange": Seen("<Size>2</Size>"),
    "Range": Seen("content-range: bytes 0-1/10"),
    "ResponseCacheControl": Seen("cache-control: no-store"),
    "ResponseContentDisposition": Seen("content-disposition: attachment"),
    "ResponseContentEncoding": Seen("content-encoding: br"),
    "ResponseContentLanguage": Seen("content-language: fr"),
    "ResponseContentType": Seen("content-type: text/asked"),
    "ResponseExpires": Seen("expires: TIME"),
    "ObjectAttributes": Seen("<StorageClass>STANDARD</StorageClass>"),
    # lists
    "Delimiter": Seen("<CommonPrefixes>"),
    "EncodingType": Seen("a%20b"),
    "Marker": Gone("<Key>a/1</Key>"),
    "KeyMarker": Gone("<Key>a/1</Key>"),
    "StartAfter": Gone("<Key>a/1</Key>"),
    "ContinuationToken": Gone("<Key>a b</Key>"),
    ("ListBuckets", "ContinuationToken"): Gone("<Name>BUCKET</Name>"),
    "MaxBuckets": Seen("<ContinuationToken>"),
    "MaxKeys": Seen("<IsTruncated>true"),
    "MaxParts": Seen("<IsTruncated>true"),
    "MaxUploads": Seen("<IsTruncated>true"),
    "PartNumberMarker": Gone("<PartNumber>1</PartNumber>"),
    "Prefix": Gone("<Key>b</Key>"),
    ("ListBuckets", "Prefix"): Gone("<Name>BUCKET</Name>"),
    "BucketRegion": Gone("<Name>BUCKET</Name>"),
    "FetchOwner": Seen("<Owner>"),
    "UploadIdMarker": Seen("<UploadIdMarker>UPLOAD</UploadIdMarker>"),
    "VersionIdMarker": Seen("<VersionIdMarker>null</VersionIdMarker>"),
    # documents
    "CreateBucketConfiguration": Seen("<Key>a</Key>"),
    "ObjectLockEnabledForBucket": Seen("<ObjectLockEnabled>Enabled"),
    "ObjectOwnership": Seen("<ObjectOwnership>BucketOwnerEnforced"),
    "BucketNamespace": Seen("All buckets are in one namespace"),
    "Delete": Seen("<Key>another</Key>"),
    "MultipartUpload": Seen("InvalidPart"),
    "MpuObjectSize": Seen("5 were said to be in all"),
    "Policy": Seen("s3:PutObject"),
    "VersioningConfiguration": Seen("<Status>Suspended"),
    "CORSConfiguration": Seen("<AllowedMethod>PUT"),
    "ServerSideEncryptionConfiguration": Seen("<BucketKeyEnabled>true"),
    "LifecycleConfiguration": Seen("<Days>2"),
    "TransitionDefaultMinimumObjectSize": Seen("Transitions are not implemented"),
    "BucketLoggingStatus": Seen("<TargetBucket>BUCKET</TargetBucket>"),
    "NotificationConfiguration": Seen("A specified event is not supported"),
    "WebsiteConfiguration": Seen("<Suffix>start.html"),
    "PublicAccessBlockConfiguration": Seen("<BlockPublicPolicy>true"),
    "OwnershipControls": Seen("<ObjectOwnership>BucketOwnerEnforced"),
    "ObjectLockConfiguration": Seen("<Days>1</Days>"),
    "RequestPaymentConfiguration": Seen("Nobody pays for requests"),
    "AccelerateConfiguration": Seen("There is no transfer acceleration"),
    "AbacStatus": Seen("Tags of a bucket give no access"),
    ("PutBucketTagging", "Tagging"): Seen("<Value>2</Value>"),
    # annotations
    "AnnotationDirective": Gone("<AnnotationName>"),
    "AnnotationName": Seen("<Key>k</Key><AnnotationName>b.1<"),
    ("GetObjectAnnotation", "AnnotationName"): Seen("k b.1"),
    ("DeleteObjectAnnotation", "AnnotationName"): Gone("<AnnotationName>b.1<"),
    "AnnotationPayload": Seen("another payload"),
    "AnnotationPrefix": Gone("<AnnotationName>a<"),
    "MaxAnnotationResults": Seen("<NextContinuationToken>"),
    ("ListObjectAnnotations", "ContinuationToken"): Gone("<AnnotationName>a<"),
    "ObjectIfMatch": _REFUSED,
    # where nothing but an error is answered
    ("RestoreObject", "VersionId"): Nothing("it is refused of any version"),
    ("GetObjectLegalHold", "VersionId"): Seen("<Status>ON"),
    ("PutObjectLegalHold", "VersionId"): Seen("<Status>ON"),
    ("GetObjectRetention", "VersionId"): Seen("<RetainUntilDate>"),
    ("PutObjectRetention", "VersionId"): Seen("<RetainUntilDate>"),
}

_NO_SUMS = {
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
_NO_KEY = ("AAAA", "InvalidArgument")
_NO_GRANT = ("perhaps", "InvalidArgument")
WRONG: Mapping[str, tuple[Any, str]] = {
    **{name: (text, "BadDigest") for name, text in _NO_SUMS.items()},
    "VersionId": ("no-version", "InvalidArgument"),
    "ContentMD5": ("AAAA", "InvalidDigest"),
    "Tagging": ("a=1&a=2", "InvalidArgument"),
    "WebsiteRedirectLocation": ("elsewhere", "InvalidRedirectLocation"),
    "Metadata": ({"m": "x" * 2048}, "MetadataTooLarge"),
    "GrantFullControl": _NO_GRANT,
    "GrantRead": _NO_GRANT,
    "GrantReadACP": _NO_GRANT,
    "GrantWrite": _NO_GRANT,
    "GrantWriteACP": _NO_GRANT,
    "SSEKMSKeyId": ("no-key", "KMS.NotFoundException"),
    "SSEKMSEncryptionContext": ("AAAA", "InvalidArgument"),
    "SSECustomerAlgorithm": ("AES128", "InvalidEncryptionAlgorithmError"),
    "SSECustomerKey": _NO_KEY,
    "SSECustomerKeyMD5": _NO_KEY,
    "CopySourceSSECustomerAlgorithm": ("AES128", "InvalidEncryptionAlgorithmError"),
    "CopySourceSSECustomerKey": _NO_KEY,
    "CopySourceSSECustomerKeyMD5": _NO_KEY,
    "CopySource": ("nothing", "InvalidArgument"),
    "CopySourceRange": ("bytes=5-", "InvalidArgument"),
    "ContinuationToken": ("none", "InvalidArgument"),
    "CreateBucketConfiguration": (
        {"LocationConstraint": "elsewhere-1"},
        "InvalidLocationConstraint",
    ),
    "Policy": ("{", "MalformedPolicy"),
    "AnnotationName": ("aws.one", "InvalidAnnotationName"),
    "AnnotationPayload": (b"\xff", "UnsupportedMediaType"),
    "AnnotationPrefix": ("a/b", "InvalidPrefix"),
    "ResponseContentType": ("a\nb", "InvalidArgument"),
}
"""A value that the member cannot have, and the code that it is refused with."""


def effect(operation: str, member: str) -> Effect:
    found = EFFECTS.get((operation, member)) or EFFECTS.get(member)
    assert found is not None, f"EFFECTS does not say what is seen of {member} ({operation})"
    return found


def wrong(operation: str) -> Mapping[str, tuple[Any, str]]:
    """Of the members of an operation; of those that are documents elsewhere it is nothing."""
    return {
        name: WRONG[name]
        for name, shape in members(operation).items()
        if (name in WRONG and shape.type_name != "structure") or name == "CreateBucketConfiguration"
    }
