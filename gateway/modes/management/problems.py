"""Every error code of the management mode: its status, and what it says by itself.

Where S3 has a code for the same, it is that.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.web.http_fields import Headers

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "InvalidArgument": (400, "A parameter is missing, or not what it may be."),
    "InvalidRequest": (400, "The request is not valid."),
    "MalformedJSON": (400, "The body is not an object in JSON."),
    "BadDigest": (400, "The body does not have the digest that was declared."),
    "IncompleteBody": (400, "Fewer bytes came than were announced."),
    "Unauthorized": (401, "The header X-API-Key is missing, or has no management key's value."),
    "AccessDenied": (403, "The key may not do that."),
    "ObjectLocked": (403, "The object is protected by a retention period or a legal hold."),
    "ReadOnly": (403, "The bucket is a replica: what is in it is written at its source."),
    "NoSuchBucket": (404, "There is no such bucket, or the key does not reach it."),
    "NoSuchCredential": (404, "There is no such credential, or the key does not reach it."),
    "NoSuchFunction": (404, "There is no such call; `docs/` has all that there are."),
    "NoSuchKey": (404, "There is no such object."),
    "NoSuchVolume": (404, "There is no such volume, or the key does not reach it."),
    "NoSuchUpload": (404, "There is no such upload: it may have been aborted or completed."),
    "MethodNotAllowed": (405, "That is called by another method."),
    "BucketAlreadyExists": (409, "A bucket of that name is there already."),
    "BucketNotEmpty": (409, "The bucket is not empty."),
    "VolumeAlreadyExists": (409, "A volume of that name is there already."),
    "VolumeNotEmpty": (409, "There are buckets in the volume."),
    "AlreadyExists": (409, "That is there already."),
    "Conflict": (409, "It cannot be changed now."),
    "EntityTooLarge": (413, "The body is larger than is allowed."),
    "ValidationError": (422, "A member of the body is missing, or not what it may be."),
    "InternalError": (500, "Something went wrong here."),
    "NotImplemented": (501, "The bucket's store cannot do that."),
    "ServiceUnavailable": (503, "What is behind it does not answer now."),
    "SlowDown": (503, "Too many requests at once; try again shortly."),
    "InsufficientStorage": (507, "There is no space left."),
}


class ManagementProblem(Exception):
    """What is wrong with a request, that no store was asked about."""

    def __init__(self, code: str, message: str = "", headers: Headers | None = None) -> None:
        self.code, self.message = code, message or PROBLEMS[code][1]
        self.headers = headers or []
        super().__init__(f"{code}: {self.message}")
