"""THE table of the Ozone mode's functions: routing, the OpenAPI document, the page at
`/-/docs/ozone/`, the examples and the tests read it, and nothing is written twice.

Where several have one method and path, `info` says which is meant; the one that does not need it
is the list, or the bytes. What a handler does with headers is its own; they are declared here so
that they are documented. Texts may have `code` in backquotes.
"""

from __future__ import annotations

from gateway.modes.ozone.call import Call
from gateway.modes.ozone.quotas import RULE as QUOTA_RULE
from gateway.modes.ozone.resources import buckets, keys, volumes
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Function

MOST = 1024
"""Items of a list."""

_VOLUME = Parameter("volume", "The volume’s name.", required=True, example="volume-of-bilbo")
_BUCKET = Parameter("bucket", "The bucket’s name.", required=True, example="bucket-0")
_KEY = Parameter(
    "key",
    "The key, percent-encoded; its slashes may stay.",
    "key",
    required=True,
    example="file-0",
)
_IN_VOLUME = (_VOLUME,)
_IN_BUCKET = (_VOLUME, _BUCKET)
_OF_KEY = (_VOLUME, _BUCKET, _KEY)


def _info(word: str, *, needed: bool = True) -> Parameter:
    about = f"`{word}`" + ("." if needed else ", or nothing.")
    example = word if needed else ""
    return Parameter("info", about, required=needed, values=(word,), example=example)


_QUOTA = Parameter("quota", f"How much may be in its buckets: {QUOTA_RULE}.", example="10GB")
_PREFIX = Parameter("prefix", "Only names that begin with this.")
_MAX = Parameter(
    "max-keys", f"Items at most, 1 to {MOST}.", "integer", default=MOST, least=1, most=MOST
)
_PREVIOUS = Parameter("prev-key", "Only names behind this one in the order of their bytes.")
_LIST = (_PREFIX, _MAX, _PREVIOUS)

_OWNER = Parameter(
    "x-ozone-user",
    "Who is to own it: a key’s id, or an account; where names are trusted, a name.",
    required=True,
    example="root",
)
_NEW_OWNER = _OWNER._replace(required=False, example="")
_ACL = Parameter(
    "x-ozone-acl",
    "Entries, with commas between: `ADD user:peregrin:rw`, `REMOVE world::r`; also `x-ozone-acls`.",
)
_STORAGE = Parameter(
    "x-ozone-storage-class",
    "`DEFAULT`, `DISK`, `SSD`, `ARCHIVE` or `RAM_DISK`, which is kept and shown; also"
    " `x-ozone-storage-type`.",
)
_VERSIONING = Parameter("x-ozone-bucket-versioning", "`enabled` or `disabled`.")
_OF_BUCKET = (_ACL, _STORAGE, _VERSIONING)
_MALFORMED = (
    "malformedACL",
    "malformedStorageClass",
    "malformedStorageType",
    "malformedBucketVersion",
)

VOLUME = (
    Field("owner", "object", "Whose it is.", of=(Field("name", "text", "The owner’s name."),)),
    Field(
        "quota",
        "object",
        "How much may be in it; 1048576 TB where there is no bound.",
        of=(
            Field(
                "unit", "text", "The largest that divides it.", values=("TB", "GB", "MB", "BYTES")
            ),
            Field("size", "integer", "How many of them."),
        ),
    ),
    Field("volumeName", "text", "Its name."),
    Field("createdOn", "text", "When: a date of HTTP."),
    Field("createdBy", "text", "By whom; null where that is the configuration.", null=True),
)
BUCKET = (
    Field("volumeName", "text", "The volume’s name."),
    Field("bucketName", "text", "Its name."),
    Field("createdOn", "text", "When: a date of HTTP."),
    Field(
        "acls",
        "list",
        "Its access control list.",
        of=(
            Field("type", "text", "Whom it names.", values=("USER", "GROUP", "WORLD")),
            Field("name", "text", "The name; empty for the world."),
            Field("rights", "text", "What they may.", values=("READ", "WRITE", "READ_WRITE")),
        ),
    ),
    Field("versioning", "text", "Whether versions are kept.", values=("ENABLED", "DISABLED")),
    Field(
        "storageType", "text", "As it was asked for.", values=("DISK", "SSD", "ARCHIVE", "RAM_DISK")
    ),
)
KEY = (
    Field("version", "integer", "0: none are counted."),
    Field("md5hash", "text", "The MD5 of its bytes, in hex; null where it has none.", null=True),
    Field("createdOn", "text", "When: a date of HTTP."),
    Field("modifiedOn", "text", "The same: what is put anew is another."),
    Field("size", "integer", "Bytes."),
    Field("keyName", "text", "The key."),
)

