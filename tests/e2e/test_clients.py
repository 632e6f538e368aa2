"""Stock clients, as people have them, against both servers."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from tests import starting
from tests.e2e.conftest import KEY, SECRET, Running

MIB = 1 << 20


def run(gateway: Running, *command: str, check: bool = True, data: bytes = b"") -> bytes:
    found = starting.run(
        command, env=gateway.environment, input=data, capture_output=True, check=False
    )
    assert not check or found.returncode == 0, found.stderr.decode()
    return bytes(found.stdout)


def aws(gateway: Running, *words: str) -> bytes:
    return run(gateway, sys.executable, "-m", "awscli", *words)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# boto3


@pytest.mark.parametrize("size", [0, 1, 100_000, 20 * MIB])
def test_boto3_uploads_and_downloads_files(
    gateway: Running, bucket: str, tmp_path: Path, size: int
) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(size))
    client = gateway.client()
    client.upload_file(str(source), bucket, "folder/é 📁.bin")
    client.download_file(bucket, "folder/é 📁.bin", str(target))
    assert source.read_bytes() == target.read_bytes()


def test_boto3_sees_metadata_headers_and_tags_again(gateway: Running, bucket: str) -> None:
    client = gateway.client()
    client.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"bytes",
        ContentType="text/plain; charset=utf-8",
        CacheControl="max-age=60",
        ContentDisposition="attachment",
        Metadata={"one": "1", "two": "zwei"},
        Tagging="a=1&b=2",
    )
    head = client.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ContentType"] == "text/plain; charset=utf-8"
    assert head["CacheControl"] == "max-age=60"
    assert head["ContentDisposition"] == "attachment"
    assert head["Metadata"] == {"one": "1", "two": "zwei"}
    assert head["ChecksumCRC32"]
    tags = client.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"a": "1", "b": "2"}


def test_boto3_keys_come_back_byte_for_byte(gateway: Running, bucket: str) -> None:
    client = gateway.client()
    keys = [
        "a", "a/", "a/b", "a//b", "/a", "//a", "../x", "./y", ".", "..", "a b", "a+b", "a%2Fb",
        "a%b", "~@()", "é", "e\u0301", "📁", "?x=y", "a&b=c", "a#b", "<>\"'", "-/health/live",
    ]  # fmt: skip
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for key in keys:
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    listed = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == sorted(keys, key=lambda key: key.encode())


def test_boto3_versions(gateway: Running, bucket: str) -> None:
    client = gateway.client()
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=bucket, Key="k", Body=b"1")["VersionId"]
    client.put_object(Bucket=bucket, Key="k", Body=b"2")
    marker = client.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    found = client.list_object_versions(Bucket=bucket)
    assert len(found["Versions"]) == 2
    assert found["DeleteMarkers"][0]["VersionId"] == marker["VersionId"]
    old = client.get_object(Bucket=bucket, Key="k", VersionId=first)
    assert old["Body"].read() == b"1"


def test_a_presigned_url_works_without_a_client(gateway: Running, bucket: str) -> None:
    # In us-east-1 boto3 presigns by version 2, which is refused, unless it is told.
    client = gateway.client(config=Config(signature_version="s3v4"))
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "k"})
    request = urllib.request.Request(put, data=b"by url", method="PUT")
    urllib.request.urlopen(request).close()
    get = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"by url"


def test_a_download_that_goes_on_gets_one_object(gateway: Running, bucket: str) -> None:
    client = gateway.client(config=Config(signature_version="s3v4"))
    old = client.put_object(Bucket=bucket, Key="resumed", Body=b"old " * 4)["ETag"]
    new = client.put_object(Bucket=bucket, Key="resumed", Body=b"NEW " * 4)["ETag"]
    where = {"Bucket": bucket, "Key": "resumed"}
    url = client.generate_presigned_url("get_object", Params=where)
    for tag, status, body in ((new, 206, b"NEW " * 3), (old, 200, b"NEW " * 4)):
        headers = {"Range": "bytes=4-", "If-Range": tag}
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            assert (answer.status, answer.read()) == (status, body)


def test_a_url_of_signature_version_2_is_refused_with_what_to_do(
    gateway: Running, bucket: str
) -> None:
    client = gateway.client(config=Config(signature_version="s3"))
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    assert "AWSAccessKeyId=" in url
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url)
    with caught.value as error:
        assert error.code == 400
        said = error.read().decode()
    assert "<Code>InvalidRequest</Code>" in said
    assert "The authorization mechanism you have provided is not supported." in said
    assert "aws configure set default.s3.signature_version s3v4" in said
    assert "signature_version=" in said


# the AWS command line


def test_aws_presigns_as_the_readme_says(gateway: Running, bucket: str, tmp_path: Path) -> None:
    """Its commands, with its environment, and a home folder where nothing is configured."""
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (configure,) = (line for line in readme.splitlines() if line.startswith("aws configure"))
    gateway.client().put_object(Bucket=bucket, Key="cat.jpg", Body=b"meow")
    environment = gateway.environment | {"AWS_CONFIG_FILE": str(tmp_path / "config")}

    def typed(*words: str) -> str:
        command = [sys.executable, "-m", "awscli", *words]
        done = starting.run(command, env=environment, capture_output=True, text=True, check=True)
        return str(done.stdout).strip()

    presign = ("s3", "presign", f"s3://{bucket}/cat.jpg")
    with pytest.raises(urllib.error.HTTPError, match="400") as caught:
        urllib.request.urlopen(typed(*presign))
    caught.value.close()
    typed(*configure.partition("#")[0].split()[1:])
    with urllib.request.urlopen(typed(*presign)) as answer:
        assert answer.read() == b"meow"


def test_aws_cli_round_trip(gateway: Running, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a", encoding="utf-8")
    (folder / "deep" / "large").write_bytes(os.urandom(9 * MIB))
    name = f"cli{abs(hash(gateway.url)) % 10**9}"
    aws(gateway, "s3", "mb", f"s3://{name}")
    aws(gateway, "s3", "sync", str(folder), f"s3://{name}/x/")
    assert b"deep/large" in aws(gateway, "s3", "ls", "--recursive", f"s3://{name}")
    aws(gateway, "s3", "cp", f"s3://{name}/x/deep/large", str(tmp_path / "back"))
    back = (tmp_path / "back").read_bytes()
    assert digest(back) == digest((folder / "deep" / "large").read_bytes())
    aws(gateway, "s3", "mv", f"s3://{name}/x/a.txt", f"s3://{name}/b.txt")
    head = json.loads(aws(gateway, "s3api", "head-object", "--bucket", name, "--key", "b.txt"))
    assert head["ContentLength"] == 1
    aws(gateway, "s3", "rb", "--force", f"s3://{name}")


# rclone


def rclone(gateway: Running, *words: str) -> bytes:
    binary = shutil.which("rclone") or str(Path(sys.executable).with_name("rclone"))
    remote = f":s3,provider=Other,env_auth,endpoint='{gateway.url}':"
    words = tuple(word.replace("REMOTE:", remote) for word in words)
    return run(gateway, binary, "--config", os.devnull, "--retries=1", *words)


def test_rclone_copies_checks_and_lists(gateway: Running, bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "sub folder").mkdir(parents=True)
    (folder / "sub folder" / "ü.txt").write_text("text", encoding="utf-8")
    (folder / "large").write_bytes(os.urandom(12 * MIB))
    rclone(
        gateway,
        "copy",
        "--s3-upload-cutoff=5M",
        "--s3-chunk-size=5M",
        str(folder),
        f"REMOTE:{bucket}",
    )
    rclone(gateway, "check", "--download", str(folder), f"REMOTE:{bucket}")
    listed = rclone(gateway, "lsf", "-R", f"REMOTE:{bucket}").decode().splitlines()
    assert set(listed) == {"large", "sub folder/", "sub folder/ü.txt"}
    times = json.loads(rclone(gateway, "lsjson", f"REMOTE:{bucket}/large"))
    written = (folder / "large").stat().st_mtime
    assert times[0]["ModTime"].startswith(_rfc3339(written))
    rclone(gateway, "purge", f"REMOTE:{bucket}")


def _rfc3339(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S")


# curl


def curl(gateway: Running, *words: str) -> bytes:
    binary = shutil.which("curl")
    if binary is None:
        pytest.skip("curl is not installed")
    signed = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{KEY}:{SECRET}"]
    return run(gateway, binary, "-sS", "--fail-with-body", *signed, *words)


def test_curl_signs_and_is_understood(gateway: Running, bucket: str, tmp_path: Path) -> None:
    unsigned = ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
    (tmp_path / "file").write_bytes(b"by curl")
    curl(gateway, *unsigned, "-T", str(tmp_path / "file"), f"{gateway.url}/{bucket}/a/b.txt")
    assert curl(gateway, *unsigned, f"{gateway.url}/{bucket}/a/b.txt") == b"by curl"
    assert b"<Key>a/b.txt</Key>" in curl(gateway, *unsigned, f"{gateway.url}/{bucket}?list-type=2")


# concurrency that a user would notice


def test_one_of_many_conditional_writers_wins(gateway: Running, bucket: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from botocore.exceptions import ClientError

    client = gateway.client(config=Config(max_pool_connections=16))

    def attempt(number: int) -> Any:
        try:
            client.put_object(Bucket=bucket, Key="one", Body=b"%d" % number, IfNoneMatch="*")
            return number
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(attempt, range(32)))
    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert len(winners) == 1
    assert set(map(str, outcomes)) - {str(winners[0])} <= {"PreconditionFailed"}
    assert client.get_object(Bucket=bucket, Key="one")["Body"].read() == b"%d" % winners[0]
