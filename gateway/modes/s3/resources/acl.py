"""Access control lists of buckets and of objects."""

from __future__ import annotations

from gateway.access.grants import GRANTS, Grant
from gateway.modes.s3 import documents, grants
from gateway.modes.s3.replies import Reply, version, xml
from gateway.modes.s3.request import S3Request


def get_bucket_acl(request: S3Request) -> Reply:
    access = request.access
    request.require()
    owner = access.service.owner
    listed = grants.bucket_list(access.service.grants, owner)
    return xml(documents.acl(owner, listed, documents.People(request.gateway.account)))


def put_bucket_acl(request: S3Request) -> Reply:
    access = request.access
    request.require()
    owner = access.service.owner
    found = grants.of_bucket(grants.replacement(request, owner))
    request.gateway.set_grants(request.identity, request.bucket, found, request.facts)
    return Reply(200)


def get_object_acl(request: S3Request) -> Reply:
    info = request.access.grants(request.key, request.version)
    kept = info.attributes.get(GRANTS)
    listed = [Grant(info.owner, "full")] if kept is None else [Grant(*one) for one in kept]
    people = documents.People(request.gateway.account)
    return xml(documents.acl(info.owner, listed, people), headers=version(info))


def put_object_acl(request: S3Request) -> Reply:
    access, key, wanted = request.access, request.key, request.version
    info = access.authorize("write-acl", key, wanted)
    found = grants.replacement(request, info.owner, access.service.owner)
    changed = access.set_attributes(key, wanted, {GRANTS: grants.as_attribute(found)})
    return Reply(200, version(changed))
