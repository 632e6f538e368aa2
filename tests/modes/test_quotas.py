"""What somebody is told, through each API, whose bytes are more than a quota: that of a service,
or that of a volume whose buckets share it. Nothing of them is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from gateway.access.identity import Identity
from gateway.services.runtime import open_runtime
from tests.modes.standard_gateway import Served, configuration, serving

TIGHT = '[services.tight]\ndriver = "local"\nkeep_versions = "off"\nquota = "1000B"\n'
DISK = 'data = "data"'
ROOT = Identity(key="root", account="root", access="admin")
SAID = "The quota of 1000 bytes{} is reached: 900 are used, and 900 more were to be stored."


class Place(NamedTuple):
    """Where 900 bytes are, in `there`; where more are sent to, and what is said of them."""

    served: Served
    data: Path
    there: str
    sid: str
    said: str

    def files(self) -> set[Path]:
        return {one for one in (self.data / "blobs").rglob("*") if one.is_file()}


@pytest.fixture(scope="module")
def disk(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    folder = tmp_path_factory.mktemp("tight")
    runtime = open_runtime(configuration(folder, TIGHT, options=DISK), environ={})
    try:
        runtime.volumes.make(ROOT, "media", owner="root", quota=1000)
        for name in ("one", "two"):
            runtime.volumes.create_bucket(ROOT, "media", name)
    finally:
        runtime.close()
    with serving(folder, more=TIGHT, options=DISK) as served:
        for sid in ("tight", "media.one"):
            assert served.put(sid, "there", bytes(900)).status == 201
        yield served, folder / "data"


@pytest.fixture(params=["tight", "media.one", "media.two"])
def place(disk: tuple[Served, Path], request: pytest.FixtureRequest) -> Place:
    sid: str = request.param
    volume = sid.startswith("media.")
    said = SAID.format(" of the volume 'media'" if volume else "")
    return Place(*disk, "media.one" if volume else "tight", sid, said)


def part(s3: Any, bucket: str, **what: Any) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    named = {"Bucket": bucket, "Key": "u", "UploadId": upload, "PartNumber": 1}
    try:
        if what:
            s3.upload_part_copy(**named, **what)
        else:
            s3.upload_part(**named, Body=bytes(900))
    finally:
        s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)


def copied(s3: Any, place: Place) -> None:
    s3.copy_object(Bucket=place.sid, Key="k", CopySource=f"{place.there}/there")


WAYS: dict[str, Callable[[Any, Place], object]] = {
    "PutObject": lambda s3, place: s3.put_object(Bucket=place.sid, Key="k", Body=bytes(900)),
    "CopyObject": copied,
    "UploadPart": lambda s3, place: part(s3, place.sid),
    "UploadPartCopy": lambda s3, place: part(s3, place.sid, CopySource=f"{place.there}/there"),
}


def keys(place: Place) -> list[str]:
    found = place.served.s3().list_objects_v2(Bucket=place.sid).get("Contents", ())
    return [one["Key"] for one in found]


@pytest.mark.parametrize("way", WAYS)
def test_s3_says_QuotaExceeded_and_the_numbers(place: Place, way: str) -> None:
    before = keys(place), place.files()
    with pytest.raises(ClientError) as caught:
        WAYS[way](place.served.s3(), place)
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("QuotaExceeded", place.said)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert (keys(place), place.files()) == before


def test_the_standard_mode_says_507_and_the_numbers(place: Place) -> None:
    answer = place.served.put(place.sid, "k", bytes(900))
    assert (answer.status, answer.error) == (507, "quota_exceeded")
    assert answer.json["message"] == place.said
    assert "k" not in keys(place)


def test_what_fits_is_stored_and_what_was_there_is_read_and_removed(place: Place) -> None:
    served, there = place.served, place.there
    assert served.put(there, "there", bytes(1000)).status == 200
    assert served.put(place.sid, "k", b"x").status == 507
    assert served.call("getfile", sid=there, path="there").body == bytes(1000)
    assert served.call("deletefile", method="DELETE", sid=there, path="there").status == 200
    assert served.put(place.sid, "k", bytes(1000)).status == 201
    assert served.call("deletefile", method="DELETE", sid=place.sid, path="k").status == 200
    assert served.put(there, "there", bytes(900)).status == 201
