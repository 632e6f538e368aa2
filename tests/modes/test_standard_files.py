"""getfile, uploadfile and deletefile, over a real socket."""

from __future__ import annotations

import socket
import time
from base64 import b64encode
from hashlib import md5

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.modes.standard_gateway import LIMITED, OWNER, READER, ROOT, WRITER, Served

DATA = bytes(range(256)) * 8


def form(
    *parts: tuple[str, str | None, bytes], boundary: str = "b0undary", kind: str = ""
) -> tuple[bytes, dict[str, str]]:
    """(body, headers) of a form: each part is (field, file name or None, content)."""
    body = b""
    for field, name, content in parts:
        said = f'form-data; name="{field}"' + (f'; filename="{name}"' if name is not None else "")
        body += f"--{boundary}\r\nContent-Disposition: {said}\r\n".encode()
        body += f"Content-Type: {kind}\r\n\r\n".encode() if kind else b"\r\n"
        body += content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


# uploadfile


def test_an_upload_comes_back_with_all_that_was_said_of_it(api: Served, folder: str) -> None:
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "max-age=60",
        "Content-Disposition": "attachment",
        "x-meta-One": "1",
        "x-meta-two": "zwei",
    }
    stored = api.put("files", f"{folder}a", DATA, headers=headers)
    assert stored.status == 201
    assert stored.json["path"] == f"{folder}a"
    assert stored.json["size"] == len(DATA)
    assert stored.json["etag"] == md5(DATA).hexdigest()
    assert stored.headers["cache-control"] == "no-store"
    assert len(stored.headers["x-request-id"]) == 16
    got = api.call("getfile", sid="files", path=f"{folder}a")
    assert (got.status, got.body) == (200, DATA)
    said = got.headers
    assert said["content-type"] == "text/plain; charset=utf-8"
    assert said["content-length"] == str(len(DATA))
    assert said["etag"] == f'"{stored.json["etag"]}"'
    assert said["x-version"] == stored.json["version"]
    assert said["cache-control"] == "max-age=60"
    assert said["content-disposition"] == "attachment"
    assert (said["x-meta-one"], said["x-meta-two"]) == ("1", "zwei")
    assert said["accept-ranges"] == "bytes"
    assert said["last-modified"].endswith("GMT")
    assert said["vary"] == "x-owncdn-key"
    assert len(said["x-request-id"]) == 16


def test_201_is_new_and_200_is_replaced(api: Served, folder: str) -> None:
    assert api.put("files", f"{folder}a").status == 201
    assert api.put("files", f"{folder}a").status == 200
    post = api.call("uploadfile", method="POST", body=b"x", sid="files", path=f"{folder}a")
    assert post.status == 200
    api.call("deletefile", method="POST", sid="files", path=f"{folder}a")
    assert api.put("files", f"{folder}a").status == 201


def test_a_leading_slash_is_dropped_once(api: Served, folder: str) -> None:
    assert api.put("files", f"/{folder}a").json["path"] == f"{folder}a"
    assert api.call("getfile", sid="files", path=f"{folder}a").status == 200
    assert api.put("files", f"//{folder}a").json["path"] == f"/{folder}a"


def test_the_file_of_a_form_is_stored(api: Served, folder: str) -> None:
    body, headers = form(("note", None, b"skipped"), ("file", "x.png", DATA), kind="image/png")
    stored = api.put("files", f"{folder}f", body, headers=headers)
    assert stored.status == 201, stored.body
    assert stored.json["etag"] == md5(DATA).hexdigest()
    got = api.call("getfile", sid="files", path=f"{folder}f")
    assert got.body == DATA
    assert got.headers["content-type"] == "image/png"


