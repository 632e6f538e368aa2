"""One service that keeps its history here, opened beside a gateway that runs, or without one.

Of the others only those are opened that keep theirs, too; what is wrong with one of them is
no matter here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import cast

from gateway.commands.place import has_run, not_run, opened_catalog
from gateway.config import SID, Configuration
from gateway.services import soundness
from gateway.services.chain import Chain, ChainError
from gateway.services.key_service import CatalogKeyService
from gateway.services.service import Identification, Service
from gateway.storage import Changes, NoSuchStore, Store


@contextmanager
def opened_service(configuration: Configuration, sid: str) -> Iterator[Service]:
    """A declared service, one that was added, or a bucket. Raises `CatalogError`, `ChainError`,
    `NoSuchStore`, and `Unsupported` for one without a feed of its changes."""
    if not has_run(configuration):
        raise ChainError(f"There is nothing to look at: {not_run(configuration)}")
    with opened_catalog(configuration) as catalog:
        whole, problems = soundness.with_added(configuration, catalog)
        chain = Chain(whole)
        try:
            failed = chain.open(
                folder=whole.data,
                master_key=catalog.keyring.storage,
                key_service=CatalogKeyService(catalog),
                only=Changes,
                spare={"", *whole.services},
            )
            yield _found(chain, sid, failed, [*map(str, problems)])
        finally:
            chain.close()


def _found(
    chain: Chain, sid: str, failed: Mapping[str, ChainError], problems: Sequence[str]
) -> Service:
    declared = chain.services.get(sid)
    if declared is None:
        return _bucket(chain, sid, failed, problems)
    if sid in failed:
        raise failed[sid]
    if declared.store.in_one_process:
        raise ChainError(
            f"What the service {sid!r} has is in the memory of the gateway that serves it:"
            " nobody else can reach it."
        )
    if not isinstance(declared.store, Changes):
        if declared.about.source:
            raise ChainError(
                f"The service {sid!r} (driver {declared.about.driver!r}) has no history of its"
                f" own: it stands in front of {declared.about.source!r}. Name that."
            )
        raise declared.lacks(Changes)
    return declared


def _bucket(
    chain: Chain, sid: str, failed: Mapping[str, ChainError], problems: Sequence[str]
) -> Service:
    buckets = chain.buckets
    if "" in failed:
        raise failed[""]
    about = Identification(sid=sid, driver=chain.buckets_driver)
    if isinstance(buckets, Changes) and SID.fullmatch(sid):
        for bucket in buckets.buckets():
            if bucket.name == sid:
                return Service(about, cast(Store, buckets.bucket(sid)))
    wrong = "".join(f"\nNot looked at: {one}" for one in problems)
    raise NoSuchStore(f"There is no service {sid!r} that keeps a history here.{wrong}")
