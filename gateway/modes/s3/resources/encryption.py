"""The default encryption of a bucket: as it is set, and as new objects get it."""

from __future__ import annotations

from dataclasses import replace

from gateway.modes.s3 import encryption
from gateway.modes.s3.configuration.encryption import SETTING
from gateway.modes.s3.replies import Reply
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings
from gateway.storage import Put


def by_default(request: S3Request, options: Put) -> Put:
    """What is to be stored, encrypted as its bucket says. Raises AccessDenied for what the
    bucket blocks."""
    said = request.obeyed(SETTING.kind)
    if said is None:
        return options
    found = said.applied(options.encryption)
    if found is not None and found.kind == "kms":
        bucket_key = encryption.bucket_key(request)
        found = found if bucket_key is None else replace(found, bucket_key=bucket_key)
    return replace(options, encryption=found)


def get_bucket_encryption(request: S3Request) -> Reply:
    return settings.shown(request, SETTING)


def put_bucket_encryption(request: S3Request) -> Reply:
    return settings.stored(request, SETTING)


def delete_bucket_encryption(request: S3Request) -> Reply:
    return settings.removed(request, SETTING)
