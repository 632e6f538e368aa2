"""Whatever a client says, it is the client's fault: each function of the table, each of its
parameters, and values that break parsers; and each parameter refuses what it cannot be, by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from gateway.modes.cdn.functions import TABLE
from gateway.web.api.parameters import Parameter, samples
from gateway.web.api.table import Function
from tests.modes.cdn.cdn_gateway import Cdn, said
from tests.modes.public_gateway import Answer

NESTED = "[" * 3000
TEXTS = (
    *("", " ", "0", "-1", "NaN", "9" * 19, "9" * 5000, "\u0663", "null", '"', "a/../../b"),
    *("é\U0001f4c1", "\0", "\r\nx: y", NESTED, "<" * 3000, "a" * 8000, "%00", "2015-13-45"),
)
RAW = (*(quote(text, safe="") for text in TEXTS), "%FF", "%ED%A0%80", "%zz", "%", "+", "&&=&")
VALUES: tuple[Any, ...] = (
    *TEXTS[:-2],
    *(
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        [],
        {},
        [None],
        [[]],
        ["", "\0"],
        {"": ""},
        {"a": {"b": [0]}},
    ),
)
PLACED = {"integer": "999999", "text": "0" * 32}
"""Ids of what is not there: what is made and changed costs more than what is said of it."""


def fair(answer: Answer, *what: object) -> Answer:
    assert answer.status < 500, (what, answer)
    document = json.loads(answer.body)
    assert answer.status < 400 or document["message"], (what, answer)
    assert not any(one in text for text in answer.headers.values() for one in "\r\n\0"), what
    return answer


def place(function: Function[Any], **parts: str) -> str:
    path = function.path
    for one in function.parts:
        path = path.replace(f"{{{one.name}}}", parts.get(one.name, PLACED[one.kind]))
    return f"/{path}"


def ask(cdn: Cdn, function: Function[Any], query: str = "", body: Any = None) -> Answer:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-ucdn-token": cdn.token("kusanagi")}
    target = f"/v3{place(function)}" + (f"?{query}" if query else "")
    return cdn.raw(function.methods[0], target, headers, data)


def right(function: Function[Any]) -> Any:
    return samples(function.members) if function.members else None


def wrong(one: Parameter, *, within: str) -> Iterator[object]:
    """What it cannot be."""
    if one.kind in ("integer", "flag"):
        yield from ("x", "1.5", "2x")
    if one.kind == "object":
        yield from ("x", 5, [])
    if one.values:
        yield "none of these"
    if one.kind == "integer" and one.most:
        yield str(one.most + 1)
    if one.kind == "integer" and one.least > 0:
        yield str(one.least - 1)
    if one.kind == "text" and one.most:
        yield "a" * (one.most + 1)
    if within == "body":
        yield from ({"a": 1}, [5], {}) if one.kind != "object" else ([5],)


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_what_a_parameter_cannot_be(cdn: Cdn, function: Function[Any]) -> None:
    for one in function.query:
        for value in wrong(one, within="query"):
            answer = ask(cdn, function, urlencode({one.name: value}), right(function))
            assert f'"{one.name}"' in said(answer, 400)["message"], (one.name, value)
    for one in function.members:
        for value in wrong(one, within="body"):
            answer = ask(cdn, function, "", {**right(function), one.name: value})
            assert f'"{one.name}"' in said(answer, 400)["message"], (one.name, value)
        if one.required:
            body = {name: value for name, value in right(function).items() if name != one.name}
            assert f'"{one.name}"' in said(ask(cdn, function, "", body), 400)["message"]


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_nothing_is_a_mistake_of_ours(cdn: Cdn, function: Function[Any]) -> None:
    for part in function.parts:
        for raw in RAW:
            target = f"/v3{place(function, **{part.name: raw})}".partition("?")[0]
            answer = cdn.raw(function.methods[0], target, {"x-ucdn-token": cdn.token("kusanagi")})
            assert fair(answer, part.name, raw).status in (400, 404, 405), (part.name, raw)
    for one in function.query:
        for raw in RAW:
            fair(ask(cdn, function, f"{one.name}={raw}", right(function)), one.name, raw)
    for one in function.members:
        for value in VALUES:
            fair(ask(cdn, function, "", {**right(function), one.name: value}), one.name, value)


def test_strange_bodies(cdn: Cdn) -> None:
    kinds = ("application/json", "application/x-www-form-urlencoded", "", "a/b; \xff", "x" * 8000)
    bodies = (
        b"",
        b"\0",
        b"\xff\xfe",
        NESTED.encode(),
        b'{"a":' * 3000,
        b"[]" * 9,
        b"a" + b"[a]" * 9,
    )
    for kind in kinds:
        for body in bodies:
            for target in ("/v3/check/login/", "/v3/account"):
                method = "POST" if "login" in target else "GET"
                headers = {"content-type": kind, "x-ucdn-token": cdn.token("kusanagi")}
                fair(cdn.raw(method, target, headers, body), kind, body)
