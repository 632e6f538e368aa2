"""What can be done: the gateway's own actions, once, for rules of every language.

They are as fine as Amazon S3's, which has the finest ("Actions, resources, and condition
keys for Amazon S3", Service Authorization Reference). A mode has one table from its
operations to these; what else a level of a key, a grant or a statement gives are sets of them.

An action on an object names its key. `list`, `list-versions` and `list-uploads` name the
prefix that is asked for, as if it were a key; the others are done to the service and name none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

ServiceAction = Literal[
    "list",
    "list-versions",
    "list-uploads",
    "read-changes",
    "read-requests",
    "read-stats",
    "flush",
    "read-location",
    "read-grants",
    "write-grants",
    "drop",
    "admin",
]
"""What is done to a service. `read-requests`: of the request list; `flush`: make a cache
forget; `read-grants` and `write-grants`: its access control list; `drop`: remove it;
`admin`: whatever has no name of its own."""

SettingAction = Literal[
    "read-accelerate",
    "write-accelerate",
    "read-cors",
    "write-cors",
    "read-encryption",
    "write-encryption",
    "read-lifecycle",
    "write-lifecycle",
    "read-logging",
    "write-logging",
    "read-notification",
    "write-notification",
    "read-object-lock",
    "write-object-lock",
    "read-ownership",
    "write-ownership",
    "remove-ownership",
    "read-policy",
    "write-policy",
    "remove-policy",
    "read-policy-status",
    "read-public-access-block",
    "write-public-access-block",
    "remove-public-access-block",
    "read-replication",
    "write-replication",
    "read-request-payment",
    "write-request-payment",
    "read-service-tags",
    "write-service-tags",
    "read-versioning",
    "write-versioning",
    "read-website",
    "write-website",
    "remove-website",
]
"""A service's settings. Who may write one may remove it, where removing has no name of its own."""

ObjectAction = Literal[
    "read",
    "read-version",
    "read-attributes",
    "read-version-attributes",
    "read-tags",
    "read-version-tags",
    "read-acl",
    "read-version-acl",
    "read-retention",
    "read-hold",
    "read-annotation",
    "list-annotations",
    "write",
    "write-tags",
    "write-version-tags",
    "delete-tags",
    "delete-version-tags",
    "write-acl",
    "write-version-acl",
    "write-new-acl",
    "write-retention",
    "write-hold",
    "write-annotation",
    "delete-annotation",
    "bypass-governance",
    "delete",
    "delete-version",
    "list-parts",
    "abort",
]
"""What is done to an object. `write` is all that makes one: put, copy to, upload in parts;
`write-new-acl`: the access control list that it is made with; `delete` removes or hides
it, `delete-version` removes a version for good."""

OBJECT_ACTIONS: frozenset[str] = frozenset(get_args(ObjectAction))

OF_PREFIX: frozenset[str] = frozenset(("list", "list-versions", "list-uploads"))
"""Those that name a prefix for a key."""

Action = ServiceAction | SettingAction | ObjectAction
Actions = frozenset[Action]

ALL: Actions = frozenset(
    action for kind in (ServiceAction, SettingAction, ObjectAction) for action in get_args(kind)
)

POLICY: Actions = frozenset(("read-policy", "write-policy", "remove-policy"))
"""What the account that owns a service may always do, whatever any rule denies. Whatever else
the policy denies, it is a policy that does ("PutBucketPolicy", Amazon S3 API Reference)."""

RULES: Actions = POLICY | {
    "read-ownership",
    "remove-ownership",
    "read-public-access-block",
    "remove-public-access-block",
}
"""Looking at settings of which rules are made, and removing them: what is left to who may,
where one of them cannot be read."""

OF_VERSION: Mapping[Action, Action] = {
    "read": "read-version",
    "read-attributes": "read-version-attributes",
    "read-tags": "read-version-tags",
    "read-acl": "read-version-acl",
    "write-tags": "write-version-tags",
    "delete-tags": "delete-version-tags",
    "write-acl": "write-version-acl",
    "delete": "delete-version",
}
"""What an action is when it is done to a version that is named."""


def of(action: Action, version: str | None) -> Action:
    """`action`, done to that version; None: to the current object."""
    return action if version is None else OF_VERSION.get(action, action)


# What keys and grants have given since there were eight actions.

LISTING: Actions = frozenset(
    ("list", "list-versions", "list-uploads", "read-location", "read-versioning", "read-stats")
)
READING: Actions = frozenset(
    (
        "read",
        "read-version",
        "read-attributes",
        "read-version-attributes",
        "read-tags",
        "read-version-tags",
        "read-retention",
        "read-hold",
    )
)
READING_ACL: Actions = frozenset(("read-acl", "read-version-acl"))
WRITING: Actions = frozenset(
    (
        "write",
        "write-tags",
        "write-version-tags",
        "delete-tags",
        "delete-version-tags",
        "write-new-acl",
        "write-retention",
        "write-hold",
        "delete",
        "list-parts",
        "abort",
        "flush",
    )
)
"""All but what cannot be undone (`delete-version`, `bypass-governance`) and who may what."""

WRITING_ACL: Actions = frozenset(("write-acl", "write-version-acl"))

# What keys give, and grants do not: who may read an object is not told what others note of it.

READING_ANNOTATIONS: Actions = frozenset(("read-annotation", "list-annotations"))
WRITING_ANNOTATIONS: Actions = frozenset(("write-annotation", "delete-annotation"))
