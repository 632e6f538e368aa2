"""Whole accounts of upstreams: their buckets beside the others, and `check --connect`."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.access.identity import ANONYMOUS, Identity
from gateway.commands.main import main
from gateway.config import load
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import AlreadyExists, BytesBody, Conflict, NoSuchStore, Put, Unavailable
from gateway.storage.objects import now
from tests.modes.s3_gateway import Served, serving

pytestmark = pytest.mark.usefixtures("sockets")

ROOT = Identity(key="root", account="root", access="admin")
Write = Callable[..., Path]


@pytest.fixture
def upstream() -> Iterator[Served]:
    with serving() as served:
        yield served
        served.client().close()  # waitress ends when nobody is connected


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(url: str, more: str = "", *, bucket: str = "") -> Path:
        file = tmp_path / "gateway.toml"
        file.write_text(
            f"""
            [server]
            data = "data"
            [services.account]
            driver = "s3"
            endpoint_url = "{url}"
            access_key = "main-key"
            secret_key = "secret of main-key"
            bucket = "{bucket}"
            retries = 0
            {more}
            """,
            "utf-8",
        )
        return file

    return write


class Clock:
    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return now() + self.ahead


@pytest.fixture
def start(write: Write) -> Iterator[Callable[..., Runtime]]:
    opened: list[Runtime] = []

    def start(url: str, more: str = "", clock: Clock | None = None) -> Runtime:
        configuration = load(write(url, more), environ={})
        opened.append(open_runtime(configuration, environ={}, clock=clock or Clock()))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def names(runtime: Runtime, identity: Identity = ROOT) -> list[str]:
    return [one.service.sid for one in runtime.services(identity)]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_buckets_of_an_account_are_services_beside_the_others(
    upstream: Served, start: Callable[..., Runtime]
) -> None:
    client = upstream.client()
    for name in ("photos", "papers"):
        client.create_bucket(Bucket=name)
    client.put_object(Bucket="photos", Key="cat", Body=b"miau")
    runtime = start(upstream.url)
    runtime.create(ROOT, "mine")
    assert names(runtime) == ["mine", "papers", "photos"]
    assert names(runtime, ANONYMOUS) == []
    photos = runtime.access(ROOT, "photos")
    with photos.get("cat") as opened:
        assert opened.body.read() == b"miau"
    photos.put("dog", BytesBody(b"wau"), Put(size=3))
    assert client.get_object(Bucket="photos", Key="dog")["Body"].read() == b"wau"


def test_an_accounts_bucket_is_upstreams_and_its_service_is_none(
    upstream: Served, start: Callable[..., Runtime]
) -> None:
    upstream.client().create_bucket(Bucket="photos")
    runtime = start(upstream.url)
    assert names(runtime) == ["photos"]
    with pytest.raises(AlreadyExists):
        runtime.create(ROOT, "photos")
    with pytest.raises(Conflict, match=r"services\.account"):
        runtime.drop(ROOT, "photos")
    with pytest.raises(Conflict, match=r"services\.account"):
        runtime.set_grants(ROOT, "photos", [])
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "account")
    with pytest.raises(AlreadyExists):
        runtime.create(ROOT, "account")


def test_who_has_a_name_already_keeps_it_and_that_is_told(
    upstream: Served, start: Callable[..., Runtime], caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("taken", "made", "free"):
        upstream.client().create_bucket(Bucket=name)
    with caplog.at_level(logging.WARNING, "gateway.accounts"):
        runtime = start(upstream.url, '[services.taken]\ndriver = "local"\n')
        runtime.catalog.add_service("made", "root", ())
        runtime.chain.buckets.create("made")
        assert names(runtime) == ["free", "made", "taken"]
    assert runtime.access(ROOT, "taken").service.about.driver == "local"
    assert runtime.access(ROOT, "made").service.about.driver == "local"
    told = [one.getMessage() for one in caplog.records]
    assert "services.account: its bucket 'taken' is hidden: services.taken has that name" in told
    assert any("'made' is hidden" in one for one in told)


def test_a_bucket_that_comes_or_goes_upstream_is_seen_when_the_list_is_old(
    upstream: Served, start: Callable[..., Runtime]
) -> None:
    clock = Clock()
    runtime = start(upstream.url, clock=clock)
    assert names(runtime) == []
    upstream.client().create_bucket(Bucket="late")
    clock.ahead += 11_000
    assert names(runtime) == ["late"]
    upstream.client().delete_bucket(Bucket="late")
    clock.ahead += 11_000
    with pytest.raises(NoSuchStore):
        runtime.access(ROOT, "late")


def test_an_upstream_that_is_down_hides_no_other_service(
    start: Callable[..., Runtime],
) -> None:
    runtime = start(f"http://127.0.0.1:{closed_port()}", '[services.here]\ndriver = "local"\n')
    runtime.create(ROOT, "made")
    assert names(runtime) == ["here", "made"]
    with pytest.raises(Unavailable):  # nobody knows whether it is there
        runtime.access(ROOT, "perhaps")


def test_services_shows_what_is_known_while_an_upstream_is_down(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    down = f"http://127.0.0.1:{closed_port()}"
    file = write(down, '[services.here]\ndriver = "local"\n', bucket="photos")
    open_runtime(load(file, environ={}), environ={}).close()
    assert main(["services", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert "here (local), declared, owner root, 0 objects" in said
    assert "account (s3), declared, owner root" in said and "Writable" in said
    assert f"what else it can do is not known: No connection to {down}" in said


def test_check_connect_says_what_an_upstream_can_do(
    upstream: Served, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    client = upstream.client()
    client.create_bucket(Bucket="photos")
    client.put_object(Bucket="photos", Key="cat", Body=b"miau", ChecksumAlgorithm="CRC32")
    file = write(upstream.url, bucket="photos")
    assert main(["check", "--connect", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert f"services.account (s3): {upstream.url} photos: fine" in said
    assert "can: list, read, conditions, checksums" in said
    assert "cannot: versions, protection" in said
    assert not (file.parent / "data" / "index.sqlite").exists(), "a check creates nothing"


def test_check_connect_names_hidden_buckets_of_an_account(
    upstream: Served, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.client().create_bucket(Bucket="taken")
    file = write(upstream.url, '[services.taken]\ndriver = "local"\n')
    assert main(["check", "--connect", "--config", str(file)]) == 0
    said = capsys.readouterr().out
    assert "can: buckets" in said
    assert "WARNING: services.account: its bucket 'taken' stays hidden: services.taken" in said


def test_check_connect_tries_added_upstreams_too(
    upstream: Served, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.client().create_bucket(Bucket="photos")
    file = write(upstream.url, bucket="photos")
    place = ("--config", str(file))
    options = {"endpoint_url": upstream.url, "access_key": "main-key",
               "secret_key": "secret of main-key", "bucket": "photos"}  # fmt: skip
    given = [word for one in options.items() for word in ("--option", "=".join(one))]
    assert main(["services", "add", "more", "--driver", "s3", *given, *place]) == 0
    assert main(["services", "add", "seen", "--driver", "cache", "--link", "source=more",
                 *place]) == 0  # fmt: skip
    capsys.readouterr()
    assert main(["check", "--connect", *place]) == 0
    said = capsys.readouterr().out
    for sid in ("account", "more"):
        assert f"services.{sid} (s3): {upstream.url} photos: fine" in said
    assert main(["services", "set", "more", "--option", "bucket=absent", *place]) == 0
    assert main(["check", "--connect", *place]) == 1
    said = capsys.readouterr().out
    assert "ERROR: services.more (s3): " in said and "The bucket does not exist" in said
    file.write_text(file.read_text("utf-8").replace("services.account", "services.more"))
    assert main(["check", "--connect", *place]) == 0, "what the file says comes first"
    assert "secret" not in said


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"secret_key": "wrong"}, "refuses the gateway's own credentials (SignatureDoesNotMatch)"),
        ({"bucket": "absent"}, "The bucket does not exist"),
        ({"endpoint_url": "http://no-such-host.invalid"}, "does not resolve"),
        ({"endpoint_url": ""}, "No connection to"),
    ],
)
def test_check_connect_names_the_place_of_what_fails(
    upstream: Served,
    write: Write,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str],
    why: str,
) -> None:
    upstream.client().create_bucket(Bucket="photos")
    given: dict[str, Any] = {"bucket": "photos", "secret_key": "secret of main-key", **change}
    if change.get("endpoint_url") == "":
        given["endpoint_url"] = f"http://127.0.0.1:{closed_port()}"
    file = write(given.get("endpoint_url", upstream.url), bucket=given["bucket"])
    file.write_text(file.read_text("utf-8").replace("secret of main-key", given["secret_key"]))
    assert main(["check", "--connect", "--config", str(file)]) == 1
    said = capsys.readouterr().out
    assert "ERROR: services.account (s3): " in said
    assert why in said
    assert "secret" not in said
