"""What the table has: all that the description has, each call with documents, and each parameter
with what it may be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.modes.cdn import errors
from gateway.modes.cdn.documents import API, PAGES
from gateway.modes.cdn.functions import TABLE, errors_of
from gateway.modes.cdn.problems import PROBLEMS
from gateway.storage import Conflict, Corrupt, StorageError, Unavailable
from gateway.web.api import openapi
from gateway.web.api.table import Function
from gateway.web.replies import Reply
from tests.modes.cdn.samples import SAMPLES


def shape(path: str) -> tuple[str, ...]:
    return tuple("{}" if one.startswith("{") else one for one in path.split("/"))


CALLS = {(one.methods[0], shape(one.path)): one for one in TABLE}


def test_the_description_has_34_calls() -> None:
    assert len(SAMPLES) == 34
    assert sum(len(one.asked) for one in SAMPLES.values()) == 36
    assert sum(one.answered is None for one in SAMPLES.values()) == 1


def test_each_call_of_the_description_is_there() -> None:
    for heading, one in SAMPLES.items():
        assert (one.method, shape(one.path)) in CALLS, heading


def test_no_call_is_there_twice() -> None:
    assert len(CALLS) == len(TABLE) == len({one.name for one in TABLE})
    for one in TABLE:
        assert len(one.methods) == 1


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_each_call_is_documented(function: Function[Any]) -> None:
    document = openapi.document(API, "/v3")
    operation = document["paths"][f"/{function.path}"][function.methods[0].lower()]
    assert operation["operationId"] == function.name
    assert operation["summary"]
    assert set(errors_of(function)) <= set(PROBLEMS)
    assert (operation.get("security") == []) is function.open
    kinds = {"application/json", "application/x-www-form-urlencoded"}
    if function.members:
        assert set(operation["requestBody"]["content"]) == kinds


def test_the_documents() -> None:
    assert set(PAGES) == {
        f"/-/docs/cdn{end}" for end in ("", "/", "/openapi.json", "/docs.css", "/docs.js")
    }
    assert json.loads(PAGES["/-/docs/cdn/openapi.json"]().body)["servers"] == [{"url": "/v3"}]
    page = PAGES["/-/docs/cdn/"]().body.decode()
    assert all(f'id="{one.name}"' in page for one in TABLE)
    assert "Your token</label>" in page and "$GATEWAY_TOKEN" in page and "GATEWAY_KEY" not in page
    assert "../../../v3/" in PAGES["/-/docs/cdn/docs.js"]().body.decode()


def body_of(answer: Reply) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


def test_what_is_behind_an_error_of_ours_is_for_the_log() -> None:
    for error in (Unavailable("/data/x.db is locked"), Corrupt("blob 7"), StorageError("why")):
        code, answer = errors.reply(error)
        assert answer.status == 532
        assert body_of(answer) == {"message": PROBLEMS[code][1]}
    _, answer = errors.reply(Conflict("The zone 2 uses the cache of this one."))
    assert body_of(answer) == {"message": "The zone 2 uses the cache of this one."}
