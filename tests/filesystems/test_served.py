"""A folder behind the S3 API: a real server, real clients, and the files as anybody sees them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import Running, serving

pytestmark = pytest.mark.usefixtures("sockets", "processes")

CONFIG = """
[services.plain]
driver = "fsspec"
url = "file://{folder}/plain"

[services.kept]
driver = "fsspec"
url = "file://{folder}/kept"
metadata = "sidecar"
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    for name in ("plain", "kept"):
        (folder / name / "old").mkdir(parents=True)
        (folder / name / "old" / "page.html").write_text("<p>")
    server = "waitress" if sys.platform == "win32" else "granian"
    config = CONFIG.format(folder=folder.as_posix())
    with serving(folder, "--server", server, config=config) as one:
        yield one


@pytest.fixture
def s3(running: Running) -> Any:
    return running.client()


def code(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_files_that_were_there_are_objects(s3: Any) -> None:
    answer = s3.get_object(Bucket="plain", Key="old/page.html")
    assert answer["Body"].read() == b"<p>"
    assert answer["ContentType"] == "text/html"
    assert "-" in answer["ETag"]
    part = s3.get_object(Bucket="plain", Key="old/page.html", Range="bytes=1-1")
    assert part["Body"].read() == b"p"


def test_objects_are_files(s3: Any, running: Running) -> None:
    s3.put_object(Bucket="plain", Key="new/page.txt", Body=b"text", ContentType="text/plain")
    assert (running.folder / "plain" / "new" / "page.txt").read_bytes() == b"text"
    found = s3.list_objects_v2(Bucket="plain", Delimiter="/")
    assert [one["Prefix"] for one in found["CommonPrefixes"]] == ["new/", "old/"]
    s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": "new/page.txt"}, {"Key": "x"}]})
    assert not (running.folder / "plain" / "new").exists()


def test_what_a_file_cannot_keep_is_refused_and_said(s3: Any) -> None:
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket="plain", Key="k", Body=b"", Metadata={"a": "1"})
    assert code(raised) == ("NotImplemented", 501)
    assert "sidecar" in str(raised.value)


@pytest.mark.parametrize("bucket", ["plain", "kept"])
def test_encryption_is_refused_before_any_byte_is_sent(s3: Any, bucket: str) -> None:
    """Not when all parts are there, and not by each upload to a bucket that asks for it."""
    where: dict[str, Any] = {"Bucket": bucket, "Key": "k"}
    by = {"ServerSideEncryption": "AES256"}
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    default = {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
    for call, said in (
        (s3.put_object, {**where, **by}),
        (s3.create_multipart_upload, {**where, **by}),
        (s3.put_bucket_encryption, {"Bucket": bucket, **default}),
    ):
        with pytest.raises(ClientError, match="encryption") as raised:
            call(**said)
        assert code(raised) == ("NotImplemented", 501)
    blocked = {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [blocked]})
    s3.delete_bucket_encryption(Bucket=bucket)


@pytest.mark.parametrize("key", ["old", "a/../b", "a//b", "folder/", ".gateway/x"])
def test_what_is_no_path_is_400_for_a_put_and_404_for_a_get(s3: Any, key: str) -> None:
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket="plain", Key=key, Body=b"")
    assert code(raised) == ("InvalidArgument", 400)
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="plain", Key=key)
    assert code(raised) == ("NoSuchKey", 404)


def test_sidecars_keep_what_S3_clients_give(s3: Any) -> None:
    s3.put_object(
        Bucket="kept", Key="a/b.bin", Body=b"data", Metadata={"colour": "red"},
        ContentType="image/png", CacheControl="no-cache", Tagging="x=1",
    )  # fmt: skip
    head = s3.head_object(Bucket="kept", Key="a/b.bin", ChecksumMode="ENABLED")
    assert (head["Metadata"], head["ContentType"]) == ({"colour": "red"}, "image/png")
    assert (head["CacheControl"], head["ETag"]) == (
        "no-cache",
        '"8d777f385d3dfec8815d20f7496026dc"',
    )
    assert head["ChecksumCRC32"]
    s3.put_object_tagging(
        Bucket="kept", Key="a/b.bin", Tagging={"TagSet": [{"Key": "y", "Value": "2"}]}
    )
    tags = s3.get_object_tagging(Bucket="kept", Key="a/b.bin")["TagSet"]
    assert tags == [{"Key": "y", "Value": "2"}]
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="kept")["Contents"]]
    assert keys == ["a/b.bin", "old/page.html"]
    s3.delete_object(Bucket="kept", Key="a/b.bin")


def test_parts_and_copies_become_files(s3: Any, running: Running) -> None:
    upload = s3.create_multipart_upload(Bucket="kept", Key="big", Metadata={"a": "1"})["UploadId"]
    bodies = [b"x" * (5 << 20), b"end"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket="kept", Key="big", UploadId=upload, PartNumber=number, Body=body
            )["ETag"],
        }
        for number, body in enumerate(bodies, 1)
    ]
    s3.complete_multipart_upload(
        Bucket="kept", Key="big", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    assert (running.folder / "kept" / "big").read_bytes() == b"".join(bodies)
    s3.copy_object(Bucket="kept", Key="copy", CopySource={"Bucket": "kept", "Key": "big"})
    assert s3.head_object(Bucket="kept", Key="copy")["Metadata"] == {"a": "1"}
    assert (running.folder / "kept" / "copy").stat().st_size == len(b"".join(bodies))


def test_a_conditional_put_is_obeyed_in_every_worker(s3: Any) -> None:
    s3.put_object(Bucket="plain", Key="once", Body=b"1", IfNoneMatch="*")
    for _ in range(8):
        with pytest.raises(ClientError) as raised:
            s3.put_object(Bucket="plain", Key="once", Body=b"2", IfNoneMatch="*")
        assert code(raised) == ("PreconditionFailed", 412)
    etag = s3.head_object(Bucket="plain", Key="once")["ETag"]
    s3.put_object(Bucket="plain", Key="once", Body=b"3", IfMatch=etag)


def test_nothing_of_the_gateways_own_is_listed_or_served(s3: Any, running: Running) -> None:
    s3.put_object(Bucket="kept", Key="k", Body=b"data")
    own = [one for one in (running.folder / "kept" / ".gateway").rglob("*") if one.is_file()]
    assert own
    for one in own:
        key = one.relative_to(running.folder / "kept").as_posix()
        with pytest.raises(ClientError):
            s3.get_object(Bucket="kept", Key=key)
    assert not [
        one["Key"]
        for one in s3.list_objects_v2(Bucket="kept")["Contents"]
        if ".gateway" in one["Key"]
    ]
    assert not list(Path(running.folder / "kept" / ".gateway" / "drafts").iterdir())
