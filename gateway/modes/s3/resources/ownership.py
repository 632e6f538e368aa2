"""Who owns what others put into a bucket."""

from __future__ import annotations

from gateway.modes.s3 import grants
from gateway.modes.s3.configuration import ownership
from gateway.modes.s3.configuration.ownership import SETTING
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings


def put_bucket_ownership_controls(request: S3Request) -> Reply:
    wanted = settings.asked(request, SETTING)
    service = request.access.service
    if wanted.value == ownership.ENFORCED:
        ownership.check_list(grants.bucket_list(service.grants, service.owner), service.owner)
    settings.keep(request, SETTING, wanted)
    return Reply(200)
