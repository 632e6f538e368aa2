"""What a bucket blocks of what would make it public."""

from __future__ import annotations

from gateway.modes.s3.configuration.public_access_block import SETTING
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings


def get_public_access_block(request: S3Request) -> Reply:
    return settings.shown(request, SETTING)


def put_public_access_block(request: S3Request) -> Reply:
    return settings.stored(request, SETTING)


def delete_public_access_block(request: S3Request) -> Reply:
    return settings.removed(request, SETTING)
