"""The `s3` driver: one bucket of an S3 upstream, or with no `bucket` the whole account.

boto3's library is imported only where the configuration leaves something to
find: keys, the region, or the endpoint.
"""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from drivers.s3.account import S3Account
from drivers.s3.client import Client, Endpoint
from drivers.s3.credentials import FixedKeys, FoundKeys, Key, Keys
from drivers.s3.finding import Chain
from drivers.s3.labels import Whole
from drivers.s3.probing import probe_account, probe_bucket
from drivers.s3.uploads import Known
from gateway.common.upstream.dialing import Place
from gateway.common.upstream.pool import Limits, Pool
from gateway.storage import Buckets, Context, Get, NoSuchStore, Opened, Probe, Secret, Shared
from gateway.storage.options import AtLeast, Duration, ExistingFile

C = TypeVar("C")

_DEFAULTS = Limits()
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(eq=False)
class S3(Whole):
    """A bucket of another S3 server, or all of an account.

    `bucket`: none for the whole account.
    `prefix`: what all keys begin with upstream.
    `endpoint_url`: of another provider than AWS.
    `region`: of the bucket; one that is in another is followed there.
    `access_key`, `secret_key`: without them those of the usual AWS chain.
    `session_token`: of keys that are for a while.
    `profile`: of the AWS chain.
    `role_arn`: a role to act as, by the keys that are found otherwise.
    `external_id`: what the role asks for besides.
    `anonymous`: unsigned requests, for public buckets.
    `path_style`: the bucket in the path, not in the host's name; by default with `endpoint_url`.
    `ca_file`: certificates to trust in place of the system's.
    `connect_timeout`: of a connection: name, all addresses and TLS together.
    `read_timeout`: between two pieces of data.
    `timeout`: of a request until its answer begins, tries and waits included.
    `queue_timeout`: for a free place while no answer comes.
    `connections`: of each process, shared by all services of the endpoint.
    `waiting`: requests of each process that wait for an answer at once.
    `retries`: how often what is safe to repeat is tried again.
    """

    driver: ClassVar[str] = "s3"

    bucket: str = ""
    prefix: str = ""
    endpoint_url: str | None = None
    region: str | None = None
    access_key: Secret | None = None
    secret_key: Secret | None = None
    session_token: Secret | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    anonymous: bool = False
    path_style: bool | None = None
    ca_file: Annotated[Path, ExistingFile] | None = None
    connect_timeout: Annotated[float, Duration] = _DEFAULTS.connect_timeout
    read_timeout: Annotated[float, Duration] = _DEFAULTS.read_timeout
    timeout: Annotated[float, Duration] = _DEFAULTS.timeout
    queue_timeout: Annotated[float, Duration] = _DEFAULTS.queue_timeout
    connections: Annotated[int, AtLeast(1)] = _DEFAULTS.connections
    waiting: Annotated[int, AtLeast(1)] = _DEFAULTS.waiting
    retries: Annotated[int, AtLeast(0)] = _DEFAULTS.retries

    def __post_init__(self) -> None:
        self.name, self.under, self.known = self.bucket, self.prefix, Known()
        self._taken: list[tuple[Shared, Any]] = []
        if self.bucket and not _BUCKET.fullmatch(self.bucket):
            raise ValueError("bucket: found a name that no bucket can have")
        if self.prefix and not self.bucket:
            raise ValueError("prefix: it is within a bucket; name the bucket too")
        if self.region is not None and not _REGION.fullmatch(self.region):
            raise ValueError("region: found a name that no region can have")
        self._check_keys()
        url = None if self.endpoint_url is None else _endpoint(self.endpoint_url)
        if self.ca_file is not None and url is not None and url.scheme == "http":
            raise ValueError("ca_file: the endpoint_url is not https: there is no certificate")
        for name in ("connect_timeout", "read_timeout", "timeout", "queue_timeout"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: it must be more than nothing")

    def _check_keys(self) -> None:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("secret_key: access_key and secret_key belong together")
        if self.session_token is not None and self.access_key is None:
            raise ValueError("session_token: it belongs to an access_key and a secret_key")
        given = [name for name in ("profile", "role_arn") if getattr(self, name) is not None]
        if self.access_key is not None:
            given.insert(0, "access_key")
        if self.anonymous and given:
            raise ValueError(f"anonymous: requests are signed when there is {given[0]}")
        if self.access_key is not None and len(given) > 1:
            raise ValueError(f"{given[1]}: the keys are given already, by access_key")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id: it belongs to a role_arn")

    # a bucket, or an account

    def find(self, capability: type[C]) -> C | None:
        if capability is Buckets:
            return None if self.name else cast(C, S3Account(self))
        return super().find(capability) if self.name else None

    def get(self, key: str, want: Get = Get()) -> Opened:
        if not self.name:
            raise NoSuchStore("The service is an account with many buckets, not one of them.")
        return super().get(key, want)

    def probe(self) -> Probe:
        target = f"{self.client.endpoint.place} {self.name or '(all buckets)'}"
        return probe_bucket(self, target) if self.name else probe_account(self, target)

    # beginning and end

    def open(self, context: Context) -> None:
        chain = Chain(
            profile=self.profile,
            role=self.role_arn,
            external_id=self.external_id,
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
        )
        self._check_library()
        endpoint = self._found_endpoint(chain)
        limits = Limits(
            connect_timeout=self.connect_timeout,
            read_timeout=self.read_timeout,
            timeout=self.timeout,
            queue_timeout=self.queue_timeout,
            connections=self.connections,
            waiting=self.waiting,
            retries=self.retries,
        )
        at = ("s3 pool", endpoint.place, self.ca_file, limits)
        pool = context.shared.take(at, lambda: Pool(limits, self._trust, context.threads))
        self._taken.append((context.shared, at))
        who = (self.anonymous, *self._key_texts(), self.profile, self.role_arn, self.external_id)
        client = ("s3 client", at, endpoint.region, endpoint.path_style, who)
        self.client = context.shared.take(
            client, lambda: Client(endpoint, self._keys(chain, endpoint.region), pool)
        )
        self._taken.append((context.shared, client))

    def _check_library(self) -> None:
        """Raises `ValueError`."""
        if self.endpoint_url is not None and (self.anonymous or self.access_key is not None):
            return
        if find_spec("botocore") is None:
            raise ValueError(
                "keys, region or endpoint are to be found as AWS's tools find them, and these"
                ' are not installed: pip install "storage-gateway[s3]"'
            )

    def close(self) -> None:
        while self._taken:
            shared, key = self._taken.pop()
            shared.release(key)

    def _key_texts(self) -> tuple[str, ...]:
        """What tells one key from another, without being one."""
        secrets = (self.access_key, self.secret_key, self.session_token)
        return tuple(sha256(one.reveal_bytes()).hexdigest() if one else "" for one in secrets)

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca_file)

    def _keys(self, chain: Chain, region: str) -> Keys:
        if self.anonymous:
            return FixedKeys(None)
        if self.access_key is not None and self.secret_key is not None:
            key = Key(self.access_key.reveal(), self.secret_key, self.session_token)
            return FixedKeys(key)
        return FoundKeys(partial(chain.find, region), self.connect_timeout)

    def _found_endpoint(self, chain: Chain) -> Endpoint:
        """Raises `ValueError`."""
        given = self.endpoint_url
        complete = given is not None and (self.access_key is not None or self.anonymous)
        named = None if complete else chain.session().get_config_variable("region")
        region = self.region or named or "us-east-1"
        if given is None:
            given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        if given is not None:
            url = _endpoint(given)
            tls = url.scheme == "https"
            place = Place(str(url.hostname), url.port or (443 if tls else 80), tls)
            style = True if self.path_style is None else self.path_style
            return Endpoint(place=place, region=region, path_style=style)

        @cache
        def of_region(name: str) -> Place:
            return Place(chain.host(name), 443, True)

        return Endpoint(
            place=of_region(region),
            region=region,
            path_style=bool(self.path_style),
            of_region=of_region,
        )


def _endpoint(url: str) -> SplitResult:
    """Raises `ValueError`."""
    rule = 'endpoint_url: allowed: "https://host" or "http://host:port", and nothing behind it'
    try:
        found = urlsplit(url)
        port = found.port
    except ValueError:
        raise ValueError(rule) from None
    behind = found.path.strip("/") or found.query or found.fragment or found.username
    if found.scheme not in ("http", "https") or not found.hostname or behind or port == 0:
        raise ValueError(rule)
    return found
