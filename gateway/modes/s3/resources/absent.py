"""Configurations that no bucket has here: who asks is answered as AWS answers where there is
none, so that tools which read all of a bucket's configuration go on.

Making one is refused (`operations.NOT_HERE`): what it asks for would not be done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from gateway.access.actions import Action
from gateway.common.xml import document, flag
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.replies import Reply, xml
from gateway.modes.s3.request import S3Request
from gateway.modes.s3.resources.parameters import no_token

Handler = Callable[[S3Request], Reply]


class Absent(NamedTuple):
    """An operation on a bucket; `query` selects it."""

    name: str
    method: str
    action: Action
    query: tuple[str, ...]
    handler: Handler


def _missing(code: str) -> Handler:
    def handler(request: S3Request) -> Reply:
        request.require()
        raise S3Problem(code, BucketName=request.bucket)

    return handler


def _empty(root: str) -> Handler:
    def handler(request: S3Request) -> Reply:
        request.require()
        if token := request.param("continuation-token"):
            raise no_token(token)
        return xml(document(root, flag("IsTruncated", False)))

    return handler


def _gone(request: S3Request) -> Reply:
    request.require()
    return Reply(204)


_WITH_IDS = (
    # words of the operations, selector, root of the list's document
    ("Analytics", "analytics", "ListBucketAnalyticsConfigurationResult"),
    (
        "IntelligentTiering",
        "intelligent-tiering",
        "ListBucketIntelligentTieringConfigurationsOutput",
    ),
    ("Inventory", "inventory", "ListInventoryConfigurationsResult"),
    ("Metrics", "metrics", "ListMetricsConfigurationsResult"),
)
"""Of these a bucket may have many, each with an id."""

_OTHERS = (
    # operation, action, selector, what is answered
    Absent(
        "GetBucketReplication",
        "GET",
        "read-replication",
        ("replication",),
        _missing("ReplicationConfigurationNotFoundError"),
    ),
    Absent("DeleteBucketReplication", "DELETE", "write-replication", ("replication",), _gone),
)


def _of_metadata() -> Iterator[Absent]:
    for word, selector in (
        ("Metadata", "metadataConfiguration"),
        ("MetadataTable", "metadataTable"),
    ):
        for verb in ("Get", "Delete"):
            name = f"{verb}Bucket{word}Configuration"
            missing = _missing("MetadataConfigurationNotFound")
            yield Absent(name, verb.upper(), "admin", (selector,), missing)


def _with_ids() -> Iterator[Absent]:
    for word, selector, root in _WITH_IDS:
        for verb in ("Get", "Delete"):
            name, missing = f"{verb}Bucket{word}Configuration", _missing("NoSuchConfiguration")
            yield Absent(name, verb.upper(), "admin", (selector, "id"), missing)
        name = f"ListBucket{word}Configurations"
        yield Absent(name, "GET", "admin", (selector,), _empty(root))


TABLE: tuple[Absent, ...] = (*_with_ids(), *_of_metadata(), *_OTHERS)
