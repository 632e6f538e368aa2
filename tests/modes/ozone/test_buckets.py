"""Buckets: made, changed, shown, listed and dropped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.storage import Unsupported
from tests.modes.ozone.trusting import Ozone, differing, done, outcome, refused, said
from tests.modes.public_gateway import OWNER


def info(ozone: Ozone, bucket: str, as_: str = "bilbo") -> dict[str, Any]:
    found: dict[str, Any] = said(ozone.ask("GET", bucket, as_, info="bucket"))
    return found


def made(ozone: Ozone, path: str, headers: Mapping[str, str], as_: str = "bilbo") -> str:
    return outcome(ozone.ask("POST", path, as_, headers=headers))


def test_who_makes_one(ozone: Ozone) -> None:
    volume = f"/{ozone.volume()}"
    rows = [
        ("bilbo", f"{volume}/one", "201"),
        ("root", f"{volume}/two", "201"),
        ("bilbo", f"{volume}/one", "409 bucketAlreadyExists"),
        ("root", f"{volume}/one", "409 bucketAlreadyExists"),
        ("frodo", f"{volume}/three", "404 volumeNotFound"),
        ("bilbo", "/absent/one", "404 volumeNotFound"),
        ("root", "/absent/one", "404 volumeNotFound"),
    ]
    for who, path, wanted in rows:
        assert made(ozone, path, {}, who) == wanted, (who, path)
    assert info(ozone, f"{volume}/two")["bucketName"] == "two"


def test_what_it_is_is_said_when_it_is_made(ozone: Ozone) -> None:
    volume = f"/{ozone.volume()}"
    rows: list[tuple[dict[str, str], str, str]] = [
        ({}, "DISABLED", "DISK"),
        ({"x-ozone-bucket-versioning": "enabled"}, "ENABLED", "DISK"),
        ({"x-ozone-bucket-versioning": "ENABLED"}, "ENABLED", "DISK"),
        ({"x-ozone-bucket-versioning": "Disabled"}, "DISABLED", "DISK"),
        ({"x-ozone-storage-class": "DEFAULT"}, "DISABLED", "DISK"),
        ({"x-ozone-storage-class": "ARCHIVE"}, "DISABLED", "ARCHIVE"),
        ({"x-ozone-storage-class": "DISK"}, "DISABLED", "DISK"),
        ({"x-ozone-storage-class": "RAM_DISK"}, "DISABLED", "RAM_DISK"),
        ({"x-ozone-storage-class": "ssd"}, "DISABLED", "SSD"),
        ({"x-ozone-storage-type": "SSD"}, "DISABLED", "SSD"),
    ]
    for number, (headers, versioning, kind) in enumerate(rows):
        path = f"{volume}/bucket-{number}"
        assert made(ozone, path, headers) == "201", headers
        found = info(ozone, path)
        assert (found["versioning"], found["storageType"]) == (versioning, kind), headers
        assert (found["volumeName"], found["acls"]) == (volume[1:], [])


def test_what_is_malformed_makes_nothing(ozone: Ozone) -> None:
    volume = f"/{ozone.volume()}"
    rows = [
        ({"x-ozone-bucket-versioning": "on"}, "400 malformedBucketVersion"),
        ({"x-ozone-bucket-versioning": ""}, "400 malformedBucketVersion"),
        ({"x-ozone-bucket-versioning": "enabled,enabled"}, "400 malformedBucketVersion"),
        ({"x-ozone-bucket-versioning": "not_defined"}, "400 malformedBucketVersion"),
        ({"x-ozone-storage-class": "TAPE"}, "400 malformedStorageClass"),
        ({"x-ozone-storage-class": "DISK,SSD"}, "400 malformedStorageClass"),
        ({"x-ozone-storage-type": "TAPE"}, "400 malformedStorageType"),
        ({"x-ozone-storage-type": "DISK,SSD"}, "400 malformedStorageType"),
        ({"x-ozone-acl": "user:bilbo:x"}, "400 malformedACL"),
        ({"x-ozone-acls": "ADD nobody"}, "400 malformedACL"),
        ({"x-ozone-acl": "REMOVE user:frodo:rw"}, "400 malformedACL"),
    ]
    assert not differing(
        (headers, made(ozone, f"{volume}/malformed", headers), wanted) for headers, wanted in rows
    )
    refused(ozone.ask("GET", f"{volume}/malformed", info="bucket"), 400, "invalidBucketName")
    path = f"{volume}/there"
    assert made(ozone, path, {}) == "201"
    before = info(ozone, path)
    assert not differing(
        (headers, outcome(ozone.ask("PUT", path, "bilbo", headers=headers)), wanted)
        for headers, wanted in rows[:-1]
    )
    assert info(ozone, path) == before


def test_versioning_stays_as_it_is_unless_it_is_said(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    steps: list[tuple[dict[str, str], str]] = [
        ({"x-ozone-bucket-versioning": "enabled"}, "ENABLED"),
        ({}, "ENABLED"),
        ({"x-ozone-acl": "ADD user:frodo:r"}, "ENABLED"),
        ({"x-ozone-bucket-versioning": "disabled"}, "DISABLED"),
        ({"x-ozone-storage-class": "SSD"}, "DISABLED"),
    ]
    for headers, wanted in steps:
        done(ozone.ask("PUT", bucket, "bilbo", headers=headers))
        assert info(ozone, bucket)["versioning"] == wanted, headers
    assert info(ozone, bucket)["storageType"] == "SSD"


def test_what_versions_there_are_s3_has_too(ozone: Ozone) -> None:
    """Versioning is the service's, and no word that is kept and shown."""
    bucket = ozone.bucket()
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-bucket-versioning": "enabled"}))
    ozone.put(bucket, "key", b"one")
    ozone.put(bucket, "key", b"two")
    page = ozone.runtime.access(OWNER, ozone.sid(bucket)).versions()
    assert [one.size for one in page.entries] == [3, 3]
    done(ozone.ask("DELETE", f"{bucket}/key", "bilbo"))
    assert ozone.keys(bucket) == []
    refused(ozone.ask("DELETE", bucket, "bilbo"), 409, "bucketNotEmpty")  # they are there


