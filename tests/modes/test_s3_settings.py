"""A bucket's settings: documents that come back as S3 writes them, and are gone with the bucket."""

from __future__ import annotations

from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused

TAGS = [{"Key": "team", "Value": "blue"}, {"Key": "stage", "Value": "test"}]


def code(s3: Served, call: str, bucket: str, key: str = "main-key", **arguments: object) -> str:
    return refused(getattr(s3.client(key), call), Bucket=bucket, **arguments)[1]


def test_tags_of_a_bucket_come_back_and_go(s3: Served, bucket: str) -> None:
    client = s3.client()
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    found = client.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert sorted(found, key=str) == sorted(TAGS, key=str)
    client.delete_bucket_tagging(Bucket=bucket)
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_a_bucket_of_the_same_name_has_none_of_them(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    client.delete_bucket(Bucket=bucket)
    client.create_bucket(Bucket=bucket)
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_who_may_not_learns_and_changes_nothing(s3: Served, bucket: str) -> None:
    wanted = {"Tagging": {"TagSet": TAGS}}
    assert code(s3, "get_bucket_tagging", bucket, "other-key") == "AccessDenied"
    assert code(s3, "put_bucket_tagging", bucket, "other-key", **wanted) == "AccessDenied"
    assert code(s3, "delete_bucket_tagging", bucket, "other-key") == "AccessDenied"
    assert code(s3, "get_bucket_tagging", bucket) == "NoSuchTagSet"


def test_bad_documents_are_refused_and_keep_what_was_there(s3: Served, bucket: str) -> None:
    s3.client().put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    twice = {"TagSet": [TAGS[0], TAGS[0]]}
    assert code(s3, "put_bucket_tagging", bucket, Tagging=twice) == "InvalidTag"
    many = {"TagSet": [{"Key": str(n), "Value": ""} for n in range(51)]}
    assert code(s3, "put_bucket_tagging", bucket, Tagging=many) == "InvalidTag"
    for body in (b"", b"<Tagging/>", b"\xff", b"<CORSConfiguration/>"):
        assert s3.raw("PUT", f"/{bucket}?tagging", body=body).code() == "MalformedXML"
    assert len(s3.client().get_bucket_tagging(Bucket=bucket)["TagSet"]) == 2
