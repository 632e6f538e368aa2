"""Whom a bucket tells of its changes.

A destination that is named is sent a test event before the configuration is stored, as AWS does,
so that it takes effect whole or not at all; `x-amz-skip-destination-validation` leaves that out.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from gateway.modes.s3 import bodies
from gateway.modes.s3.configuration.notification import SETTING, Notification
from gateway.modes.s3.delivery.events import test_message
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters, settings
from gateway.modes.telling import closed
from gateway.storage import Changes, Unavailable

log = logging.getLogger("gateway.s3")

_CLOSED = "The destination does not exist, or does not allow this bucket to publish notifications"
"""Which of both is not told: names of what others have are theirs."""

MOST_BUCKETS = 1_000
"""That have notifications."""


def put_bucket_notification_configuration(request: S3Request) -> Reply:
    wanted = settings.asked(request, SETTING)
    if wanted.value:
        request.access.service.need(Changes)
        _check_room(request)
        _check(request, wanted.value)
        settings.keep(request, SETTING, wanted)
    else:
        settings.removed(request, SETTING)
    request.gateway.look()  # what is acknowledged from now on is told
    return Reply(200)


def _check_room(request: S3Request) -> None:
    """Each bucket that tells somebody costs threads; and nobody may take all of them."""
    having = request.gateway.having(SETTING.kind)
    if len(having) >= MOST_BUCKETS and request.bucket not in having:
        raise S3Problem(
            "TooManyConfigurations",
            f"{MOST_BUCKETS} buckets have notifications already: the gateway takes no more.",
        )


def _check(request: S3Request, wanted: Iterable[Notification]) -> None:
    """That each destination is there, and takes a test event, unless that is to be skipped."""
    skip = parameters.header_flag(request, "x-amz-skip-destination-validation")
    for webhook, arn in sorted({one.webhook: one.arn for one in wanted}.items()):
        if closed(request.gateway.webhooks, webhook, request.access.service.owner):
            raise _unable(arn, _CLOSED)
        if not skip:
            _test(request, webhook, arn)


def _test(request: S3Request, webhook: str, arn: str) -> None:
    """Raises `Busy` where too many wait for somebody already."""
    bodies.admit(request)
    id: str = request.environ["gateway.request_id"]
    body = test_message(request.bucket, id, request.gateway.clock())
    try:
        request.gateway.webhooks[webhook].post(f"test.{id}", body)
    except Unavailable as error:  # of which the message may name hosts: it is the operator's
        log.warning("%s: %s", request.bucket, error)
        raise _unable(arn, "The destination does not take a test event") from None


def _unable(arn: str, why: str) -> S3Problem:
    return S3Problem(
        "InvalidArgument",
        "Unable to validate the following destination configurations",
        ArgumentName1=f"{arn}, null",
        ArgumentValue1=why,
    )
