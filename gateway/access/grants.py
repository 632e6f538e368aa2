"""Grants: what an account, or everybody, was given on a service or on an object; as rules.

On a service they give nothing on the objects of others (as S3's access control lists).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from gateway.access.actions import (
    LISTING,
    READING,
    READING_ACL,
    WRITING,
    WRITING_ACL,
    Actions,
)
from gateway.access.rules import Rule, Who

Permission = Literal["read", "write", "read-acl", "write-acl", "full"]

GRANTS = "grants"
"""The attribute of an object that holds its grants: `[[grantee, permission], …]`."""


class Grant(NamedTuple):
    """`grantee`: an account's id, `EVERYONE`, or `AUTHENTICATED` (any account).

    On a service, `read` lets its keys be listed and `write` lets objects be
    put and deleted; on an object, `read` lets it be read.
    """

    grantee: str
    permission: Permission


_WRITE: Actions = WRITING - {"list-parts", "abort"}
"""An upload's parts are for who began it (`Access.upload`)."""

_ON_SERVICE: Mapping[Permission, Actions] = {
    "read": LISTING,
    "write": _WRITE,
    "read-acl": frozenset(("read-grants",)),
    "write-acl": frozenset(("write-grants",)),
    "full": LISTING | _WRITE | {"read-grants", "write-grants"},
}
_ON_OBJECT: Mapping[Permission, Actions] = {
    "read": READING,
    "write": frozenset(),
    "read-acl": READING_ACL,
    "write-acl": WRITING_ACL,
    "full": READING | READING_ACL | WRITING_ACL,
}


def rules_of_service(grants: Iterable[Grant]) -> Iterator[Rule]:
    return _rules(grants, _ON_SERVICE)


def rules_of_object(owner: str, grants: Iterable[Grant]) -> Iterator[Rule]:
    """What an object itself gives: its writer, and who has a grant."""
    if owner:
        yield from _rules((Grant(owner, "full"),), _ON_OBJECT)
    yield from _rules(grants, _ON_OBJECT)


def _rules(grants: Iterable[Grant], table: Mapping[Permission, Actions]) -> Iterator[Rule]:
    for grantee, permission in grants:
        who = Who(accounts=frozenset((grantee,)))
        yield Rule(effect="allow", who=who, actions=table[permission], name="grant")
