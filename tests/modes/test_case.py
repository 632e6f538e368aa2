"""What each API says of a service that does not tell keys apart by case."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.modes.standard_gateway import Served, serving

FOLDING = '[services.folding]\ndriver = "memory"\ncase_sensitive = false\n'
BUCKET = {"Bucket": "folding"}


@pytest.fixture(scope="module")
def served(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("folding"), more=FOLDING) as made:
        yield made


def test_s3_gives_one_object_by_all_its_names_and_lists_it_in_lower_case(served: Served) -> None:
    s3 = served.s3()
    s3.put_object(**BUCKET, Key="S3/Photo.JPG", Body=b"data")
    assert s3.get_object(**BUCKET, Key="s3/PHOTO.jpg")["Body"].read() == b"data"
    listed = s3.list_objects_v2(**BUCKET, Prefix="S3/", Delimiter="/")
    assert [one["Key"] for one in listed["Contents"]] == ["s3/photo.jpg"]
    assert listed["Prefix"] == "S3/"


def test_s3_takes_a_copy_to_another_case_for_a_copy_onto_itself(served: Served) -> None:
    s3 = served.s3()
    s3.put_object(**BUCKET, Key="Copy", Body=b"data")
    with pytest.raises(ClientError, match="illegal"):
        s3.copy_object(**BUCKET, Key="COPY", CopySource="folding/copy")


def test_s3_names_what_was_deleted_as_it_was_asked_for(served: Served) -> None:
    s3 = served.s3()
    s3.put_object(**BUCKET, Key="gone/a", Body=b"data")
    wanted = {"Objects": [{"Key": "Gone/A"}]}
    assert s3.delete_objects(**BUCKET, Delete=wanted)["Deleted"][0]["Key"] == "Gone/A"
    with pytest.raises(ClientError, match="404"):
        s3.head_object(**BUCKET, Key="gone/a")


def test_the_standard_mode_lists_the_versions_of_a_path_in_any_case(served: Served) -> None:
    for path in ("Standard/A", "standard/a"):
        assert served.put("folding", path).status in (200, 201)
    for path in ("standard/a", "STANDARD/A"):
        found = served.call("versionlist", sid="folding", path=path).json["versions"]
        assert len(found) == 2
    first = served.call("versionlist", sid="folding", path="STANDARD/A", limit=1).json
    rest = served.call("versionlist", sid="folding", path="Standard/A", after=first["next"])
    assert len(rest.json["versions"]) == 1
