"""boto3, of whichever release."""

import boto3
import life
from botocore.exceptions import ClientError
from life import BUCKET, KEYS, LARGE, SMALL, step

s3 = boto3.client("s3")


@step("create")
def _() -> None:
    s3.create_bucket(Bucket=BUCKET)
    assert BUCKET in [one["Name"] for one in s3.list_buckets()["Buckets"]]


@step("small")
def _() -> None:
    for key in KEYS:
        s3.put_object(Bucket=BUCKET, Key=key, Body=SMALL, Metadata={"color": "blue"})
        found = s3.get_object(Bucket=BUCKET, Key=key)
        assert found["Body"].read() == SMALL
        assert found["Metadata"] == {"color": "blue"}


@step("large")
def _() -> None:
    s3.upload_file(str(LARGE), BUCKET, "large")
    s3.download_file(BUCKET, "large", f"{LARGE}.back")
    assert LARGE.read_bytes() == LARGE.with_name(f"{LARGE.name}.back").read_bytes()
    assert s3.head_object(Bucket=BUCKET, Key="large")["ETag"].endswith('-2"')


@step("list")
def _() -> None:
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, PaginationConfig={"PageSize": 1}
    )
    assert [one["Key"] for page in pages for one in page["Contents"]] == sorted([*KEYS, "large"])
    found = s3.list_objects_v2(Bucket=BUCKET, Delimiter="/")
    assert [one["Prefix"] for one in found["CommonPrefixes"]] == ["a b+c/", "d/"]


@step("range")
def _() -> None:
    found = s3.get_object(Bucket=BUCKET, Key="d/2", Range="bytes=2-4")
    assert (found["Body"].read(), found["ContentRange"]) == (b"234", "bytes 2-4/10")


@step("copy")
def _() -> None:
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": KEYS[1]})
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Metadata"] == {"color": "blue"}
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "copy of large")


@step("versions")
def _() -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=BUCKET, Key="v", Body=b"1")["VersionId"]
    s3.put_object(Bucket=BUCKET, Key="v", Body=b"2")
    s3.delete_object(Bucket=BUCKET, Key="v")
    assert s3.get_object(Bucket=BUCKET, Key="v", VersionId=first)["Body"].read() == b"1"
    found = s3.list_object_versions(Bucket=BUCKET, Prefix="v")
    assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (2, 1)


@step("presigned")
def _() -> None:
    signing = boto3.client("s3", config=boto3.session.Config(signature_version="s3v4"))
    url = signing.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": KEYS[1]})
    assert life.fetched(url) == SMALL


@step("errors")
def _() -> None:
    for call, code in ((s3.get_object, "NoSuchKey"), (s3.head_object, "404")):
        try:
            call(Bucket=BUCKET, Key="none")
        except ClientError as error:
            assert error.response["Error"]["Code"] == code
        else:
            raise AssertionError("there is none")


@step("delete")
def _() -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        all_of = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        named = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in all_of]
        done = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": named})
        assert "Errors" not in done, done
    s3.delete_bucket(Bucket=BUCKET)


life.ended()
