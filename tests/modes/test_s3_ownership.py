"""Who owns what others put, which lists count, and what a bucket blocks of the public."""

from __future__ import annotations

import pytest

from gateway.access.identity import Identity
from tests.modes.s3_gateway import Served
from tests.modes.test_s3_objects import refused
from tests.modes.test_s3_policy import DENIED, OTHER, arns, may, put_policy, reads, said, statement

NOT_SUPPORTED = (400, "AccessControlListNotSupported")
BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
PUBLIC = ("public-read", "public-read-write", "authenticated-read")


def own(s3: Served, bucket: str, ownership: str) -> None:
    controls = {"Rules": [{"ObjectOwnership": ownership}]}
    s3.client().put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)


def block(s3: Served, bucket: str, *switches: str) -> None:
    wanted = {name: name in switches for name in BLOCKS}
    client = s3.client()
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
    found = client.get_public_access_block(Bucket=bucket)
    assert found["PublicAccessBlockConfiguration"] == wanted


def owner_of(s3: Served, bucket: str, key: str, by: str = "main-key") -> str:
    found: str = s3.client(by).get_object_acl(Bucket=bucket, Key=key)["Owner"]["ID"]
    return found


@pytest.fixture
def shared(s3: Served, bucket: str) -> str:
    put_policy(s3, bucket, statement("s3:*", arns(bucket, "", "*"), Principal=OTHER))
    return bucket


def test_ownership_controls_come_back_and_go(s3: Served, bucket: str) -> None:
    client, missing = s3.client(), (404, "OwnershipControlsNotFoundError")
    assert refused(client.get_bucket_ownership_controls, Bucket=bucket) == missing
    own(s3, bucket, "BucketOwnerPreferred")
    found = client.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert found == {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    client.delete_bucket_ownership_controls(Bucket=bucket)
    assert refused(client.get_bucket_ownership_controls, Bucket=bucket) == missing
    rule = "<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>"
    for body in ("", rule * 2, rule.replace("Writer", "Reader"), "<Rule/>"):
        document = f"<OwnershipControls>{body}</OwnershipControls>".encode()
        answer = s3.raw("PUT", f"/{bucket}?ownershipControls", body=document)
        assert answer.code() == "MalformedXML"


@pytest.mark.parametrize(
    ("ownership", "none", "full"),
    [
        ("BucketOwnerEnforced", "main", "main"),
        ("BucketOwnerPreferred", "other", "main"),
        ("ObjectWriter", "other", "other"),
    ],
)
def test_whose_an_object_of_others_is(
    s3: Served, shared: str, ownership: str, none: str, full: str
) -> None:
    own(s3, shared, ownership)
    other, given = s3.client("other-key"), {"ACL": "bucket-owner-full-control"}
    for name, more, owner in (("none", {}, none), ("full", given, full)):
        other.put_object(Bucket=shared, Key=f"put-{name}", **more)
        source = {"Bucket": shared, "Key": f"put-{name}"}
        other.copy_object(Bucket=shared, Key=f"copy-{name}", CopySource=source, **more)
        begun = other.create_multipart_upload(Bucket=shared, Key=f"parts-{name}", **more)
        assert owner_of(s3, shared, f"put-{name}") == owner_of(s3, shared, f"copy-{name}") == owner
        parts = other.list_parts(Bucket=shared, Key=f"parts-{name}", UploadId=begun["UploadId"])
        assert parts["Owner"]["ID"] == owner
    private = {"Bucket": shared, "Key": "private", "ACL": "private"}
    if ownership == "BucketOwnerEnforced":
        assert refused(other.put_object, **private) == NOT_SUPPORTED
    else:
        other.put_object(**private)


def test_disabled_lists_give_nothing_and_cannot_be_set(s3: Served, bucket: str) -> None:
    client, here = s3.client(), {"Bucket": bucket, "Key": "k"}
    s3.gateway.set_grants(Identity(key="main-key", account="main"), bucket, [])
    client.put_object(**here, ACL="public-read")
    put_policy(s3, bucket, statement("s3:PutObject", arns(bucket, "*"), Principal=OTHER))
    s3.client("other-key").put_object(Bucket=bucket, Key="others")
    assert reads(s3, bucket, "k", "") and reads(s3, bucket, "others")
    own(s3, bucket, "BucketOwnerEnforced")
    assert not reads(s3, bucket, "k", "") and not reads(s3, bucket, "others")
    for call, more in (("put_bucket_acl", {"Bucket": bucket}), ("put_object_acl", here)):
        assert refused(getattr(client, call), **more, ACL="private") == NOT_SUPPORTED
    found = client.get_object_acl(Bucket=bucket, Key="others")
    assert [one["Grantee"]["ID"] for one in found["Grants"]] == ["main"]
    listed = client.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"]
    assert {one["Owner"]["ID"] for one in listed} == {"main"}
    client.delete_bucket_ownership_controls(Bucket=bucket)
    assert reads(s3, bucket, "k", "") and reads(s3, bucket, "others")


def test_a_bucket_is_made_with_its_ownership(s3: Served, bucket: str) -> None:
    client, name = s3.client(), f"{bucket}-owned"
    made = {"Bucket": name, "ObjectOwnership": "BucketOwnerEnforced"}
    wrong = (400, "InvalidBucketAclWithObjectOwnership")
    assert refused(client.create_bucket, **made, ACL="public-read") == wrong
    client.create_bucket(**made, ACL="private")
    found = client.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]
    assert found == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    client.put_bucket_acl(Bucket=bucket, ACL="public-read")
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    call = client.put_bucket_ownership_controls
    assert refused(call, Bucket=bucket, OwnershipControls=controls) == wrong


