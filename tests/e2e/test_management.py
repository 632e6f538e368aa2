"""The management API on real servers, and S3 below a prefix, with the clients that people have."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.modes.management.documents import API
from gateway.modes.management.functions import TABLE
from gateway.web.api.page import examples, languages
from tests.e2e.conftest import SECRET, SERVERS, Running, serving
from tests.e2e.test_clients import aws, run
from tests.modes.test_standard_examples import COMMANDS

CONFIG = """
[[bindings]]
mode = "s3"
prefix = "/s3"
[[bindings]]
mode = "management"
prefix = "/manage"
"""


@pytest.fixture(scope="module", params=SERVERS)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    """S3 is at /s3 for clients that are not told otherwise."""
    options = "--server", request.param, "--workers", "2" if request.param == "granian" else "1"
    with serving(tmp_path_factory.mktemp("managed"), *options, config=CONFIG) as running:
        url = f"{running.url}/s3"
        environment = running.environment | {"AWS_ENDPOINT_URL": url}
        yield Running(url, running.folder, running.process, environment)


def call(
    gateway: Running,
    method: str,
    path: str,
    body: Any = None,
    at: str = "/api/v1",
    *headers: str,
) -> Any:
    """By curl, as a person types it."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    sent = [] if body is None else ["-d", json.dumps(body)]
    sent += [word for header in headers for word in ("-H", header)]
    address = f"{gateway.url.removesuffix('/s3')}{at}{path}"
    command = ["curl", "-sS", "-X", method, "-H", f"X-API-Key: {SECRET}", *sent, address]
    return json.loads(run(gateway, *command))


def test_a_user_a_bucket_and_an_object_come_and_go(gateway: Running, tmp_path: Path) -> None:
    made = call(gateway, "POST", "/credentials", {"user_name": "ann"})
    call(gateway, "POST", "/buckets", {"name": "of-ann", "owner_id": made["id"]}, "/manage")
    own = gateway.client(key=made["access_key"], secret=made["secret_key"])
    assert [one["Name"] for one in own.list_buckets()["Buckets"]] == ["of-ann"]
    (tmp_path / "file").write_bytes(b"by a URL")
    key = "a b/ü+&?#%2F"
    wanted = {"bucket_name": "of-ann", "object_key": key, "access_key": made["access_key"]}
    urls = {
        method: call(gateway, "POST", "/presigned-urls", {**wanted, "method": method})["url"]
        for method in ("GET", "PUT", "DELETE")
    }
    assert urls["GET"].startswith(f"{gateway.url}/of-ann/a%20b/")
    curl = ["curl", "-sS", "--fail-with-body"]
    run(gateway, *curl, "-T", str(tmp_path / "file"), urls["PUT"])
    assert run(gateway, *curl, urls["GET"]) == b"by a URL"
    said = call(gateway, "GET", f"/buckets/of-ann/objects/{quote(key)}")
    assert (said["key"], said["size"]) == (key, 8)
    run(gateway, *curl, "-X", "DELETE", urls["DELETE"])
    assert call(gateway, "GET", "/buckets/of-ann/objects") == {"objects": []}
    number = f"/credentials/{made['id']}"
    assert call(gateway, "DELETE", number)["code"] == "Conflict"
    call(gateway, "PUT", number, {"is_active": False})
    end = time.monotonic() + 10  # each worker sees it at its next look at the catalog
    for _ in range(8):
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            while time.monotonic() < end:
                own.list_buckets()
    call(gateway, "DELETE", "/buckets/of-ann")
    call(gateway, "DELETE", number)
    assert call(gateway, "GET", "/buckets/of-ann")["code"] == "NoSuchBucket"


