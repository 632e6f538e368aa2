"""S3's words for what can be done, as policies say them, and the gateway's own actions.

"Actions, resources, and condition keys for Amazon S3" (Service Authorization Reference) names
them. One that the gateway has nothing for is a word all the same: a policy may say it, and
nothing comes of it. What is not done to a bucket that is there (CreateBucket, ListAllMyBuckets)
is no word of a bucket's policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

from gateway.access.actions import ALL, Action, Actions
from gateway.access.patterns import fits
from gateway.modes.s3.configuration.policy.problems import Place, malformed

_OF_BUCKET: Mapping[str, tuple[Action, ...]] = {
    "CreateBucketMetadataTableConfiguration": (),
    "DeleteBucket": ("drop",),
    "DeleteBucketMetadataTableConfiguration": (),
    "DeleteBucketPolicy": ("remove-policy",),
    "DeleteBucketWebsite": ("remove-website",),
    "GetAccelerateConfiguration": ("read-accelerate",),
    "GetAnalyticsConfiguration": (),
    "GetBucketAbac": (),
    "GetBucketAcl": ("read-grants",),
    "GetBucketCORS": ("read-cors",),
    "GetBucketLocation": ("read-location",),
    "GetBucketLogging": ("read-logging",),
    "GetBucketMetadataTableConfiguration": (),
    "GetBucketNotification": ("read-notification",),
    "GetBucketObjectLockConfiguration": ("read-object-lock",),
    "GetBucketOwnershipControls": ("read-ownership",),
    "GetBucketPolicy": ("read-policy",),
    "GetBucketPolicyStatus": ("read-policy-status",),
    "GetBucketPublicAccessBlock": ("read-public-access-block",),
    "GetBucketRequestPayment": ("read-request-payment",),
    "GetBucketTagging": ("read-service-tags",),
    "GetBucketVersioning": ("read-versioning",),
    "GetBucketWebsite": ("read-website",),
    "GetEncryptionConfiguration": ("read-encryption",),
    "GetIntelligentTieringConfiguration": (),
    "GetInventoryConfiguration": (),
    "GetLifecycleConfiguration": ("read-lifecycle",),
    "GetMetricsConfiguration": (),
    "GetReplicationConfiguration": ("read-replication",),
    "ListBucket": ("list",),
    "ListBucketMultipartUploads": ("list-uploads",),
    "ListBucketVersions": ("list-versions",),
    "ListTagsForResource": ("read-service-tags",),
    "PutAccelerateConfiguration": ("write-accelerate",),
    "PutAnalyticsConfiguration": (),
    "PutBucketAbac": (),
    "PutBucketAcl": ("write-grants",),
    "PutBucketCORS": ("write-cors",),
    "PutBucketLogging": ("write-logging",),
    "PutBucketNotification": ("write-notification",),
    "PutBucketObjectLockConfiguration": ("write-object-lock",),
    "PutBucketOwnershipControls": ("write-ownership", "remove-ownership"),
    "PutBucketPolicy": ("write-policy",),
    "PutBucketPublicAccessBlock": ("write-public-access-block", "remove-public-access-block"),
    "PutBucketRequestPayment": ("write-request-payment",),
    "PutBucketTagging": ("write-service-tags",),
    "PutBucketVersioning": ("write-versioning",),
    "PutBucketWebsite": ("write-website",),
    "PutEncryptionConfiguration": ("write-encryption",),
    "PutIntelligentTieringConfiguration": (),
    "PutInventoryConfiguration": (),
    "PutLifecycleConfiguration": ("write-lifecycle",),
    "PutMetricsConfiguration": (),
    "PutReplicationConfiguration": ("write-replication",),
    "TagResource": ("write-service-tags",),
    "UntagResource": ("write-service-tags",),
}
_OF_OBJECT: Mapping[str, tuple[Action, ...]] = {
    "AbortMultipartUpload": ("abort",),
    "BypassGovernanceRetention": ("bypass-governance",),
    "DeleteObject": ("delete",),
    "DeleteObjectAnnotation": ("delete-annotation",),
    "DeleteObjectTagging": ("delete-tags",),
    "DeleteObjectVersion": ("delete-version",),
    "DeleteObjectVersionTagging": ("delete-version-tags",),
    "GetObject": ("read",),
    "GetObjectAcl": ("read-acl",),
    "GetObjectAnnotation": ("read-annotation",),
    "GetObjectAttributes": ("read-attributes",),
    "GetObjectLegalHold": ("read-hold",),
    "GetObjectRetention": ("read-retention",),
    "GetObjectTagging": ("read-tags",),
    "GetObjectTorrent": (),
    "GetObjectVersion": ("read-version",),
    "GetObjectVersionAcl": ("read-version-acl",),
    "GetObjectVersionAttributes": ("read-version-attributes",),
    "GetObjectVersionForReplication": (),
    "GetObjectVersionTagging": ("read-version-tags",),
    "GetObjectVersionTorrent": (),
    "InitiateReplication": (),
    "ListMultipartUploadParts": ("list-parts",),
    "ListObjectAnnotations": ("list-annotations",),
    "ObjectOwnerOverrideToBucketOwner": (),
    "PutObject": ("write",),
    "PutObjectAcl": ("write-acl", "write-new-acl"),
    "PutObjectAnnotation": ("write-annotation",),
    "PutObjectLegalHold": ("write-hold",),
    "PutObjectRetention": ("write-retention",),
    "PutObjectTagging": ("write-tags",),
    "PutObjectVersionAcl": ("write-version-acl",),
    "PutObjectVersionTagging": ("write-version-tags",),
    "ReplicateDelete": (),
    "ReplicateObject": (),
    "ReplicateTags": (),
    "RestoreObject": (),
    "UpdateObjectEncryption": (),
}
WORDS: Mapping[str, frozenset[Action]] = MappingProxyType(
    {word: frozenset(does) for word, does in {**_OF_BUCKET, **_OF_OBJECT}.items()}
)
OF_BUCKET, OF_OBJECT = frozenset(_OF_BUCKET), frozenset(_OF_OBJECT)
"""Words for what is done to the bucket itself, and to objects in it."""

_ALL_WORDS = frozenset(WORDS)
_BY_LOWER = {word.lower(): word for word in WORDS}
_PREFIX = "s3:"

_TELLING_KEYS: Actions = frozenset(("read-changes", "read-requests"))
"""Ways of this gateway to learn which keys there are: who may not list has not these either.
No policy gives them."""

_OWN: Actions = ALL - frozenset().union(*WORDS.values())
"""What S3 has no word for: denied to whom everything is."""


@lru_cache(maxsize=512)
def words(pattern: str) -> frozenset[str]:
    """Those that a pattern stands for, whatever their case. `*` is all."""
    if pattern == "*":
        return _ALL_WORDS
    service, name = pattern[: len(_PREFIX)].lower(), pattern[len(_PREFIX) :].lower()
    if service != _PREFIX or "\\" in name:
        return frozenset()
    fit = fits(name)
    return frozenset(word for lower, word in _BY_LOWER.items() if fit(lower))


def check(patterns: Iterable[str], place: Place) -> None:
    """Raises MalformedPolicy for a pattern that stands for no word."""
    for pattern in patterns:
        if not words(pattern):
            raise malformed("Policy has invalid action", place, pattern)


def meant(patterns: Iterable[str], *, negated: bool) -> frozenset[str]:
    """The words that a statement is about."""
    found = frozenset[str]().union(*map(words, patterns))
    return _ALL_WORDS - found if negated else found


def of_bucket(found: frozenset[str], *, denies: bool) -> Actions:
    """What words mean that is done to a bucket."""
    does = _done(found & OF_BUCKET)
    if denies and "ListBucket" in found:
        does |= _TELLING_KEYS
    return does | _OWN if denies and found == _ALL_WORDS else does


def of_objects(found: frozenset[str]) -> Actions:
    """What they mean that is done to an object."""
    return _done(found & OF_OBJECT)


def _done(found: frozenset[str]) -> Actions:
    return frozenset[Action]().union(*(WORDS[word] for word in found))
