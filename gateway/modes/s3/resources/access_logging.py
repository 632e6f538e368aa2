"""Where a bucket's access log goes."""

from __future__ import annotations

from gateway.access.grants import GRANTS
from gateway.modes.s3 import grants
from gateway.modes.s3.configuration import ownership, public_access_block
from gateway.modes.s3.configuration.access_logging import SETTING, AccessLogging
from gateway.modes.s3.delivery.log_targets import unfit
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request, check_key
from gateway.modes.s3.resources import settings
from gateway.storage import NOTHING, NoSuchStore, Put, Writable


def put_bucket_logging(request: S3Request) -> Reply:
    wanted = settings.asked(request, SETTING)
    if wanted.value is None:
        settings.removed(request, SETTING)
    else:
        _check(request, wanted.value)
        settings.keep(request, SETTING, wanted)
    request.gateway.look()
    return Reply(200)


def _check(request: S3Request, wanted: AccessLogging) -> None:
    """That the target can get logs: a bucket of the same owner, into which who asks for it may
    write. (At AWS the target's policy says that to its logging service.)"""
    try:
        target = request.gateway.access(request.identity, wanted.bucket, request.facts)
    except NoSuchStore:
        raise _invalid(wanted, "The target bucket for logging does not exist") from None
    if target.service.owner != request.access.service.owner:
        raise _invalid(
            wanted,
            "The owner for the bucket to be logged and the target bucket must be the same.",
        )
    target.require("write", wanted.prefix)
    check_key(wanted.prefix)  # with each line that waits it is kept
    if why := unfit(request.gateway, target):
        raise _invalid(wanted, why)
    given = grants.resolved(wanted.grants, request.gateway)
    if given and request.gateway.obeyed(target, ownership.SETTING.kind) == ownership.ENFORCED:
        raise S3Problem("AccessControlListNotSupported")
    block = request.gateway.obeyed(target, public_access_block.SETTING.kind)
    if block is not None:
        block.of_list(given)
    attributes = {GRANTS: grants.as_attribute(given)} if given else NOTHING
    target.service.need(Writable).check_put(Put(attributes=attributes))


def _invalid(wanted: AccessLogging, message: str) -> S3Problem:
    return S3Problem("InvalidTargetBucketForLogging", message, TargetBucket=wanted.bucket)
