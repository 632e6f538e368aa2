"""Certificates of the catalog are added, replaced and removed: what no client would take is
refused, what some may refuse is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.catalog import Catalog, CertificateRow
from gateway.catalog.rows import ORDERED
from gateway.common.ids import ID, ID_RULE
from gateway.common.nearest_name import nearest
from gateway.common.x509 import CannotUse, Description, checked
from gateway.config import ConfigProblem, ConfigurationError
from gateway.config.problems import join
from gateway.storage import Conflict, NotFound
from gateway.storage.objects import now


class Outcome(NamedTuple):
    """`replaced`: there was one of that name. `doubts`: why clients may refuse it."""

    replaced: bool
    said: Description
    doubts: tuple[str, ...]


class CertificateEditor:
    """All raise `StorageError` and `ConfigurationError`. `clock` is in milliseconds since the
    epoch."""

    def __init__(self, catalog: Catalog, *, clock: Callable[[], int] = now) -> None:
        self._catalog, self._clock = catalog, clock

    def all(self) -> list[CertificateRow]:
        """By name."""
        return self._catalog.certificates()[1]

    def find(self, name: str) -> CertificateRow:
        rows = {row.name: row for row in self.all()}
        if name not in rows:
            raise NotFound(f"There is no certificate {name!r}.{nearest(name, rows)}")
        return rows[name]

    def set(self, name: str, chain: bytes, key: bytes) -> Outcome:
        """Add it, or have it take the place of the one of that name. Both are PEM."""
        place = join("certificates", name)
        if not ID.fullmatch(name):
            raise ConfigurationError([ConfigProblem(place, f"{ID_RULE}.")])
        try:
            found = checked(chain, key)
        except CannotUse as error:
            raise ConfigurationError([ConfigProblem(place, f"{error}.")]) from error
        said = found.said
        replaced = self._catalog.set_certificate(
            name,
            said.hosts,
            found.chain,
            found.key,
            expires=int(said.expires.timestamp() * 1000),
        )
        return Outcome(replaced, said, (*self._of_its_time(said), *found.doubts))

    def _of_its_time(self, said: Description) -> Iterator[str]:
        moment = datetime.fromtimestamp(self._clock() / 1000, UTC)
        if said.expires <= moment:
            yield f"it is over since {said.expires:%Y-%m-%d}"
        if said.begins > moment:
            yield f"it counts from {said.begins:%Y-%m-%d %H:%M} UTC on"

    def remove(self, name: str) -> None:
        """One that was ordered is ordered no more. Raises `Conflict` where the configuration asks
        for it."""
        (host,) = self.find(name).hosts[:1]
        if name.startswith(ORDERED):
            if any(one.declared for one in self._catalog.orders([host]).values()):
                raise Conflict(f"[acme] asks for {host}: it would be ordered anew.")
            self._catalog.release_certificates([host])
        self._catalog.remove_certificate(name)