def test_new_public_lists_and_policies_are_blocked(s3: Served, bucket: str) -> None:
    client, here = s3.client(), {"Bucket": bucket, "Key": "k"}
    client.put_object(**here)
    block(s3, bucket, "BlockPublicAcls", "BlockPublicPolicy")
    for acl in PUBLIC:
        for call, more in (
            ("put_bucket_acl", {"Bucket": bucket}),
            ("put_object_acl", here),
            ("put_object", here),
            ("create_multipart_upload", here),
        ):
            assert refused(getattr(client, call), **more, ACL=acl) == DENIED
    client.put_object(**here, ACL="private")
    public = statement("s3:GetObject", arns(bucket, "*"))
    given = {"Bucket": bucket, "Policy": said(public)}
    assert refused(client.put_bucket_policy, **given) == DENIED
    put_policy(s3, bucket, {**public, "Principal": OTHER})
    client.delete_public_access_block(Bucket=bucket)
    client.put_bucket_policy(**given)
    client.put_object_acl(**here, ACL="public-read")


def test_public_lists_that_are_there_are_ignored(s3: Served, bucket: str) -> None:
    client, here = s3.client(), {"Bucket": bucket, "Key": "k"}
    client.put_bucket_acl(Bucket=bucket, ACL="public-read")
    client.put_object(**here, ACL="public-read")
    client.put_object(Bucket=bucket, Key="theirs", GrantRead="id=other")
    block(s3, bucket, "IgnorePublicAcls")
    assert not may(s3, "list_objects_v2", Bucket=bucket) and not reads(s3, bucket, "k")
    assert reads(s3, bucket, "theirs"), "it is no public one"
    client.put_object_acl(**here, ACL="public-read")  # it may be set, and counts when it may
    client.delete_public_access_block(Bucket=bucket)
    assert may(s3, "list_objects_v2", "", Bucket=bucket) and reads(s3, bucket, "k", "")


def test_a_public_bucket_is_restricted_to_its_owners_account(s3: Served, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="k", GrantRead="id=other")
    mine = statement("s3:GetObject", arns(bucket, "*"), Principal=OTHER)
    put_policy(s3, bucket, mine, statement("s3:ListBucket", arns(bucket, "")))
    assert reads(s3, bucket, "k") and may(s3, "list_objects_v2", "", Bucket=bucket)
    block(s3, bucket, "RestrictPublicBuckets")
    assert not reads(s3, bucket, "k") and not may(s3, "list_objects_v2", "", Bucket=bucket)
    assert reads(s3, bucket, "k", "main-key")
    put_policy(s3, bucket, mine)  # which is not public
    assert reads(s3, bucket, "k")


def test_a_block_that_is_none_is_refused(s3: Served, bucket: str) -> None:
    client, missing = s3.client(), (404, "NoSuchPublicAccessBlockConfiguration")
    assert refused(client.get_public_access_block, Bucket=bucket) == missing
    root = "PublicAccessBlockConfiguration"
    unknown, unclear = "<BlockAll>true</BlockAll>", "<BlockPublicAcls>maybe</BlockPublicAcls>"
    for body in (f"<{root}>{unknown}</{root}>", f"<{root}>{unclear}</{root}>", "<Block/>"):
        answer = s3.raw("PUT", f"/{bucket}?publicAccessBlock", body=body.encode())
        assert answer.code() == "MalformedXML"
    assert s3.raw("PUT", f"/{bucket}?publicAccessBlock").code() == "MissingRequestBodyError"
