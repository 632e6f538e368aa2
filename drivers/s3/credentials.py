"""Whose requests they are: keys given in the configuration, or found as AWS's tools find them.

boto3's library finds them (environment, files, profiles, assumed roles, web
identity, containers, instances) and renews them before they expire; it is
imported only when a service needs that. Without keys at all requests go
unsigned, where the configuration says so.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from gateway.storage import OriginDenied, OriginFailed, Secret

_RELOAD_AFTER = 5.0
"""Seconds between two looks for other keys, when the upstream refuses those that are known."""


class Key(NamedTuple):
    id: str
    secret: Secret
    token: Secret | None = None

    def __repr__(self) -> str:
        return f"Key({self.id!r})"


class Keys(Protocol):
    """`current`: None for requests that are not signed. `renew` is called when the upstream
    refuses those that were `used`; True when there are others now."""

    def current(self) -> Key | None: ...
    def renew(self, used: Key | None) -> bool: ...


class FixedKeys:
    def __init__(self, key: Key | None) -> None:
        self._key = key

    def current(self) -> Key | None:
        return self._key

    def renew(self, used: Key | None) -> bool:
        return False


class FoundKeys:
    """From AWS's chain; `session` makes a botocore session, anew for each look."""

    def __init__(
        self, session: Callable[[], Any], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session, self._clock = session, clock
        self._lock = threading.Lock()
        self._credentials: Any = None
        self._frozen: Any = None
        self._key: Key | None = None
        self._looked = -_RELOAD_AFTER

    def current(self) -> Key:
        """Raises `OriginDenied` when there are none, `OriginFailed` when they cannot be renewed."""
        if self._credentials is None:
            with self._lock:
                if self._credentials is None:
                    self._credentials = self._find()
        frozen = self._freeze()
        if frozen is not self._frozen or self._key is None:
            token = Secret(frozen.token) if frozen.token else None
            self._key = Key(frozen.access_key, Secret(frozen.secret_key), token)
            self._frozen = frozen
        return self._key

    def _find(self) -> Any:
        from botocore.exceptions import BotoCoreError

        try:
            found = self._session().get_credentials()
        except BotoCoreError as error:
            raise OriginFailed(f"No keys for the upstream could be found: {error}") from error
        if found is None:
            raise OriginDenied(
                "No keys for the upstream were found: neither in the configuration, nor in the"
                " environment, nor in AWS's files, nor by the instance."
            )
        return found

    def _freeze(self) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:
            raise OriginFailed(f"The upstream's keys could not be renewed: {error}") from error

    def renew(self, used: Key | None) -> bool:
        with self._lock:
            if self._clock() - self._looked >= _RELOAD_AFTER:
                self._looked = self._clock()
                self._credentials = self._find()
        return used is None or _values(self.current()) != _values(used)


def _values(key: Key) -> tuple[str, str, str]:
    return key.id, key.secret.reveal(), key.token.reveal() if key.token else ""


def botocore_session(profile: str | None, role: str | None, external_id: str | None) -> Any:
    """A session of AWS's tools; with `role`, one that acts as that role."""
    import botocore.session

    session = botocore.session.Session(profile=profile)
    if role:
        component = session.get_component("credential_provider")
        component.providers.insert(0, _RoleProvider(session, role, external_id))
    return session


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
