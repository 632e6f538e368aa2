"""Keys: put, read, asked about, renamed, listed and deleted."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.access.access import Access
from gateway.storage import Busy, BytesBody, ObjectInfo, Put
from gateway.storage.paging import LIMIT
from tests.modes.ozone.trusting import (
    ALWAYS,
    HTTP_DATE,
    Ozone,
    differing,
    done,
    outcome,
    refused,
    said,
    trusting,
)
from tests.modes.public_gateway import OWNER

AS_BILBO = {**ALWAYS, "authorization": "OZONE bilbo"}


def info(ozone: Ozone, path: str) -> dict[str, Any]:
    found: dict[str, Any] = said(ozone.ask("GET", path, "bilbo", info="key"))
    return found


def test_a_key_comes_and_goes(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    path = f"{bucket}/a/b.txt"
    refused(ozone.ask("GET", path, "bilbo"), 400, "invalidKey")
    done(ozone.ask("PUT", path, "bilbo", body=b"data"), 201)
    done(ozone.ask("PUT", path, "bilbo", body=b"other data"), 201)
    answer = ozone.ask("GET", path, "bilbo")
    assert (answer.status, answer.body) == (200, b"other data")
    found = info(ozone, path)
    assert list(found) == ["version", "md5hash", "createdOn", "modifiedOn", "size", "keyName"]
    assert found["md5hash"] == hashlib.md5(b"other data", usedforsecurity=False).hexdigest()
    assert (found["version"], found["size"], found["keyName"]) == (0, 10, "a/b.txt")
    assert found["createdOn"] == found["modifiedOn"]
    assert re.fullmatch(HTTP_DATE, found["modifiedOn"])
    done(ozone.ask("DELETE", path, "bilbo"))
    asks: list[tuple[str, dict[str, str]]] = [("GET", {}), ("GET", {"info": "key"}), ("DELETE", {})]
    for method, query in asks:
        refused(ozone.ask(method, path, "bilbo", query=query), 400, "invalidKey")


def test_where_versions_are_kept_a_key_is_deleted_once(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-bucket-versioning": "enabled"}))
    refused(ozone.ask("DELETE", f"{bucket}/key", "bilbo"), 400, "invalidKey")
    ozone.put(bucket, "key")
    done(ozone.ask("DELETE", f"{bucket}/key", "bilbo"))
    refused(ozone.ask("DELETE", f"{bucket}/key", "bilbo"), 400, "invalidKey")
    refused(ozone.ask("GET", f"{bucket}/key", "bilbo"), 400, "invalidKey")
    page = ozone.runtime.access(OWNER, ozone.sid(bucket)).versions()
    assert [one.marker for one in page.entries] == [True, False]


def test_where_there_is_none(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    volume = bucket.rpartition("/")[0]
    asks: list[tuple[str, dict[str, str]]] = [
        ("GET", {}), ("DELETE", {}), ("GET", {"info": "key"}), ("POST", {"toKey": "a"}),
        ("PUT", {}),
    ]  # fmt: skip
    for path, wanted in (
        ("/absent/bucket/key", "404 volumeNotFound"),
        (f"{volume}/absent/key", "400 invalidBucketName"),
        (f"{bucket}/key", "400 invalidKey"),
    ):
        for method, query in asks[: -1 if path.startswith(bucket) else None]:
            answer = ozone.ask(method, path, "bilbo", body=b"", query=query)
            assert outcome(answer) == wanted, (method, path, query)


def test_missing_things_are_404_where_that_is_asked_for() -> None:
    from tests.modes.ozone.trusting import SIMPLE, trusting

    with trusting({**SIMPLE, "not_found_as_404": True}) as ozone:
        bucket = ozone.bucket()
        volume = bucket.rpartition("/")[0]
        rows = [
            ("GET", f"{bucket}/key", "404 invalidKey"),
            ("DELETE", f"{bucket}/key", "404 invalidKey"),
            ("GET", f"{volume}/absent", "404 invalidBucketName"),
            ("DELETE", f"{volume}/absent", "404 invalidBucketName"),
            ("PUT", f"{volume}/absent/key", "404 invalidBucketName"),
            ("POST", f"{volume}/A", "400 invalidBucketName"),  # it is no name
            ("GET", "/absent?info=volume", "404 volumeNotFound"),
        ]
        assert not differing(
            (row, outcome(ozone.raw(*row[:2], AS_BILBO, b"" if row[0] == "PUT" else None)), row[2])
            for row in rows
        )


# bodies


def test_a_body_is_what_was_said_of_it_or_nothing_is_stored(ozone: Ozone) -> None:
    path = f"{ozone.bucket()}/key"

    def digest(data: bytes) -> str:
        return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

    rows: list[tuple[dict[str, str], str]] = [
        ({"content-md5": digest(b"other")}, "400 badDigest"),
        ({"content-md5": hashlib.md5(b"data", usedforsecurity=False).hexdigest()}, "400 badDigest"),
        ({"content-md5": "?"}, "400 badDigest"),
        ({"content-length": "5"}, "400 incompleteBody"),
        ({"content-length": ""}, "400 invalidRequest"),
    ]
    assert not differing(
        (headers, outcome(ozone.ask("PUT", path, "bilbo", body=b"data", headers=headers)), wanted)
        for headers, wanted in rows
    )
    refused(ozone.ask("PUT", path, "bilbo"), 400, "invalidRequest", "Content-Length")
    refused(ozone.ask("GET", path, "bilbo"), 400, "invalidKey")
    good = {"content-md5": digest(b"data")}
    done(ozone.ask("PUT", path, "bilbo", body=b"data", headers=good), 201)
    done(ozone.ask("PUT", path, "bilbo", body=b""), 201)
    assert info(ozone, path)["size"] == 0


def test_a_body_is_not_larger_than_is_allowed() -> None:
    with trusting(server={"memory": True, "max_body": "8MiB"}) as ozone:
        path = f"{ozone.bucket()}/key"
        headers = {"content-length": str((8 << 20) + 1)}
        answer = ozone.ask("PUT", path, "bilbo", body=b"", headers=headers)
        refused(answer, 413, "entityTooLarge")
        headers = {"content-length": str(8 << 20)}
        answer = ozone.ask("PUT", path, "bilbo", body=b"", headers=headers)
        refused(answer, 400, "incompleteBody")


def test_who_may_not_is_told_before_the_body_is_read(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    done(ozone.ask("PUT", bucket, "bilbo", headers={"x-ozone-acl": "ADD user:guest:r"}))
    headers = {"content-length": "5"}
    answer = ozone.ask("PUT", f"{bucket}/key", "guest", body=b"", headers=headers)
    refused(answer, 403, "accessDenied")
    without = ozone.ask("PUT", f"{bucket}/key", "guest")  # a length, too
    refused(without, 403, "accessDenied")


def test_what_is_long_takes_a_place(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "long", bytes(1 << 20))
    ozone.put(bucket, "short")
    site, held = ozone.site, list[str]()
    try:
        with pytest.raises(Busy):
            for number in range(100):
                site.admission.take(f"192.0.2.{number + 2}")
                held.append(f"192.0.2.{number + 2}")
        for method, key, body in (("GET", "long", None), ("PUT", "new", bytes(1 << 20))):
            answer = site.ask(f"{bucket}/{key}", method, AS_BILBO, body=body)
            refused(answer, 503, "slowDown")
            assert answer.headers["retry-after"] == "1"
        assert site.ask(f"{bucket}/long", "HEAD", AS_BILBO).status == 200
        assert ozone.ask("GET", f"{bucket}/short", "bilbo").body == b"data"
    finally:
        for address in held:
            site.admission.release(address)
    assert ozone.keys(bucket) == ["long", "short"]


def test_ranges_and_conditions(ozone: Ozone) -> None:
    path = f"{ozone.bucket()}/key"
    done(ozone.ask("PUT", path, "bilbo", body=b"0123456789"), 201)
    whole = ozone.ask("GET", path, "bilbo")
    etag = whole.headers["etag"]
    rows = [
        ({"range": "bytes=2-4"}, 206, b"234"),
        ({"range": "bytes=-3"}, 206, b"789"),
        ({"range": "bytes=0-0,2-3"}, 200, b"0123456789"),
        ({"if-none-match": etag}, 304, b""),
        ({"if-match": etag}, 200, b"0123456789"),
        ({"if-modified-since": whole.headers["last-modified"]}, 304, b""),
    ]
    for headers, status, body in rows:
        answer = ozone.ask("GET", path, "bilbo", headers=headers)
        assert (answer.status, answer.body) == (status, body), headers
        assert answer.headers["vary"] == "authorization, x-ozone-user"
    assert ozone.ask("GET", path, "bilbo", headers={"range": "bytes=10-"}).status == 416
    assert ozone.ask("GET", path, "bilbo", headers={"if-match": '"other"'}).status == 412
    made = ozone.ask("PUT", path, "bilbo", body=b"new", headers={"if-none-match": "*"})
    assert made.status == 412
    assert ozone.ask("GET", path, "bilbo").body == b"0123456789"


def test_a_program_that_somebody_stored_does_not_run_in_a_browser(ozone: Ozone) -> None:
    path = f"{ozone.bucket()}/page.html"
    headers = {"content-type": "text/html"}
    done(ozone.ask("PUT", path, "bilbo", body=b"<script>1</script>", headers=headers), 201)
    answer = ozone.ask("GET", path, "bilbo")
    assert answer.headers["x-content-type-options"] == "nosniff"


# names


ODD = [
    "/", "//a", "a//b/", ".", "..", "../x", "a/../b", "%2F", "a%", "info", "a+b c", "?x=1", "#",
    "\r\nX: y", "ü/é", "*", "a&b=c", "~", "\ufffe", "k" * 1024,
]  # fmt: skip


def test_keys_are_what_the_path_says(ozone: Ozone) -> None:
    bucket = ozone.bucket()

    @settings(max_examples=25, deadline=None, database=None)
    @given(
        st.sampled_from(ODD)
        | st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
            min_size=1,
            max_size=20,
        )
    )
    def try_one(key: str) -> None:
        if key.endswith("/") and not key.strip("/"):
            return  # what is only slashes is the bucket
        path = f"{bucket}/{quote(key, safe='/')}"
        done(ozone.raw("PUT", path, AS_BILBO, key.encode()), 201)
        assert ozone.raw("GET", path, AS_BILBO).body == key.encode()
        assert said(ozone.raw("GET", f"{path}?info=key", AS_BILBO))["keyName"] == key
        assert ozone.keys(bucket) == [key]
        assert said(ozone.ask("GET", bucket, "bilbo", prefix=key))["prefix"] == key
        done(ozone.raw("DELETE", path, AS_BILBO))

    try_one()


def test_what_is_no_key(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    for key in ("k" * 1025, "ü" * 513, "%ff"):
        target = f"{bucket}/{quote(key, safe='/%')}"
        for method in ("GET", "PUT", "DELETE"):
            answer = ozone.raw(method, target, AS_BILBO, b"" if method == "PUT" else None)
            assert outcome(answer) in ("400 invalidKey", "400 invalidResourceName"), (
                method,
                key[:9],
            )
    assert ozone.keys(bucket) == []


# renaming


def test_a_key_is_renamed(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "old", b"data")
    ozone.put(bucket, "taken", b"taken")
    before = info(ozone, f"{bucket}/old")
    done(ozone.ask("POST", f"{bucket}/old", "bilbo", toKey="new/name"))
    assert ozone.keys(bucket) == ["new/name", "taken"]
    assert ozone.ask("GET", f"{bucket}/new/name", "bilbo").body == b"data"
    assert info(ozone, f"{bucket}/new/name")["md5hash"] == before["md5hash"]
    rows: list[tuple[str, dict[str, str], str]] = [
        ("old", {"toKey": "x"}, "400 invalidKey"),
        ("new/name", {"toKey": "taken"}, "409 keyOperationConflict"),
        ("new/name", {}, "400 invalidQueryParam"),
        ("new/name", {"toKey": ""}, "400 invalidKey"),
        ("new/name", {"toKey": "k" * 1025}, "400 invalidKey"),
    ]
    for key, query, wanted in rows:
        found = outcome(ozone.ask("POST", f"{bucket}/{key}", "bilbo", query=query))
        assert found == wanted or (found, wanted) == ("400 invalidQueryParam", "400 invalidKey"), (
            key,
            query,
            found,
        )
    assert ozone.ask("GET", f"{bucket}/taken", "bilbo").body == b"taken"
    assert ozone.keys(bucket) == ["new/name", "taken"]


def test_renaming_needs_reading_and_writing(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "old")
    for rights, wanted in (("r", "403 accessDenied"), ("w", "403 accessDenied"), ("rw", "200")):
        grant = {"x-ozone-acl": f"ADD user:by-{rights}:{rights}"}
        done(ozone.ask("PUT", bucket, "bilbo", headers=grant))
        answer = ozone.ask("POST", f"{bucket}/old", f"by-{rights}", toKey="new")
        assert outcome(answer) == wanted, rights
    assert ozone.keys(bucket) == ["new"]


@pytest.mark.parametrize("when", ["before it is copied", "after it was"])
def test_what_is_put_while_a_key_is_renamed_is_not_lost(
    ozone: Ozone, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    bucket = ozone.bucket()
    ozone.put(bucket, "old", b"data")
    copy = Access.copy

    def slow(*given: Any) -> ObjectInfo:
        if when.startswith("before"):
            ozone.put(bucket, "old", b"newer")
        done = copy(*given)
        ozone.put(bucket, "old", b"newer")
        return done

    monkeypatch.setattr(Access, "copy", slow)
    answer = ozone.ask("POST", f"{bucket}/old", "bilbo", toKey="new")
    refused(answer, 409, "keyOperationConflict")
    assert ozone.ask("GET", f"{bucket}/old", "bilbo").body == b"newer"
    assert ("new" in ozone.keys(bucket)) is when.startswith("after")


# listing


@pytest.fixture(scope="module")
def listed(ozone: Ozone) -> str:
    bucket = ozone.bucket()
    for number in range(10):
        ozone.put(bucket, f"list-key{number}")
    ozone.put(bucket, "another/key")
    return bucket


def test_lists_of_keys(ozone: Ozone, listed: str) -> None:
    """What the original's test asks of them is in it."""
    ten = [f"list-key{number}" for number in range(10)]
    rows: list[tuple[dict[str, object], list[str], bool]] = [
        ({}, ["another/key", *ten], False),
        ({"info": "key"}, ["another/key", *ten], False),
        ({"max-keys": 1}, ["another/key"], True),
        ({"max-keys": 11}, ["another/key", *ten], False),
        ({"prefix": "list-key", "prev-key": "list-key4", "max-keys": 100}, ten[5:], False),
        ({"prefix": "list-key", "prev-key": "list-key4", "max-keys": 2}, ten[5:7], True),
        ({"prefix": "list-key2"}, ["list-key2"], False),
        ({"prev-key": "list-key44"}, ten[5:], False),
        ({"prev-key": "/"}, ["another/key", *ten], False),
        ({"prev-key": "zzz"}, [], False),
        ({"prefix": "none"}, [], False),
        ({"prefix": "another/"}, ["another/key"], False),
    ]
    for query, wanted, truncated in rows:
        found = said(ozone.ask("GET", listed, "bilbo", query=query))
        assert list(found) == ["name", "prefix", "maxKeys", "truncated", "keyList"]
        assert [one["keyName"] for one in found["keyList"]] == wanted, query
        assert found["name"] == listed.rpartition("/")[2]
        assert found["truncated"] is truncated, query
        assert found["maxKeys"] == query.get("max-keys", 1024)
        assert (found["prefix"] or "") == query.get("prefix", "")


