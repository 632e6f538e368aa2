"""THE table of the management mode's functions: routing, the OpenAPI document, the page at
`docs/`, the examples and the tests read it, and nothing is written twice.

Texts may have `code` in backquotes. Specification: management, "Calls".
"""

from __future__ import annotations

from gateway.common.presigning import LONGEST
from gateway.modes.management.answers import (
    BUCKET,
    CREDENTIAL,
    DETAILS,
    MESSAGE,
    NEXT,
    OBJECTS,
    PRESIGNED,
    SECRET,
    STATE,
    STATS,
    UPLOAD,
    VOLUME,
)
from gateway.modes.management.call import Call
from gateway.modes.management.resources import (
    buckets,
    credentials,
    objects,
    presigned,
    stats,
    uploads,
    volumes,
)
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

BODY_LIMIT = 64 << 10
KEYS_LIMIT = 8 << 20
"""Bytes of a body; a thousand keys may have six bytes of JSON for each of theirs."""

_BUCKET = Parameter("bucket", "The bucket’s name.", required=True, example="my-bucket")
_KEY = Parameter(
    "key",
    "The object’s key, percent-encoded; its slashes may stay.",
    "key",
    required=True,
    example="photos/vacation.jpg",
)
_ID = Parameter(
    "id",
    "The credential’s number.",
    "integer",
    required=True,
    least=1,
    most=(1 << 63) - 1,
    example="1",
)
_VOLUME = Parameter("volume", "The volume’s name.", required=True, example="media")
_NAME = Parameter(
    "name",
    "Its name, by the rules of S3.",
    required=True,
    least=3,
    most=63,
    pattern=r"[a-z0-9\-\.]+",
    example="my-new-bucket",
)
_OWNER = _ID._replace(name="owner_id", about="The number of a credential of its user.")
_QUOTA = Parameter(
    "quota",
    "Bytes that all its buckets may have together.",
    "integer",
    least=0,
    most=(1 << 63) - 1,
    example="1099511627776",
)
_LIMIT = Parameter(
    "limit", "Items on a page, 1 to 1000.", "integer", default=1000, least=1, most=1000
)
_AFTER = Parameter("after", "The `next` of the page before.")
_PREFIX = Parameter("prefix", "Only keys that begin with this.", example="photos/")
_BEGINNING = Parameter("prefix", "Only names that begin with this.")
_USER = Parameter(
    "user_name",
    "What people call the user whose key it is.",
    least=1,
    most=255,
    pattern=r"[^\x00-\x1f\x7f]+",
    example="john-doe",
)
_KEYS = Parameter(
    "keys",
    "Keys of objects. What is not there counts as deleted, as in S3.",
    "texts",
    required=True,
    least=1,
    most=1000,
    example="file1.txt folder/file2.txt",
)
_DELETED = (
    Field("deleted", "texts", "The keys that are gone."),
    Field(
        "errors",
        "list",
        "Those that could not be deleted; absent when there are none.",
        optional=True,
        of=(
            Field("key", "text", "The key."),
            Field("code", "text", "Why, for programs."),
            Field("message", "text", "Why, for people."),
        ),
    ),
)
_DONE = (MESSAGE,)

