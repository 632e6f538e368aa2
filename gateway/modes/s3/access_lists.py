"""Which access control lists a bucket takes, and whose an object is that comes with one.

That depends on its ownership and on what it blocks (`configuration.ownership`,
`configuration.public_access_block`); what lists say is in `grants`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.access.grants import GRANTS, Grant
from gateway.modes.s3 import grants
from gateway.modes.s3.configuration import ownership, public_access_block
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request
from gateway.storage import NOTHING, ObjectInfo

_TO_BUCKET_OWNER = "bucket-owner-full-control"


def disabled(request: S3Request) -> bool:
    """Whether the bucket's owner owns all that is in it, and lists say nothing."""
    return request.obeyed(ownership.SETTING.kind) == ownership.ENFORCED


def owner_of(request: S3Request, info: ObjectInfo) -> str:
    """Whose an object is that has no list: where objects have no owners, the bucket's."""
    service = request.access.service
    if disabled(request) or not service.keeps_owners:
        return service.owner
    return info.owner


def of_new(request: S3Request) -> Mapping[str, Any]:
    """`owner` and `attributes` of an object for which a list was given. `private` is what an
    object without a list has, so any store can keep it. Raises S3Problem."""
    account, bucket_owner = request.identity.account, request.access.service.owner
    found = grants.given(request, account, bucket_owner) or []
    said = request.obeyed(ownership.SETTING.kind)
    canned = request.environ.get("HTTP_X_AMZ_ACL")
    if said == ownership.ENFORCED:
        if canned != _TO_BUCKET_OWNER if canned else found != [Grant(bucket_owner, "full")]:
            raise S3Problem("AccessControlListNotSupported")
        return {"owner": bucket_owner}
    if said == ownership.PREFERRED and canned == _TO_BUCKET_OWNER:
        return {"owner": bucket_owner}
    check_public(request, found)
    plain = found in ([], [Grant(account, "full")])
    return {"attributes": NOTHING if plain else {GRANTS: grants.as_attribute(found)}}


def check_taken(request: S3Request) -> None:
    """Raises AccessControlListNotSupported where no list may be set."""
    if disabled(request):
        raise S3Problem("AccessControlListNotSupported")


def check_public(request: S3Request, found: Sequence[Grant]) -> None:
    """Raises AccessDenied for a list that the bucket blocks."""
    block = request.obeyed(public_access_block.SETTING.kind)
    if block is not None:
        block.of_list(found)
