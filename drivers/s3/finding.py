"""Where AWS's tools find keys: environment, files, profiles, assumed roles, web identity,
programs, containers, instances; and where its regions are. boto3's library does it, and
is imported only here. Read on botocore 1.36 to 1.43: `tests/libraries/test_botocore.py`
says first what has moved.

It raises many kinds of errors, with texts for whoever runs the gateway: those go to
the log, and `OriginDenied` or `OriginFailed` to who asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from drivers.s3.credentials import Key
from gateway.storage import OriginDenied, OriginFailed, Secret

log = logging.getLogger("gateway.upstream")

_TRIES = 2
_LATER = frozenset({"Throttling", "ThrottlingException", "RequestLimitExceeded"})
"""Codes of refusals (4xx) that are no denial."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """`profile` None: what the environment says. `role`: to act as, by what is found
    otherwise. Time-outs in seconds, for those who are asked for a role's keys."""

    profile: str | None
    role: str | None
    external_id: str | None
    connect_timeout: float
    read_timeout: float

    def session(self, region: str = "") -> Any:
        """A session of botocore, which reads its files anew. `region` is where roles are
        asked for when AWS's configuration names none. Raises `ValueError`."""
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        session = botocore.session.Session(profile=self.profile)
        try:
            session.get_scoped_config()  # raises when there is no such profile
            if region and session.get_config_variable("region") is None:
                session.set_config_variable("region", region)
        except BotoCoreError as error:
            raise ValueError(f"AWS's configuration cannot be used: {error}") from error
        session.set_default_client_config(
            Config(
                connect_timeout=self.connect_timeout,
                read_timeout=self.read_timeout,
                retries={"total_max_attempts": _TRIES, "mode": "standard"},
            )
        )
        if self.role:
            resolver = session.get_component("credential_provider")
            resolver.providers.insert(0, _RoleProvider(session, self.role, self.external_id))
        return session

    def host(self, region: str) -> str:
        """The name of AWS's S3 in a region, of whatever partition it is in. Raises `ValueError`."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        try:
            client = self.session().create_client(
                "s3",
                region_name=region,
                aws_access_key_id="none",  # it asks nobody: no keys are to be looked for
                aws_secret_access_key="none",  # noqa: S106  # as above
                config=Config(ignore_configured_endpoint_urls=True),
            )
        except BotoCoreError as error:
            raise ValueError(f"region: no endpoint of AWS is known for it: {error}") from error
        host = urlsplit(client.meta.endpoint_url).hostname
        client.close()
        if region == "us-east-1":
            return "s3.us-east-1.amazonaws.com"  # the global name answers for all, by redirects
        return str(host)

    def find(self, region: str) -> Found:
        """Look for keys anew. Raises `OriginDenied` when there are none, `OriginFailed`."""
        with _translated():
            found = self.session(region).get_credentials()
        if found is None:
            raise OriginDenied(
                "No keys for the upstream were found: neither in the configuration, nor in the"
                " environment, nor in AWS's files, nor by the instance."
            )
        return Found(found)


class Found:
    """What was found. Keys without an end are renewed by looking anew only."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._ends = hasattr(credentials, "refresh_needed")

    def due(self) -> bool:
        """Whether they end within a quarter of an hour."""
        return self._ends and bool(self._credentials.refresh_needed())

    def ended(self) -> bool:
        return self._ends and bool(self._credentials.refresh_needed(0))

    def key(self) -> Key:
        """Renewed when it is due. Raises `OriginDenied`, `OriginFailed`."""
        with _translated():
            frozen = self._credentials.get_frozen_credentials()
        token = Secret(frozen.token) if frozen.token else None
        return Key(frozen.access_key, Secret(frozen.secret_key), token)


@contextmanager
def _translated() -> Iterator[None]:
    """What the library raises when files, programs and servers fail or say nonsense; a
    `RuntimeError` is its word for new keys that have ended already."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        log.warning("no keys for the upstream: %s", error)
        code = error.response.get("Error", {}).get("Code", "")
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
        if 400 <= status < 500 and code not in _LATER:
            raise OriginDenied(
                f"The upstream's keys are refused to the gateway ({code})."
            ) from error
        raise OriginFailed("The upstream's keys cannot be found or renewed.") from error
    except (BotoCoreError, OSError, ValueError, LookupError, RuntimeError) as error:
        log.warning("no keys for the upstream: %s: %s", type(error).__name__, error)
        raise OriginFailed("The upstream's keys cannot be found or renewed.") from error


class _RoleProvider:
    """What botocore asks for keys first: the role that the configuration names."""

    METHOD = "storage-gateway-role"
    CANONICAL_NAME = None

    def __init__(self, session: Any, role: str, external_id: str | None) -> None:
        self._session, self._role, self._external_id = session, role, external_id

    def load(self) -> Any:
        from botocore import credentials

        resolver = self._session.get_component("credential_provider")
        source = next(
            (found for one in resolver.providers if one is not self and (found := one.load())),
            None,
        )
        if source is None:
            return None
        extra = {"RoleSessionName": "storage-gateway"}
        if self._external_id:
            extra["ExternalId"] = self._external_id
        fetcher = credentials.AssumeRoleCredentialFetcher(
            self._session.create_client, source, self._role, extra_args=extra
        )
        return credentials.DeferredRefreshableCredentials(
            method=self.METHOD, refresh_using=fetcher.fetch_credentials
        )
