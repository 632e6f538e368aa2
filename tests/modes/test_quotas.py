"""What somebody is told, through each API, whose bytes are more than a service's quota."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.modes.standard_gateway import Served, serving

TIGHT = '[services.tight]\ndriver = "memory"\nkeep_versions = "off"\nquota = "1000B"\n'
BUCKET = {"Bucket": "tight"}
SAID = "The quota of 1000 bytes is reached: 900 are used, and 900 more were to be stored."


@pytest.fixture(scope="module")
def tight(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("tight"), more=TIGHT) as served:
        assert served.put("tight", "there", bytes(900)).status == 201
        yield served


def part(s3: Any, **what: Any) -> None:
    upload = s3.create_multipart_upload(**BUCKET, Key="u")["UploadId"]
    named = {"Key": "u", "UploadId": upload, "PartNumber": 1, **BUCKET}
    try:
        if what:
            s3.upload_part_copy(**named, **what)
        else:
            s3.upload_part(**named, Body=bytes(900))
    finally:
        s3.abort_multipart_upload(**BUCKET, Key="u", UploadId=upload)


WAYS: dict[str, Callable[[Any], object]] = {
    "PutObject": lambda s3: s3.put_object(**BUCKET, Key="k", Body=bytes(900)),
    "CopyObject": lambda s3: s3.copy_object(**BUCKET, Key="k", CopySource="tight/there"),
    "UploadPart": part,
    "UploadPartCopy": lambda s3: part(s3, CopySource="tight/there"),
}


@pytest.mark.parametrize("way", WAYS)
def test_s3_says_QuotaExceeded_and_the_numbers(tight: Served, way: str) -> None:
    with pytest.raises(ClientError) as caught:
        WAYS[way](tight.s3())
    error = caught.value.response
    assert (error["Error"]["Code"], error["Error"]["Message"]) == ("QuotaExceeded", SAID)
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert len(tight.s3().list_objects_v2(**BUCKET)["Contents"]) == 1


def test_the_standard_mode_says_507_and_the_numbers(tight: Served) -> None:
    answer = tight.put("tight", "k", bytes(900))
    assert (answer.status, answer.error) == (507, "quota_exceeded")
    assert answer.json["message"] == SAID


def test_what_fits_is_stored_and_what_was_there_is_read_and_removed(tight: Served) -> None:
    assert tight.put("tight", "there", bytes(1000)).status == 200
    assert tight.put("tight", "k", b"x").status == 507
    assert tight.call("getfile", sid="tight", path="there").body == bytes(1000)
    assert tight.call("deletefile", method="DELETE", sid="tight", path="there").status == 200
    assert tight.put("tight", "there", bytes(900)).status == 201
