"""Whether a bucket keeps versions."""

from __future__ import annotations

from gateway.common.xml import document, element
from gateway.modes.s3 import bodies, parsing
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request

_STATUS = {"on": "Enabled", "suspended": "Suspended"}


def get_bucket_versioning(request: S3Request) -> Reply:
    status = _STATUS.get(request.access.versioning)
    return xml(document("VersioningConfiguration", element("Status", status) if status else ""))


def put_bucket_versioning(request: S3Request) -> Reply:
    request.require()
    wanted, access = parsing.versioning(bodies.document(request)), request.access
    if wanted == "suspended" and request.gateway.keeps_versions(access):
        raise S3Problem(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state"
            " cannot be changed.",
        )
    request.gateway.set_versioning(access, wanted)
    return Reply(200)
