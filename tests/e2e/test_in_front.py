"""docs/windows.md is true of nginx: behind it signatures hold, whatever keys and bodies are."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.servers.sockets import wait_until_accepting
from gateway.testing.certificates import certificate
from tests.code_blocks import ROOT
from tests.e2e.conftest import free_port, serving

pytestmark = pytest.mark.skipif(
    not shutil.which("nginx") or sys.platform == "win32", reason="nginx is not there"
)
AROUND = """
daemon off;
pid nginx.pid;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
"""
KEYS = ["plain", "a//b", "//lead", "a/../b", "a%2Fb", "a b+c", "é/日本", "tail/", "q?x=1&y#z"]
MIB = 1 << 20


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("front")
    chain, key = certificate(folder)
    port = free_port()
    config = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
    with serving(folder / "gateway", "--memory", "--server", "waitress", config=config) as gateway:
        (block,) = re.findall(
            r"```nginx\n(.*?)```", (ROOT / "docs/windows.md").read_text("utf-8"), re.S
        )
        for old, new in {
            "127.0.0.1:9000": gateway.url.removeprefix("http://"),
            "listen 443": f"listen 127.0.0.1:{port}",
            "C:/tls/s3.example.com-chain.pem": str(chain),
            "C:/tls/s3.example.com-key.pem": str(key),
        }.items():
            assert old in block
            block = block.replace(old, new)
        (folder / "nginx.conf").write_text(f"{AROUND}{block}}}", "utf-8")
        command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as nginx:
            try:
                assert wait_until_accepting("127.0.0.1", port, threading.Event())
                found = gateway.client(verify=str(chain), at=f"https://localhost:{port}")
                found.create_bucket(Bucket="front")
                yield found
            finally:
                nginx.terminate()


def test_any_key_passes(client: Any) -> None:
    said = {"with_line": "x", "with-dash": "y"}
    for key in KEYS:
        client.put_object(Bucket="front", Key=key, Body=key.encode(), Metadata=said)
        found = client.get_object(Bucket="front", Key=key)
        assert (found["Body"].read(), found["Metadata"]) == (key.encode(), said), key
    listed = client.list_objects_v2(Bucket="front")["Contents"]
    assert {one["Key"] for one in listed} == set(KEYS)


def test_long_bodies_pass(client: Any) -> None:
    data = os.urandom(12 * MIB)
    client.put_object(Bucket="front", Key="long", Body=data)
    assert client.get_object(Bucket="front", Key="long")["Body"].read() == data
    client.delete_object(Bucket="front", Key="long")
