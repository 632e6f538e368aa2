"""The `s3` driver in front of this gateway itself, on a real socket: the harder judge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.s3 import S3
from gateway.storage import AlreadyExists, Buckets, Context, Secret, Store
from gateway.testing.conformance import BucketsConformance, StoreConformance
from tests.conformance.s3_upstream import gateway_upstream


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with gateway_upstream() as url:
        yield url


def store(url: str, **options: Any) -> S3:
    key, secret = Secret("main-key"), Secret("secret of main-key")
    return S3(endpoint_url=url, access_key=key, secret_key=secret, **options)


def bucket_of(folder: Path, sid: str) -> str:
    """The bucket of a service: the same for whoever opens the same folder."""
    return "kit-" + sha256(f"{folder} {sid}".encode()).hexdigest()[:40]


class TestS3(StoreConformance):
    tells_existed = exact_times = False
    forgets = frozenset({"owner"})
    lacks = frozenset(
        {"Changes", "Measures", "Buckets", "Protects"}
        | {"attributes", "headers", "metadata", "tags", "checksums", "conditions", "protection"}
        | {"multipart options"}
    )
    prefix: ClassVar[str] = ""

    @pytest.fixture(autouse=True)
    def _upstream(self, upstream: str, tmp_path: Path) -> None:
        (tmp_path / "upstream").write_text(upstream, "utf-8")

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        url = (context.folder / "upstream").read_text("utf-8")
        name = bucket_of(context.folder, context.sid)
        account = store(url)
        account.open(context)
        buckets = account.find(Buckets)
        assert buckets is not None
        with suppress(AlreadyExists):
            buckets.create(name)
        account.close()
        opened = store(url, bucket=name, prefix=self.prefix)
        opened.open(context)
        return opened


class TestAccount(BucketsConformance):
    lacks = frozenset[str]()

    @pytest.fixture(autouse=True)
    def _upstream(self, tmp_path: Path) -> Iterator[None]:
        with gateway_upstream() as url:
            (tmp_path / "upstream").write_text(url, "utf-8")
            yield

    def open(self, context: Context) -> Store:
        assert context.folder is not None
        opened = store((context.folder / "upstream").read_text("utf-8"))
        opened.open(context)
        return opened
