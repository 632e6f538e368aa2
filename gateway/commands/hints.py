"""What is no mistake, and may not be meant: told beside what was done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from gateway.access.identity import KeyAccess
from gateway.catalog import Catalog
from gateway.common.nearest_name import nearest
from gateway.config import Configuration
from gateway.services.volume_quotas import uncounted


def unknown_services(
    key: str, access: KeyAccess, known: Collection[str], is_bucket: Callable[[str], bool]
) -> Iterator[str]:
    """Names in what a key may do that nothing has; a bucket may get it later. `known` are those
    that may have been meant."""
    for sid in () if isinstance(access, str) else access:
        if sid not in known and not is_bucket(sid):
            no = f"there is no such service.{nearest(sid, known)}"
            yield f'the access of the key "{key}" names "{sid}", and {no}'


def declared(configuration: Configuration, catalog: Catalog | None) -> Iterator[str]:
    """Of the keys and bindings of a configuration, `catalog` being what it has run with."""
    known, is_bucket = services(configuration, catalog)
    for key in configuration.keys:
        yield from unknown_services(key.id, key.access, known, is_bucket)
    for one in configuration.bindings:
        if one.service and one.service not in known and not is_bucket(one.service):
            no = f"there is no such service.{nearest(one.service, known)}"
            yield f'the binding {one} leads to "{one.service}", and {no}'


def services(
    configuration: Configuration, catalog: Catalog | None
) -> tuple[Collection[str], Callable[[str], bool]]:
    """Those that are declared or were added, and whether a bucket has a name. One that does not
    run without a plugin is declared, too."""
    known = configuration.services.keys() | configuration.left_out.keys()
    if catalog is None:
        return known, frozenset[str]().__contains__
    known |= catalog.stores().services.keys()
    return known, lambda sid: catalog.read_service(sid) is not None


def volumes(configuration: Configuration, catalog: Catalog) -> Iterator[str]:
    """Of those of a configuration: what of the catalog they count no more, or hide."""
    yield from uncounted(catalog, configuration.volumes)
    for one in configuration.services.values():
        sid = catalog.sid_within(one.volume, one.bucket) if one.volume else None
        if sid is not None and sid != one.sid:
            yield (
                f'{one.place}: it is the bucket "{one.bucket}" of the volume "{one.volume}" from'
                f" now on. The one that was made there is reached as {sid} alone."
            )