def test_only_its_owner_and_administrators_change_and_drop_one(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    grant = {"x-ozone-acl": "ADD user:guest:rw"}
    assert outcome(ozone.ask("PUT", bucket, "guest", headers=grant)) == "404 volumeNotFound"
    done(ozone.ask("PUT", bucket, headers=grant))
    more = {"x-ozone-acl": "ADD user:friend:rw"}
    refused(ozone.ask("PUT", bucket, "guest", headers=more), 403, "accessDenied")
    versioned = {"x-ozone-bucket-versioning": "enabled"}
    refused(ozone.ask("PUT", bucket, "guest", headers=versioned), 403, "accessDenied")
    refused(ozone.ask("PUT", bucket, "guest"), 403, "accessDenied")
    malformed = {"x-ozone-storage-class": "TAPE"}
    refused(ozone.ask("PUT", bucket, "guest", headers=malformed), 403, "accessDenied")
    refused(ozone.ask("DELETE", bucket, "guest"), 403, "accessDenied")
    assert len(info(ozone, bucket)["acls"]) == 1
    ozone.put(bucket, "key", as_="guest")
    refused(ozone.ask("DELETE", bucket, "bilbo"), 409, "bucketNotEmpty")
    done(ozone.ask("DELETE", f"{bucket}/key", "guest"))
    done(ozone.ask("DELETE", bucket, "bilbo"))
    refused(ozone.ask("DELETE", bucket, "bilbo"), 400, "invalidBucketName")


def test_one_that_cannot_be_as_it_was_asked_for_is_not_there(
    ozone: Ozone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/{ozone.volume()}/bucket"

    def refuse(*_: object) -> None:
        raise Unsupported

    with monkeypatch.context() as patched:
        patched.setattr(ozone.runtime, "set_versioning", refuse)
        versioned = {"x-ozone-bucket-versioning": "enabled"}
        assert made(ozone, path, versioned) == "501 notImplemented"
    refused(ozone.ask("GET", path, info="bucket"), 400, "invalidBucketName")
    assert made(ozone, path, versioned) == "201"


def test_what_a_bucket_was_is_gone_with_it(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    headers = {"x-ozone-acl": "ADD user:guest:rw", "x-ozone-storage-class": "SSD"}
    done(ozone.ask("PUT", bucket, "bilbo", headers=headers))
    done(ozone.ask("DELETE", bucket, "bilbo"))
    done(ozone.ask("POST", bucket, "bilbo"), 201)
    found = info(ozone, bucket)
    assert (found["acls"], found["storageType"]) == ([], "DISK")
    assert outcome(ozone.ask("GET", bucket, "guest")) == "404 volumeNotFound"


def test_the_same_name_is_free_in_each_volume(ozone: Ozone) -> None:
    """Also where the volume's name and the bucket's are the same text together."""
    for volume in ("the.same", "the", "the.same.name"):
        ozone.volume(name=volume)
    paths = ["/the.same/name.one", "/the/same.name.one", "/the.same.name/one"]
    for path in paths:
        done(ozone.ask("POST", path, "bilbo"), 201)
        ozone.put(path, "key", path.encode())
    for path in paths:
        assert ozone.ask("GET", f"{path}/key", "bilbo").body == path.encode()
    assert len({ozone.sid(path) for path in paths}) == 3


def test_names_that_are_long_together(ozone: Ozone) -> None:
    volume = ozone.volume(name="v" * 63)
    paths = [f"/{volume}/{letter * 63}" for letter in "ab"]
    for path in paths:
        done(ozone.ask("POST", path, "bilbo"), 201)
        ozone.put(path, "key", path.encode())
        assert ozone.ask("GET", f"{path}/key", "bilbo").body == path.encode()
    assert len({ozone.sid(path) for path in paths}) == 2
    listed = said(ozone.ask("GET", f"/{volume}", "bilbo"))["buckets"]
    assert [one["bucketName"] for one in listed] == ["a" * 63, "b" * 63]


def test_a_taken_service_is_not_touched(ozone: Ozone) -> None:
    """Whose name is what the bucket would be called."""
    ozone.runtime.create(OWNER, "taken.bucket")
    ozone.volume(name="taken")
    done(ozone.ask("POST", "/taken/bucket", "bilbo"), 201)
    assert ozone.sid("/taken/bucket") != "taken.bucket"
    ozone.put("/taken/bucket", "key")
    assert not ozone.runtime.access(OWNER, "taken.bucket").list().entries


# listing


def names(
    ozone: Ozone, volume: str, as_: str = "bilbo", query: Mapping[str, object] = {}
) -> list[str]:
    found = said(ozone.ask("GET", volume, as_, query=query))["buckets"]
    return [one["bucketName"] for one in found]


def test_lists_of_buckets(ozone: Ozone) -> None:
    volume = f"/{ozone.volume()}"
    ten = [f"bucket-{number}" for number in range(10)]
    for name in (*ten, "another"):
        done(ozone.ask("POST", f"{volume}/{name}", "bilbo"), 201)
    rows: list[tuple[dict[str, object], list[str]]] = [
        ({}, ["another", *ten]),
        ({"info": "bucket"}, ["another", *ten]),
        ({"prefix": "bucket"}, ten),
        ({"prefix": "bucket-2"}, ["bucket-2"]),
        ({"prefix": "bucket", "prev-key": "bucket-4"}, ten[5:]),
        ({"prefix": "bucket", "prev-key": "bucket-4", "max-keys": 2}, ten[5:7]),
        ({"prev-key": "bucket-44"}, ten[5:]),  # there need not be one of that name
        ({"prev-key": "bucket-9"}, []),
        ({"max-keys": 1}, ["another"]),
        ({"max-keys": 1024}, ["another", *ten]),
        ({"prefix": "none"}, []),
    ]
    for query, wanted in rows:
        assert names(ozone, volume, query=query) == wanted, query
    done(ozone.ask("PUT", f"{volume}/bucket-3", "bilbo", headers={"x-ozone-acl": "user:guest:r"}))
    assert names(ozone, volume, "guest") == ["bucket-3"]
    assert names(ozone, volume, "root") == ["another", *ten]
    refused(ozone.ask("GET", volume, "stranger"), 404, "volumeNotFound")
    refused(ozone.ask("GET", "/absent", "bilbo"), 404, "volumeNotFound")


def test_a_list_says_how_much_is_in_each(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    volume = f"/{bucket.split('/')[1]}"
    ozone.put(bucket, "a", b"12345")
    ozone.put(bucket, "b", b"678")
    (found,) = said(ozone.ask("GET", volume, "bilbo"))["buckets"]
    assert (found["bytesUsed"], found["keyCount"]) == (8, 2)
    assert list(found)[:-2] == list(info(ozone, bucket))
    assert {**info(ozone, bucket), "bytesUsed": 8, "keyCount": 2} == found
    done(ozone.ask("DELETE", f"{bucket}/a", "bilbo"))
    (found,) = said(ozone.ask("GET", volume, "bilbo"))["buckets"]
    assert (found["bytesUsed"], found["keyCount"]) == (3, 1)


def test_what_is_no_parameter_is_refused(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    volume = f"/{bucket.split('/')[1]}"
    rows: list[tuple[str, dict[str, str]]] = [
        (volume, {"max-keys": "0"}), (volume, {"max-keys": "1025"}), (volume, {"max-keys": "x"}),
        (volume, {"info": "volumes"}), (volume, {"info": ""}), (bucket, {"info": "volume"}),
        (bucket, {"info": "buckets"}), (bucket, {"max-keys": "0"}), (bucket, {"max-keys": "1025"}),
        (bucket, {"max-keys": ""}),
    ]  # fmt: skip
    assert not differing(
        ((path, row), outcome(ozone.ask("GET", path, "bilbo", query=row)), "400 invalidQueryParam")
        for path, row in rows
    )
