"""Handlers of a bucket's settings: what Get, Put and Delete of all of them do alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.modes.s3 import bodies
from gateway.modes.s3.configuration.setting import BucketSetting, Refused
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request


def shown(request: S3Request, setting: BucketSetting[Any]) -> Reply:
    found = request.gateway.setting(request.access, setting.kind)
    if found is None:
        raise S3Problem(setting.missing, BucketName=request.bucket)
    return xml(setting.render(found.value))


def stored(
    request: S3Request,
    setting: BucketSetting[Any],
    status: int = 200,
    limit: int = bodies.XML_LIMIT,
) -> Reply:
    """Its document has `limit` bytes at most. It must have a checksum or not, as S3 wants it of
    that operation."""
    request.require()
    keep(request, setting, bodies.document(request, limit=limit))
    return Reply(status)


def keep(
    request: S3Request,
    setting: BucketSetting[Any],
    data: bytes,
    check: Callable[[], object] = lambda: None,
) -> None:
    """`check`: what must be so of the bucket, once it is known that the document is one."""
    if not data:
        raise S3Problem("MissingRequestBodyError")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise S3Problem("MalformedXML") from None
    try:
        setting.kind.parse(text)
        check()
        request.gateway.set_setting(request.access, setting.kind, text)
    except Refused as error:
        raise error.problem from None


def removed(request: S3Request, setting: BucketSetting[Any]) -> Reply:
    request.gateway.remove_setting(request.access, setting.kind)
    return Reply(204)
