"""Every error of the Ozone mode: its status, and what it says by itself.

The short messages are those of the original server, where it has one for the same.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.web.http_fields import Headers

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "notModified": (304, "The key has not changed."),
    "missingVersion": (400, "The header x-ozone-version is missing."),
    "missingDate": (400, "The header Date is missing."),
    "badDate": (400, "The header Date is no date in GMT, as Mon, 26 Jun 2017 04:23:30 GMT."),
    "invalidResourceName": (400, "The path names no volume, bucket or key."),
    "invalidVolumeName": (400, "A volume cannot be called that."),
    "invalidBucketName": (400, "There is no such bucket, or none can be called that."),
    "invalidKey": (400, "There is no such key, or none can be called that."),
    "badAuthorization": (400, "The header Authorization is needed once, and begins with OZONE."),
    "invalidQueryParam": (400, "A parameter is missing, or not what it may be."),
    "invalidRequest": (400, "The request is not valid."),
    "malformedQuota": (400, "That is no quota."),
    "malformedACL": (400, "That is no access control list."),
    "malformedBucketVersion": (400, "x-ozone-bucket-versioning is enabled or disabled, once."),
    "malformedStorageType": (400, "That is no storage type."),
    "malformedStorageClass": (400, "That is no storage class."),
    "unknownProperty": (400, "That cannot be said of it."),
    "badDigest": (400, "The bytes that came do not have the digest that was declared."),
    "incompleteBody": (400, "Fewer bytes came than were announced; nothing was stored."),
    "Unauthorized": (401, "Who asks gives OZONE <id of a key>:<its secret>; that is none."),
    "accessDenied": (403, "The user may not do that."),
    "userNotFound": (404, "x-ozone-user is missing, or names no user."),
    "volumeNotFound": (404, "There is no such volume, or the user may not know of it."),
    "methodNotAllowed": (405, "That is called by another method."),
    "volumeAlreadyExists": (409, "A volume of that name is there already."),
    "bucketAlreadyExists": (409, "A bucket of that name is there already."),
    "volumeNotEmpty": (409, "The volume has buckets."),
    "bucketNotEmpty": (
        409,
        "The bucket has keys, or old versions of keys, which S3 shows and deletes.",
    ),
    "keyOperationConflict": (409, "Another key, or another change of this one, is in the way."),
    "preconditionFailed": (412, "A condition of the request does not hold."),
    "entityTooLarge": (413, "The body is larger than is allowed."),
    "quotaExceeded": (413, "The quota is reached."),
    "invalidRange": (416, "The range begins beyond the end of the key."),
    "tooManyAttempts": (429, "There were too many attempts with wrong secrets."),
    "internalServerError": (500, "Something went wrong here."),
    "notImplemented": (501, "The bucket's store cannot do that."),
    "originFailed": (502, "The origin behind this bucket failed."),
    "serviceUnavailable": (503, "The storage is not available now."),
    "slowDown": (503, "Too many requests at once; try again shortly."),
    "insufficientStorage": (507, "There is no space left."),
}


class OzoneProblem(Exception):
    """What is wrong with a request, that no store was asked about."""

    def __init__(self, code: str, message: str = "", headers: Headers | None = None) -> None:
        self.code, self.message = code, message or PROBLEMS[code][1]
        self.headers = headers or []
        super().__init__(f"{code}: {self.message}")