TABLE: tuple[Function[Call], ...] = (
    Function(
        "getStats",
        ("GET",),
        None,
        stats.get,
        "Statistics",
        "How much there is of all that the key reaches. It is kept as things change, and never"
        " counted by walking.",
        place="stats",
        answer=STATS,
    ),
    Function(
        "listCredentials",
        ("GET",),
        None,
        credentials.get_all,
        "List credentials",
        "The keys of S3, the standard mode and this one, without their secrets, by number.",
        place="credentials",
        query=(_LIMIT, _AFTER),
        answer=(Field("credentials", "list", "Keys.", of=(*CREDENTIAL, *STATE)), NEXT),
    ),
    Function(
        "createCredential",
        ("POST",),
        None,
        credentials.create,
        "Create a credential",
        "A key of the user of that name, who is made when there is none; without a name a user"
        " of its own. It may what a bucket’s owner may with the buckets of that user. This is"
        " the only answer that has the secret.",
        place="credentials",
        members=(
            _USER,
            Parameter(
                "access_key",
                "The id of the key; made when it is absent.",
                least=1,
                most=128,
                pattern=r"[A-Za-z0-9._@+-]+",
                example="AKIAIOSFODNN7EXAMPLE",
            ),
            Parameter(
                "secret_key",
                "Its secret; made when it is absent.",
                least=16,
                most=128,
                pattern=r"[!-~]+",
                example="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            ),
        ),
        answer=(*CREDENTIAL, SECRET, *STATE),
        statuses={201: "Created."},
        errors=("AlreadyExists",),
    ),
    Function(
        "getCredential",
        ("GET",),
        None,
        credentials.get,
        "Get a credential",
        "A key with the buckets of its user, as far as the key that asks reaches them.",
        place="credentials/{id}",
        parts=(_ID,),
        answer=(
            *CREDENTIAL,
            *STATE,
            Field("bucket_count", "integer", "How many buckets the user owns."),
            Field("buckets", "list", "Those, a thousand at most.", of=BUCKET),
        ),
        errors=("NoSuchCredential",),
    ),
    Function(
        "updateCredential",
        ("PUT",),
        None,
        credentials.update,
        "Change a credential",
        "Renames the user (who manages everything), or switches the key off or on: an inactive one"
        " stops working within a second everywhere. What is absent stays.",
        place="credentials/{id}",
        parts=(_ID,),
        members=(
            _USER,
            Parameter("is_active", "Whether it is to prove anything.", "boolean", example="true"),
        ),
        answer=_DONE,
        errors=("NoSuchCredential", "AlreadyExists", "Conflict"),
    ),
    Function(
        "deleteCredential",
        ("DELETE",),
        None,
        credentials.delete,
        "Delete a credential",
        "Revokes the key for good, unless it is the last active one of a user who owns buckets.",
        place="credentials/{id}",
        parts=(_ID,),
        answer=_DONE,
        errors=("NoSuchCredential", "Conflict"),
    ),
    Function(
        "listBuckets",
        ("GET",),
        None,
        buckets.get_all,
        "List buckets",
        "Buckets and all other services that the key reaches, by name.",
        place="buckets",
        query=(_LIMIT, _AFTER),
        answer=(Field("buckets", "list", "Buckets.", of=BUCKET), NEXT),
    ),
    Function(
        "createBucket",
        ("POST",),
        None,
        buckets.create,
        "Create a bucket",
        "It belongs to the user of the credential that `owner_id` names.",
        place="buckets",
        members=(
            _NAME,
            _OWNER,
            Parameter("region", "The gateway’s own, which it is without this."),
        ),
        answer=(*BUCKET, OBJECTS),
        statuses={201: "Created."},
        errors=("BucketAlreadyExists", "NoSuchCredential"),
    ),
    Function(
        "getBucket",
        ("GET",),
        "list",
        buckets.get,
        "Get a bucket",
        "A bucket with the first page of its objects; `listObjects` goes on with `next`.",
        place="buckets/{bucket}",
        parts=(_BUCKET,),
        answer=(*BUCKET, OBJECTS, NEXT),
        errors=("NotImplemented",),
    ),
    Function(
        "deleteBucket",
        ("DELETE",),
        "drop",
        buckets.delete,
        "Delete a bucket",
        "It has to be empty. What the configuration declares stays.",
        place="buckets/{bucket}",
        parts=(_BUCKET,),
        answer=_DONE,
        errors=("BucketNotEmpty", "Conflict"),
    ),
    Function(
        "listObjects",
        ("GET",),
        "list",
        objects.get_all,
        "List objects",
        "The objects of a bucket, in the order of their keys’ bytes.",
        place="buckets/{bucket}/objects",
        parts=(_BUCKET,),
        query=(_PREFIX, _LIMIT, _AFTER),
        answer=(OBJECTS, NEXT),
        errors=("NotImplemented",),
    ),
    Function(
        "deleteObjects",
        ("DELETE",),
        "delete",
        objects.delete_many,
        "Delete objects",
        "Up to a thousand objects in one commit. Where versions are kept they are hidden behind"
        " markers.",
        place="buckets/{bucket}/objects",
        parts=(_BUCKET,),
        members=(_KEYS,),
        answer=_DELETED,
        errors=("NotImplemented",),
    ),
    Function(
        "deleteObjectsByPost",
        ("POST",),
        "delete",
        objects.delete_many,
        "Delete objects, by POST",
        "The same for clients that send no body with DELETE.",
        place="buckets/{bucket}/objects/delete",
        parts=(_BUCKET,),
        members=(_KEYS,),
        answer=_DELETED,
        errors=("NotImplemented",),
    ),
    Function(
        "getObject",
        ("GET",),
        "read",
        objects.get,
        "Get an object’s details",
        "All that is known of an object but its bytes, which S3 and the standard mode give.",
        place="buckets/{bucket}/objects/{key}",
        parts=(_BUCKET, _KEY),
        answer=DETAILS,
        errors=("NoSuchKey",),
    ),
    Function(
        "deleteObject",
        ("DELETE",),
        "delete",
        objects.delete,
        "Delete an object",
        "Where versions are kept it is hidden behind a marker.",
        place="buckets/{bucket}/objects/{key}",
        parts=(_BUCKET, _KEY),
        answer=_DONE,
        errors=("NoSuchKey", "ObjectLocked", "NotImplemented"),
    ),
    Function(
        "listUploads",
        ("GET",),
        "list-uploads",
        uploads.get_all,
        "List uploads",
        "Uploads in parts that are under way, by key.",
        place="buckets/{bucket}/uploads",
        parts=(_BUCKET,),
        query=(_LIMIT, _AFTER),
        answer=(Field("uploads", "list", "Uploads.", of=UPLOAD), NEXT),
        errors=("NotImplemented",),
    ),
    Function(
        "abortUpload",
        ("DELETE",),
        "abort",
        uploads.abort,
        "Abort an upload",
        "Its parts are gone with it.",
        place="buckets/{bucket}/uploads/{upload_id}",
        parts=(
            _BUCKET,
            Parameter(
                "upload_id", "From `listUploads`, or from S3.", required=True, example="2cf6…"
            ),
        ),
        answer=_DONE,
        errors=("NoSuchUpload", "NotImplemented"),
    ),
    Function(
        "listPresignedUrls",
        ("GET",),
        None,
        presigned.get_all,
        "List presigned URLs",
        "Those that were made through this API and are not over, without their signatures.",
        place="presigned-urls",
        query=(_LIMIT, _AFTER),
        answer=(Field("urls", "list", "URLs.", of=PRESIGNED), NEXT),
    ),
    Function(
        "createPresignedUrl",
        ("POST",),
        None,
        presigned.create,
        "Create a presigned URL",
        "A URL by which anybody may do one thing with one object for a while, as its key may:"
        " signature version 4, as all of S3 accept it.",
        place="presigned-urls",
        members=(
            _BUCKET._replace(name="bucket_name"),
            _KEY._replace(name="object_key", about="The object’s key.", example="file.txt"),
            Parameter(
                "method",
                "What it is for.",
                default="GET",
                values=("GET", "PUT", "POST", "DELETE"),
                example="GET",
            ),
            Parameter(
                "expires_in",
                "Seconds for which it works, up to 7 days.",
                "integer",
                default=3600,
                least=1,
                most=LONGEST,
                example="3600",
            ),
            Parameter(
                "access_key",
                "The id of the key by which it is signed.",
                required=True,
                example="AKIAIOSFODNN7EXAMPLE",
            ),
        ),
        answer=(Field("url", "text", "The URL."),),
        statuses={201: "Created."},
        errors=("NoSuchCredential",),
    ),
    Function(
        "listVolumes",
        ("GET",),
        None,
        volumes.get_all,
        "List volumes",
        "Volumes that the key reaches, by name, each with what is in it.",
        place="volumes",
        query=(_BEGINNING, _LIMIT, _AFTER),
        answer=(Field("volumes", "list", "Volumes.", of=VOLUME), NEXT),
    ),
    Function(
        "createVolume",
        ("POST",),
        None,
        volumes.create,
        "Create a volume",
        "A namespace of buckets, which belong to its owner and share its quota. For keys that"
        " manage everything.",
        place="volumes",
        members=(_NAME._replace(example="media"), _OWNER, _QUOTA),
        answer=VOLUME,
        statuses={201: "Created."},
        errors=("VolumeAlreadyExists", "NoSuchCredential", "NotImplemented"),
    ),
    Function(
        "getVolume",
        ("GET",),
        None,
        volumes.get,
        "Get a volume",
        "Its owner, its quota, and how much is in it.",
        place="volumes/{volume}",
        parts=(_VOLUME,),
        answer=VOLUME,
    ),
    Function(
        "updateVolume",
        ("PUT",),
        None,
        volumes.update,
        "Change a volume",
        "Gives it another owner, who gets its buckets with it, or another quota, which may be less"
        " than is in it: then nothing more fits. What is absent stays. For keys that manage"
        " everything.",
        place="volumes/{volume}",
        parts=(_VOLUME,),
        members=(
            _OWNER._replace(required=False),
            _QUOTA,
            Parameter("unlimited", "Whether its quota is to be taken away.", "boolean"),
        ),
        answer=_DONE,
        errors=("NoSuchCredential", "Conflict", "NotImplemented"),
    ),
    Function(
        "deleteVolume",
        ("DELETE",),
        None,
        volumes.delete,
        "Delete a volume",
        "No bucket may be in it. What the configuration declares stays.",
        place="volumes/{volume}",
        parts=(_VOLUME,),
        answer=_DONE,
        errors=("VolumeNotEmpty", "Conflict"),
    ),
    Function(
        "listVolumeBuckets",
        ("GET",),
        None,
        volumes.get_buckets,
        "List a volume’s buckets",
        "By the name that each has in the volume; its objects are found by its `name`.",
        place="volumes/{volume}/buckets",
        parts=(_VOLUME,),
        query=(_BEGINNING, _LIMIT, _AFTER),
        answer=(Field("buckets", "list", "Buckets.", of=BUCKET), NEXT),
    ),
    Function(
        "createVolumeBucket",
        ("POST",),
        None,
        volumes.create_bucket,
        "Create a bucket in a volume",
        "It belongs to the volume’s owner. For all else it is called `name` in the answer: the"
        " volume’s name, a dot and its own, unless that is taken or too long.",
        place="volumes/{volume}/buckets",
        parts=(_VOLUME,),
        members=(_NAME,),
        answer=BUCKET,
        statuses={201: "Created."},
        errors=("BucketAlreadyExists",),
    ),
)


def limit_of(function: Function[Call]) -> int:
    """Bytes that its body may have."""
    return KEYS_LIMIT if _KEYS in function.members else BODY_LIMIT


_COMMON = ("InvalidArgument", "Unauthorized", "AccessDenied")
_OF_BODIES = ("MalformedJSON", "ValidationError", "EntityTooLarge")


def errors_of(function: Function[Call]) -> tuple[str, ...]:
    """All codes that it is documented to answer."""
    names = {one.name for one in (*function.parts, *function.members)}
    found = [*_COMMON]
    found += _OF_BODIES if function.members else ()
    found += ["NoSuchVolume"] if "volume" in names else []
    found += ["NoSuchBucket"] if names & {"bucket", "bucket_name"} else []
    return (*found, *function.errors)