def test_the_md5_of_a_form_is_its_files(api: Served, folder: str) -> None:
    body, headers = form(("file", "x", DATA))
    right = {**headers, "Content-MD5": b64encode(md5(DATA).digest()).decode()}
    wrong = {**headers, "Content-MD5": b64encode(md5(b"other").digest()).decode()}
    assert api.put("files", f"{folder}f", body, headers=wrong).error == "bad_digest"
    assert api.call("getfile", sid="files", path=f"{folder}f").status == 404
    assert api.put("files", f"{folder}f", body, headers=right).status == 201


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (
            form(("file", "a", b"1"), ("file", "b", b"2"))[0],
            "multipart/form-data; boundary=b0undary",
        ),
        (form(("note", None, b"1"))[0], "multipart/form-data; boundary=b0undary"),
        (form()[0], "multipart/form-data; boundary=b0undary"),
        (form(("file", "a", b"1"))[0], "multipart/form-data"),
        (form(("file", "a", b"1"))[0], "multipart/form-data; boundary=other"),
        (form(("file", "a", b"1"))[0][:-12], "multipart/form-data; boundary=b0undary"),
        (b"no form at all", "multipart/form-data; boundary=b0undary"),
        (b"", "multipart/form-data; boundary=b0undary"),
        (b"--b0undary\r\nno header\r\n\r\n\r\n", "multipart/form-data; boundary=b0undary"),
        (b"--b0undary" + b"x" * 100_000, "multipart/form-data; boundary=b0undary"),
    ],
)
def test_a_form_that_is_none_is_refused_and_not_stored(
    api: Served, folder: str, body: bytes, kind: str
) -> None:
    answer = api.put("files", f"{folder}f", body, headers={"Content-Type": kind})
    assert answer.status == 400
    assert answer.error == "invalid_request"
    assert api.call("getfile", sid="files", path=f"{folder}f").status == 404


def test_a_large_form_is_streamed(api: Served, folder: str) -> None:
    data = DATA * 8192  # 16 MiB
    body, headers = form(("file", "large", data))
    assert api.put("files", f"{folder}f", body, headers=headers).json["size"] == len(data)
    assert api.call("getfile", sid="files", path=f"{folder}f").body == data


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=200), fill=st.sampled_from([b"", b"\r\n--b0undar", b"\r\n--", b"\r"])
)
def test_any_bytes_pass_through_a_form(api: Served, folder: str, data: bytes, fill: bytes) -> None:
    content = data + fill + data
    if b"--b0undary" in content:
        return
    body, headers = form(("file", "x", content))
    assert api.put("files", f"{folder}f", body, headers=headers).json["size"] == len(content)
    assert api.call("getfile", sid="files", path=f"{folder}f").body == content


def test_a_digest_that_does_not_fit_stores_nothing(api: Served, folder: str) -> None:
    right = b64encode(md5(DATA).digest()).decode()
    assert api.put("files", f"{folder}a", DATA, headers={"Content-MD5": right}).status == 201
    wrong = api.put("files", f"{folder}a", b"other", headers={"Content-MD5": right})
    assert (wrong.status, wrong.error) == (400, "bad_digest")
    odd = api.put("files", f"{folder}a", b"other", headers={"Content-MD5": "no"})
    assert (odd.status, odd.error) == (400, "bad_digest")
    assert api.call("getfile", sid="files", path=f"{folder}a").body == DATA


def test_conditions_of_an_upload(api: Served, folder: str) -> None:
    path = f"{folder}a"
    new = {"If-None-Match": "*"}
    first = api.put("files", path, b"1", headers=new)
    assert first.status == 201
    again = api.put("files", path, b"2", headers=new)
    assert (again.status, again.error) == (412, "precondition_failed")
    other = api.put("files", path, b"2", headers={"If-Match": '"0"'})
    assert other.status == 412
    same = {"If-Match": f'"{first.json["etag"]}"'}
    assert api.put("files", path, b"2", headers=same).status == 200
    assert api.put("files", path, b"3", headers=same).status == 412
    assert api.call("getfile", sid="files", path=path).body == b"2"


