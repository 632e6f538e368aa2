"""The stores of a gateway that can do something themselves, opened beside it or without it.

Declared ones and those that were added, then the buckets that were made through an API, hidden
ones too. What was added is looked up in the catalog, and where it cannot be opened the others
still are. Nothing else is opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from gateway.commands.place import has_run, not_run, with_added
from gateway.config import Configuration
from gateway.services.chain import Chain, ChainError
from gateway.storage import NoSuchStore, Store, Volumes


class Here(NamedTuple):
    """`stores` by their names. `missing`: why some are not among them, a sentence each;
    `unable`: services that cannot do it, each with its driver. `volumes` of the buckets."""

    stores: Sequence[tuple[str, Store]]
    missing: Sequence[str]
    unable: Sequence[tuple[str, str]]
    volumes: Volumes | None


@contextmanager
def stores_here(
    configuration: Configuration, sid: str | None, able: type, does: str
) -> Iterator[Here]:
    """That service, or all. Raises `ChainError`, and `NoSuchStore` when there is none of that
    name that `does` it."""
    if not has_run(configuration):
        raise ChainError(f"There is nothing to look at: {not_run(configuration)}")
    whole, missing = with_added(configuration)
    chain = Chain(whole)
    added = whole.services.keys() - configuration.services.keys()
    failed = chain.open(folder=whole.data, master_key=None, only=able, spare=added)
    missing += map(str, failed.values())
    try:
        found = [one for one in _stores(chain, sid, able) if one[0] not in failed]
        if sid in failed:
            raise failed[sid]
        if sid is not None and not found:
            wrong = "".join(f"\nNot looked at: {one}" for one in missing)
            raise NoSuchStore(f"There is no service {sid!r} that {does} here.{wrong}")
        volumes = chain.volumes if _is_able(chain.volumes, Volumes) else None
        yield Here(found, missing, [*_unable(chain, able)], volumes)
    finally:
        chain.close()


def _stores(chain: Chain, sid: str | None, able: type) -> Iterator[tuple[str, Store]]:
    for name, service in chain.services.items():
        if _is_able(service.store, able) and sid in (None, name):
            yield name, service.store
    if _is_able(chain.buckets, able):
        for bucket in chain.buckets.buckets():
            if bucket.name not in chain.services and sid in (None, bucket.name):
                yield bucket.name, chain.made(bucket.name)


def _unable(chain: Chain, able: type) -> Iterator[tuple[str, str]]:
    for name, service in chain.services.items():
        if not _is_able(service.store, able):
            yield name, service.about.driver


def _is_able(store: object, able: type) -> bool:
    """What is in the memory of the gateway that serves it nobody else can reach."""
    return isinstance(store, able) and isinstance(store, Store) and not store.in_one_process
