"""The tables of the standard mode are whole, and all that is made from them agrees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any, get_args

import pytest

from gateway.modes.standard import PATHS, wire
from gateway.modes.standard.documents import API, PAGES
from gateway.modes.standard.errors import CODES, code_of, reply
from gateway.modes.standard.functions import BY_NAME, TABLE, errors_of
from gateway.modes.standard.problems import PROBLEMS, StandardProblem
from gateway.storage import ObjectInfo, StorageError
from gateway.web.api import openapi
from gateway.web.api.page import HERE, languages, render, text
from gateway.web.api.parameters import Kind, Parameter
from gateway.web.api.table import Function
from tests.modes import documented_answers
from tests.modes.standard_gateway import Served

SPECIFIED = {
    "servicelist": ("GET", {"limit", "after"}),
    "filelist": ("GET", {"sid", "prefix", "delimiter", "limit", "after"}),
    "getfile": ("GET HEAD", {"sid", "path", "version"}),
    "uploadfile": ("PUT POST", {"sid", "path"}),
    "deletefile": ("DELETE POST", {"sid", "path", "version"}),
    "flush": ("POST", {"sid", "prefix", "path", "tag", "soft"}),
    "versionlist": ("GET", {"sid", "path", "details", "limit", "after"}),
    "syncnext": ("GET", {"sid", "syncid", "details", "limit", "wait"}),
    "reqlist": ("GET", {"sid", "limit", "after"}),
}
DOCUMENT = openapi.document(API, "/")


def every_error(kind: type[StorageError] = StorageError) -> Iterator[type[StorageError]]:
    yield kind
    for one in kind.__subclasses__():
        if one.__module__ == StorageError.__module__:
            yield from every_error(one)


def test_the_functions_are_those_of_the_specification() -> None:
    found = {one.name: (" ".join(one.methods), {p.name for p in one.query}) for one in TABLE}
    assert found == SPECIFIED
    assert list(BY_NAME) == [one.name for one in TABLE]


def test_every_error_of_a_store_has_a_code() -> None:
    assert set(CODES) == set(every_error())
    assert set(CODES.values()) <= set(PROBLEMS)


def test_an_error_that_is_not_in_the_table_is_its_nearest() -> None:
    class Odd(StorageError):
        pass

    assert code_of(Odd("?")) == "internal_error"


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_code_makes_an_answer(code: str) -> None:
    status, message = PROBLEMS[code]
    _, answer = reply(StandardProblem(code), "ID", "s", "p")
    assert answer.status == status
    if status != 304:
        assert isinstance(answer.body, bytes)
        said = json.loads(answer.body)
        assert said == {
            "error": code, "message": message, "sid": "s", "path": "p", "requestId": "ID",
        }  # fmt: skip
    assert ("www-authenticate" in dict(answer.headers)) is (status == 401)


def test_codes_are_raised_somewhere_and_documented() -> None:
    documented = {code for one in TABLE for code in errors_of(one)}
    assert documented <= set(PROBLEMS)
    html = PAGES["/-/docs/"]().body.decode()
    for code in documented:
        assert code in html


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_every_function_and_parameter_is_in_both_documents(function: Function[Any]) -> None:
    path = DOCUMENT["paths"][f"/{function.name}"]
    assert set(path) == {method.lower() for method in function.methods}
    html = render.page(API, text("shell.html"), HERE)
    article = html.partition(f'<article id="{function.name}"')[2].partition("</article>")[0]
    operations = [path[method.lower()] for method in function.methods]
    for one in (*function.query, *function.headers):
        assert one.about, one.name
        assert f"<code>{one.name}</code>" in article
        for operation in operations:
            named = {parameter["name"]: parameter for parameter in operation["parameters"]}
            if one.name == "Content-Type":
                assert "requestBody" in operation
                continue
            assert named[one.name]["required"] is one.required
            assert named[one.name]["description"] == openapi.plain(one.about)
    for operation in operations:
        statuses = set(operation["responses"]) - {"default"}
        codes = errors_of(function)
        assert statuses == {*map(str, function.statuses), *(str(PROBLEMS[c][0]) for c in codes)}
        assert ("requestBody" in operation) is function.body
    assert function.title in article
    for language in languages.LANGUAGES:
        assert f'id="{function.name}-{language.kind}"' in article


def test_operation_ids_are_unique() -> None:
    ids = [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.usefixtures("seconds")
def test_the_openapi_document_is_one() -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(DOCUMENT)


def test_kinds_are_read_and_documented() -> None:
    kinds = {one.kind for function in TABLE for one in function.query}
    others = {"key", "texts", "flag", "object"}  # of paths, of bodies, and of other modes
    assert kinds == set(get_args(Kind)) - others
    for function in TABLE:
        for one in function.query:
            assert (one.kind == "integer") is (one.most > 0)
            assert not (one.required and one.default is not None)


def test_pages_are_those_that_the_mode_promises() -> None:
    assert set(PATHS) == set(PAGES)


def test_the_page_is_made_of_its_own_files_only() -> None:
    for path in ("/-/docs/", "/-/docs/docs.css", "/-/docs/docs.js"):
        content = PAGES[path]().body.decode()
        assert not re.search(r"(src|href|url\()\s*=?\s*[\"']?(https?:)?//", content)
        assert "<style" not in content
        assert " style=" not in content
        assert not re.search(r"<script(?! src=)|\son\w+=", content)
    policy = dict(PAGES["/-/docs/"]().headers)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_ids_of_the_page_are_unique_and_labels_have_targets() -> None:
    html = PAGES["/-/docs/"]().body.decode()
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for name in re.findall(
        r'(?:for|aria-controls|aria-labelledby|aria-describedby)="([^"]+)"', html
    ):
        assert name in ids
    inputs = re.findall(r"<input [^>]*id=\"([^\"]+)\"", html)
    assert sorted(inputs) == sorted(re.findall(r'<label for="([^"]+)"', html))


def test_what_comes_from_the_table_is_escaped() -> None:
    odd = Parameter("<b>", "a `<i>` & more", example='">')
    function = BY_NAME["getfile"]._replace(query=(odd,), title="<u>")
    html = render._article(API, function, HERE)
    assert "<i>" not in html
    assert "<u>" not in html
    assert '">"' not in html


def test_the_vary_of_an_origin_does_not_take_the_place_of_ours() -> None:
    info = ObjectInfo(key="k", size=1, etag="e", modified=0, headers=(("Vary", "Accept"),))
    for said in (wire.described(info), wire.validators(info)):
        assert [text for name, text in said if name == "vary"] == ["x-owncdn-key, Accept"]
    several = (*info.headers, ("vary", "Origin"), ("Link", "<a>"), ("link", "<b>"))
    folded = dict(wire.described(replace(info, headers=several)))
    assert folded["vary"] == "x-owncdn-key, Accept, Origin"
    assert folded["link"] == "<a>, <b>"


def test_a_file_without_a_tag_is_told_without() -> None:
    info = ObjectInfo(key="k", size=1, etag="", modified=0)
    for said in (wire.described(info), wire.validators(info)):
        assert "etag" not in dict(said)


# answers are as documented


def answers(api: Served, folder: str) -> dict[str, Any]:
    path = f"{folder}a"
    stored = api.put("kept", path, headers={"Cache-Control": "no-store", "x-meta-a": "1"})
    calls = {
        "uploadfile": stored,
        "servicelist": api.call("servicelist", limit=2),
        "filelist": api.call("filelist", sid="kept", prefix=folder, limit=1),
        "versionlist": api.call("versionlist", sid="kept", path=path),
        "syncnext": api.call("syncnext", sid="kept", limit=1000),
        "reqlist": api.call("reqlist"),
        "flush": api.call("flush", method="POST", sid="cached"),
        "deletefile": api.call("deletefile", method="POST", sid="kept", path=path),
    }
    return {name: answer.json for name, answer in calls.items()}


def test_answers_are_what_the_document_says(api: Served, folder: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    found = answers(api, folder)
    for function in TABLE:
        if function.answer:
            documented_answers.check(DOCUMENT, function, found[function.name])
    error = api.call("getfile", sid="kept").json
    jsonschema.Draft202012Validator(DOCUMENT["components"]["schemas"]["Error"]).validate(error)


UNCHANGED = {
    "/-/openapi.json": "40ad4b41404018b03b761559cf058ed03be376f000e4d1c6723fdf2c4d541fc8",
    "/-/docs/": "decb72c985be900ff7481eb70bfa3fd0fd9d7b3f3a7db74038eaa3d26dd25cc2",
}
"""SHA-256: clients are generated from the one, and people have read the other. Who means to
change what they say writes the new ones here."""


@pytest.mark.parametrize("path", UNCHANGED)
def test_documents_change_when_that_is_meant(path: str) -> None:
    assert sha256(PAGES[path]().body).hexdigest() == UNCHANGED[path]


def test_documents_are_served(api: Served) -> None:
    document = api.send("GET", "/-/openapi.json", key=None)
    assert document.json == DOCUMENT
    moved = api.send("GET", "/-/docs", key=None)
    assert (moved.status, moved.headers["location"]) == (308, "/-/docs/")
    for path, kind in (("", "text/html"), ("docs.css", "text/css"), ("docs.js", "text/javascript")):
        page = api.send("GET", f"/-/docs/{path}", key=None)
        assert page.status == 200
        assert page.headers["content-type"].startswith(kind)
        assert page.headers["x-content-type-options"] == "nosniff"
    assert api.send("HEAD", "/-/docs/", key=None).body == b""
    assert api.send("POST", "/-/docs/", key=None).status == 405
