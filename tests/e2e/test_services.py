"""Services and bindings that come and go beside a gateway that serves, in all its workers."""

from __future__ import annotations

import http.client
import re
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from gateway.commands.main import main
from tests import catalogs
from tests.e2e.conftest import KEY, SECRET, SERVERS, Running, serving

CONFIG = """
[services.origin]
driver = "local"
"""
BODY = b"0123456789" * 30_000
EITHER = pytest.mark.parametrize("server", SERVERS)
ANY_CATALOG = pytest.mark.parametrize("catalog", catalogs.SHARED)


def options(server: str) -> tuple[str, ...]:
    return ("--server", server, *(("--workers", "2") if server == "granian" else ()))


def change(running: Running, *words: str) -> None:
    folder = running.folder
    place = ["--config", str(folder / "gateway.toml"), "--data", str(folder / "data")]
    assert main([*words, *place]) == 0


def signed(running: Running, bucket: str) -> str:
    client = running.client(config=Config(signature_version="s3v4"))
    wanted = {"Bucket": bucket, "Key": "k"}
    url: str = client.generate_presigned_url("get_object", Params=wanted)
    return url


def ask(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except http.client.IncompleteRead as error:
        return 0, error.partial


@EITHER
@ANY_CATALOG
def test_requests_meet_a_service_whole_or_not_at_all(
    tmp_path: Path, server: str, catalog: str
) -> None:
    config = catalogs.table(catalog) + CONFIG
    with serving(tmp_path, *options(server), config=config) as running:
        running.client().put_object(Bucket="origin", Key="k", Body=BODY)
        urls = {sid: signed(running, sid) for sid in ("origin", "goes")}
        answers: dict[str, list[tuple[int, bool]]] = {sid: [] for sid in urls}
        done = threading.Event()

        def keep_asking(sid: str) -> None:
            while not done.is_set():
                status, body = ask(urls[sid])
                answers[sid].append((status, body == BODY))

        def some_more() -> None:
            """So many that both workers were asked, and have had time to follow."""
            seen, until = len(answers["goes"]), time.monotonic() + 60
            while len(answers["goes"]) < seen + 40 and time.monotonic() < until:
                time.sleep(0.02)
            time.sleep(0.2)

        with ThreadPoolExecutor(4) as pool:
            asking = [pool.submit(keep_asking, sid) for sid in ("origin", "goes", "goes", "goes")]
            try:
                for _ in range(2):
                    cache = ("--driver", "cache", "--link", "source=origin")
                    change(running, "services", "add", "goes", *cache)
                    some_more()
                    change(running, "services", "set", "goes", "--option", "max_size=1GiB")
                    some_more()
                    change(running, "services", "remove", "goes")
                    some_more()
            finally:
                done.set()
            for one in asking:
                one.result()
        assert set(answers["origin"]) == {(200, True)}
        assert set(answers["goes"]) == {(200, True), (404, False)}
        change(running, "services", "add", "kept", "--driver", "local")
        if catalog == "postgres":  # which is asked twice a second
            wait_for_all(lambda: b"NoSuchBucket" not in ask(signed(running, "kept"))[1])
        running.client().put_object(Bucket="kept", Key="k", Body=BODY)
    with serving(tmp_path, *options(server), config=config) as running:
        assert ask(signed(running, "kept")) == (200, BODY)
        names = [one["Name"] for one in running.client().list_buckets()["Buckets"]]
        assert names == ["kept", "origin"]


@EITHER
@ANY_CATALOG
def test_a_binding_of_the_catalog_has_its_effect_by_itself(
    tmp_path: Path, server: str, catalog: str
) -> None:
    config = catalogs.table(catalog) + CONFIG
    with serving(tmp_path, *options(server), config=config) as running:
        at = f"{running.url}/door/readObject"
        assert b"NoSuchBucket" in ask(at)[1]
        door = ("--prefix", "/door")
        change(running, "bindings", "add", *door, "--mode", "standard")
        wait_for_all(lambda: b"function_not_found" in ask(at)[1])
        change(running, "bindings", "remove", *door)
        wait_for_all(lambda: b"function_not_found" not in ask(at)[1])


def test_what_is_changed_in_the_console_counts_in_every_worker(tmp_path: Path) -> None:
    with (
        serving(tmp_path, *options("granian" if "granian" in SERVERS else "waitress")) as running,
        requests.Session() as session,
    ):
        at = f"{running.url}/-/console"
        session.post(f"{at}/sign-in", data={"key": KEY, "secret": SECRET}).raise_for_status()

        def submit(page: str, **fields: str) -> str:
            found = session.get(f"{at}/{page}")
            (token,) = set(re.findall(r'name="csrf" (?:content|value)="([^"]+)"', found.text))
            answer = session.post(f"{at}/{page.partition('?')[0]}", {**fields, "csrf": token})
            assert answer.status_code == 200, answer.text
            return answer.text

        said = submit("add-service?driver=local", driver="local", sid="fresh", account="root")
        assert "The service is added." in said
        running.client().put_object(Bucket="fresh", Key="k", Body=b"data")
        submit("add-binding?mode=public", mode="public", prefix="/door", service="fresh")
        wait_for_all(lambda: ask(f"{running.url}/door/k") == (200, b"data"))
        submit("services/fresh/change", **{"option.quota": "1KiB"})
        with pytest.raises(ClientError, match="QuotaExceeded"):
            running.client().put_object(Bucket="fresh", Key="large", Body=bytes(2048))


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
