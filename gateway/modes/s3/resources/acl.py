"""Access control lists of buckets and of objects."""

from __future__ import annotations

from gateway.access.grants import GRANTS, Grant
from gateway.modes import Gateway
from gateway.modes.s3 import access_lists, bodies, documents, grants, parsing
from gateway.modes.s3.parsing import AclDocument
from gateway.modes.s3.problems import S3Problem
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
    access_lists.check_taken(request)
    owner = access.service.owner
    listed = _replacement(request, owner)
    access_lists.check_public(request, listed)
    found = grants.of_bucket(listed)
    request.gateway.set_grants(request.identity, request.bucket, found, request.facts)
    return Reply(200)


def get_object_acl(request: S3Request) -> Reply:
    info = request.access.grants(request.key, request.version)
    kept, owner = info.attributes.get(GRANTS), access_lists.owner_of(request, info)
    if access_lists.disabled(request):
        kept = None
    listed = [Grant(owner, "full")] if kept is None else [Grant(*one) for one in kept]
    people = documents.people(request)
    return xml(documents.acl(owner, listed, people), headers=version(info))


def put_object_acl(request: S3Request) -> Reply:
    access, key, wanted = request.access, request.key, request.version
    info = access.authorize("write-acl", key, wanted)
    access_lists.check_taken(request)
    owner = access_lists.owner_of(request, info)
    found = _replacement(request, owner, access.service.owner)
    access_lists.check_public(request, found)
    if not access.service.keeps_owners and found == [Grant(owner, "full")]:
        return Reply(200, version(info))  # it has no other
    changed = access.set_attributes(key, wanted, {GRANTS: grants.as_attribute(found)})
    return Reply(200, version(changed))


def _replacement(request: S3Request, owner: str, bucket_owner: str | None = None) -> list[Grant]:
    """The list that PutBucketAcl and PutObjectAcl give, in headers or in a document."""
    data = bodies.document(request)
    if data.strip() and not request.environ.keys().isdisjoint(grants.HEADERS):
        raise S3Problem("UnexpectedContent")
    by_headers = grants.given(request, owner, bucket_owner)
    if by_headers is not None:
        return by_headers
    if not data.strip():
        raise S3Problem("MissingSecurityHeader", MissingHeaderName="x-amz-acl")
    return _of_document(parsing.acl(data), owner, request.gateway)


def _of_document(document: AclDocument, owner: str, gateway: Gateway) -> list[Grant]:
    if document.owner != owner:
        raise S3Problem("AccessDenied")
    return grants.resolved(document.grants, gateway)
