"""Whether a bucket keeps versions."""

from __future__ import annotations

from gateway.access.access import Access
from gateway.common.xml import document, element
from gateway.modes.s3 import bodies, parsing
from gateway.modes.s3.configuration import object_lock
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
    if wanted == "suspended":
        _refuse_locked(access)
    access.set_versioning(wanted)
    if wanted == "suspended":  # it may have got its lock meanwhile
        now = request.gateway.access(request.identity, request.bucket, request.facts)
        try:
            _refuse_locked(now)
        except S3Problem:
            now.service.set_versioning("on")
            raise
    return Reply(200)


def _refuse_locked(access: Access) -> None:
    if object_lock.SETTING.kind.name in access.settings:
        raise S3Problem(
            "InvalidBucketState",
            "An Object Lock configuration is present on this bucket, so the versioning state"
            " cannot be changed.",
        )
