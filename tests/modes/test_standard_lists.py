"""servicelist, filelist, versionlist, syncnext and reqlist, over a real socket."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.storage import OriginFailed, Protects, Store
from tests.modes.standard_gateway import LIMITED, OWNER, READER, ROOT, WRITER, DullDriver, Served

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def pages(api: Served, function: str, what: str, **parameters: Any) -> list[Any]:
    """All items, page by page; `next` is null on the last page."""
    found, after = [], None
    for _ in range(100):
        answer = api.call(function, after=after, **parameters).json
        assert len(answer[what]) <= parameters.get("limit", 1000)
        found += answer[what]
        after = answer["next"]
        if after is None:
            return found
    raise AssertionError("the pages do not end")


def until(true: Callable[[], Any]) -> Any:
    """What is written behind requests is there soon."""
    for _ in range(200):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came")


# servicelist


def test_services_are_those_that_the_key_may_read(api: Served) -> None:
    def seen(key: str) -> dict[str, str]:
        found = api.call("servicelist", key=key).json["services"]
        return {one["sid"]: one["access"] for one in found}

    assert seen(ROOT).items() >= dict.fromkeys(("dull", "files", "kept", "plain"), "write").items()
    assert set(seen(READER).values()) == {"read"}
    assert seen(WRITER) == {"files": "write", "kept": "write", "plain": "write"}
    assert seen(LIMITED) == {"files": "read", "fronted": "read"}
    assert seen(OWNER) == {}


def test_a_service_says_what_it_is(api: Served) -> None:
    found = {one["sid"]: one for one in api.call("servicelist").json["services"]}
    files = found["files"]
    assert (files["name"], files["type"], files["source"]) == ("All files", "memory", None)
    assert {"writable", "listable", "versions", "changes"} <= set(files["capabilities"])
    assert found["dull"]["capabilities"] == []
    assert found["dull"]["name"] == "dull"


def test_a_service_whose_upstream_is_down_is_listed_with_what_is_known(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find(self: Any, capability: type[Any]) -> Any:
        if capability is Protects:
            raise OriginFailed("no connection to 192.0.2.1")
        return Store.find(self, capability)

    monkeypatch.setattr(DullDriver, "find", find)
    found = {one["sid"]: one for one in api.call("servicelist").json["services"]}
    assert (found["dull"]["capabilities"], found["dull"]["incomplete"]) == ([], True)
    assert "versions" in found["files"]["capabilities"] and "incomplete" not in found["files"]


def test_a_source_is_named_to_who_may_read_it(api: Served, folder: str) -> None:
    def source(key: str) -> Any:
        found = api.call("servicelist", key=key).json["services"]
        return next(one["source"] for one in found if one["sid"] == "fronted")

    assert source(ROOT) == "kept"
    assert source(LIMITED) is None
    api.put("kept", f"{folder}f", b"behind")
    assert api.call("getfile", sid="fronted", path=f"{folder}f", key=LIMITED).body == b"behind"


def test_services_come_in_pages(api: Served) -> None:
    whole = [one["sid"] for one in api.call("servicelist").json["services"]]
    assert whole == sorted(whole)
    paged = pages(api, "servicelist", "services", limit=1)
    assert [one["sid"] for one in paged] == whole


# filelist


def test_files_come_in_pages_and_in_order(api: Served, folder: str) -> None:
    names = ["a", "a/b", "a/c", "b", "é", "x y", "z+"]
    for name in names:
        api.put("files", folder + name)
    wanted = sorted((folder + name for name in names), key=str.encode)
    for limit in (1, 3, 7, 1000):
        found = pages(api, "filelist", "files", sid="files", prefix=folder, limit=limit)
        assert [one["path"] for one in found] == wanted
    first = api.call("filelist", sid="files", prefix=folder, limit=1).json["files"][0]
    assert set(first) == {"path", "size", "etag", "contentType", "modified", "version"}
    assert TIME.fullmatch(first["modified"])


def test_a_delimiter_gives_folders_once(api: Served, folder: str) -> None:
    for name in ("a/1", "a/2", "b", "c/1"):
        api.put("files", folder + name)
    for limit in (1, 2, 1000):
        found = []
        after = None
        for _ in range(100):
            answer = api.call(
                "filelist", sid="files", prefix=folder, delimiter="/", limit=limit, after=after
            ).json
            found += [one["path"] for one in answer["files"]] + answer["prefixes"]
            after = answer["next"]
            if after is None:
                break
        assert sorted(found) == [f"{folder}a/", f"{folder}b", f"{folder}c/"]


def test_what_does_not_parse_is_named(api: Served) -> None:
    for name, text in (
        *(("limit", text) for text in ("0", "1001", "x", "", "-1", "٣")),
        *(("after", text) for text in ("x", "!")),
    ):
        answer = api.send("GET", f"/filelist?sid=files&{name}={quote(text)}")
        assert (answer.status, answer.error) == (400, "invalid_parameter"), text
        assert f'"{name}"' in answer.json["message"]
        assert answer.json["sid"] == "files"
        assert answer.json["requestId"] == answer.headers["x-request-id"]
    assert api.call("filelist").error == "missing_parameter"
    assert '"sid"' in api.call("filelist").json["message"]
    assert api.call("filelist", sid="").error == "missing_parameter"
    assert api.call("filelist", sid="files", limit=1, unknown="x").status == 200


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    function=st.sampled_from(["servicelist", "filelist", "versionlist", "reqlist"]),
    after=st.text(max_size=30) | st.binary(max_size=30).map(lambda b: b.hex()) | st.sampled_from(
        [".", "..", "MQ.Mg", "LTE.Mg", "MQ", "7aCA", "A", "=", "MQ==", "a.\u00e9", "W" * 4000]
    ),
)  # fmt: skip
def test_no_after_is_a_mistake_of_ours(api: Served, function: str, after: str) -> None:
    try:
        after.encode()
    except UnicodeEncodeError:
        return
    answer = api.call(function, sid="files", path="p", after=after)
    assert answer.status in (200, 400)


def test_what_a_service_cannot_do_is_501_and_says_its_type(api: Served) -> None:
    for function, method in (
        ("filelist", "GET"), ("versionlist", "GET"), ("syncnext", "GET"),
        ("uploadfile", "PUT"), ("deletefile", "POST"), ("flush", "POST"),
    ):  # fmt: skip
        answer = api.call(function, method=method, sid="dull", path="k", body=b"")
        assert (answer.status, answer.error) == (501, "unsupported"), function
        assert "'dull'" in answer.json["message"]
    assert answer.json["message"].endswith("is no cache, so there is nothing to flush.")
    assert api.call("getfile", sid="dull", path="k").body == b"dull"
    assert api.call("flush", method="POST", sid="files").status == 501


# flush


def test_a_flush_reaches_the_cache(api: Served, folder: str) -> None:
    first = api.call("flush", method="POST", sid="cached", prefix=folder).json["flushed"]
    assert api.call("flush", method="POST", sid="cached").json == {"flushed": first + 1}
    seen = api.call("getfile", sid="cached", path="purges").body.decode()
    assert seen.endswith(f"('prefix', '{folder}'), ('all', '')]")
    refused = api.call("flush", method="POST", sid="cached", key=READER)
    assert (refused.status, refused.error) == (403, "forbidden")


@pytest.mark.parametrize(
    ("named", "purge"),
    [
        ({"path": "/a/k"}, ("key", "a/k")),
        ({"tag": "t"}, ("tag", "t")),
        ({"prefix": "a/", "soft": "true"}, ("prefix", "a/", "soft")),
        ({"soft": "true"}, ("all", "", "soft")),
        ({"soft": "false"}, ("all", "")),
    ],
)
def test_what_a_flush_names(api: Served, named: dict[str, Any], purge: tuple[str, ...]) -> None:
    assert api.call("flush", method="POST", sid="cached", **named).status == 200
    seen = api.call("getfile", sid="cached", path="purges").body.decode()
    assert seen.endswith(f", {purge}]")


@pytest.mark.parametrize(
    "named",
    [{"path": "a", "tag": "b"}, {"prefix": "a", "tag": "b"}, {"tag": ""}, {"soft": "1"}],
)
def test_a_flush_that_names_too_much_or_nothing_is_refused(
    api: Served, named: dict[str, Any]
) -> None:
    answer = api.call("flush", method="POST", sid="cached", **named)
    assert (answer.status, answer.error) == (400, "invalid_parameter")


# versionlist


def test_versions_come_newest_first_and_in_pages(api: Served, folder: str) -> None:
    path = f"{folder}v"
    made = [api.put("kept", path, b"%d" % number).json["version"] for number in range(5)]
    api.put("kept", f"{path}-other")
    api.put("kept", f"{path}/below")
    marker = api.call("deletefile", method="POST", sid="kept", path=path).json["version"]
    wanted = [marker, *reversed(made)]
    for limit in (1, 2, 6, 7, 1000):
        found = pages(api, "versionlist", "versions", sid="kept", path=path, limit=limit)
        assert [one["version"] for one in found] == wanted
    assert [one["deleted"] for one in found] == [True] + [False] * 5
    assert [one["latest"] for one in found] == [True] + [False] * 5
    numbers = [one["syncId"] for one in found]
    assert numbers == sorted(numbers, reverse=True)
    assert set(found[0]) == {
        "path", "version", "size", "etag", "modified", "deleted", "latest", "syncId",
    }  # fmt: skip


def test_the_versions_of_nothing_are_none(api: Served, folder: str) -> None:
    answer = api.call("versionlist", sid="kept", path=f"{folder}none").json
    assert answer == {"versions": [], "next": None}


# syncnext


def newest(api: Served, sid: str) -> int:
    found: int = api.call("syncnext", sid=sid, syncid=(1 << 62)).json["lastSyncId"]
    return found


def test_a_follower_sees_all_in_order_and_can_get_the_bytes(api: Served, folder: str) -> None:
    start, path = newest(api, "kept"), f"{folder}s"
    headers = {"Cache-Control": "no-cache", "x-meta-a": "b", "Content-Type": "text/plain"}
    one = api.put("kept", path, b"1", headers=headers).json["version"]
    two = api.put("kept", path, b"22").json["version"]
    hidden = api.call("deletefile", method="POST", sid="kept", path=path).json["version"]
    api.call("deletefile", method="POST", sid="kept", path=path, version=one)
    seen: list[dict[str, Any]] = []
    while True:
        at = seen[-1]["syncId"] if seen else start
        answer = api.call("syncnext", sid="kept", syncid=at).json
        assert len(answer["updates"]) <= 1
        if not answer["updates"]:
            break
        seen += answer["updates"]
    assert answer["lastSyncId"] == start + 4
    assert [one["syncId"] for one in seen] == list(range(start + 1, start + 5))
    assert [(u["kind"], u["version"]) for u in seen] == [
        ("put", one), ("put", two), ("delete", hidden), ("purge", one),
    ]  # fmt: skip
    assert {one["path"] for one in seen} == {path}
    assert seen[1]["size"] == 2
    assert api.call("getfile", sid="kept", path=path, version=two).body == b"22"
    many = api.call("syncnext", sid="kept", syncid=start, limit=1000).json
    assert many["updates"] == seen


def test_what_was_said_of_a_file_is_in_its_update(api: Served, folder: str) -> None:
    start = newest(api, "files")
    headers = {"Cache-Control": "no-cache", "x-meta-a": "b", "Content-Type": "text/plain"}
    api.put("files", f"{folder}m", b"1", headers=headers)
    (update,) = api.call("syncnext", sid="files", syncid=start).json["updates"]
    assert update["contentType"] == "text/plain"
    assert update["headers"] == {"Cache-Control": "no-cache"}
    assert update["metadata"] == {"a": "b"}
    assert TIME.fullmatch(update["time"])


def test_an_update_whose_bytes_are_gone_is_followed_by_a_newer(api: Served, folder: str) -> None:
    start, path = newest(api, "files"), f"{folder}g"
    api.put("files", path, b"1")
    api.put("files", path, b"22")
    old, new = api.call("syncnext", sid="files", syncid=start, limit=2).json["updates"]
    gone = api.call("getfile", sid="files", path=path, version=old["version"])
    assert (gone.status, gone.error) == (404, "version_gone")
    assert api.call("getfile", sid="files", path=path, version=new["version"]).body == b"22"


def test_a_waiting_follower_is_answered_when_something_happens(api: Served, folder: str) -> None:
    start = newest(api, "files")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.call, "syncnext", sid="files", syncid=start, wait=60)
        until(waiting.running)
        time.sleep(0.2)
        assert not waiting.done()
        api.put("files", f"{folder}w")
        answer = waiting.result(30).json
    assert answer["updates"][0]["path"] == f"{folder}w"


def test_a_wait_without_a_change_ends(api: Served) -> None:
    answer = api.call("syncnext", sid="kept", syncid=newest(api, "kept"), wait=1)
    assert (answer.status, answer.json["updates"]) == (200, [])
    for wait in ("61", "-1", "x"):
        assert api.call("syncnext", sid="kept", wait=wait).error == "invalid_parameter"


def test_waiting_followers_leave_threads_for_others(api: Served, folder: str) -> None:
    """Of 8 threads, 6 may be held, and 3 of those by who waits: the others get 503 and a time."""
    start, answers = newest(api, "kept"), []
    lock = threading.Lock()

    def follow() -> None:
        answer = api.call("syncnext", sid="kept", syncid=start, wait=60)
        with lock:
            answers.append(answer)

    threads = [threading.Thread(target=follow) for _ in range(12)]
    for one in threads:
        one.start()
    until(lambda: len(answers) >= 9)
    assert {(one.status, one.error) for one in answers[:9]} == {(503, "busy")}
    assert all(int(one.headers["retry-after"]) >= 1 for one in answers[:9])
    assert api.put("files", f"{folder}beside", b"x" * 300_000).status == 201
    assert len(api.call("getfile", sid="files", path=f"{folder}beside").body) == 300_000
    api.put("kept", f"{folder}now")
    for one in threads:
        one.join(30)
    assert sorted(one.status for one in answers) == [200] * 3 + [503] * 9


# reqlist


def test_requests_of_both_doors_are_listed_newest_first(api: Served, folder: str) -> None:
    path = f"{folder}r"
    stored = api.put("files", path, b"12345")
    api.s3().get_object(Bucket="files", Key=path)
    api.call("getfile", sid="files", path=f"{folder}none", key=READER)

    def mine() -> list[dict[str, Any]]:
        found = api.call("reqlist", sid="files", limit=1000).json["requests"]
        return [one for one in found if one["path"].startswith(folder)]

    def three() -> list[dict[str, Any]]:
        found = mine()
        return found if len(found) == 3 else []

    missing, got, put = until(three)
    assert set(put) == {
        "time", "requestId", "mode", "method", "sid", "path", "status", "bytesIn", "bytesOut",
        "durationMs", "client", "keyId", "cache",
    }  # fmt: skip
    assert put["requestId"] == stored.headers["x-request-id"]
    assert (put["mode"], put["method"], put["status"]) == ("standard", "PUT", 201)
    assert (put["sid"], put["path"], put["bytesIn"], put["keyId"]) == ("files", path, 5, "root")
    assert (got["mode"], got["path"], got["bytesOut"], got["status"]) == ("s3", path, 5, 200)
    assert (missing["status"], missing["keyId"]) == (404, "reader")
    assert put["client"] == "127.0.0.1"
    assert TIME.fullmatch(put["time"])
    times = [one["time"] for one in api.call("reqlist", limit=1000).json["requests"]]
    assert times == sorted(times, reverse=True)


def test_requests_come_in_pages(api: Served, folder: str) -> None:
    for number in range(7):
        api.put("kept", f"{folder}{number}")

    def seven() -> bool:
        return len(listed()) == 7

    def listed() -> list[str]:
        found = api.call("reqlist", sid="kept", limit=1000).json["requests"]
        return [one["path"] for one in found if one["path"].startswith(folder)]

    until(seven)
    found: list[str] = []
    after = None
    while len(found) < 7:
        answer = api.call("reqlist", sid="kept", limit=3, after=after).json
        found += [one["path"] for one in answer["requests"] if one["path"].startswith(folder)]
        after = answer["next"]
    assert found == [f"{folder}{number}" for number in reversed(range(7))]


def test_a_request_that_may_name_a_file_and_does_not_is_listed(api: Served) -> None:
    """And those beside it are."""
    asked = api.call("versionlist", sid="kept", limit=1).headers["x-request-id"]

    def found() -> list[str]:
        listed = api.call("reqlist", sid="kept", limit=1000).json["requests"]
        return [one["path"] for one in listed if one["requestId"] == asked]

    assert until(found) == [""]


def test_a_key_sees_requests_of_its_services_only(api: Served, folder: str) -> None:
    for sid in ("files", "kept"):
        api.put(sid, f"{folder}secret")
    api.call("filelist", key="wrong")
    until(lambda: _sids(api, ROOT) >= {"files", "kept", None})
    assert {"files"} <= _sids(api, LIMITED) <= {"files", "fronted"}
    assert _sids(api, OWNER) == set()
    assert None not in _sids(api, READER)
    for key, status in ((LIMITED, 404), (OWNER, 404), (READER, 200)):
        assert api.call("reqlist", sid="kept", key=key).status == status


def _sids(api: Served, key: str) -> set[str | None]:
    return {one["sid"] for one in api.call("reqlist", key=key, limit=1000).json["requests"]}


def test_no_secret_is_in_the_request_list(api: Served, folder: str) -> None:
    client = api.s3()
    url = client.generate_presigned_url("get_object", Params={"Bucket": "files", "Key": "k"})
    signed = api.send("GET", url.removeprefix(api.url), key=None).headers["x-amz-request-id"]
    asked = api.call("getfile", sid="files", path=f"{folder}x", version="a-version-nobody-has")
    ids = {signed, asked.headers["x-request-id"]}

    def own() -> list[dict[str, Any]]:
        return [one for one in _all(api) if one["requestId"] in ids]

    until(lambda: len(own()) == len(ids))
    for secret in ("Signature", "X-Amz", "a-version-nobody-has", "k?"):
        assert secret not in str(own())
    for secret in (ROOT, READER):
        assert secret not in str(_all(api))


def _all(api: Served) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.call("reqlist", limit=1000).json["requests"]
    return found


# routing


def test_unknown_functions_and_methods(api: Served) -> None:
    assert (api.call("nothing").status, api.call("nothing").error) == (404, "function_not_found")
    assert api.send("GET", "/getfile/more").error == "function_not_found"
    wrong = api.call("getfile", method="DELETE", sid="files", path="x")
    assert (wrong.status, wrong.error, wrong.headers["allow"]) == (
        405, "method_not_allowed", "GET, HEAD",
    )  # fmt: skip


@pytest.mark.parametrize("function", ["getfile", "uploadfile", "deletefile"])
def test_a_path_is_needed(api: Served, function: str) -> None:
    method = {"uploadfile": "PUT", "deletefile": "DELETE"}.get(function, "GET")
    answer = api.call(function, method=method, sid="kept", body=b"")
    assert (answer.status, answer.error) == (400, "missing_parameter")
    assert '"path"' in answer.json["message"]
