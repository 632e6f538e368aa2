"""An account at an upstream: its buckets, each a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from drivers.s3 import documents
from drivers.s3.client import Client
from drivers.s3.documents import fields
from drivers.s3.labels import Whole
from drivers.s3.properties import parse_iso
from drivers.s3.refusals import About
from drivers.s3.steps import Steps
from drivers.s3.uploads import Known
from gateway.storage import NOTHING, AlreadyExists, BucketInfo, Buckets, Unsupported

_PAGE = 1000


class OpenedUpstream(Protocol):
    """A store that has a client once it is open."""

    client: Client


def bucket_of(client: Client, name: str) -> Whole:
    """A view on one bucket; no bucket at all for ""."""
    made = Whole()
    made.client, made.name, made.known = client, name, Known()
    return made


class S3Account(Buckets):
    """A name that was on the list is not asked for again by `bucket`."""

    def __init__(self, store: OpenedUpstream) -> None:
        self._store = store
        self._listed: frozenset[str] = frozenset()

    def buckets(self) -> Sequence[BucketInfo]:
        found: dict[str, BucketInfo] = {}
        whole, token = bucket_of(self._store.client, ""), ""
        steps = Steps(token)
        while True:
            query = [("max-buckets", str(_PAGE))]
            if token:
                query.append(("continuation-token", token))
            data = whole.ask("GET", None, query=query).data
            root = documents.parse(data, "ListAllMyBucketsResult")
            for group in documents.children(root, "Buckets"):
                rows = map(fields, documents.children(group, "Bucket"))
                for row in rows:
                    name = row.get("Name", "")
                    found[name] = BucketInfo(name, parse_iso(row.get("CreationDate", "")))
            token = fields(root).get("ContinuationToken", "")
            if not token:
                break
            steps.take(token)
        self._listed = frozenset(found)
        return sorted(found.values())

    def create(self, name: str, *, protects: bool = False, volume: str = "") -> BucketInfo:
        """S3 says of one's own bucket, in some regions, that it was made; so look first."""
        if volume:
            raise Unsupported("An account upstream has no volumes.", capability="Volumes")
        client = self._store.client
        if any(one.name == name for one in self.buckets()):
            raise AlreadyExists
        region = client.endpoint.region
        body = b"" if region == "us-east-1" else documents.location(region)
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if protects else NOTHING
        bucket_of(client, name).ask("PUT", None, headers=headers, body=body, safe=False)
        return next(one for one in self.buckets() if one.name == name)

    def drop(self, name: str) -> None:
        bucket_of(self._store.client, name).ask("DELETE", None, about=About(name))
        self._listed -= {name}

    def bucket(self, name: str) -> Whole:
        made = bucket_of(self._store.client, name)
        if name not in self._listed:
            made.ask("HEAD", None, about=About(name))
        return made
