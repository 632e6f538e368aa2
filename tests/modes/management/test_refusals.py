"""Each call refuses what it cannot obey, with a code for programs and a sentence that says what
would be right."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.modes.management.errors import CODES, code_of
from gateway.modes.management.functions import BODY_LIMIT, KEYS_LIMIT, TABLE
from gateway.modes.management.problems import PROBLEMS
from gateway.storage import Corrupt, StorageError
from gateway.web.api.json_bodies import once
from gateway.web.api.parameters import UnfitMember
from gateway.web.api.table import Function
from tests.modes.management.managed import Managed, refused, said
from tests.modes.test_standard_tables import every_error

IDS = {"bucket": "files", "key": "nothing/here", "id": "1", "upload_id": "none", "volume": "none"}


def path_of(function: Function[Any], **parts: str) -> str:
    path = function.path
    for one in function.parts:
        path = path.replace(f"{{{one.name}}}", {**IDS, **parts}[one.name])
    return f"/{path}"


def body_of(function: Function[Any], **instead: Any) -> dict[str, Any] | None:
    """One that fits, but for what stands in it instead."""
    if not function.members:
        return None
    return {**{one.name: one.sample for one in function.members if one.required}, **instead}


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
@pytest.mark.parametrize("key", [None, "", "wrong", "reader", "ü"])
def test_who_manages_nothing_is_told_nothing(
    api: Managed, function: Function[Any], key: str | None
) -> None:
    answer = api.ask(function.methods[0], path_of(function), b"{", key=key)
    message = refused(answer, 401, "Unauthorized")
    assert message == PROBLEMS["Unauthorized"][1]
    assert answer.headers["www-authenticate"] == 'Key header="X-API-Key"'


def test_nor_whether_there_is_such_a_call(api: Managed) -> None:
    refused(api.ask("GET", "/nothing", key=None), 401, "Unauthorized")
    refused(api.ask("GET", "/nothing"), 404, "NoSuchFunction")
    refused(api.ask("DELETE", ""), 404, "NoSuchFunction")
    refused(api.ask("GET", "/buckets/"), 404, "NoSuchFunction")
    refused(api.ask("GET", "/buckets/files/objects/"), 404, "NoSuchFunction")


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_by_another_method(api: Managed, function: Function[Any]) -> None:
    answer = api.ask("PATCH", path_of(function), b"{}")
    refused(answer, 405, "MethodNotAllowed", function.methods[0])
    assert function.methods[0] in answer.headers["allow"].split(", ")


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_parameters_that_are_none_of_its(api: Managed, function: Function[Any]) -> None:
    answer = api.ask(function.methods[0], path_of(function), body_of(function), lmit=3)
    refused(answer, 400, "InvalidArgument", "'lmit'")
    names = [one.name for one in function.query]
    if "limit" in names:
        for wrong in ("0", "1001", "ten", "-1", "", "9" * 5000, "٣"):
            refused(api.ask("GET", path_of(function), limit=wrong), 400, "InvalidArgument", "limit")
        for wrong in ("x", "é", "....", "eA.eA.eA", "_w"):
            refused(api.ask("GET", path_of(function), after=wrong), 400, "InvalidArgument", "after")
        answer = api.ask("GET", f"{path_of(function)}?limit=1&limit=2")
        refused(answer, 400, "InvalidArgument", "twice")


@pytest.mark.parametrize("target", ["/buckets/%FF", "/buckets/files/objects/%ED%A0%80"])
def test_paths_that_are_no_text(api: Managed, target: str) -> None:
    refused(api.ask("GET", target), 400, "InvalidArgument", "UTF-8")


def test_queries_that_are_no_text(api: Managed) -> None:
    refused(api.ask("GET", "/buckets?after=%FF"), 400, "InvalidArgument", "UTF-8")


BODIES = [one for one in TABLE if one.members]
NOT_JSON = (
    b"{", b"nothing", b"[]", b'"text"', b"null", b"\xff", b'{"a": NaN}', b"[" * 60_000,
    b'{"a": ' + b"9" * 5000 + b"}", b'{"a": "\\ud800"}', b'{"a": 1} {}', b"<a/>",
)  # fmt: skip


@pytest.mark.parametrize("function", BODIES, ids=lambda one: one.name)
def test_bodies_that_are_no_object(api: Managed, function: Function[Any]) -> None:
    for data in NOT_JSON:
        refused(api.ask(function.methods[0], path_of(function), data), 400, "MalformedJSON")


@pytest.mark.parametrize("function", BODIES, ids=lambda one: one.name)
def test_members_that_are_not_right(api: Managed, function: Function[Any]) -> None:
    method, path = function.methods[0], path_of(function)

    def tell(body: dict[str, Any] | bytes, *words: str) -> None:
        refused(api.ask(method, path, body), 422, "ValidationError", *words)

    fits = body_of(function) or {}
    tell({**fits, "nmae": 1}, "'nmae'", function.members[0].name)
    tell(b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c'", "twice")
    for one in function.members:
        wrong: dict[str, list[Any]]
        wrong = {"integer": ["1", True, one.least - 1, 1.5], "boolean": ["true", 1]}
        wrong["texts"] = [[], "a", [1]]
        for value in wrong.get(one.kind, [1, True, [], {}]):
            tell({**fits, one.name: value}, f'"{one.name}"', one.right)
        if one.required:
            tell({name: text for name, text in fits.items() if name != one.name}, "missing")
            tell({**fits, one.name: None}, "missing")


@pytest.mark.parametrize("function", BODIES, ids=lambda one: one.name)
def test_bodies_that_are_too_large(api: Managed, function: Function[Any]) -> None:
    limit = KEYS_LIMIT if "keys" in body_of(function, x=1) else BODY_LIMIT  # type: ignore[operator]
    method, path = function.methods[0], path_of(function)
    headers = {"content-length": str(limit + 1)}
    refused(api.ask(method, path, b"", headers=headers), 413, "EntityTooLarge", str(limit))
    chunked = {"transfer-encoding": "chunked", "content-length": ""}
    answer = api.ask(method, path, b" " * (limit + 1), headers=chunked)
    refused(answer, 413, "EntityTooLarge", str(limit))


def test_a_thousand_of_the_longest_keys_fit(api: Managed) -> None:
    keys = ["\x01" * 1020 + f"{number:04}" for number in range(1000)]
    body = json.dumps({"keys": keys}).encode()
    assert 6_000_000 < len(body) < KEYS_LIMIT
    assert said(api.ask("POST", "/buckets/files/objects/delete", body)) == {"deleted": keys}
    answer = api.ask("POST", "/buckets/files/objects/delete", {"keys": ["a", "k" * 1025]})
    refused(answer, 422, "ValidationError", "1024")


def test_bodies_that_break_off_or_differ(api: Managed) -> None:
    answer = api.ask("POST", "/credentials", b"{", headers={"content-length": "20"})
    refused(answer, 400, "IncompleteBody")
    digest = {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}  # of nothing
    refused(api.ask("POST", "/credentials", b"{}", headers=digest), 400, "BadDigest")
    answer = api.ask("POST", "/credentials", b"{}", headers={"content-md5": "x"})
    refused(answer, 400, "InvalidRequest", "Content-MD5")
    chunked = {"transfer-encoding": "chunked", "content-length": ""}
    before = api.get("/stats")["credentials"]
    answer = api.ask("POST", "/credentials", b"", headers=chunked)
    refused(answer, 400, "MalformedJSON", "broken off")
    assert api.get("/stats")["credentials"] == before


@pytest.mark.parametrize("function", [one for one in TABLE if not one.members])
def test_bodies_where_none_is_read(api: Managed, function: Function[Any]) -> None:
    answer = api.ask(function.methods[0], path_of(function), b"{}")
    refused(answer, 400, "InvalidRequest", function.name)


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_what_is_not_there(api: Managed, function: Function[Any]) -> None:
    method, names = function.methods[0], {one.name for one in function.parts}
    if "bucket" in names:
        answer = api.ask(method, path_of(function, bucket="nothing"), body_of(function))
        refused(answer, 404, "NoSuchBucket")
    if "id" in names:
        refused(
            api.ask(method, path_of(function, id="999"), body_of(function)), 404, "NoSuchCredential"
        )
        for wrong in ("0", "-1", "x", "9" * 30):
            answer = api.ask(method, path_of(function, id=wrong), body_of(function))
            refused(answer, 400, "InvalidArgument", '"id"')
    if "key" in names:
        refused(api.ask(method, path_of(function)), 404, "NoSuchKey")
        long = api.ask(method, path_of(function, key="k" * 1025))
        refused(long, 400, "InvalidArgument", "1024")
    if "upload_id" in names:
        refused(api.ask(method, path_of(function)), 404, "NoSuchUpload")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/buckets/dull", None),
        ("GET", "/buckets/dull/objects", None),
        ("GET", "/buckets/dull/uploads", None),
        ("DELETE", "/buckets/dull/objects", {"keys": ["k"]}),
        ("DELETE", "/buckets/dull/objects/k", None),
        ("DELETE", "/buckets/dull/uploads/x", None),
    ],
)
def test_what_a_service_cannot_do(api: Managed, method: str, path: str, body: Any) -> None:
    refused(api.ask(method, path, body), 501, "NotImplemented", "'dull'")


def test_every_error_of_a_store_has_a_code_that_is_documented() -> None:
    found = {
        kind: next(CODES[one] for one in kind.__mro__ if one in CODES) for kind in every_error()
    }
    assert set(found.values()) <= set(PROBLEMS)
    unforeseen = {kind for kind, code in found.items() if code == "InternalError"}
    assert unforeseen == {StorageError, Corrupt}
    assert code_of(Corrupt()) == "InternalError"


def test_a_mistake_of_ours_is_in_the_log_and_says_nothing(
    api: Managed, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of secrets")

    monkeypatch.setattr(api.runtime, "services", fail)
    message = refused(api.ask("GET", "/buckets"), 500, "InternalError")
    assert message == PROBLEMS["InternalError"][1]
    assert "the secret of secrets" in caplog.text


def test_a_member_that_is_there_twice_is_found_at_once() -> None:
    class Name(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return str.__eq__(self, other)

    pairs: list[tuple[str, Any]] = [(Name(number), 0) for number in range(500)]
    assert len(once(pairs)) == 500
    with pytest.raises(UnfitMember, match="'499' is there twice"):
        once([*pairs, (Name(499), 1)])
    assert Name.compared < 5000
