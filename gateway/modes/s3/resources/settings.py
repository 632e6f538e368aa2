"""Handlers of a bucket's settings: what Get, Put and Delete do where none does more than others."""

from __future__ import annotations

from typing import Any, TypeVar

from gateway.access.settings import Parsed
from gateway.modes.s3 import bodies
from gateway.modes.s3.configuration.setting import BucketSetting, RefusedDocument
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request

T = TypeVar("T")


def shown(request: S3Request, setting: BucketSetting[Any]) -> Reply:
    found = request.gateway.setting(request.access, setting.kind)
    if found is not None:
        return xml(setting.render(found.value))
    if setting.missing:
        raise S3Problem(setting.missing, BucketName=request.bucket)
    return xml(setting.nothing)


def stored(
    request: S3Request,
    setting: BucketSetting[Any],
    status: int = 200,
    limit: int = bodies.XML_LIMIT,
) -> Reply:
    keep(request, setting, asked(request, setting, limit))
    return Reply(status)


def asked(
    request: S3Request, setting: BucketSetting[T], limit: int = bodies.XML_LIMIT
) -> Parsed[T]:
    """What the body says, of `limit` bytes at most, for who may set it. The body must have a
    checksum or not, as S3 wants it of that operation."""
    request.require()
    data = bodies.document(request, limit=limit)
    if not data:
        raise S3Problem("MissingRequestBodyError")
    return setting.read(data)


def keep(request: S3Request, setting: BucketSetting[T], wanted: Parsed[T]) -> None:
    """Raises what `kind.fits` refuses it by."""
    try:
        request.gateway.set_setting(request.access, setting.kind, wanted)
    except RefusedDocument as error:
        raise error.problem from None


def removed(request: S3Request, setting: BucketSetting[Any]) -> Reply:
    request.gateway.remove_setting(request.access, setting.kind)
    return Reply(204)