def test_what_is_refused_is_answered_on_a_connection_that_stays(gateway: Running) -> None:
    large = {"keys": ["k" * 1000] * 80}
    assert call(gateway, "POST", "/presigned-urls", large)["code"] == "EntityTooLarge"
    assert call(gateway, "POST", "/credentials", {"nmae": "x"})["code"] == "ValidationError"
    chunked = "Transfer-Encoding: chunked"
    answer = call(gateway, "POST", "/presigned-urls", large, "/api/v1", chunked)
    assert answer["code"] == "EntityTooLarge"
    made = call(gateway, "POST", "/credentials", {"user_name": "chunks"}, "/api/v1", chunked)
    assert made["user_name"] == "chunks"
    call(gateway, "DELETE", f"/credentials/{made['id']}")
    assert call(gateway, "GET", "/nothing")["code"] == "NoSuchFunction"
    assert call(gateway, "GET", "/openapi.json", at="/manage")["servers"] == [{"url": "/manage"}]


@pytest.mark.parametrize("kind", COMMANDS)
def test_an_example_does_what_it_says(gateway: Running, tmp_path: Path, kind: str) -> None:
    """One with parts in its path and a body; those of the standard mode show the rest."""
    binary, command = COMMANDS[kind]
    if shutil.which(binary) is None:
        pytest.skip(f"{binary} is not installed")
    function = next(one for one in TABLE if one.name == "deleteObjectsByPost")
    (root,) = call(gateway, "GET", "/credentials")["credentials"]
    call(gateway, "POST", "/buckets", {"name": "my-bucket", "owner_id": root["id"]})
    gateway.client().put_object(Bucket="my-bucket", Key="file1.txt", Body=b"1")
    language = next(one for one in languages.LANGUAGES if one.kind == kind)
    address = examples.url(function, f"{gateway.url.removesuffix('/s3')}/api/v1")
    program = examples.program(API, language, function, address)
    (tmp_path / f"example.{kind}").write_text(program, encoding="utf-8")
    environment = gateway.environment | {"GATEWAY_KEY": SECRET, "no_proxy": "*"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert b"deleted" in done.stdout
    assert call(gateway, "GET", "/buckets/my-bucket")["object_count"] == 0


def test_s3_below_a_prefix_by_boto3(gateway: Running) -> None:
    client, key = gateway.client(config=Config(signature_version="s3v4")), "folder/é 📁+%.bin"
    client.create_bucket(Bucket="below")
    data = bytes(range(256)) * (6 << 12)  # 6 MiB: in two parts
    upload = client.create_multipart_upload(Bucket="below", Key=key)["UploadId"]
    shown = call(gateway, "GET", "/buckets/below/uploads")["uploads"]
    assert [one["upload_id"] for one in shown] == [upload]
    named = {"Bucket": "below", "Key": key, "UploadId": upload}
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(**named, PartNumber=number, Body=body)["ETag"],
        }
        for number, body in ((1, data[: 5 << 20]), (2, data[5 << 20 :]))
    ]
    client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket="below", Key=key)["Body"].read() == data
    url = client.generate_presigned_url("get_object", Params={"Bucket": "below", "Key": key})
    assert url.startswith(f"{gateway.url}/below/")
    assert run(gateway, "curl", "-sS", "--fail-with-body", url) == data
    client.copy_object(Bucket="below", Key="copy", CopySource={"Bucket": "below", "Key": key})
    listed = client.list_objects_v2(Bucket="below", Delimiter="/")
    assert [one["Key"] for one in listed["Contents"]] == ["copy"]
    marked = client.list_objects(Bucket="below", Marker="copy")
    assert [one["Key"] for one in marked["Contents"]] == [key]
    assert call(gateway, "GET", "/buckets/below")["object_count"] == 2
    for one in (key, "copy"):
        client.delete_object(Bucket="below", Key=one)
    client.delete_bucket(Bucket="below")
    wrong = gateway.client(secret="another")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        wrong.list_buckets()


def test_s3_below_a_prefix_by_the_aws_command(gateway: Running, tmp_path: Path) -> None:
    gateway.client().create_bucket(Bucket="by-aws")
    (tmp_path / "source").write_bytes(b"by the command")
    aws(gateway, "s3", "cp", str(tmp_path / "source"), "s3://by-aws/a b/ü")
    said = call(gateway, "GET", "/buckets/by-aws/objects/" + quote("a b/ü"))
    assert (said["key"], said["size"]) == ("a b/ü", 14)
