"""What answers are made of: the members that functions have in common, described."""

from __future__ import annotations

from gateway.web.api.fields import Field

NEXT = Field(
    "next", "text", "Goes into `after` for the next page; absent on the last.", optional=True
)
MESSAGE = Field("message", "text", "That it was done.")
NAME = Field("name", "text", "The bucket’s name.")
BUCKET = (
    NAME,
    Field("region", "text", "The gateway’s region."),
    Field("owner", "text", "The name of the user whose it is."),
    Field("created_at", "time", "When it was made."),
    Field(
        "object_count", "integer", "Its objects; null where its store does not count.", null=True
    ),
    Field("total_size", "integer", "Bytes of all that is kept, versions too.", null=True),
    Field("total_size_human", "text", "The same for people.", null=True),
    Field("volume", "text", "The volume that it is in; absent where it is in none.", optional=True),
    Field("name_in_volume", "text", "What it is called there.", optional=True),
)
VOLUME = (
    Field("name", "text", "The volume’s name."),
    Field("owner", "text", "The name of the user whose it is, as all its buckets are."),
    Field("created_at", "time", "When it was made; null of one that is declared.", null=True),
    Field("quota", "integer", "Bytes that all its buckets may have; null without one.", null=True),
    Field("quota_human", "text", "The same for people.", null=True),
    Field(
        "total_size",
        "integer",
        "Bytes of all that is kept in it, parts of uploads too, of those buckets that count them;"
        " null where nobody does.",
        null=True,
    ),
    Field("total_size_human", "text", "The same for people.", null=True),
    Field("bucket_count", "integer", "Buckets in it.", null=True),
    Field("is_declared", "boolean", "Whether the configuration has it, and it is changed there."),
)
OBJECT = (
    Field("key", "text", "Its key."),
    Field("size", "integer", "Bytes."),
    Field("size_human", "text", "The same for people."),
    Field("content_type", "text", "Media type."),
    Field("etag", "text", "Changes with the bytes, without quotes."),
    Field("is_multipart", "boolean", "Whether it was uploaded in parts."),
    Field("created_at", "time", "When it was written."),
)
OBJECTS = Field("objects", "list", "Objects, in the order of their keys’ bytes.", of=OBJECT)
DETAILS = (
    *OBJECT,
    Field("part_count", "integer", "In how many parts; 0 when in none."),
    Field("metadata", "map", "What was uploaded as `x-amz-meta-…`."),
    Field("storage_path", "text", "A name of what is stored, and no path of the server."),
    Field("updated_at", "time", "When it was last written."),
)
CREDENTIAL = (
    Field("id", "integer", "The credential’s number."),
    Field("access_key", "text", "The id of the key."),
)
SECRET = Field("secret_key", "text", "The secret, which is never told again.")
STATE = (
    Field("user_name", "text", "The name of the user whose key it is."),
    Field("is_active", "boolean", "Whether it proves anything now."),
    Field("created_at", "time", "When it was made; null of one that is declared.", null=True),
)
UPLOAD = (
    Field("upload_id", "text", "As in S3."),
    Field("object_key", "text", "The key of the object that it is to become."),
    Field("initiated_by", "text", "The name of the user who began it."),
    Field("content_type", "text", "Media type."),
    Field("initiated_at", "time", "When it began."),
    Field(
        "part_count",
        "integer",
        "Parts that are there; null where the key may not list them.",
        null=True,
    ),
    Field("total_size", "integer", "Their bytes.", null=True),
    Field("total_size_human", "text", "The same for people.", null=True),
)
PRESIGNED = (
    Field("bucket_name", "text", "The bucket’s name."),
    Field("object_key", "text", "The object’s key."),
    Field("method", "text", "The HTTP method that it is for."),
    Field("access_key", "text", "The id of the key by which it is signed."),
    Field("expires_at", "time", "Until when it works."),
    Field("created_at", "time", "When it was made."),
)
STATS = (
    Field("credentials", "integer", "Keys, those that are switched off too."),
    Field("buckets", "integer", "Buckets."),
    Field("objects", "integer", "Objects in them, where their stores count."),
    Field("total_storage", "integer", "Bytes of all that is kept, versions too."),
    Field("total_storage_human", "text", "The same for people."),
    Field("active_multipart_uploads", "integer", "Uploads under way."),
    Field("active_presigned_urls", "integer", "Made through this API, and not over yet."),
)
