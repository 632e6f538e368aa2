"""Services and bindings that come and go beside a gateway that serves, in all its workers."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.commands.main import main
from tests.e2e.conftest import SERVERS, Running, serving

CONFIG = """
[services.origin]
driver = "local"
"""
BODY = b"0123456789" * 30_000
EITHER = pytest.mark.parametrize("server", SERVERS)


def options(server: str) -> tuple[str, ...]:
    return ("--server", server, *(("--workers", "2") if server == "granian" else ()))


def change(running: Running, *words: str) -> None:
    folder = running.folder
    place = ["--config", str(folder / "gateway.toml"), "--data", str(folder / "data")]
    assert main([*words, *place]) == 0


def signed(running: Running, bucket: str) -> str:
    url: str = running.client().generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    return url


def ask(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except http.client.IncompleteRead as error:
        return 0, error.partial


@EITHER
def test_requests_meet_a_service_whole_or_not_at_all(tmp_path: Path, server: str) -> None:
    with serving(tmp_path, *options(server), config=CONFIG) as running:
        running.client().put_object(Bucket="origin", Key="k", Body=BODY)
        urls = {sid: signed(running, sid) for sid in ("origin", "goes")}
        answers: dict[str, set[tuple[int, bool]]] = {sid: set() for sid in urls}
        done = threading.Event()

        def keep_asking(sid: str) -> None:
            while not done.is_set():
                status, body = ask(urls[sid])
                answers[sid].add((status, body == BODY))

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(keep_asking, sid) for sid in ("origin", "goes", "goes", "goes")]
            try:
                for _ in range(4):
                    cache = ("--driver", "cache", "--link", "source=origin")
                    change(running, "services", "add", "goes", *cache)
                    time.sleep(0.3)  # for both workers to open it and to be asked for it
                    change(running, "services", "set", "goes", "--option", "max_size=1GiB")
                    time.sleep(0.3)
                    change(running, "services", "remove", "goes")
                    time.sleep(0.3)
            finally:
                done.set()
            for one in asking:
                one.result()
        assert answers == {"origin": {(200, True)}, "goes": {(200, True), (404, False)}}
        change(running, "services", "add", "kept", "--driver", "local")
        running.client().put_object(Bucket="kept", Key="k", Body=BODY)
    with serving(tmp_path, *options(server), config=CONFIG) as running:
        assert ask(signed(running, "kept")) == (200, BODY)
        names = [one["Name"] for one in running.client().list_buckets()["Buckets"]]
        assert names == ["kept", "origin"]


@EITHER
def test_a_binding_of_the_catalog_has_its_effect_by_itself(tmp_path: Path, server: str) -> None:
    with serving(tmp_path, *options(server), config=CONFIG) as running:
        at = f"{running.url}/door/readObject"
        assert ask(at)[0] == 403, "S3: a bucket of that name, for nobody in particular"
        door = ("--prefix", "/door")
        change(running, "bindings", "add", *door, "--mode", "standard")
        wait_for_all(lambda: b"function_not_found" in ask(at)[1])
        change(running, "bindings", "remove", *door)
        wait_for_all(lambda: b"function_not_found" not in ask(at)[1])


def wait_for_all(check: object) -> None:
    """Until it holds often enough that each worker was asked."""
    assert callable(check)
    in_a_row = 0
    for _ in range(2000):
        in_a_row = in_a_row + 1 if check() else 0
        if in_a_row == 20:
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")
