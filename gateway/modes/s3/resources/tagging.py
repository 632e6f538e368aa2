"""The tags of objects. Those of buckets are a setting, as others are (`operations`)."""

from __future__ import annotations

from gateway.modes.s3 import bodies, documents, parsing, tags
from gateway.modes.s3.replies import Reply, version, xml
from gateway.modes.s3.request import S3Request
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
