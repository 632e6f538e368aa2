"""The tags of objects, and of buckets."""

from __future__ import annotations

from gateway.modes.s3 import bodies, documents, parsing, tags
from gateway.modes.s3.configuration import tagging as of_bucket
from gateway.modes.s3.replies import Reply, version, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import settings
from gateway.storage import NOTHING


def get_object_tagging(request: S3Request) -> Reply:
    info = request.access.tags(request.key, request.version)
    return xml(documents.tagging(info.tags), headers=version(info))


def put_object_tagging(request: S3Request) -> Reply:
    request.require_some()
    wanted = parsing.tagging(bodies.document(request))
    request.facts.said = tags.as_header(wanted)
    info = request.access.set_tags(request.key, request.version, wanted)
    return Reply(200, version(info))


def delete_object_tagging(request: S3Request) -> Reply:
    info = request.access.set_tags(request.key, request.version, NOTHING)
    return Reply(204, version(info))


def get_bucket_tagging(request: S3Request) -> Reply:
    return settings.shown(request, of_bucket.SETTING)


def put_bucket_tagging(request: S3Request) -> Reply:
    return settings.stored(request, of_bucket.SETTING, 204)


def delete_bucket_tagging(request: S3Request) -> Reply:
    return settings.removed(request, of_bucket.SETTING)
