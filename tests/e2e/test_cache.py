"""A cache as it is configured: real servers, two workers, clients over sockets."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config

from gateway.testing.faults import noise
from tests.e2e.conftest import Running, environment, free_port, serving
from tests.starting import run

CONFIG = """
[services.upstream]
driver = "local"
keep_versions = "off"

[services.thumbs]
driver = "cache"
source = "upstream"
source_path = "originals"
space = "{space}"
max_size = "64MiB"
"""
WORKERS = ("--server", "granian", "--workers", "2") if sys.platform != "win32" else ()


@pytest.fixture(scope="module", params=["disk", "memory"])
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cache")
    with serving(folder, *WORKERS, config=CONFIG.format(space=request.param)) as running:
        yield running
        assert "Traceback" not in (folder / "log").read_text("utf-8")


def body(gateway: Running, bucket: str, key: str, **options: str) -> bytes:
    answer = gateway.client().get_object(Bucket=bucket, Key=key, **options)
    return bytes(answer["Body"].read())


def test_it_is_a_bucket_like_any_other(gateway: Running) -> None:
    client = gateway.client()
    data = noise(3_000_000)
    put = client.put_object(Bucket="thumbs", Key="a/b.jpg", Body=data, ContentType="image/jpeg")
    for _ in range(4):
        assert body(gateway, "thumbs", "a/b.jpg") == data
    assert (
        body(gateway, "thumbs", "a/b.jpg", Range="bytes=1048570-1048589") == data[1048570:1048590]
    )
    head = client.head_object(Bucket="thumbs", Key="a/b.jpg")
    assert (head["ETag"], head["ContentType"]) == (put["ETag"], "image/jpeg")
    keys = [one["Key"] for one in client.list_objects_v2(Bucket="thumbs")["Contents"]]
    assert keys == ["a/b.jpg"]
    assert body(gateway, "upstream", "originals/a/b.jpg") == data
    with pytest.raises(client.exceptions.NoSuchKey) as missing:
        client.get_object(Bucket="thumbs", Key="none")
    assert missing.value.response["Error"]["Key"] == "none"
    client.delete_object(Bucket="thumbs", Key="a/b.jpg")


def test_every_worker_reads_what_was_written_last(gateway: Running) -> None:
    client = gateway.client()
    for number in range(40):
        data = b"%d" % number
        client.put_object(Bucket="thumbs", Key="k", Body=data)
        assert body(gateway, "thumbs", "k") == data  # a new connection: any worker
        assert body(gateway, "thumbs", "k") == data


def test_a_download_that_goes_on_gets_one_object(gateway: Running) -> None:
    client = gateway.client(config=Config(signature_version="s3v4"))
    old = client.put_object(Bucket="thumbs", Key="resumed", Body=noise(3 << 20))["ETag"]
    assert len(body(gateway, "thumbs", "resumed")) == 3 << 20
    data = noise((2 << 20) + 1)
    new = client.put_object(Bucket="thumbs", Key="resumed", Body=data)["ETag"]
    where = {"Bucket": "thumbs", "Key": "resumed"}
    url = client.generate_presigned_url("get_object", Params=where)
    for start, tag, status in ((2 << 20, new, 206), (2 << 20, old, 200), (5 << 19, old, 200)):
        headers = {"Range": f"bytes={start}-", "If-Range": tag}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            assert answer.status == status
            assert answer.read() == (data[start:] if status == 206 else data)


def test_a_copy_within_it_moves_no_bytes_through_it(gateway: Running) -> None:
    client = gateway.client()
    client.put_object(Bucket="thumbs", Key="from", Body=noise(2_000_000))
    client.put_object(Bucket="thumbs", Key="to", Body=b"before")
    assert body(gateway, "thumbs", "to") == b"before"
    client.copy_object(Bucket="thumbs", Key="to", CopySource="thumbs/from")
    assert body(gateway, "thumbs", "to") == noise(2_000_000)
    client.copy_object(Bucket="upstream", Key="x", CopySource="thumbs/from")
    assert body(gateway, "upstream", "x") == noise(2_000_000)


def test_a_second_gateway_on_its_folder_says_so_and_stops(gateway: Running) -> None:
    done = run(
        [sys.executable, "-m", "gateway", "serve", "--server", "waitress",
         "--config", str(gateway.folder / "gateway.toml"),
         "--data", str(gateway.folder / "data"), "--listen", f"127.0.0.1:{free_port()}"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "services.thumbs" in done.stderr and "another gateway" in done.stderr
    assert "Traceback" not in done.stderr
    assert gateway.client().list_objects_v2(Bucket="thumbs")["ResponseMetadata"]


def test_a_command_beside_the_gateway_is_no_second_one(gateway: Running) -> None:
    done = run(
        [sys.executable, "-m", "gateway", "services",
         "--config", str(gateway.folder / "gateway.toml"),
         "--data", str(gateway.folder / "data")],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "thumbs (cache)" in done.stdout


def test_in_memory_it_needs_no_folder(tmp_path: Path) -> None:
    with serving(tmp_path, "--memory", config=CONFIG.format(space="disk")) as running:
        running.client().put_object(Bucket="thumbs", Key="k", Body=b"data")
        assert body(running, "thumbs", "k") == b"data"
        assert body(running, "thumbs", "k") == b"data"
    assert not os.path.lexists(tmp_path / "data")