def raw(api: Served, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", api.port)) as connection:
        connection.settimeout(30)
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_without_a_length_is_refused(api: Served, folder: str) -> None:
    head = f"PUT /uploadfile?sid=files&path={folder}a HTTP/1.1\r\nHost: x\r\nx-owncdn-key: {WRITER}"
    answer = raw(api, f"{head}\r\nConnection: close\r\n\r\n".encode())
    assert b" 411 " in answer.partition(b"\r\n")[0]
    assert b'"length_required"' in answer


def test_an_empty_file_is_a_file(api: Served, folder: str) -> None:
    stored = api.put("files", f"{folder}empty", b"")
    assert (stored.status, stored.json["size"]) == (201, 0)
    got = api.call("getfile", sid="files", path=f"{folder}empty")
    assert (got.status, got.body, got.headers["content-length"]) == (200, b"", "0")


def test_too_much_metadata_is_refused(api: Served, folder: str) -> None:
    answer = api.put("files", f"{folder}a", headers={"x-meta-a": "x" * 3000})
    assert (answer.status, answer.error) == (400, "invalid_request")


# getfile


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=2040-", (2040, 2048)),
        ("bytes=-8", (2040, 2048)),
        ("bytes=2000-9999", (2000, 2048)),
        ("bytes=-9999", (0, 2048)),
    ],
)
def test_ranges(api: Served, folder: str, asked: str, expected: tuple[int, int]) -> None:
    api.put("files", f"{folder}a", DATA)
    start, end = expected
    got = api.call("getfile", sid="files", path=f"{folder}a", headers={"Range": asked})
    assert (got.status, got.body) == (206, DATA[start:end])
    assert got.headers["content-range"] == f"bytes {start}-{end - 1}/2048"
    head = api.call(
        "getfile", method="HEAD", sid="files", path=f"{folder}a", headers={"Range": asked}
    )
    assert (head.status, head.body) == (206, b"")
    assert head.headers["content-length"] == str(end - start)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    first=st.integers(0, 3000) | st.none(),
    last=st.integers(0, 3000) | st.none(),
    junk=st.sampled_from(["", " ", ",", "x"]),
)
def test_no_range_is_a_mistake_of_ours(
    api: Served, first: int | None, last: int | None, junk: str
) -> None:
    api.put("files", "ranged", DATA)
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}{junk}"
    got = api.call("getfile", sid="files", path="ranged", headers={"Range": text})
    assert got.status in (200, 206, 416)
    if got.status == 206:
        begin = len(DATA) - min(last or 0, len(DATA)) if first is None else first
        end = len(DATA) if first is None or last is None else last + 1
        assert got.body == DATA[begin:end]
    if got.status == 200:
        assert got.body == DATA


def test_a_range_beyond_the_end(api: Served, folder: str) -> None:
    api.put("files", f"{folder}a", DATA)
    got = api.call("getfile", sid="files", path=f"{folder}a", headers={"Range": "bytes=2048-"})
    assert (got.status, got.error) == (416, "invalid_range")
    assert got.headers["content-range"] == "bytes */2048"


def test_conditions_of_a_read(api: Served, folder: str) -> None:
    path = f"{folder}a"
    etag = f'"{api.put("files", path, DATA).json["etag"]}"'

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return api.call("getfile", sid="files", path=path, headers=named).status

    assert status(If_None_Match=etag) == 304
    assert status(If_None_Match='"other"') == 200
    assert status(If_Match=etag) == 200
    assert status(If_Match='"other"') == 412
    modified = api.call("getfile", sid="files", path=path).headers["last-modified"]
    assert status(If_Modified_Since=modified) == 304
    assert status(If_Unmodified_Since=modified) == 200
    assert status(If_Unmodified_Since="Mon, 01 Jan 2001 00:00:00 GMT") == 412
    assert status(If_Modified_Since="no date") == 200
    assert status(Range="bytes=0-1", If_Range=etag) == 206
    assert status(Range="bytes=0-1", If_Range=modified) == 206
    assert status(Range="bytes=0-1", If_Range='"other"') == 200
    assert status(Range="bytes=0-1", If_Range="Mon, 01 Jan 2001 00:00:00 GMT") == 200
    not_modified = api.call("getfile", sid="files", path=path, headers={"If-None-Match": etag})
    assert not_modified.body == b""
    assert not_modified.headers["etag"] == etag


