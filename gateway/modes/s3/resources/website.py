"""A bucket as a website: what it says of itself. The site is `gateway.modes.s3.website`."""

from __future__ import annotations

from gateway.modes.s3.configuration import website
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings


def get_bucket_website(request: S3Request) -> Reply:
    return settings.shown(request, website.SETTING)


def put_bucket_website(request: S3Request) -> Reply:
    return settings.stored(request, website.SETTING, limit=website.LIMIT)


def delete_bucket_website(request: S3Request) -> Reply:
    return settings.removed(request, website.SETTING)
