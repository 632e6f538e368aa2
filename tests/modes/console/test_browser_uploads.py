"""Uploads at the console: what its script asks for, the plain form, and the page of those that are
under way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from gateway.modes.console.browsing import uploading
from gateway.modes.console.object_names import coded
from gateway.plugins.finding import Plugins
from gateway.storage import Get, ListQuery, NoSuchKey, UploadQuery
from tests.modes.console.console_gateway import HOST, Browser, Seen, serving
from tests.modes.public_gateway import OWNER, Site
from tests.modes.standard_gateway import Sample

SIZE = 3 * uploading.SMALLEST


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    plugins = Plugins.load()
    plugins.register(Sample(), "sample")
    small = {"driver": "memory", "quota": "100KiB"}
    services = {"dull": {"driver": "dull"}, "plain": {"driver": "plain"}, "small": small}
    with serving(plugins, services) as site:
        yield site


@pytest.fixture(scope="module")
def root(site: Site) -> Browser:
    return Browser(site).sign_in()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """One that no other test has."""
    return f"{request.node.name}/a b&ü.bin"


def send(
    browser: Browser, page: str, body: bytes = b"", *, sid: str = "files", **query: object
) -> Seen:
    """As the script does: the token is in a header."""
    headers = {"x-csrf-token": browser.csrf, "origin": f"http://{HOST}"}
    address = f"browser/{sid}/{page}?{urlencode(query, quote_via=quote)}"
    return browser.ask(address, "GET" if page == "parts" else "POST", headers, body)


def told(seen: Seen) -> dict[str, object]:
    assert seen.headers["content-type"] == "application/json"
    found: dict[str, object] = json.loads(seen.text)
    return found


def read(site: Site, key: str, sid: str = "files") -> bytes:
    with site.runtime.access(OWNER, sid).get(key, Get()) as opened:
        return b"".join(iter(opened.body.read, b""))


# by the script


def test_a_file_is_put_whole(site: Site, root: Browser, key: str) -> None:
    seen = send(root, "put", b"its bytes", key=key, type="text/x-own")
    assert (seen.status, told(seen)) == (200, {"size": 9})
    assert read(site, key) == b"its bytes"
    assert site.runtime.access(OWNER, "files").stat(key).content_type == "text/x-own"


@pytest.mark.parametrize("said", ["", "text/plain\r\nx: y", "ü"])
def test_a_type_that_is_none_is_that_of_the_name(site: Site, root: Browser, said: str) -> None:
    assert send(root, "put", b"x", key="typed.webp", type=said).status == 200
    assert site.runtime.access(OWNER, "files").stat("typed.webp").content_type == "image/webp"


@pytest.mark.parametrize("sid", ["files", "plain"])
def test_a_large_file_is_sent_in_parts(site: Site, root: Browser, key: str, sid: str) -> None:
    begun = told(send(root, "begin", sid=sid, key=key, size=SIZE))
    assert begun["part"] == uploading.SMALLEST
    more: dict[str, Any] = {"key": key, "upload": begun["upload"], "sid": sid}
    first = told(send(root, "part", b"one", number=1, **more))
    second = told(send(root, "part", b"two", number=2, **more))
    assert told(send(root, "parts", **more)) == {"parts": {"1": first, "2": second}}
    etags = json.dumps([first["etag"], second["etag"]]).encode()
    for _ in range(2 if sid == "files" else 1):  # the first answer may have been lost
        assert told(send(root, "complete", etags, size=6, **more)) == {"size": 6}
    assert read(site, key, sid) == b"onetwo"
    assert send(root, "parts", **more).status == 404


@pytest.mark.parametrize(
    ("body", "size", "status"),
    [
        (b'["0"]', 3, 400),
        (b"[]", 3, 400),
        (b"[1]", 3, 400),
        (b'{"1": 2}', 3, 400),
        (b"[" * 99_999, 3, 400),
        (b"not json", 3, 400),
        (b"", 3, 400),
        (b"etag", 4, 400),
    ],
)
def test_what_makes_no_whole_is_refused_and_the_upload_goes_on(
    site: Site, root: Browser, key: str, body: bytes, size: int, status: int
) -> None:
    upload = told(send(root, "begin", key=key, size=SIZE))["upload"]
    part = told(send(root, "part", b"one", key=key, upload=upload, number=1))
    if body == b"etag":
        body = json.dumps([part["etag"]]).encode()
    seen = send(root, "complete", body, key=key, upload=upload, size=size)
    assert (seen.status, bool(told(seen)["message"])) == (status, True)
    assert send(root, "parts", key=key, upload=upload).status == 200
    assert send(root, "abort", key=key, upload=upload).status == 200


def test_who_cancels_leaves_nothing(site: Site, root: Browser, key: str) -> None:
    upload = told(send(root, "begin", key=key, size=SIZE))["upload"]
    send(root, "part", b"one", key=key, upload=upload, number=1)
    assert told(send(root, "abort", key=key, upload=upload)) == {}
    assert site.runtime.access(OWNER, "files").uploads(UploadQuery(prefix=key)).uploads == ()
    for page in ("abort", "parts", "part"):
        seen = send(root, page, b"x", key=key, upload=upload, number=1)
        assert (page, seen.status) == (page, 404)


@pytest.mark.parametrize(
    ("page", "query", "status"),
    [
        ("put", {}, 400),
        ("put", {"key": "x" * 1025}, 400),
        ("begin", {"key": "k"}, 400),
        ("begin", {"key": "k", "size": "-1"}, 400),
        ("begin", {"key": "k", "size": 6 << 40}, 413),
        ("part", {"key": "k", "upload": "none", "number": 1}, 404),
        ("part", {"key": "k", "upload": "none", "number": 10_001}, 400),
        ("part", {"key": "k", "upload": "none", "number": "²"}, 400),
        ("complete", {"key": "k", "upload": "none", "size": 1}, 400),
        ("parts", {"key": "k"}, 404),
    ],
)
def test_what_is_wrong_is_told_in_words(
    root: Browser, page: str, query: dict[str, Any], status: int
) -> None:
    seen = send(root, page, b"x", **query)
    assert (seen.status, bool(told(seen)["message"])) == (status, True)


def test_a_full_service_says_so(root: Browser) -> None:
    seen = send(root, "put", b"x" * 200_000, sid="small", key="k")
    assert seen.status == 507
    assert "quota of 102400 bytes" in str(told(seen)["message"])


def test_a_body_that_is_refused_is_taken_so_that_its_browser_hears_why(
    site: Site, root: Browser
) -> None:
    for page, sid in (("put", "dull"), ("part", "files")):
        assert send(root, page, b"x" * 300_000, sid=sid, key="k", number=1).status in (404, 501)
        assert site.records[-1].received == 300_000


def test_without_the_token_nothing_is_stored(site: Site, root: Browser, key: str) -> None:
    headers = {"origin": f"http://{HOST}"}
    for more in ({}, {"x-csrf-token": "another"}):
        seen = root.ask(f"browser/files/put?key={coded(key)}", "POST", headers | more, b"x")
        assert seen.status == 403
    with pytest.raises(NoSuchKey):
        read(site, key)


def test_a_body_that_is_cut_is_not_stored(site: Site, root: Browser, key: str) -> None:
    headers = {"x-csrf-token": root.csrf, "origin": f"http://{HOST}", "content-length": "9"}
    seen = root.ask(f"browser/files/put?key={coded(key)}", "POST", headers, b"its b")
    assert seen.status == 400
    with pytest.raises(NoSuchKey):
        read(site, key)


# by the plain form


def form(
    root: Browser, parts: Sequence[tuple[str, str | None, bytes]], end: str = "--\r\n"
) -> Seen:
    """`parts`: name, file name and bytes."""
    body = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        body += f'--bound\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode()
        body += data + b"\r\n"
    body += f"--bound{end}".encode()
    headers = {"content-type": "multipart/form-data; boundary=bound", "origin": f"http://{HOST}"}
    return root._followed(root.ask("browser/files/upload", "POST", headers, body), True)


def test_files_are_uploaded_by_a_plain_form(site: Site, root: Browser) -> None:
    page = root.get("browser/files?prefix=by%20form/").page
    fields = page.form("files/upload").fields()
    assert fields["folder"] == coded("by form/")
    seen = form(
        root,
        [
            ("csrf", None, fields["csrf"].encode()),
            ("folder", None, fields["folder"].encode()),
            ("file", "one.txt", b"1" * 300_000),
            ("file", "C:\\own\\zwei ü.png", b"22"),
            ("file", "", b""),
        ],
    )
    assert seen.notices[-1] == "Uploaded."
    rows = seen.page.table("Folders and objects")
    assert [row[1:4] for row in rows] == [
        ["one.txt", "293.0 KiB", "text/plain"],
        ["zwei ü.png", "2 B", "image/png"],
    ]
    assert read(site, "by form/zwei ü.png") == b"22"


def test_a_form_that_is_cut_stores_no_half_file(site: Site, root: Browser) -> None:
    seen = form(
        root,
        [
            ("csrf", None, root.csrf.encode()),
            ("folder", None, b"cut%2F"),
            ("file", "whole.txt", b"1"),
            ("file", "half.txt", b"2"),
        ],
        end="",
    )
    assert seen.status == 400
    found = site.runtime.access(OWNER, "files").list(ListQuery(prefix="cut/")).entries
    assert [one.key for one in found] == ["cut/whole.txt"]


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ([], 403),
        ([("file", "x", b"x")], 403),
        ([("csrf", None, b"another"), ("file", "x", b"x")], 403),
    ],
)
def test_a_form_without_the_token_stores_nothing(
    site: Site, root: Browser, parts: Sequence[tuple[str, str | None, bytes]], status: int
) -> None:
    assert form(root, parts).status == status
    with pytest.raises(NoSuchKey):
        read(site, "x")


def test_a_form_without_a_file_says_so(root: Browser) -> None:
    seen = form(root, [("csrf", None, root.csrf.encode()), ("file", "", b"")])
    assert (seen.status, seen.h1) == (400, "No file was chosen.")


# what a service cannot do


def test_what_cannot_be_listed_or_written_is_opened_by_its_key(root: Browser) -> None:
    seen = root.get("browser/dull")
    assert "cannot be listed" in seen.notices[-1]
    assert seen.page.all("section", class_="upload") == []
    about = root.submit(seen, "dull/object", key="k")
    assert about.h1 == "k"
    assert about.page.all("table") == []
    refused = send(root, "put", b"x", sid="dull", key="k")
    assert (refused.status, told(refused)["message"]) == (
        501,
        "The service 'dull' (driver 'dull') cannot be written.",
    )


def test_in_parts_is_sent_to_who_takes_parts(root: Browser) -> None:
    said = root.get("browser/plain").page.one("section", class_="upload")
    assert (said["data-whole"], said["data-folder"]) == (str(uploading.SMALLEST), "")


# those that are under way


def test_uploads_under_way_are_listed_and_aborted(site: Site, root: Browser) -> None:
    access = site.runtime.access(OWNER, "kept")
    upload = access.begin("films/<b>.mp4").id
    send(root, "part", b"12345", sid="kept", key="films/<b>.mp4", upload=upload, number=3)
    assert ["kept", "memory", "1", "5 B"] in root.get("uploads").page.table(SERVICES)
    seen = root.get("uploads/kept")
    (row,) = seen.page.table("Uploads under way")
    assert (row[0], row[2:5]) == ("films/<b>.mp4", ["1", "5 B", "root"])
    assert "less than a minute ago" in row[1]
    form = next(one for one in seen.page.all("form") if "/abort?" in one["action"])
    address = f"uploads/{form['action'].partition('uploads/')[2]}"
    seen = root.post(address, form.fields())
    assert seen.notices[-1] == "The upload was aborted: its parts are gone."
    assert access.uploads(UploadQuery()).uploads == ()
    assert root.post(address, form.fields()).notices[-1] == "That upload is over by now."


SERVICES = "Services that take uploads in parts"


def test_uploads_are_paged(site: Site, root: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.modes.console.pages.uploads._SHOWN", 2)
    access = site.runtime.access(OWNER, "kept")
    begun = [access.begin("same key") for _ in range(3)]
    seen = root.get("uploads/kept")
    assert len(seen.page.table("Uploads under way")) == 2
    seen = root.follow(seen, "Next")
    assert len(seen.page.table("Uploads under way")) == 1
    assert len(root.follow(seen, "Previous").page.table("Uploads under way")) == 2
    for place in ("x", "eA", "eA.eA.eA", "eA._"):
        assert root.get(f"uploads/kept?after={place}").status == 400, place
    for one in begun:
        access.abort("same key", one.id)


def test_who_may_only_read_aborts_nothing(site: Site) -> None:
    reader = Browser(site).sign_in("reader")
    access = site.runtime.access(OWNER, "files")
    upload = access.begin("k").id
    assert "Abort" not in reader.get("uploads/files").page.text
    seen = reader.post(f"uploads/files/abort?key=k&upload={upload}", {"csrf": reader.csrf})
    assert seen.status == 403
    access.abort("k", upload)
