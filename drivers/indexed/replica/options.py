"""What a configuration says of a replica's source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from gateway.common.upstream.dialing import PORTS, Place
from gateway.storage import Secret
from gateway.storage.options import ExistingFile

_RULE = 'url: allowed: "https://host" or "http://host:port", without anything behind it'


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOf:
    """`url` of the gateway that has the service `sid`, and the secret of a key there, which may
    read all of it. `replace`: what was written here before, and is not there, is removed.
    `ca_file`: certificates to trust in place of the system's."""

    url: str
    key: Secret
    sid: str
    replace: bool = False
    ca_file: Annotated[Path, ExistingFile] | None = None

    def __post_init__(self) -> None:
        place = self.place
        if self.ca_file is not None and not place.tls:
            raise ValueError("ca_file: the url is not https: there is no certificate")
        key = self.key.reveal()
        if not key or not key.isascii() or not key.isprintable():
            raise ValueError("key: the secret of a key is visible ASCII")
        if not self.sid:
            raise ValueError("sid: the service's id there is missing")

    @property
    def place(self) -> Place:
        """Raises `ValueError`."""
        try:
            found = urlsplit(self.url)
            port = found.port
        except ValueError:
            raise ValueError(_RULE) from None
        plain = not (found.query or found.fragment or "@" in found.netloc)
        if found.scheme not in PORTS or not found.hostname or found.path.strip("/") or not plain:
            raise ValueError(_RULE)
        tls = found.scheme == "https"
        return Place(found.hostname, port or PORTS[found.scheme], tls)

    def __str__(self) -> str:
        return f"{self.place}, service {self.sid!r}"
