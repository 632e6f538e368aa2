"""What can be done in a service by who looks at it: what the service is able to, and the key
may. What is not among it is not offered; what is asked for all the same, is refused as through
every door."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.access.access import Access
from gateway.storage import Listable, Multipart, Replicates, Versions, Writable


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """`erases`: versions, for good. `replica`: the source that alone can write it; "" for what
    is none."""

    lists: bool
    writes: bool
    multipart: bool
    deletes: bool
    versions: bool
    erases: bool
    uploads: bool
    aborts: bool
    replica: str = ""

    @classmethod
    def of(cls, access: Access) -> Abilities:
        """Raises what finding out raises, of an upstream that does not answer."""
        service, might = access.service, access.might
        replicates = service.find(Replicates)
        replica = "" if replicates is None else replicates.followed
        writable = service.find(Writable) is not None and not replica
        multipart = writable and service.find(Multipart) is not None
        versions = service.find(Versions) is not None
        return cls(
            lists=might("list") and service.find(Listable) is not None,
            writes=might("write") and writable,
            multipart=might("write") and multipart,
            deletes=might("delete") and writable,
            versions=might("list-versions") and versions,
            erases=might("delete-version") and versions and writable,
            uploads=might("list-uploads") and multipart,
            aborts=multipart and (might("abort") or might("write")),
            replica=replica,
        )
