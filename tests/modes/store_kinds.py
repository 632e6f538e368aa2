"""A gateway with a service of each kind of store, and a cache in front of each, and what is seen
of one by requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import NOTHING
from gateway.storage.objects import now
from tests.modes.model_requests import Heard, Mode

KINDS = ("memory", "s3", "sidecar", "plain")
"""As in the table's columns."""

LOCKED = "-locked"
"""At the end of the names of services that have a lock where there is one, and of buckets."""

BODY = b"0123456789"
_KEY, _SECRET = "main-key", "secret of main-key"


class RefusedWith(Exception):
    """`code`: of S3, or "no" for what is passed over by a store that may."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class Clock:
    ahead = 0

    def __call__(self) -> int:
        return now() + self.ahead


@dataclass
class Upstream:
    """The bucket that is behind a service, as its own clients see it."""

    client: Any
    bucket: str

    def head(self, key: str, **more: Any) -> Any:
        return self.client.head_object(Bucket=self.bucket, Key=key, **more)


@dataclass
class Case:
    """One row of the table, tried on one service. `upstream`: what is behind it, if there is."""

    mode: Mode
    clock: Clock
    sid: str
    key: str
    upstream: Upstream | None

    def hear(self, operation: str, headers: Mapping[str, str] = NOTHING, **params: Any) -> Heard:
        members = {"Bucket": self.sid}
        if not any(one in operation for one in _OF_BUCKETS):
            members["Key"] = self.key
        return self.mode.call(operation, {**members, **params}, headers)

    def do(self, operation: str, headers: Mapping[str, str] = NOTHING, **params: Any) -> Heard:
        """Raises `RefusedWith`."""
        heard = self.hear(operation, headers, **params)
        if heard.status >= 400:
            code = heard.code or str(heard.status)
            raise RefusedWith(code, heard.element("Message"))
        return heard

    def locked(self) -> Case:
        """The same where there is a lock."""
        behind = self.upstream
        if behind is not None:
            behind = replace(behind, bucket=f"{behind.bucket}{LOCKED}")
        return replace(self, sid=f"{self.sid}{LOCKED}", upstream=behind)

    def put(self, **params: Any) -> str:
        """Its version."""
        return self.do("PutObject", **{"Body": BODY, **params}).headers.get("x-amz-version-id", "")


_OF_BUCKETS = ("Bucket", "ListObject", "PublicAccessBlock", "ObjectLockConfiguration")
"""What the names of operations have in them that are done to buckets."""


@dataclass
class Stores:
    """Services `on-memory`, `on-s3`, … and, in front of them, `cached-memory`, …"""

    gateway: Runtime
    clock: Clock
    mode: Mode
    upstream: Upstream

    def case(self, sid: str, row: int) -> Case:
        behind = self.upstream if sid.endswith("s3") else None
        return Case(self.mode, self.clock, sid, f"{sid}-{row}", behind)


def account(url: str) -> dict[str, Any]:
    """Of an upstream, in a configuration."""
    keys = {"access_key": _KEY, "secret_key": _SECRET, "region": "us-east-1"}
    return {"driver": "s3", "endpoint_url": url, **keys}


@contextmanager
def stores(url: str, folder: Path, webhooks: Mapping[str, Mapping[str, Any]]) -> Iterator[Stores]:
    """`url`: of the S3 upstream, in which two buckets are made."""
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=_KEY,
        aws_secret_access_key=_SECRET,
        config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
    )
    upstream = Upstream(client, "behind")
    services: dict[str, dict[str, Any]] = {}
    for end in ("", LOCKED):
        bucket = f"{upstream.bucket}{end}"
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bool(end))
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        kinds: dict[str, dict[str, Any]] = {
            "memory": {"driver": "memory"},
            "s3": {**account(url), "bucket": bucket},
        }
        for kind, metadata in (("sidecar", "sidecar"), ("plain", "refuse")):
            at = folder / f"{kind}{end}"
            at.mkdir()
            kinds[kind] = {"driver": "fsspec", "url": at.as_uri(), "metadata": metadata}
        for kind, one in kinds.items():
            services[f"on-{kind}{end}"] = one
            cache = {"driver": "cache", "source": f"on-{kind}{end}", "space": "memory"}
            services[f"cached-{kind}{end}"] = cache
    clock = Clock()
    services = {sid: {**one, "account": "main"} for sid, one in services.items()}
    with opened({"services": services, "webhooks": webhooks}, clock) as gateway:
        yield Stores(gateway, clock, Mode(gateway), upstream)


@contextmanager
def opened(tables: Mapping[str, Any], clock: Callable[[], int] = now) -> Iterator[Runtime]:
    common = {
        "server": {"memory": True, "region": "us-east-1"},
        "accounts": [{"id": "main", "name": "Main account"}],
        "keys": [{"id": _KEY, "account": "main", "access": "own", "secret": _SECRET}],
    }
    configured = load(tables={**common, **tables}, environ={})
    gateway = open_runtime(configured, server="waitress", environ={}, clock=clock)
    try:
        yield gateway
    finally:
        gateway.close()
