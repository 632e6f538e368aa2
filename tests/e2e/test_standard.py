"""The standard mode on real servers, with real clients, and across worker processes."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import pytest

from tests.e2e.conftest import ROOT, SECRET, Running, serving
from tests.e2e.test_clients import run

MIB = 1 << 20
PATIENCE = 120.0


def call(
    gateway: Running,
    function: str,
    method: str = "GET",
    body: bytes | None = None,
    **parameters: Any,
) -> tuple[int, dict[str, str], bytes]:
    address = f"{gateway.url}/{function}?{urlencode(parameters)}"
    said = {"x-owncdn-key": SECRET}
    try:
        with urlopen(Request(address, body, said, method=method), timeout=90) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def listed(gateway: Running, function: str, what: str, **parameters: Any) -> list[Any]:
    found: list[Any] = json.loads(call(gateway, function, **parameters)[2])[what]
    return found


def until(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


# on each server


def test_a_file_by_curl(gateway: Running, bucket: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    data = os.urandom(3 * MIB)
    (tmp_path / "file").write_bytes(data)

    def at(function: str) -> str:
        return f"{gateway.url}/{function}?sid={bucket}&path={quote('a b/ü.bin')}"

    common = ["curl", "-sS", "--fail-with-body", "-H", f"x-owncdn-key: {SECRET}"]
    file = str(tmp_path / "file")
    assert b'"size": 3145728' in run(gateway, *common, "-T", file, at("uploadfile"))
    assert run(gateway, *common, at("getfile")) == data
    assert run(gateway, *common, "-r", "100-199", at("getfile")) == data[100:200]
    form = run(gateway, *common, "-F", f"file=@{file};type=a/b", at("uploadfile"))
    assert b'"size": 3145728' in form
    assert run(gateway, *common, at("getfile")) == data
    assert b'"deleted": true' in run(gateway, *common, "-X", "DELETE", at("deletefile"))


def test_what_is_larger_than_memory_pieces_streams(gateway: Running, bucket: str) -> None:
    data = os.urandom(MIB) * 24
    status, _, said = call(gateway, "uploadfile", "PUT", data, sid=bucket, path="large")
    assert (status, json.loads(said)["size"]) == (201, len(data))
    assert call(gateway, "getfile", sid=bucket, path="large")[2] == data
    got = gateway.client().get_object(Bucket=bucket, Key="large")["Body"].read()
    assert got == data


def sent(gateway: Running, target: str, head: str, body: bytes, *, ends: bool = False) -> bytes:
    """What is answered to an upload as it is written here; perhaps nothing, when the
    client `ends` behind it."""
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.settimeout(PATIENCE)
        lines = f"PUT {target} HTTP/1.1\r\nHost: x\r\nx-owncdn-key: {SECRET}\r\n{head}\r\n\r\n"
        connection.sendall(lines.encode() + body)
        if ends:
            connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(65536)
        except OSError:
            return b""


def test_a_body_that_breaks_off_is_not_stored(gateway: Running, bucket: str) -> None:
    target = f"/uploadfile?sid={bucket}&path=broken"
    answer = sent(gateway, target, "Content-Length: 100", b"only some", ends=True)
    assert not answer or (b" 400 " in answer and b'"incomplete_body"' in answer)
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nonly some'
    head = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000"
    answer = sent(gateway, target, head, body, ends=True)
    assert not answer or (b" 400 " in answer and b'"incomplete_body"' in answer)
    assert call(gateway, "getfile", sid=bucket, path="broken")[0] == 404


def test_a_chunked_body_is_refused_or_read_whole(gateway: Running, bucket: str) -> None:
    """granian streams and cannot know its end; waitress has read it before."""
    target = f"/uploadfile?sid={bucket}&path=chunked"
    answer = sent(gateway, target, "Transfer-Encoding: chunked", b"4\r\ndata\r\n0\r\n\r\n")
    if b" 411 " in answer:
        assert b'"length_required"' in answer
        assert call(gateway, "getfile", sid=bucket, path="chunked")[0] == 404
    else:
        assert b" 201 " in answer
        assert call(gateway, "getfile", sid=bucket, path="chunked")[2] == b"data"


def test_the_documents_are_there(gateway: Running) -> None:
    screen = (gateway.folder / "log").read_text(encoding="utf-8")
    assert f"documents  {gateway.url}/-/docs/" in screen
    with urlopen(f"{gateway.url}/-/docs/") as page:
        assert b"<h1>Nine functions" in page.read()
    with urlopen(f"{gateway.url}/-/openapi.json") as page:
        assert json.load(page)["openapi"] == "3.1.0"


def test_a_waiting_follower_hears_of_an_upload(gateway: Running, bucket: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(listed, gateway, "syncnext", "updates", sid=bucket, wait=60)
        time.sleep(0.3)
        call(gateway, "uploadfile", "PUT", b"x", sid=bucket, path="heard")
        assert waiting.result(PATIENCE)[0]["path"] == "heard"


# as documented


def blocks(file: str, language: str) -> list[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_readme_works_when_pasted(gateway: Running, tmp_path: Path) -> None:
    if shutil.which("curl") is None or sys.platform == "win32":
        pytest.skip("it is for a shell with curl")
    (script,) = [one for one in blocks("README.md", "sh") if "/uploadfile" in one]
    gateway.client().create_bucket(Bucket="photos")
    (tmp_path / "cat.jpg").write_bytes(b"a cat")
    script = script.replace("http://127.0.0.1:9000", gateway.url).replace("curl ", "curl -sS ")
    out = run(gateway, "sh", "-e", "-c", f"cd {tmp_path}\n{script}").decode()
    assert '"sid": "photos"' in out
    assert out.count('"path": "pets/cat.jpg"') == 3
    assert '"deleted": true' in out
    assert (tmp_path / "copy.jpg").read_bytes() == b"a cat"


def test_the_follower_of_the_documents_follows(
    gateway: Running, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_KEY", SECRET)
    monkeypatch.setenv("GATEWAY_URL", gateway.url)
    scope: dict[str, Any] = {}
    exec(blocks("docs/standard.md", "python")[0], scope)
    for number in range(3):
        call(gateway, "uploadfile", "PUT", b"x", sid=bucket, path=f"{number}")
    followed = scope["follow"](bucket)
    assert [next(followed)["path"] for _ in range(3)] == ["0", "1", "2"]


# across processes


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if sys.platform == "win32":
        pytest.skip("granian is not for Windows")
    folder = tmp_path_factory.mktemp("several")
    with serving(folder, "--server", "granian", "--workers", "3") as running:
        running.client().create_bucket(Bucket="shared")
        yield running


def test_followers_in_all_workers_are_woken_by_one_upload(several: Running) -> None:
    """Connections are spread over the workers; whoever takes the upload, all followers hear."""
    last = json.loads(call(several, "syncnext", sid="shared", syncid=1 << 62)[2])["lastSyncId"]
    with ThreadPoolExecutor(12) as pool:
        waiting = [
            pool.submit(listed, several, "syncnext", "updates", sid="shared", syncid=last, wait=60)
            for _ in range(12)
        ]
        time.sleep(0.5)
        assert not any(one.done() for one in waiting)
        call(several, "uploadfile", "PUT", b"x", sid="shared", path="all")
        updates = [one.result(PATIENCE) for one in waiting]
    assert {one[0]["path"] for one in updates} == {"all"}


def test_requests_of_all_workers_are_listed_by_each(several: Running) -> None:
    for number in range(24):
        call(several, "uploadfile", "PUT", b"x", sid="shared", path=f"r/{number}")

    def complete() -> bool:
        found = listed(several, "reqlist", "requests", sid="shared", limit=1000)
        return {one["path"] for one in found if one["path"].startswith("r/")} == {
            f"r/{number}" for number in range(24)
        }

    until(complete)
    for _ in range(8):  # by whichever worker
        assert complete()


def test_the_request_list_is_there_after_a_restart(tmp_path: Path) -> None:
    with serving(tmp_path, "--server", "waitress") as running:
        running.client().create_bucket(Bucket="kept")
        call(running, "getfile", sid="kept", path="before")
    with serving(tmp_path, "--server", "waitress") as running:
        found = listed(running, "reqlist", "requests", sid="kept")
        assert [one["path"] for one in found if one["path"]] == ["before"]
