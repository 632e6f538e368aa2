"""The `s3` driver in front of this gateway itself, on a real socket: the harder judge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.storage import Buckets, Context, Listable, Store, Writable
from gateway.testing.conformance import (
    BucketsConformance,
    CompletingConformance,
    CopyingConformance,
    DeletingConformance,
    IsolationConformance,
    ListingConformance,
    MultipartConformance,
    ProtectionConformance,
    StoreConformance,
)
from gateway.testing.conformance.walks import all_entries
from tests.conformance.s3_upstream import (
    OTHER_KEY,
    URL,
    account,
    opened_bucket,
)


@pytest.fixture(autouse=True)
def _where(upstream: str, tmp_path: Path) -> None:
    (tmp_path / URL).write_text(upstream, "utf-8")


class TestS3(StoreConformance):
    tells_existed = exact_times = False
    forgets = frozenset({"owner"})
    lacks = frozenset(
        {
            "Annotates",
            "Changes",
            "Measures",
            "Buckets",
            "Volumes",
            "Protects",
            "Replicates",
            "Scrubs",
        }
        | {"attributes", "headers", "tags", "checksums", "conditions", "protection"}
        | {"multipart options", "conditions on what was seen"}
    )

    def open(self, context: Context) -> Store:
        return opened_bucket(context)


OTHERWISE: Mapping[str, str] = {
    "test_without_versions_a_protected_object_is_neither_deleted_nor_replaced": (
        "a bucket with object lock keeps versions"
    ),
    "test_a_retention_that_is_over_keeps_nothing": "S3 takes no retention that is over",
    "test_an_upload_in_parts_has_what_it_is_completed_with": (
        "S3 takes an upload's protection when it begins"
    ),
}


class TestObjectLock(ProtectionConformance):
    tells_existed = exact_times = False
    forgets = TestS3.forgets
    lacks = TestS3.lacks - {"Protects", "protection"} | {"event holds"}

    @pytest.fixture(autouse=True)
    def _as_s3_has_it(self, request: pytest.FixtureRequest) -> None:
        reason = OTHERWISE.get(request.node.originalname)
        if reason is not None:
            pytest.skip(reason)

    def open(self, context: Context) -> Store:
        return opened_bucket(context, locked=True)


class TestBelowAPrefix(
    ListingConformance,
    DeletingConformance,
    CopyingConformance,
    MultipartConformance,
    CompletingConformance,
    IsolationConformance,
):
    tells_existed = exact_times = False
    forgets = TestS3.forgets
    lacks = TestS3.lacks

    def open(self, context: Context) -> Store:
        return opened_bucket(context, prefix="below/é +")


class TestAccount(BucketsConformance):
    """The other account has no buckets but those of the test, which goes through them all."""

    lacks = frozenset[str]()

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        store = account((context.folder / URL).read_text("utf-8"), OTHER_KEY)
        store.open(context)
        return store

    def close(self, store: Store) -> None:
        buckets = store.find(Buckets)
        assert buckets is not None
        for one in buckets.buckets():
            bucket = buckets.bucket(one.name)
            writable, listable = bucket.find(Writable), bucket.find(Listable)
            assert writable is not None and listable is not None
            for entry in all_entries(listable):
                writable.delete(entry.key)
            buckets.drop(one.name)
        store.close()