def test_head_says_what_get_says(api: Served, folder: str) -> None:
    api.put("files", f"{folder}a", DATA, headers={"x-meta-a": "b"})
    get = api.call("getfile", sid="files", path=f"{folder}a")
    head = api.call("getfile", method="HEAD", sid="files", path=f"{folder}a")
    assert head.body == b""
    for one in (get, head):
        del one.headers["x-request-id"], one.headers["date"]
    assert head.headers == get.headers
    missing = api.call("getfile", method="HEAD", sid="files", path=f"{folder}none")
    assert (missing.status, missing.body) == (404, b"")
    assert missing.headers["x-error"] == "file_not_found"
    unchanged = {"If-None-Match": get.headers["etag"]}
    same = api.call("getfile", method="HEAD", sid="files", path=f"{folder}a", headers=unchanged)
    assert (same.status, "x-error" in same.headers) == (304, False)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(path=st.text(min_size=1, max_size=60).filter(lambda text: not text.startswith("/")))
def test_any_path_comes_back(api: Served, path: str) -> None:
    try:
        fits = len(path.encode()) <= 1024
    except UnicodeEncodeError:
        return
    assert fits
    data = path.encode()
    assert api.put("files", path, data).json["path"] == path
    assert api.call("getfile", sid="files", path=path).body == data
    listed = api.call("filelist", sid="files", prefix=path, limit=1).json["files"]
    assert listed[0]["path"] == path
    assert api.call("deletefile", method="DELETE", sid="files", path=path).json["deleted"] is True


def test_paths_that_cannot_be(api: Served) -> None:
    for path in ("/", "x" * 1025):
        answer = api.call("getfile", sid="files", path=path)
        assert (answer.status, answer.error) == (400, "invalid_path")
    answer = api.send("GET", "/getfile?sid=files&path=%ff")
    assert (answer.status, answer.error) == (400, "invalid_parameter")


def test_a_long_answer_is_refused_in_json_while_slow_readers_hold_the_places(
    api: Served, folder: str
) -> None:
    """Of 8 threads 6 may be held, and 4 of those by one address."""
    path = f"{folder}long"
    api.put("files", path, DATA * 8192)
    head = f"GET /getfile?sid=files&path={path} HTTP/1.1\r\nHost: x\r\nx-owncdn-key: {ROOT}\r\n\r\n"
    slow = [socket.create_connection(("127.0.0.1", api.port)) for _ in range(4)]
    try:
        for one in slow:
            one.sendall(head.encode())
        for one in slow:
            assert one.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        refused = api.call("getfile", sid="files", path=path)
        assert (refused.status, refused.error) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert api.call("getfile", method="HEAD", sid="files", path=path).status == 200
        assert api.put("files", f"{folder}short").status == 201
    finally:
        for one in slow:
            one.close()
    for _ in range(200):
        if (again := api.call("getfile", sid="files", path=path)).status == 200:
            break
        time.sleep(0.05)
    assert len(again.body) == len(DATA) * 8192


def test_a_file_under_a_customers_key_is_said_to_be_encrypted(api: Served, folder: str) -> None:
    path = f"{folder}sse-c"
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    start = api.call("syncnext", sid="files", syncid=1 << 62).json["lastSyncId"]
    api.s3().put_object(Bucket="files", Key=path, Body=b"1", **key)
    answer = api.call("getfile", sid="files", path=path)
    assert (answer.status, answer.error) == (400, "encrypted")
    (update,) = api.call("syncnext", sid="files", syncid=start).json["updates"]
    assert (update["path"], update["metadata"]) == (path, {})
    assert api.put("files", path, b"2").status == 200
    assert api.call("getfile", sid="files", path=path).body == b"2"


