"""Which pages of other origins may use a bucket."""

from __future__ import annotations

from gateway.modes.s3.configuration import cors
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings


def get_bucket_cors(request: S3Request) -> Reply:
    return settings.shown(request, cors.SETTING)


def put_bucket_cors(request: S3Request) -> Reply:
    return settings.stored(request, cors.SETTING)


def delete_bucket_cors(request: S3Request) -> Reply:
    return settings.removed(request, cors.SETTING)