TABLE: tuple[Function[Call], ...] = (
    Function(
        "getkey",
        ("GET", "HEAD"),
        "read",
        keys.get,
        "Get a key",
        "The bytes of a key, or a range of them. `HEAD` gives the headers alone.",
        headers=(
            Parameter("Range", "Some bytes only: `bytes=0-99`, `bytes=100-`, `bytes=-10`."),
            Parameter("If-None-Match", "ETags; when the key has one of them: 304."),
            Parameter("If-Modified-Since", "A time; when it has not changed since: 304."),
            Parameter("If-Match", "ETags; when the key has none of them: 412."),
            Parameter("If-Unmodified-Since", "A time; when it has changed since: 412."),
            Parameter("If-Range", "An ETag or time; when it is not the key’s, all is sent."),
        ),
        statuses={200: "The whole key.", 206: "The range.", 304: "It has not changed."},
        answer_headers=(
            Parameter("ETag", "Changes with the bytes, in quotes."),
            Parameter("Last-Modified", "When it was put."),
            Parameter("Content-Range", "Which bytes these are, with 206."),
        ),
        errors=("invalidKey", "preconditionFailed", "invalidRange"),
        place="{volume}/{bucket}/{key}",
        parts=_OF_KEY,
    ),
    Function(
        "putkey",
        ("PUT",),
        "write",
        keys.put,
        "Put a key",
        "Stores the body, all of it or nothing, in place of what was there. `Content-Type`,"
        " `Cache-Control`, `Content-Disposition`, `Content-Encoding`, `Content-Language` and"
        " `Expires` are kept and come back.",
        headers=(
            Parameter("Content-MD5", "Base64 of the body’s MD5: checked before it is stored."),
            Parameter("If-None-Match", "`*`: only when there is no such key yet, else 412."),
            Parameter("If-Match", "An ETag: only in place of that, else 412."),
        ),
        body=True,
        statuses={201: "Stored."},
        errors=(
            "invalidKey",
            "badDigest",
            "incompleteBody",
            "preconditionFailed",
            "entityTooLarge",
            "quotaExceeded",
            "insufficientStorage",
        ),
        place="{volume}/{bucket}/{key}",
        bare=True,
        parts=_OF_KEY,
    ),
    Function(
        "infokey",
        ("GET", "HEAD"),
        "read",
        keys.info,
        "Ask about a key",
        "What is known of a key.",
        query=(_info("key"),),
        answer=KEY,
        errors=("invalidKey",),
        place="{volume}/{bucket}/{key}",
        parts=_OF_KEY,
    ),
    Function(
        "deletekey",
        ("DELETE",),
        "delete",
        keys.delete,
        "Delete a key",
        "Removes a key that is there. Where versions are kept, they stay.",
        headers=(Parameter("If-Match", "An ETag: only that, else 412."),),
        errors=("invalidKey", "preconditionFailed"),
        place="{volume}/{bucket}/{key}",
        bare=True,
        parts=_OF_KEY,
    ),
    Function(
        "renamekey",
        ("POST",),
        "write",
        keys.rename,
        "Rename a key",
        "Copies it to a key that is not there, and removes it; no bytes come or go.",
        query=(Parameter("toKey", "The new key.", required=True, example="file-1"),),
        errors=("invalidKey", "keyOperationConflict", "quotaExceeded"),
        place="{volume}/{bucket}/{key}",
        bare=True,
        parts=_OF_KEY,
    ),
    Function(
        "createbucket",
        ("POST",),
        None,
        buckets.create,
        "Create a bucket",
        "In a volume of one’s own; administrators in any.",
        headers=_OF_BUCKET,
        statuses={201: "Created."},
        errors=("volumeNotFound", "bucketAlreadyExists", *_MALFORMED),
        place="{volume}/{bucket}",
        bare=True,
        parts=_IN_BUCKET,
    ),
    Function(
        "updatebucket",
        ("PUT",),
        None,
        buckets.update,
        "Change a bucket",
        "What is not said stays as it is. For the volume’s owner and administrators.",
        headers=_OF_BUCKET,
        errors=_MALFORMED,
        place="{volume}/{bucket}",
        bare=True,
        parts=_IN_BUCKET,
    ),
    Function(
        "deletebucket",
        ("DELETE",),
        "drop",
        buckets.delete,
        "Delete a bucket",
        "One that is empty. For the volume’s owner and administrators.",
        errors=("bucketNotEmpty",),
        place="{volume}/{bucket}",
        bare=True,
        parts=_IN_BUCKET,
    ),
    Function(
        "infobucket",
        ("GET", "HEAD"),
        "list",
        buckets.info,
        "Ask about a bucket",
        "What a bucket is.",
        query=(_info("bucket"),),
        answer=BUCKET,
        place="{volume}/{bucket}",
        parts=_IN_BUCKET,
    ),
    Function(
        "listkeys",
        ("GET", "HEAD"),
        "list",
        keys.listed,
        "List keys",
        "The keys of a bucket, in the order of their bytes.",
        query=(_info("key", needed=False), *_LIST),
        answer=(
            Field("name", "text", "The bucket’s name."),
            Field("prefix", "text", "As it was asked for.", null=True),
            Field("maxKeys", "integer", "Items at most."),
            Field("truncated", "boolean", "Whether there are more."),
            Field("keyList", "list", "The keys.", of=KEY),
        ),
        place="{volume}/{bucket}",
        parts=_IN_BUCKET,
    ),
    Function(
        "createvolume",
        ("POST",),
        None,
        volumes.create,
        "Create a volume",
        "For administrators.",
        query=(_QUOTA,),
        headers=(_OWNER,),
        statuses={201: "Created."},
        errors=("userNotFound", "malformedQuota", "unknownProperty", "volumeAlreadyExists"),
        place="{volume}",
        bare=True,
        parts=_IN_VOLUME,
    ),
    Function(
        "updatevolume",
        ("PUT",),
        None,
        volumes.update,
        "Change a volume",
        "For administrators: another owner, who gets the buckets, too; another quota, or"
        " `remove`. What is not said stays as it is.",
        query=(_QUOTA,),
        headers=(_NEW_OWNER,),
        errors=("volumeNotFound", "userNotFound", "malformedQuota", "unknownProperty"),
        place="{volume}",
        bare=True,
        parts=_IN_VOLUME,
    ),
    Function(
        "deletevolume",
        ("DELETE",),
        None,
        volumes.delete,
        "Delete a volume",
        "One without buckets. For its owner and administrators.",
        errors=("volumeNotFound", "volumeNotEmpty"),
        place="{volume}",
        bare=True,
        parts=_IN_VOLUME,
    ),
    Function(
        "infovolume",
        ("GET", "HEAD"),
        None,
        volumes.info,
        "Ask about a volume",
        "For its owner and administrators.",
        query=(_info("volume"),),
        answer=VOLUME,
        errors=("volumeNotFound",),
        place="{volume}",
        parts=_IN_VOLUME,
    ),
    Function(
        "listbuckets",
        ("GET", "HEAD"),
        None,
        buckets.listed,
        "List buckets",
        "The buckets of a volume that the user sees, in the order of their names.",
        query=(_info("bucket", needed=False), *_LIST),
        answer=(
            Field(
                "buckets",
                "list",
                "The buckets.",
                of=(
                    *BUCKET,
                    Field("bytesUsed", "integer", "Bytes in it; null if unknown.", null=True),
                    Field("keyCount", "integer", "Keys in it; null if unknown.", null=True),
                ),
            ),
        ),
        errors=("volumeNotFound",),
        place="{volume}",
        parts=_IN_VOLUME,
    ),
    Function(
        "listvolumes",
        ("GET", "HEAD"),
        None,
        volumes.listed,
        "List volumes",
        "One’s own volumes, in the order of their names.",
        query=(
            _info("service", needed=False),
            *_LIST,
            Parameter("root-scan", "`true`: all volumes, for administrators.", "boolean"),
        ),
        answer=(Field("volumes", "list", "The volumes.", of=VOLUME),),
        place="",
    ),
)

BY_NAME = {one.name: one for one in TABLE}

_ALWAYS = (
    "missingVersion",
    "missingDate",
    "badDate",
    "badAuthorization",
    "Unauthorized",
    "accessDenied",
)
_OF_PLACE = (("volume", "invalidVolumeName"), ("bucket", "invalidBucketName"))


def errors_of(function: Function[Call]) -> tuple[str, ...]:
    """The codes that a function may answer, besides those of any failure."""
    within = {one.name for one in function.parts}
    found = [*_ALWAYS, *(code for name, code in _OF_PLACE if name in within)]
    if "bucket" in within:
        found.append("volumeNotFound")
    if function.query:
        found.append("invalidQueryParam")
    return tuple(dict.fromkeys((*found, *function.errors)))