# versions


def test_versions_are_read_and_removed_by_name(api: Served, folder: str) -> None:
    path = f"{folder}v"
    one = api.put("kept", path, b"1").json["version"]
    two = api.put("kept", path, b"22").json["version"]
    assert api.call("getfile", sid="kept", path=path, version=one).body == b"1"
    assert api.call("getfile", sid="kept", path=path).headers["x-version"] == two
    hidden = api.call("deletefile", method="DELETE", sid="kept", path=path).json
    assert hidden["deleted"] is True
    assert api.call("getfile", sid="kept", path=path).error == "file_not_found"
    marker = api.call("getfile", sid="kept", path=path, version=hidden["version"])
    assert (marker.status, marker.error) == (404, "version_deleted")
    gone = api.call("deletefile", method="DELETE", sid="kept", path=path, version=one).json
    assert gone == {"path": path, "deleted": True, "version": one}
    assert api.call("getfile", sid="kept", path=path, version=one).error == "version_gone"
    again = api.call("deletefile", method="DELETE", sid="kept", path=path, version=one).json
    assert again["deleted"] is False


@pytest.mark.parametrize("sid", ["files", "plain"])
def test_a_version_names_its_bytes_where_none_are_kept(api: Served, folder: str, sid: str) -> None:
    path = f"{folder}v"
    one = api.put(sid, path, b"1").json["version"]
    assert api.call("getfile", sid=sid, path=path, version=one).body == b"1"
    two = api.put(sid, path, b"22").json["version"]
    assert api.call("getfile", sid=sid, path=path, version=two).body == b"22"
    for method in ("GET", "HEAD"):
        gone = api.call("getfile", method=method, sid=sid, path=path, version=one)
        assert gone.status == 404
    assert api.call("getfile", sid=sid, path=path, version=one).error == "version_gone"


def test_only_the_version_that_is_meant_is_removed(api: Served, folder: str) -> None:
    path = f"{folder}v"
    one = api.put("files", path, b"1").json["version"]
    two = api.put("files", path, b"22").json["version"]
    late = api.call("deletefile", method="POST", sid="files", path=path, version=one).json
    assert late == {"path": path, "deleted": False, "version": one}
    right = api.call("deletefile", method="POST", sid="files", path=path, version=two).json
    assert right == {"path": path, "deleted": True, "version": two}
    assert api.call("getfile", sid="files", path=path, version=two).error == "version_gone"


def test_what_is_not_there_is_deleted_without_an_error(api: Served, folder: str) -> None:
    answer = api.call("deletefile", method="DELETE", sid="files", path=f"{folder}none")
    assert (answer.status, answer.json["deleted"]) == (200, False)


# who may


def test_who_may_do_what(api: Served, folder: str) -> None:
    path = f"{folder}a"
    assert api.put("files", path, key=WRITER).status == 201
    for key in (READER, LIMITED):
        assert api.call("getfile", sid="files", path=path, key=key).status == 200
        for function, method in (("uploadfile", "PUT"), ("deletefile", "POST"), ("flush", "POST")):
            refused = api.call(function, method=method, sid="files", path=path, key=key, body=b"")
            assert (refused.status, refused.error) == (403, "forbidden")
    for key, sid in ((LIMITED, "kept"), (OWNER, "files"), (WRITER, "dull"), (WRITER, "none")):
        hidden = api.call("getfile", sid=sid, path=path, key=key)
        assert (hidden.status, hidden.error) == (404, "service_not_found")


def test_who_is_unknown_gets_401(api: Served) -> None:
    for key in ("", "no-such-secret", "root", "ünknown".encode().decode("latin-1")):
        answer = api.call("servicelist", key=key)
        assert (answer.status, answer.error) == (401, "unauthorized")
        assert "x-owncdn-key" in answer.headers["www-authenticate"]
