"""The lifecycle of a bucket's objects: what is set is carried out by `lifecycle.carrying_out`."""

from __future__ import annotations

from gateway.modes.s3.configuration.lifecycle import SETTING
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Headers, Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings

_SMALLEST = "x-amz-transition-default-minimum-object-size"
_DEFAULT = "all_storage_classes_128K"
_SAID: Headers = [(_SMALLEST, _DEFAULT)]


def get_bucket_lifecycle_configuration(request: S3Request) -> Reply:
    reply = settings.shown(request, SETTING)
    reply.headers.extend(_SAID)
    return reply


def put_bucket_lifecycle_configuration(request: S3Request) -> Reply:
    wanted = settings.asked(request, SETTING)
    _refuse_smallest(request.header(_SMALLEST))
    settings.keep(request, SETTING, wanted)
    return Reply(200, [*_SAID])


def _refuse_smallest(text: str) -> None:
    """There are no transitions, so only what AWS has by default is as asked for."""
    if text not in ("", _DEFAULT):
        raise S3Problem("NotImplemented", "Transitions are not implemented.")
