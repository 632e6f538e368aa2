"""The members that the answers of functions have in common, described."""

from __future__ import annotations

from gateway.web.api.fields import Field

NEXT = Field("next", "text", "Goes into `after` for the next page; null on the last.", null=True)
FILE_PATH = Field("path", "text", "The file’s path.")
SIZE = Field("size", "integer", "Bytes.")
ETAG = Field("etag", "text", "Changes with the bytes, without quotes.")
TYPE = Field("contentType", "text", "Media type.")
MODIFIED = Field("modified", "time", "When it was written.")
NAMED = Field("version", "text", "The version's name.", null=True)
SYNC = Field("syncId", "integer", "The change by which it was made.")

SERVICE = (
    Field("sid", "text", "The service’s id."),
    Field("name", "text", "Its name for people."),
    Field("type", "text", "The driver's name: `local`, `memory`, `cache`, …"),
    Field("access", "text", "What the key may do.", values=("read", "write")),
    Field("source", "text", "The service behind it; null when there is none.", null=True),
    Field("capabilities", "texts", "What it can do: `listable`, `versions`, `changes`, …"),
    Field(
        "incomplete",
        "boolean",
        "True where its upstream did not answer: it may be able to do more.",
        optional=True,
    ),
)
DETAILS = Field(
    "details",
    "object",
    "With `details=true`: all else that is known of the version; null where it is there no more.",
    null=True,
    optional=True,
    of=(
        TYPE,
        Field("headers", "map", "Stored headers, such as `Cache-Control`."),
        Field("metadata", "map", "What was uploaded as `x-meta-…`."),
        Field("tags", "map", "Its tags."),
        Field("storageClass", "text", "Its storage class."),
        Field("owner", "text", "The account that wrote it."),
        Field(
            "encryption",
            "text",
            "Under whose key it is kept: the gateway’s, the customer’s, or a key service’s.",
            null=True,
        ),
        Field(
            "protection",
            "object",
            "What keeps it from being removed.",
            null=True,
            of=(
                Field("mode", "text", "Of its retention: `governance` or `compliance`.", null=True),
                Field("until", "time", "When that ends.", null=True),
                Field("hold", "boolean", "Whether there is a legal hold."),
                Field("event", "text", "How long after an event it ends: `30 days`.", null=True),
            ),
        ),
        Field("attributes", "text", "What modes keep with it, as JSON: its access control list."),
        Field("checksums", "map", "By algorithm, in base64."),
        Field("checksumType", "text", "`FULL_OBJECT`, or `COMPOSITE` of its parts.", null=True),
        Field(
            "parts",
            "list",
            "Of one that was uploaded in parts.",
            of=(
                Field("number", "integer", "Its number."),
                SIZE,
                ETAG,
                MODIFIED,
                Field("checksums", "map", "By algorithm, in base64."),
            ),
        ),
    ),
)
KIND = Field(
    "kind",
    "text",
    "`put`: new bytes; `delete`: gone; `purge`: a version removed for good;"
    " `update`: tags or other labels changed.",
    values=("put", "delete", "purge", "update"),
)
BEFORE = Field(
    "before",
    "object",
    "With `details=true`: the change `syncid` as it is here, so that who has another one knows"
    " that this is another past; null where it is not kept.",
    null=True,
    optional=True,
    of=(KIND, FILE_PATH, NAMED),
)
UPDATE = (
    SYNC,
    KIND,
    Field("time", "time", "When."),
    FILE_PATH,
    Field("version", "text", "The version; `getfile` gives its bytes.", null=True),
    SIZE,
    ETAG,
    TYPE,
    Field("headers", "map", "Stored headers, such as `Cache-Control`."),
    Field("metadata", "map", "What was uploaded as `x-meta-…`."),
    Field("deleted", "boolean", "With `details=true`: it made a delete marker.", optional=True),
    Field("cause", "text", "With `details=true`: how it came about.", optional=True),
    DETAILS,
)
REQUEST = (
    Field("time", "time", "When it began."),
    Field("requestId", "text", "As in `x-request-id`, and in the log."),
    Field("mode", "text", "The API: `standard`, `s3`, …"),
    Field("method", "text", "The HTTP method."),
    Field("sid", "text", "The service; null when none was named.", null=True),
    Field("path", "text", "The file’s path. Never a query string."),
    Field("status", "integer", "The HTTP status."),
    Field("bytesIn", "integer", "Bytes of the request's body."),
    Field("bytesOut", "integer", "Bytes of the answer's body."),
    Field("durationMs", "number", "Milliseconds to the last byte."),
    Field("client", "text", "The client's address."),
    Field("keyId", "text", "The id of the key, never its value.", null=True),
    Field("cache", "text", "What a cache on the way said.", null=True),
)
