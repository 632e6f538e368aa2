"""A request, parsed: which function, about what, with what values, by whom."""

from __future__ import annotations

from typing import Any

from gateway.access.access import Access
from gateway.access.actions import Action
from gateway.access.identity import Identity
from gateway.modes import Gateway
from gateway.modes.ozone.options import OzoneOptions
from gateway.modes.ozone.request import Place
from gateway.modes.volumes import Volumes
from gateway.web.request_facts import RequestFacts


class Call:
    """`values` has each parameter of the function, by name."""

    __slots__ = ("_access", "environ", "facts", "gateway", "identity", "options", "place", "values")

    def __init__(
        self,
        environ: dict[str, Any],
        gateway: Gateway,
        options: OzoneOptions,
        place: Place,
        identity: Identity,
        facts: RequestFacts,
        values: dict[str, Any],
    ) -> None:
        self.environ, self.gateway, self.options = environ, gateway, options
        self.place, self.identity, self.facts, self.values = place, identity, facts, values
        self._access: Access | None = None

    @property
    def head(self) -> bool:
        return bool(self.environ["REQUEST_METHOD"] == "HEAD")

    @property
    def volumes(self) -> Volumes:
        return self.gateway.volumes

    @property
    def access(self) -> Access:
        """The bucket. Raises `NoSuchVolume` and `NoSuchStore`, also where the user may not know
        of it."""
        found = self._access
        if found is None:
            volume, bucket, _, _ = self.place
            found = self.gateway.volumes.bucket(self.identity, volume, bucket, self.facts)
            self._access = found
            self.environ["gateway.record"].sid = found.service.sid
        return found

    def require(self, action: Action) -> None:
        """Refuse who may not do that to the key, before anything else is looked at: above all,
        before a body is read."""
        self.access.require(action, self.place.key)
