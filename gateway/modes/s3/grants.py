"""S3's access control lists ⇄ grants. `gateway.access` evaluates; here is the language only.

An ACL is kept as it was given. No list at all (grants are empty on a bucket,
absent on an object) is the one that S3 gives by default: the owner may do
everything. So a bucket's list that was given empty is kept as a grant to
nobody. Who owns a bucket or an object may do so whatever its list says.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from gateway.access.grants import Grant, Permission
from gateway.access.rules import AUTHENTICATED, EVERYONE
from gateway.modes import Gateway
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.request import S3Request

LOG_DELIVERY = "service:logging.s3.amazonaws.com"
"""Who delivers access logs, as policies name it. No account has a colon in its id."""

_EC2 = "6aa5a366c34c1cbe25dc49211496e913e0351eb0e8c37aa3477e40942ec6b97c"
"""The canonical user that `aws-exec-read` lets read: it is named, and no account here has it."""

MOST = 100
"""Grants of a list."""

_GROUPS = {
    "http://acs.amazonaws.com/groups/global/AllUsers": EVERYONE,
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers": AUTHENTICATED,
    "http://acs.amazonaws.com/groups/s3/LogDelivery": LOG_DELIVERY,
}
URIS = {grantee: uri for uri, grantee in _GROUPS.items()}

PERMISSIONS: Mapping[str, Permission] = {
    "FULL_CONTROL": "full",
    "READ": "read",
    "WRITE": "write",
    "READ_ACP": "read-acl",
    "WRITE_ACP": "write-acl",
}
NAMES = {permission: name for name, permission in PERMISSIONS.items()}

_HEADERS = tuple(
    (f"HTTP_X_AMZ_GRANT_{name}", name)
    for name in ("READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL")
)
_NAMES = frozenset(key for key, _ in _HEADERS)
HEADERS = _NAMES | {"HTTP_X_AMZ_ACL"}
"""Those that give a list with what is made."""

_CANNED: Mapping[str, tuple[Grant, ...]] = {
    "public-read": (Grant(EVERYONE, "read"),),
    "public-read-write": (Grant(EVERYONE, "read"), Grant(EVERYONE, "write")),
    "authenticated-read": (Grant(AUTHENTICATED, "read"),),
    "aws-exec-read": (Grant(_EC2, "read"),),
}
_OF_BUCKETS: Mapping[str, tuple[Grant, ...]] = {
    "log-delivery-write": (Grant(LOG_DELIVERY, "write"), Grant(LOG_DELIVERY, "read-acl")),
}
_FOR_BUCKET_OWNER: Mapping[str, Permission] = {
    "bucket-owner-read": "read",
    "bucket-owner-full-control": "full",
}
CANNED = ("private", *_CANNED, *_OF_BUCKETS, *_FOR_BUCKET_OWNER)
"""Their names. `log-delivery-write` is for buckets only."""

_NAMED = re.compile(r'\s*(id|uri|emailAddress)\s*=\s*(?:"([^"]*)"|([^",\s]+))\s*', re.I)
_KINDS = {"id": "id", "uri": "uri", "emailaddress": "emailAddress"}


class NamedGrant(NamedTuple):
    """A grant as a client names it. `kind`: how `grantee` is to be read."""

    kind: Literal["id", "uri", "emailAddress"]
    grantee: str
    permission: str


def given(request: S3Request, owner: str, bucket_owner: str | None = None) -> list[Grant] | None:
    """The list that a request's headers give; None when they give none.

    `owner` is the account that owns, or will own, what the list is for;
    `bucket_owner` is named for objects. Raises S3Problem.
    """
    environ = request.environ
    canned = environ.get("HTTP_X_AMZ_ACL")
    if environ.keys().isdisjoint(_NAMES):
        return None if not canned else _canned(canned, owner, bucket_owner)
    named = [(environ[key], name) for key, name in _HEADERS if key in environ]
    if canned:
        raise S3Problem(
            "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed"
        )
    return resolved(
        [one for text, permission in named for one in _listed(text, permission)], request.gateway
    )


def _canned(name: str, owner: str, bucket_owner: str | None) -> list[Grant]:
    permission = _FOR_BUCKET_OWNER.get(name)
    if permission is not None:
        if bucket_owner is None or bucket_owner == owner:
            return [Grant(owner, "full")]
        return [Grant(bucket_owner, permission), Grant(owner, "full")]
    found = _CANNED.get(name) or (_OF_BUCKETS.get(name, ()) if bucket_owner is None else ())
    if not found and name != "private":
        raise S3Problem("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=name)
    return [*found, Grant(owner, "full")]  # the order that ceph/s3-tests has


def _listed(text: str, permission: str) -> Iterable[NamedGrant]:
    position = 0
    while position < len(text):
        match = _NAMED.match(text, position)
        if match is None or text[match.end() : match.end() + 1] not in ("", ","):
            raise S3Problem("InvalidArgument", "Argument format not recognized")
        kind = _KINDS[match[1].lower()]
        yield NamedGrant(kind, match[2] or match[3] or "", permission)  # type: ignore[arg-type]  # one of its literals
        position = match.end() + 1


def resolved(named: Sequence[NamedGrant], gateway: Gateway) -> list[Grant]:
    """A list of grants. Raises S3Problem, also for one that is too long."""
    if len(named) > MOST:
        raise S3Problem("MalformedACLError")
    return [resolve(one, gateway) for one in named]


def resolve(named: NamedGrant, gateway: Gateway) -> Grant:
    """The grant of an account or group that is known. Raises S3Problem."""
    permission = PERMISSIONS.get(named.permission)
    if permission is None:
        raise S3Problem("MalformedACLError")
    if named.kind == "uri":
        group = _GROUPS.get(named.grantee)
        if group is None:
            raise S3Problem(
                "InvalidArgument",
                "Invalid group uri",
                ArgumentName="uri",
                ArgumentValue=named.grantee,
            )
        return Grant(group, permission)
    if named.kind == "emailAddress":
        account = gateway.account_by_email(named.grantee)
        if account is None:
            raise S3Problem("UnresolvableGrantByEmailAddress")
        return Grant(account.id, permission)
    if named.grantee != _EC2 and gateway.account(named.grantee) is None:
        raise S3Problem(
            "InvalidArgument",
            "Invalid id",
            ArgumentName="CanonicalUser/ID",
            ArgumentValue=named.grantee,
        )
    return Grant(named.grantee, permission)


_NOBODY = Grant("", "read")
"""No identity has the account "" but the anonymous one, to which accounts' grants give nothing."""


def of_bucket(given: Sequence[Grant]) -> Sequence[Grant]:
    """What a bucket keeps of a list that was given."""
    return given or (_NOBODY,)


def bucket_list(kept: Sequence[Grant], owner: str) -> Sequence[Grant]:
    """The list that a bucket's grants are."""
    return [one for one in kept or (Grant(owner, "full"),) if one != _NOBODY]


def same(listed: Sequence[Grant], other: Sequence[Grant], owner: str) -> bool:
    """Whether two lists of a bucket are the same; none is the one that S3 gives by default."""
    return bucket_list(listed, owner) == bucket_list(other, owner)


def as_attribute(grants: Sequence[Grant]) -> list[list[str]]:
    return [[grantee, permission] for grantee, permission in grants]