def test_pages_of_keys_have_each_once(ozone: Ozone, listed: str) -> None:
    found, truncated = list[str](), True
    while truncated:
        query = {"max-keys": 3, **({"prev-key": found[-1]} if found else {})}
        page = said(ozone.ask("GET", listed, "bilbo", query=query))
        found += [one["keyName"] for one in page["keyList"]]
        truncated = page["truncated"]
    assert found == ozone.keys(listed)


def test_a_page_may_be_longer_than_a_stores(ozone: Ozone) -> None:
    bucket = ozone.bucket()
    access = ozone.runtime.access(OWNER, ozone.sid(bucket))
    names = [f"{number:04}" for number in range(LIMIT + 30)]
    for name in names:
        access.put(name, BytesBody(b""), Put(size=0))
    found = said(ozone.ask("GET", bucket, "bilbo"))
    assert ([one["keyName"] for one in found["keyList"]], found["truncated"]) == (
        names[:1024],
        True,
    )
    rest = said(ozone.ask("GET", bucket, "bilbo", prev_key=names[1023]))
    assert ([one["keyName"] for one in rest["keyList"]], rest["truncated"]) == (names[1024:], False)


def test_what_a_list_says_of_a_key_is_what_its_info_says(ozone: Ozone, listed: str) -> None:
    for one in said(ozone.ask("GET", listed, "bilbo"))["keyList"]:
        assert one == info(ozone, f"{listed}/{one['keyName']}")
