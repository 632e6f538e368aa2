"""The table of the Ozone mode is whole, and all that is made from it agrees."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest

from gateway.modes.ozone import OzoneMode, routing
from gateway.modes.ozone.documents import API, PAGES
from gateway.modes.ozone.errors import CODES
from gateway.modes.ozone.functions import TABLE, errors_of
from gateway.modes.ozone.problems import PROBLEMS, OzoneProblem
from gateway.web.api import openapi
from gateway.web.api.page import examples, languages
from gateway.web.api.table import Function

DOCUMENT = openapi.document(API, "/")
SPECIFIED = """
POST /{volume}?quota
PUT /{volume}?quota
DELETE /{volume}
GET /{volume}?info=volume
GET /?prefix&max-keys&prev-key&root-scan
POST /{volume}/{bucket}
PUT /{volume}/{bucket}
DELETE /{volume}/{bucket}
GET /{volume}/{bucket}?info=bucket
GET /{volume}?prefix&max-keys&prev-key
PUT /{volume}/{bucket}/{key}
GET /{volume}/{bucket}/{key}
GET /{volume}/{bucket}/{key}?info=key
DELETE /{volume}/{bucket}/{key}
POST /{volume}/{bucket}/{key}?toKey
GET /{volume}/{bucket}?prefix&max-keys&prev-key
"""


def call_of(function: Function[Any]) -> str:
    """As the specification writes it."""
    query = [
        f"info={one.values[0]}" if one.name == "info" else one.name
        for one in function.query
        if one.name != "info" or one.required
    ]
    return f"{function.methods[0]} /{function.path}{'?' if query else ''}{'&'.join(query)}"


def test_the_calls_are_those_of_the_specification() -> None:
    found = [call_of(one) for one in TABLE]
    assert sorted(found) == sorted(SPECIFIED.split("\n")[1:-1])
    assert list(OzoneMode().operations()) == [one.name for one in TABLE]
    reading = [one.methods for one in TABLE if one.methods[0] == "GET"]
    assert set(reading) == {("GET", "HEAD")}


def test_each_row_is_found_and_nothing_else_is() -> None:
    for one in TABLE:
        asked = next((each for each in one.query if each.name == "info"), None)
        queries: list[Mapping[str, str]] = (
            [{"info": word} for word in asked.values] if asked else []
        )
        if asked is None or not asked.required:
            queries.append({})
        for method in one.methods:
            for query in queries:
                assert routing.find(method, len(one.parts), query) is one
    wrong = [
        ("PATCH", 3, {}, "methodNotAllowed"), ("POST", 0, {}, "methodNotAllowed"),
        ("GET", 3, {"info": "bucket"}, "invalidQueryParam"), ("GET", 0, {"info": ""},
        "invalidQueryParam"), ("HEAD", 1, {"info": "key"}, "invalidQueryParam"),
    ]  # fmt: skip
    for method, depth, query, code in wrong:
        with pytest.raises(OzoneProblem, match=code):
            routing.find(method, depth, query)
    assert routing.find("PUT", 3, {"info": "key"}).name == "putkey", "it asks nothing there"


@pytest.mark.usefixtures("seconds")
def test_the_openapi_document_is_one() -> None:
    pytest.importorskip("openapi_spec_validator").validate(DOCUMENT)


def test_the_document_has_every_function() -> None:
    """Those of one method and path as one, that may be either."""
    found = [
        name
        for place in DOCUMENT["paths"].values()
        for method, one in place.items()
        if method != "head"
        for name in one["operationId"].split("-or-")
    ]
    assert sorted(found) == sorted(one.name for one in TABLE)
    bucket = DOCUMENT["paths"]["/{volume}/{bucket}"]["get"]
    named = {one["name"]: one for one in bucket["parameters"]}
    assert named["info"]["schema"]["enum"] == ["bucket", "key"]
    assert [name for name, one in named.items() if one["required"]] == [
        "volume", "bucket", "x-ozone-version", "x-ozone-date",
    ]  # fmt: skip
    answers = bucket["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert [set(one["properties"]) & {"acls", "keyList"} for one in answers] == [
        {"acls"}, {"keyList"},
    ]  # fmt: skip
    key = DOCUMENT["paths"]["/{volume}/{bucket}/{key}"]
    assert set(key["get"]["responses"]["200"]["content"]) == {"*/*", "application/json"}
    assert "content" not in key["put"]["responses"]["201"], "it answers nothing"


def test_problems_are_documented_or_anybodys() -> None:
    documented = {code for one in TABLE for code in errors_of(one)}
    anybodys = {
        "internalServerError", "invalidRequest", "invalidResourceName", "methodNotAllowed",
        "notImplemented", "notModified", "originFailed", "serviceUnavailable", "slowDown",
        "tooManyAttempts",
    }  # fmt: skip
    assert documented | anybodys == set(PROBLEMS)
    assert set(CODES.values()) <= set(PROBLEMS)


@pytest.mark.parametrize("language", languages.LANGUAGES, ids=lambda one: one.name)
def test_examples_are_whole(language: languages.Language) -> None:
    for function in TABLE:
        address = examples.url(function, "http://127.0.0.1:9000")
        program = examples.program(API, language, function, address)
        assert address in program
        needed = [one.name for one in function.headers if one.required]
        assert bool(needed) is (function.name == "createvolume")
        for text in (
            *("x-ozone-version", "v1", "x-ozone-date", "Authorization", "GATEWAY_KEY"), *needed,
        ):  # fmt: skip
            assert text in program, (function.name, text)
        assert "{{" not in program
        assert (languages.FILE in program) is (function.body or function.downloads)
        if language.name == "Python":
            compile(program, function.name, "exec")


def test_pages() -> None:
    assert set(PAGES) == set(OzoneMode().pages())
    page = PAGES["/-/docs/ozone/"]().body.decode()
    assert re.search(r'href="openapi\.json"', page) and "OZONE id:secret" in page
    assert {one.name for one in TABLE} <= set(re.findall(r'<article id="(\w+)"', page))
    assert json.loads(PAGES["/-/docs/ozone/openapi.json"]().body) == DOCUMENT
    opened = page.index("<details open><summary>Headers")
    assert page.index('<article id="createvolume"') < opened, "a field that is needed is seen"
    assert page.count("<details open>") == 1
    script = PAGES["/-/docs/ozone/docs.js"]().body.decode()
    assert '{ ...{"x-ozone-version": "v1", "x-ozone-date": ' in script
    assert '"Authorization": key.value }' in script and "{{" not in script
