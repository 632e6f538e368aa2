"""Ranges and conditions: one table of fields and answers, the same through every door, for GET
and HEAD, and for what writes (RFC 9110 §13, §14)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, cast

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from drivers.memory.store import Memory
from gateway.storage import (
    BytesBody,
    Conditions,
    Context,
    Get,
    InvalidRange,
    NotModified,
    ObjectInfo,
    Opened,
    Put,
    Range,
    Store,
    Writable,
    pieces,
)
from gateway.web import http_ranges
from gateway.web.http_fields import byte_range, parse_date
from tests.modes.standard_gateway import S3_KEY, Answer, Served

Read = Callable[..., Answer]
Write = Callable[..., bool | int]
TEN = b"0123456789"
PAST, FUTURE = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.fixture(params=["s3", "standard"])
def read(request: pytest.FixtureRequest, api: Served) -> Read:
    """`read(path, method, **fields)` through one of the doors."""

    def by_s3(path: str, method: str = "GET", **fields: str) -> Answer:
        return api.send(method, signed(api, method, path), key=None, headers=named(fields))

    def by_standard(path: str, method: str = "GET", **fields: str) -> Answer:
        headers = named(fields)
        return api.call("getfile", method=method, sid="files", path=path, headers=headers)

    return by_s3 if request.param == "s3" else by_standard


def signed(api: Served, method: str, path: str) -> str:
    request = AWSRequest(method, f"{api.url}/files/{path}")
    S3SigV4QueryAuth(Credentials(*S3_KEY), "s3", "us-east-1").add_auth(request)
    target: str = request.url.removeprefix(api.url)
    return target


@pytest.fixture(params=["s3", "standard"])
def write(request: pytest.FixtureRequest, api: Served) -> Write:
    """`write(path, body, **fields)`: whether it was done, else the status. Without a body it
    is a delete."""

    def by_s3(path: str, body: bytes | None, **fields: str) -> bool | int:
        method = "DELETE" if body is None else "PUT"
        target = signed(api, method, path)
        return outcome(api.send(method, target, body, key=None, headers=named(fields)))

    def by_standard(path: str, body: bytes | None, **fields: str) -> bool | int:
        function, method = ("deletefile", "DELETE") if body is None else ("uploadfile", "PUT")
        where: dict[str, Any] = {"sid": "files", "path": path, "headers": named(fields)}
        return outcome(api.call(function, method=method, body=body, **where))

    def outcome(answer: Answer) -> bool | int:
        return answer.status in (200, 201, 204) or answer.status

    return by_s3 if request.param == "s3" else by_standard


def named(fields: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): text for name, text in fields.items()}


def checked(
    read: Read, path: str, status: int, body: bytes = b"", extent: str | None = None, **fields: str
) -> None:
    """GET answers so, and HEAD likewise, but for the body."""
    got, head = read(path, **fields), read(path, "HEAD", **fields)
    assert (got.status, got.headers.get("content-range")) == (status, extent), fields
    if status in (200, 206):
        assert got.body == body, fields
        assert head.headers["content-length"] == str(len(body))
    assert (head.status, head.headers.get("content-range")) == (status, extent), fields
    assert head.body == b""


@pytest.mark.parametrize(
    ("text", "status", "body", "extent"),
    [
        ("bytes=5-15", 206, b"56789", "bytes 5-9/10"),
        ("bytes=0-0", 206, b"0", "bytes 0-0/10"),
        ("bytes=00-01", 206, b"01", "bytes 0-1/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, TEN, "bytes 0-9/10"),
        ("bytes=8-" + "9" * 5000, 206, b"89", "bytes 8-9/10"),
        ("bytes=-" + "9" * 5000, 206, TEN, "bytes 0-9/10"),
        ("BYTES=1-2", 206, b"12", "bytes 1-2/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=" + "9" * 5000 + "-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        *(
            (text, 200, TEN, None)
            for text in (
                "bytes=0-1,3-4",
                "bytes=0-1,",
                "bytes=5-2",
                "bytes=a-b",
                "bytes=3-x",
                "bytes=--1",
                "bytes= -1",
                "bytes=0 -1",
                "bytes=0- 1",
                "bytes =0-1",
                "bytes= 0-1",
                "bytes=,",
                "bytes=",
                "bytes=-",
                "bytes",
                "bytes=+1-2",
                "bytes=1-2;q=1",
                "bytes=\u0661-\u0662",
                "lines=1-2",
                "0-1",
                "",
            )
        ),
    ],
)
def test_a_range_of_ten_bytes(
    api: Served, read: Read, folder: str, text: str, status: int, body: bytes, extent: str | None
) -> None:
    api.put("files", f"{folder}a", TEN)
    checked(read, f"{folder}a", status, body, extent, Range=text.encode().decode("latin-1"))


@pytest.mark.parametrize(
    ("text", "status"),
    [("bytes=-5", 200), ("bytes=-0", 416), ("bytes=0-", 416), ("bytes=0-0", 416), ("", 200)],
)
def test_a_range_of_an_empty_object(
    api: Served, read: Read, folder: str, text: str, status: int
) -> None:
    api.put("files", f"{folder}empty", b"")
    extent = "bytes */0" if status == 416 else None
    checked(read, f"{folder}empty", status, b"", extent, Range=text)


def test_conditions_in_their_order(api: Served, read: Read, folder: str) -> None:
    path = f"{folder}a"
    etag = f'"{api.put("files", path, TEN).json["etag"]}"'
    for status, fields in (
        (200, {"If_Match": etag}),
        (200, {"If_Match": f'"x", {etag}'}),
        (200, {"If_Match": "*"}),
        (412, {"If_Match": '"x"'}),
        (412, {"If_Match": f"W/{etag}"}),  # compared strongly
        (412, {"If_Match": ""}),  # a list of none has none that matches
        (304, {"If_None_Match": f"W/{etag}"}),  # compared weakly
        (304, {"If_None_Match": "*"}),
        (200, {"If_None_Match": '"x"'}),
        (200, {"If_None_Match": ""}),
        (304, {"If_Modified_Since": FUTURE}),
        (200, {"If_Modified_Since": PAST}),
        (200, {"If_Modified_Since": "soon"}),
        (412, {"If_Unmodified_Since": PAST}),
        (200, {"If_Unmodified_Since": FUTURE}),
        (200, {"If_Unmodified_Since": "soon"}),
        (200, {"If_Match": etag, "If_Unmodified_Since": PAST}),
        (412, {"If_Match": '"x"', "If_Unmodified_Since": FUTURE}),
        (200, {"If_None_Match": '"x"', "If_Modified_Since": FUTURE}),
        (304, {"If_None_Match": etag, "If_Modified_Since": PAST}),
        (412, {"If_Match": '"x"', "If_None_Match": etag}),
        (304, {"If_Match": etag, "If_None_Match": etag}),
        (412, {"If_Match": '"x"', "Range": "bytes=99-"}),  # before the range
        (304, {"If_None_Match": etag, "Range": "bytes=0-1", "If_Range": '"x"'}),
    ):
        checked(read, path, status, TEN, **fields)


def forms(when: datetime) -> tuple[str, str, str]:
    """As RFC 9110 writes dates, RFC 850 and asctime: in English, whatever the locale."""
    day = ("Mon", "Tues", "Wednes", "Thurs", "Fri", "Satur", "Sun")[when.weekday()] + "day"
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * when.month - 3 :][:3]
    time = f"{when.hour:02}:{when.minute:02}:{when.second:02}"
    return (
        f"{day[:3]}, {when.day:02} {month} {when.year} {time} GMT",
        f"{day}, {when.day:02}-{month}-{when.year % 100:02} {time} GMT",
        f"{day[:3]} {month} {when.day:2} {time} {when.year}",
    )


def test_dates_in_all_their_forms(api: Served, read: Read, folder: str) -> None:
    """RFC 9110 §5.6.7; what is compared are whole seconds."""
    path = f"{folder}a"
    api.put("files", path, TEN)
    said = read(path).headers["last-modified"]
    at = parsedate_to_datetime(said)
    for same, before in zip(forms(at), forms(at - timedelta(seconds=1)), strict=True):
        checked(read, path, 304, If_Modified_Since=same)
        checked(read, path, 200, TEN, If_Modified_Since=before)
        checked(read, path, 200, TEN, If_Unmodified_Since=same)
        checked(read, path, 412, If_Unmodified_Since=before)
        checked(read, path, 206, b"01", "bytes 0-1/10", Range="bytes=0-1", If_Range=same)
        checked(read, path, 200, TEN, Range="bytes=0-1", If_Range=before)


def test_what_a_304_says(api: Served, read: Read, folder: str) -> None:
    headers = {"Cache-Control": "max-age=9", "Expires": FUTURE}
    path = f"{folder}a"
    api.put("files", path, TEN, headers=headers)
    whole = read(path)
    answer = read(path, If_None_Match=whole.headers["etag"])
    assert (answer.status, answer.body) == (304, b"")
    for name in ("etag", "last-modified", "cache-control", "expires"):
        assert answer.headers[name] == whole.headers[name]
    assert "content-type" not in answer.headers


def test_a_range_counts_only_for_the_same_object(api: Served, read: Read, folder: str) -> None:
    path = f"{folder}a"
    old = f'"{api.put("files", path, b"old " * 9).json["etag"]}"'
    new = f'"{api.put("files", path, TEN).json["etag"]}"'
    part = b"456789", "bytes 4-9/10"
    checked(read, path, 206, *part, Range="bytes=4-", If_Range=new)
    checked(read, path, 206, *part, Range="bytes=4-", If_Range=new, If_Match=new)
    for text in (old, PAST, FUTURE, f"W/{new}", "*", f"{new}, {old}", '"', "soon", ""):
        checked(read, path, 200, TEN, Range="bytes=4-", If_Range=text)
        checked(read, path, 412, Range="bytes=4-", If_Range=text, If_Match=old)
    checked(read, path, 200, TEN, Range="bytes=20-", If_Range=old)  # there was one before
    checked(read, path, 416, extent="bytes */10", Range="bytes=20-", If_Range=new)
    checked(read, path, 200, TEN, If_Range=old)  # nothing, without a range


# what writes


@pytest.mark.parametrize("body", [b"new", None], ids=["put", "delete"])
def test_conditions_of_what_writes(
    api: Served, write: Write, folder: str, body: bytes | None
) -> None:
    path, missing = f"{folder}a", 412 if write.__name__ == "by_standard" else 404

    def after(data: bytes, **fields: str) -> tuple[bool | int, bytes]:
        api.put("files", path, data)
        done = write(path, body, **fields)
        return done, api.call("getfile", sid="files", path=path).body if done is not True else b""

    etag = f'"{api.put("files", path, TEN).json["etag"]}"'
    for fields in (
        {"If_Match": etag},
        {"If_Match": "*"},
        {"If_Match": etag, "If_Unmodified_Since": PAST},
        {"If_None_Match": '"x"'},
        {"If_None_Match": ""},
        {"If_Unmodified_Since": FUTURE},
        {"If_Modified_Since": FUTURE},  # of reads only (§13.1.3)
    ):
        assert after(TEN, **fields) == (True, b""), fields
    for status, fields in (
        (412, {"If_Match": '"x"'}),
        (412, {"If_Match": ""}),
        (412, {"If_Match": f"W/{etag}"}),
        (412, {"If_Match": '"x"', "If_Unmodified_Since": FUTURE}),
        (412, {"If_None_Match": "*"}),
        (412, {"If_None_Match": etag}),
        (412, {"If_Unmodified_Since": PAST}),
        (400, {"If_Unmodified_Since": "soon"}),
    ):
        assert after(TEN, **fields) == (status, TEN), fields
    absent = f"{folder}none"
    for fields in ({"If_Match": etag}, {"If_Match": "*"}, {"If_Match": ""}):
        assert write(absent, body, **fields) == missing
    for fields in ({"If_None_Match": "*"}, {"If_Unmodified_Since": PAST}):
        assert write(absent, body, **fields) is True
        api.call("deletefile", method="POST", sid="files", path=absent)


def test_a_version_is_removed_without_conditions(api: Served, folder: str) -> None:
    path = f"{folder}a"
    named = api.put("files", path, TEN).json["version"]
    where: dict[str, Any] = {"sid": "files", "path": path, "version": named}
    answer = api.call("deletefile", method="POST", headers={"If-Match": "*"}, **where)
    assert (answer.status, answer.error) == (400, "invalid_request")
    assert api.call("deletefile", method="POST", **where).json["deleted"] is True


# below the doors


@pytest.fixture
def store() -> Iterator[Store]:
    memory = Memory()
    memory.open(Context())
    memory.create("b")
    yield cast(Store, memory.bucket("b"))
    memory.close()


def put(store: Store, data: bytes) -> str:
    return cast(Writable, store).put("k", BytesBody(data), Put(size=len(data))).etag


class Closing(BytesBody):
    """Tells whether it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("wanted", [Range(4, None), Range(20, None)])
