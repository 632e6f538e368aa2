"""Buckets, objects and uploads: what is answered of them, and that a key reaches what it may."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.modes.management import wire
from gateway.modes.management.functions import TABLE
from gateway.modes.management.resources import uploads
from gateway.storage import BytesBody, PartRef, Put
from gateway.web.api.table import Function
from tests.modes.management.managed import OPERATOR, Managed, managing, refused, said


def names(found: Any, of: str = "name") -> list[str]:
    (items,) = [value for value in found.values() if isinstance(value, list)]
    return [one[of] for one in items]


def all_pages(api: Managed, path: str, of: str, limit: int = 2, **query: object) -> list[str]:
    found, more = list[str](), dict(query)
    while True:
        page = api.get(path, limit=limit, **more)
        assert len(names(page, of)) <= limit
        found += names(page, of)
        if "next" not in page:
            return found
        assert len(names(page, of)) == limit
        more = {**query, "after": page["next"]}


def test_a_bucket_comes_and_goes(api: Managed) -> None:
    api.bucket("comes")
    again = {"name": "comes", "owner_id": api.credential()}
    refused(api.ask("POST", "/buckets", again), 409, "BucketAlreadyExists")
    api.put("comes", "a", b"12345")
    refused(api.ask("DELETE", "/buckets/comes"), 409, "BucketNotEmpty")
    found = api.get("/buckets/comes")
    assert (found["object_count"], found["total_size"], found["total_size_human"]) == (1, 5, "5 B")
    assert names({"objects": found["objects"]}, "key") == ["a"]
    said(api.ask("DELETE", "/buckets/comes/objects/a"))
    assert api.get("/buckets/comes")["object_count"] == 0
    said(api.ask("DELETE", "/buckets/comes"))
    refused(api.ask("GET", "/buckets/comes"), 404, "NoSuchBucket")


@pytest.mark.parametrize(
    "name", ["ab", "A-bucket", "a..b", "-ab", "192.168.0.1", "a" * 64, "xn--a"]
)
def test_names_that_are_none(api: Managed, name: str) -> None:
    body = {"name": name, "owner_id": api.credential()}
    refused(api.ask("POST", "/buckets", body), 422, "ValidationError", '"name"')


def test_buckets_are_in_the_gateways_region(api: Managed) -> None:
    body = {"name": "elsewhere", "owner_id": api.credential(), "region": "eu-west-1"}
    refused(api.ask("POST", "/buckets", body), 422, "ValidationError", "us-east-1")


def test_what_is_declared_stays(api: Managed) -> None:
    refused(api.ask("DELETE", "/buckets/files"), 409, "Conflict", "declared")


def test_what_does_not_count_says_so(api: Managed) -> None:
    dull = next(one for one in api.get("/buckets")["buckets"] if one["name"] == "dull")
    assert (dull["object_count"], dull["total_size"], dull["total_size_human"]) == (None,) * 3
    assert api.get("/stats")["buckets"] == len(api.get("/buckets")["buckets"])


def test_lists_go_on(api: Managed) -> None:
    assert all_pages(api, "/buckets", "name") == names(api.get("/buckets"))
    keys = sorted(f"paged/{number}/ü" for number in range(5))
    for key in keys:
        api.put("shared", key)
    assert all_pages(api, "/buckets/shared/objects", "key", prefix="paged/") == keys
    first = api.get("/buckets/shared/objects", limit=1)
    assert api.get("/buckets/shared")["objects"][0] == first["objects"][0]
    access = api.runtime.access(OPERATOR, "shared")
    begun = [access.begin("same", Put()).id for _ in range(3)]
    begun += [access.begin("zzz", Put()).id]
    assert sorted(all_pages(api, "/buckets/shared/uploads", "upload_id")) == sorted(begun)
    assert api.get("/stats")["active_multipart_uploads"] == 4
    for upload in begun:
        said(api.ask("DELETE", f"/buckets/shared/uploads/{upload}"))
        refused(api.ask("DELETE", f"/buckets/shared/uploads/{upload}"), 404, "NoSuchUpload")
    assert api.get("/buckets/shared/uploads") == {"uploads": []}
    assert api.get("/stats")["active_multipart_uploads"] == 0


def test_an_upload_is_found_on_any_page(api: Managed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_PAGE", 1)
    access = api.runtime.access(OPERATOR, "files")
    begun = [access.begin(key, Put()).id for key in ("1", "2", "3")]
    for number in (1, 2, 3):
        access.put_part("3", begun[-1], number, BytesBody(b"x" * number), Put(size=number))
    last = api.get("/buckets/files/uploads")["uploads"][-1]
    assert (last["upload_id"], last["part_count"], last["total_size"]) == (begun[-1], 3, 6)
    for upload in reversed(begun):
        said(api.ask("DELETE", f"/buckets/files/uploads/{upload}"))


def test_an_object_in_parts(api: Managed) -> None:
    access = api.runtime.access(OPERATOR, "files")
    upload = access.begin("in-parts", Put())
    parts = [
        access.put_part("in-parts", upload.id, number, BytesBody(data), Put(size=len(data)))
        for number, data in ((1, b"x" * (5 << 20)), (2, b"y"))
    ]
    refs = [PartRef(number=one.number, etag=one.etag) for one in parts]
    access.complete("in-parts", upload.id, refs)
    listed = next(
        one for one in api.get("/buckets/files/objects")["objects"] if one["key"] == "in-parts"
    )
    alone = api.get("/buckets/files/objects/in-parts")
    assert (alone["is_multipart"], alone["part_count"]) == (True, 2)
    assert listed == {name: alone[name] for name in listed}
    assert (alone["size_human"], '"' in alone["etag"]) == ("5.0 MB", False)


def test_where_it_is_stored_is_another_name_for_each_object(api: Managed) -> None:
    for key in ("stored/1", "stored/2"):
        api.put("files", key, b"same")
    paths = {
        api.get(f"/buckets/files/objects/stored/{number}")["storage_path"] for number in (1, 2)
    }
    assert len(paths) == 2
    assert all(one.startswith("files/objects/") and "stored" not in one for one in paths)


def test_what_is_deleted_is_hidden_where_versions_are_kept() -> None:
    services = {"kept": {"driver": "memory", "keep_versions": "forever"}}
    with managing(services=services, accounts=[]) as api:
        refused(api.ask("DELETE", "/buckets/kept/objects/a"), 404, "NoSuchKey")
        assert api.runtime.access(OPERATOR, "kept").versions().entries == ()  # nor a marker of it
        api.put("kept", "a", b"12")
        said(api.ask("DELETE", "/buckets/kept/objects/a"))
        refused(api.ask("GET", "/buckets/kept/objects/a"), 404, "NoSuchKey")
        found = api.get("/buckets/kept")
        assert (found["object_count"], found["total_size"]) == (0, 2)


def test_what_cannot_be_deleted_is_told_beside_what_was(api: Managed) -> None:
    body = {"keys": ["deleted/a", "deleted/b"]}
    path = "/buckets/shared/objects/delete"
    found = said(api.ask("POST", path, body, key="viewer"))
    errors = [
        {"key": key, "code": "AccessDenied", "message": "The key may not do that."}
        for key in body["keys"]
    ]
    assert found == {"deleted": [], "errors": errors}
    assert said(api.ask("POST", path, body, key="manager")) == {"deleted": body["keys"]}
    api.put("shared", "a")
    refused(api.ask("DELETE", "/buckets/shared/objects/a", key="viewer"), 403, "AccessDenied")


def test_keys_are_what_the_path_says(api: Managed) -> None:
    api.bucket("any-key")

    @settings(max_examples=20, deadline=None, database=None)
    @given(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
        | st.sampled_from(["/", "//a", "a//b/", ".", "..", "../x", "a/../b", "%2F", "a%", "delete"])
        | st.sampled_from(["a+b c", "?x=1", "#", "objects/x", "uploads", "\x00", "\r\nX: y", "ü/é"])
    )
    def try_one(key: str) -> None:
        api.put("any-key", key, b"1")
        path = f"/buckets/any-key/objects/{quote(key, safe='/')}"
        assert api.get(path)["key"] == key
        assert names(api.get("/buckets/any-key/objects"), "key") == [key]
        said(api.ask("DELETE", path))
        assert api.get("/buckets/any-key/objects") == {"objects": []}

    try_one()


def test_sizes_for_people() -> None:
    shown = {
        0: "0 B", 999: "999 B", 1000: "1.0 KB", 1024: "1.0 KB", 1_024_000: "1.0 MB",
        26_214_400: "25.0 MB", 1 << 30: "1.0 GB", 1023 << 20: "1.0 GB", (1 << 63) - 1: "8.0 EB",
        1_023_948: "999.9 KB", 1_023_949: "1.0 MB",
    }  # fmt: skip
    assert {size: wire.human(size) for size in shown} == shown


# reach


@pytest.mark.parametrize("key", ["manager", "auditor"])
def test_who_manages_an_account_reaches_what_it_owns(api: Managed, key: str) -> None:
    """Whatever else it may read by S3."""
    assert "files" in names(api.get("/buckets"))
    own = api.get("/buckets", key=key)
    assert set(names(own)) >= {"shared"}
    assert {one["owner"] for one in own["buckets"]} == {"The team"}
    api.put("files", "of-root")
    calls = [
        ("GET", ""), ("DELETE", ""), ("GET", "/objects"), ("DELETE", "/objects"),
        ("POST", "/objects/delete"), ("GET", "/objects/of-root"), ("DELETE", "/objects/of-root"),
        ("GET", "/uploads"), ("DELETE", "/uploads/x"),
    ]  # fmt: skip
    for method, path in calls:
        body = {"keys": ["of-root"]} if path in ("/objects/delete", "/objects") else None
        body = body if method != "GET" else None
        answer = api.ask(method, f"/buckets/files{path}", body, key=key)
        refused(answer, 404, "NoSuchBucket")
    stats = api.get("/stats", key=key)
    assert stats["buckets"] == len(own["buckets"])
    assert stats["objects"] == sum(one["object_count"] for one in own["buckets"])
    assert api.get("/stats")["buckets"] > stats["buckets"]


def test_its_buckets_are_its_accounts(api: Managed) -> None:
    number = next(
        one["id"]
        for one in api.get("/credentials", key="manager")["credentials"]
        if one["access_key"] == "manager"
    )
    body = {"name": "of-the-team", "owner_id": number}
    assert said(api.ask("POST", "/buckets", body, key="manager"), 201)["owner"] == "The team"
    foreign = {"name": "not-of-the-team", "owner_id": api.credential()}
    refused(api.ask("POST", "/buckets", foreign, key="manager"), 404, "NoSuchCredential")
    said(api.ask("DELETE", "/buckets/of-the-team", key="manager"))


@pytest.mark.parametrize("function", [one for one in TABLE if one.action], ids=lambda one: one.name)
def test_it_is_decided_by_what_a_function_does(api: Managed, function: Function[Any]) -> None:
    """Of a bucket that is reached: by the same rules as through every other mode."""
    api.put("shared", "decided")
    upload = api.runtime.access(OPERATOR, "shared").begin("decided", Put()).id
    identity = api.runtime.keys.credential("viewer").identity  # type: ignore[union-attr]
    assert function.action is not None
    may = api.runtime.access(identity, "shared").may(function.action, "decided")
    path = function.path.format(bucket="shared", key="decided", upload_id=upload)
    body = {"keys": ["decided"]} if function.members else None
    answer = api.ask(function.methods[0], f"/{path}", body, key="viewer")
    refused_each = answer.status == 200 and "errors" in json.loads(answer.body)
    assert (answer.status == 403 or refused_each) is not may
    assert may is (function.action in ("list", "read", "list-uploads"))
    if function.action == "list-uploads":  # and not their parts
        assert json.loads(answer.body)["uploads"][0]["part_count"] is None
    said(api.ask("DELETE", f"/buckets/shared/uploads/{upload}"))


def test_what_is_changed_is_in_the_audit(api: Managed) -> None:
    api.bucket("audited")
    (entry, *_) = api.runtime.catalog.audit(limit=1)
    assert (entry.action, entry.subject) == ("bucket.add", "audited")
    assert (entry.key, entry.mode, entry.client) == ("root", "management", "192.0.2.1")
    assert entry.request == api.site.records[-1].request_id
    said(api.ask("DELETE", "/buckets/audited"))


def test_the_record_says_what_was_done(api: Managed) -> None:
    api.ask("GET", "/buckets/files/objects/none", key="manager")
    record = api.site.records[-1]
    assert (record.mode, record.operation, record.sid) == ("management", "getObject", "files")
    assert (record.key_id, record.account, record.code) == ("manager", "team", "NoSuchBucket")
    assert record.key == "none"
