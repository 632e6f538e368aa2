"""The local store does all that the contract has: declared, as a bucket, and as an account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from drivers.local import Local
from gateway.storage import Context, Store
from gateway.testing.conformance import (
    BucketsConformance,
    CompletingConformance,
    CopyingConformance,
    DeletingConformance,
    DurabilityConformance,
    EncryptionConformance,
    HistoryConformance,
    IsolationConformance,
    StoreConformance,
    SuspendingConformance,
    UpkeepConformance,
    VersionsConformance,
    VolumesConformance,
    WritingConformance,
)


class TestLocal(StoreConformance):
    keeps_versioning = False
    lacks = frozenset({"Buckets", "Volumes"})

    def make(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off")


class TestWithoutInlineBytes(
    WritingConformance,
    DeletingConformance,
    CopyingConformance,
    CompletingConformance,
    EncryptionConformance,
    UpkeepConformance,
):
    """Every body is a file, however small, and left to the operating system."""

    lacks = frozenset({"Buckets", "Volumes"})

    def make(self, folder: Path, sid: str) -> Store:
        return Local(keep_versions="off", inline_limit=0, durability="process")


class TestAccount(BucketsConformance, VolumesConformance):
    lacks = frozenset[str]()

    def open(self, context: Context) -> Store:
        store = Local()
        store.open(replace(context, sid=""))
        return store


class TestBucket(
    VersionsConformance,
    SuspendingConformance,
    HistoryConformance,
    DurabilityConformance,
    IsolationConformance,
):
    """A bucket that was made through an API keeps the versioning state that it was given."""

    lacks = frozenset({"Buckets", "Volumes"})

    accounts: ClassVar[dict[Store, Local]] = {}
    """The open account of each bucket."""

    def open(self, context: Context) -> Store:
        account = Local()
        account.open(replace(context, sid=""))
        if context.sid not in {bucket.name for bucket in account.buckets()}:
            account.create(context.sid)
        store = account.bucket(context.sid)
        self.accounts[store] = account
        return store

    def close(self, store: Store) -> None:
        self.accounts.pop(store).close()
