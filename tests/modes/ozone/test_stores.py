"""Volumes and buckets that the configuration declares, in front of any driver."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigurationError
from gateway.testing import Server
from tests.modes.ozone.trusting import (
    Ozone,
    configured,
    differing,
    done,
    outcome,
    refused,
    said,
    trusting,
)

KINDS = ("memory", "local", "fsspec", "cached", "plain")
"""Those that can be written; `dull` can be read alone."""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ozone]:
    folder: Path = tmp_path_factory.mktemp("media")
    in_it = {"volume": "media"}
    services = {
        "media.memory": {"driver": "memory", "keep_versions": "off", **in_it},
        "media.local": {"driver": "local", "folder": str(folder), **in_it},
        "media.fsspec": {"driver": "fsspec", "url": "memory://media", **in_it},
        "behind": {"driver": "memory", "keep_versions": "off"},
        "media.cached": {"driver": "cache", "source": "behind", **in_it},
        "media.plain": {"driver": "plain", **in_it},
        "dull": {"driver": "dull", **in_it},
        "none-of-it": {"driver": "memory"},
    }
    volumes = {"media": {"account": "bilbo"}}
    accounts = [{"id": "bilbo"}]
    with trusting(accounts=accounts, volumes=volumes, services=services) as found:
        yield found


def test_a_service_of_any_driver_is_a_bucket(media: Ozone) -> None:
    found = said(media.ask("GET", "/media", "bilbo"))["buckets"]
    names = [one["bucketName"] for one in found]
    assert names == sorted(["cached", "dull", "fsspec", "local", "memory", "plain"])
    assert {one["volumeName"] for one in found} == {"media"}
    volume = said(media.ask("GET", "/media", "bilbo", info="volume"))
    assert volume["owner"] == {"name": "bilbo"}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_in_front_of_it(media: Ozone, kind: str) -> None:
    bucket = f"/media/{kind}"
    done(media.ask("PUT", f"{bucket}/a/key", "bilbo", body=b"data"), 201)
    done(media.ask("PUT", f"{bucket}/b", "bilbo", body=b"x"), 201)
    assert media.ask("GET", f"{bucket}/a/key", "bilbo").body == b"data"
    if kind != "plain":  # whose answer says why: it cannot
        assert (
            media.ask("GET", f"{bucket}/a/key", "bilbo", headers={"range": "bytes=1-2"}).body
            == b"at"
        )
        assert media.keys(bucket) == ["a/key", "b"]
    info = said(media.ask("GET", f"{bucket}/a/key", "bilbo", info="key"))
    assert (info["size"], info["keyName"]) == (4, "a/key")
    about = said(media.ask("GET", bucket, "bilbo", info="bucket"))
    assert about["versioning"] == ("ENABLED" if kind == "local" else "DISABLED")
    for key in ("a/key", "b"):
        done(media.ask("DELETE", f"{bucket}/{key}", "bilbo"))
        refused(media.ask("GET", f"{bucket}/{key}", "bilbo"), 400, "invalidKey")


def test_what_a_store_cannot_is_said(media: Ozone) -> None:
    assert media.ask("GET", "/media/dull/k", "bilbo").body == b"dull"
    info = said(media.ask("GET", "/media/dull/k", "bilbo", info="key"))
    assert info["md5hash"] is None
    rows = [
        ("PUT", "/media/dull/k"), ("DELETE", "/media/dull/k"), ("GET", "/media/dull"),
        ("GET", "/media/plain"),
    ]  # fmt: skip
    assert not differing(
        (row, outcome(media.ask(*row, "bilbo", body=b"x" if row[0] == "PUT" else None)), wanted)
        for row in rows
        for wanted in ["501 notImplemented"]
    )
    (uncounted,) = said(media.ask("GET", "/media", "bilbo", prefix="dull"))["buckets"]
    assert (uncounted["bytesUsed"], uncounted["keyCount"]) == (None, None)


def test_what_is_declared_is_changed_where_it_is(media: Ozone) -> None:
    rows: list[tuple[str, str, dict[str, str]]] = [
        ("PUT", "/media", {"quota": "1TB"}), ("DELETE", "/media", {}),
        ("DELETE", "/media/memory", {}),
    ]  # fmt: skip
    assert not differing(
        (row, outcome(media.ask(*row[:2], query=row[2])), "409 keyOperationConflict")
        for row in rows
    )
    refused(media.ask("POST", "/media", owner="frodo"), 409, "volumeAlreadyExists")
    assert said(media.ask("GET", "/media", info="volume"))["owner"] == {"name": "bilbo"}


def test_buckets_are_made_beside_declared_ones(media: Ozone) -> None:
    refused(media.ask("POST", "/media/memory", "bilbo"), 409, "bucketAlreadyExists")
    done(media.ask("POST", "/media/made", "bilbo"), 201)
    media.put("/media/made", "key")
    assert media.keys("/media/made") == ["key"]
    done(media.ask("DELETE", "/media/made/key", "bilbo"))
    done(media.ask("DELETE", "/media/made", "bilbo"))


def test_a_service_in_no_volume_is_in_none(media: Ozone) -> None:
    refused(media.ask("GET", "/media/none-of-it", "bilbo"), 400, "invalidBucketName")
    refused(media.ask("GET", "/none-of-it", "root"), 404, "volumeNotFound")


def test_a_service_of_its_own_driver_fits_no_volume_with_a_quota() -> None:
    with pytest.raises(ConfigurationError, match="quota"):
        configured(
            accounts=[{"id": "bilbo"}],
            volumes={"media": {"account": "bilbo", "quota": "1 TiB"}},
            services={"media.local": {"driver": "memory", "volume": "media"}},
        )


def test_a_bucket_at_another_server(gateway_s3: Any, gateway_server: Server) -> None:
    """What clients of Ozone do is done there, where clients of S3 see it."""
    upstream, key = gateway_s3, gateway_server.account()
    upstream.create_bucket(Bucket="upstream")
    upstream.put_object(Bucket="upstream", Key="old", Body=b"there before")
    films = {
        "driver": "s3",
        "bucket": "upstream",
        "endpoint_url": gateway_server.endpoint_url,
        "region": "us-east-1",
        "access_key": key.access_key,
        "secret_key": key.secret_key,
        "volume": "media",
    }
    volumes = {"media": {"account": "bilbo"}}
    accounts = [{"id": "bilbo"}]
    with trusting(accounts=accounts, volumes=volumes, services={"media.films": films}) as far:
        assert far.ask("GET", "/media/films/old", "bilbo").body == b"there before"
        far.put("/media/films", "new", b"by ozone")
        assert far.keys("/media/films") == ["new", "old"]
        assert upstream.get_object(Bucket="upstream", Key="new")["Body"].read() == b"by ozone"
        info = said(far.ask("GET", "/media/films/new", "bilbo", info="key"))
        assert info["md5hash"] == hashlib.md5(b"by ozone", usedforsecurity=False).hexdigest()
        done(far.ask("POST", "/media/films/new", "bilbo", toKey="renamed"))
        done(far.ask("DELETE", "/media/films/old", "bilbo"))
        assert far.keys("/media/films") == ["renamed"]
