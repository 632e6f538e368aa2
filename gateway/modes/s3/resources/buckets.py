"""Buckets: list, make, remove, ask about.

May surprise: making a bucket that one has already is 200 in the region
us-east-1, as AWS has it there, and 409 BucketAlreadyOwnedByYou elsewhere. A
repeated request that asks for another ACL is refused (BucketAlreadyExists)
in us-east-1, rather than ignored or carried out behind the owner's back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.access.access import Access
from gateway.access.grants import Grant
from gateway.access.identity import Identity
from gateway.access.settings import Wanted
from gateway.common.xml import document, escape
from gateway.modes import bucket_names
from gateway.modes.s3 import bodies, documents, grants, parsing
from gateway.modes.s3.configuration import object_lock, ownership, tagging
from gateway.modes.s3.configuration.ownership import Ownership
from gateway.modes.s3.parsing import Creation
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources import parameters
from gateway.storage import (
    NOTHING,
    AlreadyExists,
    BadKey,
    NoSuchStore,
    Protects,
    StorageError,
    Versions,
)

LEGACY_REGION = "us-east-1"
_MOST_BUCKETS = 10_000

_REGION = re.compile(r"EU|[a-z]{2}(-[a-z]+)+-[0-9]")


def list_buckets(request: S3Request) -> Reply:
    if request.anonymous:
        raise S3Problem("AccessDenied")
    limit = parameters.number(request, "max-buckets", _MOST_BUCKETS, _MOST_BUCKETS)
    token = request.param("continuation-token")
    after, prefix = parameters.behind_token(token) if token else "", request.param("prefix")
    elsewhere = request.query.get("bucket-region", request.region) != request.region
    found = (
        []
        if elsewhere
        else [
            (one.service.sid, one.service.about.created)
            for one in request.gateway.services(request.identity, request.facts)
            if one.service.sid > after
            and one.service.sid.startswith(prefix)
            and _is_listed(one, request.identity)
        ]
    )
    page = found[:limit]
    more = parameters.token_of(page[-1][0]) if len(found) > limit else ""
    people = documents.People(request.gateway.account)
    owner = people.named("Owner", request.identity.account)
    return xml(documents.buckets(owner, page, request.region, prefix, more))


def _is_listed(one: Access, identity: Identity) -> bool:
    """One's own, and what the key itself reaches; not what is merely open to everybody."""
    if isinstance(identity.access, str):
        return identity.access != "own" or one.service.owner == identity.account
    return one.service.sid in identity.access


def create_bucket(request: S3Request) -> Reply:
    if request.anonymous:
        raise S3Problem("AccessDenied")
    if not bucket_names.is_valid(request.bucket):
        raise S3Problem("InvalidBucketName", BucketName=request.bucket)
    _refuse_namespace(request)
    wanted = grants.given(request, request.identity.account) or []
    owning = ownership.named(request.header("x-amz-object-ownership"))
    if owning == ownership.ENFORCED:
        ownership.check_list(wanted, request.identity.account)
    asked = parsing.creation(bodies.document(request))
    _check_location(asked.location, request.region)
    locks = parameters.header_flag(request, "x-amz-bucket-object-lock-enabled")
    settings = _settings(asked, owning)
    try:
        made = request.gateway.create(request.identity, request.bucket, wanted, settings, locks)
        if locks:
            _lock(request, made)
    except AlreadyExists:
        _exists(request, wanted, asked.tags, locks, owning)
    except BadKey:
        raise S3Problem("InvalidBucketName", BucketName=request.bucket) from None
    return Reply(200, [("location", f"/{request.bucket}"), ("x-amz-bucket-arn", _arn(request))])


def _lock(request: S3Request, made: Access) -> None:
    """What cannot be made with a lock is not there. The lock comes last: a bucket that says it
    has one keeps versions, whenever the gateway was killed."""
    try:
        made.service.need(Protects)
        made.service.need(Versions).set_versioning("on")
        enabled = object_lock.SETTING.of(object_lock.ObjectLock())
        request.gateway.set_setting(made, object_lock.SETTING.kind, enabled)
    except StorageError:
        request.gateway.drop(request.identity, request.bucket)
        raise


def _arn(request: S3Request) -> str:
    return f"arn:aws:s3:::{request.bucket}"


def _settings(asked: Creation, owning: Ownership | None) -> list[Wanted]:
    """What a bucket is made with."""
    found: list[Wanted] = []
    if owning is not None:
        found.append((ownership.SETTING.kind, ownership.SETTING.of(owning)))
    if asked.tags:
        found.append((tagging.SETTING.kind, tagging.SETTING.of(asked.tags)))
    return found


def _check_location(asked: str, region: str) -> None:
    """All buckets are in the gateway's region. May surprise: who asks for none gets it, and who
    asks for us-east-1 there; AWS refuses the first elsewhere than there, and the second."""
    if asked in ("", region):
        return
    if not _REGION.fullmatch(asked):
        raise S3Problem("InvalidLocationConstraint", LocationConstraint=asked)
    raise S3Problem(
        "IllegalLocationConstraintException",
        f"The {asked} location constraint is incompatible for the region specific endpoint this"
        " request was sent to.",
    )


def _refuse_namespace(request: S3Request) -> None:
    if request.header("x-amz-bucket-namespace") == "account-regional":
        raise S3Problem("NotImplemented", "All buckets are in one namespace here: the global one.")


def _exists(
    request: S3Request,
    wanted: list[Grant],
    tags: Mapping[str, str],
    locks: bool,
    owning: Ownership | None,
) -> None:
    """What to say of a bucket that is there: nothing, when that is as well."""
    try:
        found: Access = request.gateway.access(request.identity, request.bucket)
    except NoSuchStore:  # the name is taken, and by no service that is there now
        raise S3Problem(
            "BucketAlreadyExists",
            "There was a service of that name, and what it stored is kept. Choose another name.",
            BucketName=request.bucket,
        ) from None
    if found.service.owner != request.identity.account:
        raise S3Problem("BucketAlreadyExists", BucketName=request.bucket)
    if request.region != LEGACY_REGION:
        raise S3Problem("BucketAlreadyOwnedByYou", BucketName=request.bucket)
    if not grants.same(found.service.grants, wanted, found.service.owner):
        raise S3Problem(
            "BucketAlreadyExists", "You own this bucket already, with another access control list."
        )
    if owning not in (None, request.gateway.obeyed(found, ownership.SETTING.kind)):
        raise S3Problem(
            "BucketAlreadyExists", "You own this bucket already, with another object ownership."
        )
    if tags != (request.gateway.obeyed(found, tagging.SETTING.kind) or NOTHING):
        raise S3Problem("BucketAlreadyExists", "You own this bucket already, with other tags.")
    if locks is not (object_lock.SETTING.kind.name in found.settings):
        raise S3Problem("BucketAlreadyExists", "You own this bucket already: its lock differs.")


def delete_bucket(request: S3Request) -> Reply:
    request.require()  # and the owner is the expected one
    request.gateway.drop(request.identity, request.bucket, request.facts)
    return Reply(204)


def head_bucket(request: S3Request) -> Reply:
    request.require()
    said = [
        ("x-amz-bucket-region", request.region),
        ("x-amz-bucket-arn", _arn(request)),
        ("x-amz-access-point-alias", "false"),
    ]
    return Reply(200, said)


def get_bucket_location(request: S3Request) -> Reply:
    request.require()
    region = "" if request.region == LEGACY_REGION else escape(request.region)
    return xml(document("LocationConstraint", region))
