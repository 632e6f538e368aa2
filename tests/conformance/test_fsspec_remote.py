"""A part of the kit on file systems behind a network: what a rename and an upload can promise.

The servers are real: paramiko's SFTP, pyftpdlib's FTP, and for `s3://` a gateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.fsspec import FileSystem
from gateway.storage import Store
from gateway.testing.conformance import (
    DeletingConformance,
    KeysConformance,
    ReadingConformance,
    WritingConformance,
)
from tests.conformance.test_fsspec import NEVER
from tests.filesystems.servers import ftp, s3_options, sftp
from tests.modes.s3_gateway import serving


@pytest.mark.usefixtures("sockets")
class _Remote(ReadingConformance, WritingConformance):
    """Each class has a server, each test a folder of it."""

    lacks = NEVER | {"conditions"}
    url: ClassVar[str]
    options: ClassVar[dict[str, Any]]

    def make(self, folder: Path, sid: str) -> Store:
        url = f"{self.url}/{folder.name}-{sid}"
        return FileSystem(url=url, storage_options=self.options, metadata="sidecar")


class TestSftp(_Remote, DeletingConformance, KeysConformance):
    flat_memory = False  # the server's is counted too, and its encryption is slow

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with sftp(tmp_path_factory.mktemp("sftp")) as served:
            cls.url, cls.options = served.url, served.options
            yield


class TestFtp(_Remote):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with ftp(tmp_path_factory.mktemp("ftp")) as served:
            cls.url, cls.options = served.url, served.options
            yield


class TestS3(_Remote, KeysConformance):
    """s3fs, which is asynchronous, on a bucket of this gateway."""

    flat_memory = False  # the server's objects are in the memory of this process

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls) -> Iterator[None]:
        with serving() as served:
            served.client().create_bucket(Bucket="files")
            cls.url, cls.options = "s3://files", s3_options(served)
            yield
