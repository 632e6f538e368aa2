"""The options of the `s3` driver: what is wrong is named by its place, and what is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from drivers.s3 import S3
from gateway.config import ConfigurationError, load
from gateway.storage import Context

WRONG = {
    'endpoint_url = "ftp://x"': "services.up.endpoint_url",
    'endpoint_url = "http://x/path"': "services.up.endpoint_url",
    'endpoint_url = "http://user:pw@x"': "services.up.endpoint_url",
    'endpoint_url = "http://x:99999"': "services.up.endpoint_url",
    'bucket = "a/b"': "services.up.bucket",
    'prefix = "x/"': "services.up.prefix",
    'region = "a b"': "services.up.region",
    'access_key = "k"': "services.up.secret_key",
    'session_token = "t"': "services.up.session_token",
    'anonymous = true\nprofile = "p"': "services.up.anonymous",
    'access_key = "k"\nsecret_key = "s"\nrole_arn = "r"': "services.up.role_arn",
    'external_id = "x"': "services.up.external_id",
    'read_timeout = "0s"': "services.up.read_timeout",
    "connections = 0": "services.up.connections",
    "retries = -1": "services.up.retries",
    'ca_file = "absent.pem"': "services.up.ca_file",
    'bukket = "x"': "services.up.bukket",
    'secret_key_env = "NOT_SET_ANYWHERE"': "services.up.secret_key",
}


@pytest.mark.parametrize(("text", "place"), WRONG.items(), ids=WRONG.values())
def test_what_is_wrong_is_named_by_its_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'[services.up]\ndriver = "s3"\n{text}\n', "utf-8")
    with pytest.raises(ConfigurationError) as raised:
        load(file, environ={})
    assert place in str(raised.value)


def test_an_endpoint_is_found_as_AWS_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    def where(bucket: str, region: str | None = None) -> str:
        store = S3(bucket=bucket, region=region)
        store.open(Context())
        place, found, path = store.client.endpoint.where(bucket)
        store.close()
        return f"{place} {found} {path}"

    assert where("photos") == "https://photos.s3.eu-central-1.amazonaws.com eu-central-1 "
    assert where("a.b") == "https://s3.eu-central-1.amazonaws.com eu-central-1 /a.b"
    assert where("photos", "cn-north-1").startswith(
        "https://photos.s3.cn-north-1.amazonaws.com.cn cn-north-1"
    )


def test_an_upstream_with_its_own_keys_needs_no_library() -> None:
    code = """
import sys
from drivers.s3 import S3
from gateway.storage import BytesBody, Context, Put, Secret
from gateway.testing.upstreams import Upstream
with Upstream() as upstream:
    keys = dict(access_key=Secret("k"), secret_key=Secret("s"))
    store = S3(bucket="bkt", endpoint_url=upstream.url, **keys)
    store.open(Context())
    store.put("k", BytesBody(b"data"), Put(size=4))
    store.close()
heavy = {"boto3", "botocore", "urllib3", "requests"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
