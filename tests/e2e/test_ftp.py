"""FTP by clients that others wrote (curl, lftp), with TLS, beside S3, on both servers; and what a
client leaves that is killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.testing.certificates import certificate
from tests.e2e.conftest import SERVERS, Running, free_port, serving
from tests.e2e.raw import eventually, log_of

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@dataclass(frozen=True)
class Door:
    gateway: Running
    port: int
    plain: int
    trusted: Path

    def curl(self, path: str, *options: str, key: str = "storage.1") -> subprocess.Popen[bytes]:
        command = ["curl", "-sS", "--ssl-reqd", "--cacert", str(self.trusted)]
        command += ["-u", f"{key}:secret of {key}", *options, f"ftp://localhost:{self.port}{path}"]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    def done(self, path: str, *options: str, said: bytes = b"", **more: str) -> bytes:
        with self.curl(path, *options, **more) as process:
            out, error = process.communicate(said, timeout=60)
            assert process.returncode == 0, error
        return out

    def stored(self) -> list[str]:
        found = self.gateway.client().list_objects_v2(Bucket="files").get("Contents", [])
        return [one["Key"] for one in found]


@pytest.fixture(scope="module", params=SERVERS)
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("ftp")
    trusted, key = certificate(folder)
    secure, plain = free_port(), free_port()
    tls = f"tls = {{ certificate = '{trusted}', key = '{key}' }}"
    config = f"""
[server]
workers = 2
[services.files]
driver = "local"
[[keys]]
id = "storage.1"
secret = "secret of storage.1"
access = {{ files = "write" }}
[[listeners]]
protocol = "ftp"
address = "127.0.0.1:{secure}"
{tls}
[[listeners]]
protocol = "ftp"
address = "127.0.0.1:{plain}"
"""
    with serving(folder, "--server", request.param, config=config) as gateway:
        yield Door(gateway, secure, plain, trusted)


@pytest.fixture(autouse=True)
def _empty(door: Door) -> None:
    for key in door.stored():
        door.gateway.client().delete_object(Bucket="files", Key=key)


@needs_curl
def test_a_life_by_curl(door: Door, tmp_path: Path) -> None:
    whole = os.urandom(6 << 20)
    (tmp_path / "file").write_bytes(whole[:-100])
    upload = ("--ftp-create-dirs", "-T", str(tmp_path / "file"))
    door.done("/new/folder/a%20file.bin", *upload)
    s3 = door.gateway.client()
    found = s3.get_object(Bucket="files", Key="new/folder/a file.bin")["Body"].read()
    assert found == whole[:-100]
    (tmp_path / "file").write_bytes(whole)
    door.done("/new/folder/a%20file.bin", *upload, "-C", "-")  # what is missing: SIZE, APPE
    assert door.done("/new/folder/a%20file.bin") == whole
    assert door.done("/new/folder/a%20file.bin", "-r", "6291000-") == whole[6291000:]
    assert door.done("/new/folder/").endswith(b" a file.bin\n")
    door.done("/", "-Q", "RNFR new/folder/a file.bin", "-Q", "RNTO b", "-o", os.devnull)
    door.done("/", "-Q", "RMD new/folder", "-Q", "RMD new", "-o", os.devnull)
    assert door.stored() == ["b"]
    s3.put_object(Bucket="files", Key="by s3", Body=b"seen")
    assert door.done("/by%20s3") == b"seen"
    door.done("/", "-Q", "DELE b", "-Q", "DELE by s3", "-o", os.devnull)
    assert door.stored() == []
    with door.curl("/", key="storage.2") as stranger:
        assert stranger.wait(60) == 67  # curl: the login was refused
        stranger.communicate()
    login = " ftp PASS PASS - 401 "
    eventually(lambda: login in log_of(door.gateway), "all is in the log")
    assert " ftp STOR STOR /new/folder/a%20file.bin 200 " in log_of(door.gateway)
    assert "secret of" not in log_of(door.gateway)


@needs_curl
@pytest.mark.parametrize("security", ["--ssl-reqd", "--no-ssl"])
def test_a_client_that_is_killed_leaves_nothing(door: Door, security: str) -> None:
    """By TLS and in plain, where the system says an end for it."""
    port = door.port if security == "--ssl-reqd" else door.plain
    before = log_of(door.gateway).count("code=BrokenOff")
    for killed in range(1, 4):
        command = ["curl", "-v", security, "--cacert", str(door.trusted), "-T", "-"]
        command += ["-u", "storage.1:secret of storage.1", f"ftp://localhost:{port}/half"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdin is not None and process.stderr is not None
            assert any(line.startswith(b"< 150 ") for line in process.stderr)
            process.stdin.write(b"x" * 400_000)
            process.stdin.flush()
            process.kill()

        def seen(wanted: int = before + killed) -> bool:
            return log_of(door.gateway).count("code=BrokenOff") == wanted

        eventually(seen, "it is noted")
        assert door.stored() == []


@pytest.mark.skipif(shutil.which("lftp") is None, reason="lftp is not installed")
def test_a_tree_goes_there_and_back_by_lftp(door: Door, tmp_path: Path) -> None:
    tree = {f"tree/{number % 5}/über {number}": os.urandom(number * 1000) for number in range(20)}
    for name, data in tree.items():
        path = tmp_path / "there" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    script = [
        f"set ssl:ca-file {door.trusted}; set ftp:ssl-force true; set ssl:check-hostname false",
        f"open -u storage.1,'secret of storage.1' -p {door.port} 127.0.0.1",
        f"mirror -R --parallel=3 {tmp_path / 'there'} /",
        f"mirror --parallel=3 /tree {tmp_path / 'back'}",
        "mv tree/0/'über 0' moved; rm moved; rm -r tree",
    ]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    command = ["lftp", "-c", "; ".join(script)]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    back = tmp_path / "back"
    found = {
        f"tree/{path.relative_to(back).as_posix()}": path.read_bytes()
        for path in back.rglob("*")
        if path.is_file()
    }
    assert found == tree
    assert door.stored() == []