def test_an_object_that_is_replaced_meanwhile_is_sent_whole(store: Store, wanted: Range) -> None:
    """Whenever it is: bytes of two objects are never joined."""
    old = put(store, b"old " * 9)
    given: list[Closing] = []

    def ask(want: Get) -> Opened:
        if not given:
            put(store, TEN)
        opened = store.get("k", want)
        given.append(Closing(b"".join(pieces(opened.body))))
        return replace(opened, body=given[-1])

    opened, want = http_ranges.read(ask, Get(range=wanted), f'"{old}"')
    assert want.range is None
    assert opened.body.read() == TEN
    assert [body.closed for body in given] == [True] * (len(given) - 1) + [False]


def test_what_was_opened_for_nothing_is_closed(store: Store) -> None:
    etag, given = put(store, TEN), list[Closing]()

    def ask(want: Get) -> Opened:
        opened = store.get("k", want)
        given.append(Closing(b""))
        return replace(opened, body=given[-1])

    with pytest.raises(InvalidRange):
        http_ranges.read(ask, Get(range=Range(20, None)), f'"{etag}"')
    assert [body.closed for body in given] == [True]


def test_a_weak_tag_is_never_the_same_object() -> None:
    info = ObjectInfo(key="k", size=1, etag="W/x", modified=1500)
    assert not http_ranges.is_same(info, 'W/"x"')
    assert http_ranges.is_same(info, "Thu, 01 Jan 1970 00:00:01 GMT")


def test_a_time_that_is_not_known_fits_no_date() -> None:
    """As of an upstream that does not say when an object was written."""
    info = ObjectInfo(key="k", size=1, etag="x", modified=0)
    assert not http_ranges.is_same(info, "Thu, 01 Jan 1970 00:00:00 GMT")
    Conditions(modified_since=1 << 50).check_read(info)
    with pytest.raises(NotModified):
        Conditions(modified_since=1 << 50).check_read(replace(info, modified=1))


@given(st.integers(0, 10**30), st.integers(0, 10**30), st.integers(0, 2000))
def test_positions_of_any_length_are_read(first: int, more: int, zeros: int) -> None:
    text = f"bytes={'0' * zeros}{first}-{first + more}"
    assert byte_range(text) == Range(min(first, 10**18), min(first + more, 10**18))


@given(st.integers(0, 3_000_000_000))
def test_dates_are_read_in_three_forms(seconds: int) -> None:
    for text in forms(datetime.fromtimestamp(seconds, UTC)):
        assert parse_date(text) == seconds * 1000
