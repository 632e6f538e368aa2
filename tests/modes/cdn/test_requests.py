"""How the mode is reached and what each request has to be: doors, slashes, bodies, parameters, and
what is refused in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.config import ConfigurationError, load
from gateway.web.api.form_bodies import read
from gateway.web.api.parameters import UnfitMember
from tests.modes.cdn.cdn_gateway import SUFFIX, Cdn, controlling, refused

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
LOGIN = "/v3/check/login/"
GOOD = {"email": "major@section9.co.jp", "password": "password"}


@pytest.mark.parametrize("path", ["/v3/account", "/v3/account/"])
@pytest.mark.parametrize("by", ["header", "query"])
def test_with_and_without_a_slash_by_header_and_query(cdn: Cdn, path: str, by: str) -> None:
    assert cdn.get(path, at="", by=by)["username"] == "kusanagi"


def test_paths(cdn: Cdn) -> None:
    rows = [
        ("GET", "/account//", 404),
        ("GET", "/", 404),
        ("GET", "", 404),
        ("GET", "/acc%2Fount", 404),
        ("GET", "/%ff", 400),
        ("GET", "/v3/account", 404),
        ("POST", "/account", 405),
        ("HEAD", "/account", 405),
        ("PUT", "/check/login", 405),
    ]
    found = [(method, path, cdn.ask(method, path).status) for method, path, _ in rows]
    assert found == rows
    answer = cdn.ask("DELETE", "/account")
    assert answer.headers["allow"] == "GET"
    refused(answer, 405, "GET")
    # Nobody learns of calls without a token.
    assert {cdn.ask("GET", path, as_=None).status for path in ("/nothing", "/account")} == {401}


def test_bodies(cdn: Cdn) -> None:
    good = json.dumps(GOOD).encode()
    form = b"email=major%40section9.co.jp&password=password"
    rows: list[tuple[str, bytes, dict[str, str], int, str]] = [
        ("JSON", good, {"content-type": JSON}, 200, ""),
        ("JSON with a charset", good, {"content-type": f"{JSON}; charset=utf-8"}, 200, ""),
        ("a form", form, {"content-type": FORM}, 200, ""),
        ("no type", good, {}, 400, "Content-Type"),
        ("another type", good, {"content-type": "text/plain"}, 400, "text/plain"),
        ("a form in parts", good, {"content-type": "multipart/form-data"}, 400, "multipart"),
        ("no JSON", b"{", {"content-type": JSON}, 400, "JSON"),
        ("a list", b"[]", {"content-type": JSON}, 400, "object"),
        ("twice", b'{"email": "a", "email": "b"}', {"content-type": JSON}, 400, "twice"),
        ("twice in a form", b"email=a&email=b", {"content-type": FORM}, 400, "twice"),
        ("no UTF-8", b"email=%ff", {"content-type": FORM}, 400, "UTF-8"),
        ("unknown", b'{"mail": "a"}', {"content-type": JSON}, 400, "mail"),
        ("a number", b'{"email": "a", "password": 5}', {"content-type": JSON}, 400, "password"),
        ("no password", b'{"email": "a"}', {"content-type": JSON}, 400, "password"),
        ("no name", b'{"password": "a"}', {"content-type": JSON}, 400, "email"),
        ("nothing", b"", {}, 400, "password"),
        ("too much", b"x" * (3 << 20), {"content-type": JSON}, 413, "2097152"),
    ]
    for name, body, headers, status, words in rows:
        answer = cdn.raw("POST", LOGIN, headers, body)
        assert answer.status == status, (name, answer.body)
        if status != 200:
            assert words in refused(answer, status), name


def test_what_no_call_takes_is_refused(cdn: Cdn) -> None:
    refused(cdn.ask("GET", "/account", query={"acount": 1}), 400, "acount")
    token = cdn.token("kusanagi")
    refused(cdn.raw("GET", f"/v3/account?token={token}&token={token}"), 400, "twice")
    refused(cdn.raw("GET", "/v3/account?token=%ff"), 400, "UTF-8")
    refused(cdn.ask("GET", "/account", {"a": 1}), 400, "body")
    assert cdn.ask("GET", "/account", {}).status == 200


def test_forms_are_objects() -> None:
    rows: list[tuple[bytes, Any]] = [
        (b"", {}),
        (b"a=1&b=x+y%26", {"a": "1", "b": "x y&"}),
        (b"a[]=1&a[]=2", {"a": ["1", "2"]}),
        (b"a%5B%5D=1", {"a": ["1"]}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"a[1]=x", {"a": {"1": "x"}}),
        (b"a[b][c]=1&a[d]=2", {"a": {"b": {"c": "1"}, "d": "2"}}),
        (b"u[e][0][host]=h&u[e][0][port]=80", {"u": {"e": [{"host": "h", "port": "80"}]}}),
    ]
    assert [read(data) for data, _ in rows] == [found for _, found in rows]
    hostile = (
        *(b"a=1&a=2", b"a=1&a[]=2", b"a[b]=1&a=2", b"a[b]=1&a[b][c]=2", b"[]=1", b"a[=1", b"a]=1"),
        *(
            b"a" + b"[b]" * 8 + b"=1",
            b"&".join(b"a%d=1" % one for one in range(10_001)),
            b"%ff=1",
            b"=1",
        ),
    )
    for data in hostile:
        with pytest.raises(UnfitMember):
            read(data)


def test_doors() -> None:
    bindings = [
        {"mode": "cdn", "host": "api.example"},
        {"mode": "cdn", "host": "below.example", "prefix": "/control"},
    ]
    with controlling(bindings=bindings) as cdn:
        at = [
            ("api.example", "/v3/account"),
            ("api.example", "/account/"),
            ("below.example", "/control/account"),
            ("below.example", "/control/v3/account/"),
        ]
        assert [cdn.get(path, at="", host=host)["name"] for host, path in at] == [
            "Motoko Kusanagi"
        ] * 4
        # What is signed as for S3 is no call, unless it has a token: a service may be called `v3`.
        signed = {"authorization": "AWS4-HMAC-SHA256 Credential=x"}
        assert cdn.raw("GET", "/v3/account", signed).headers["content-type"] == "application/xml"
        assert cdn.ask("GET", "/account", headers=signed).status == 200
        assert cdn.raw("GET", "/v30/account").headers["content-type"] == "application/xml"
        refused(cdn.raw("GET", "/v3/account"), 401)


def test_without_its_table_it_is_off() -> None:
    configuration = load(tables={"server": {"memory": True}}, environ={})
    assert "cdn" in configuration.plugins.modes
    assert "cdn" not in configuration.modes


def test_its_table() -> None:
    good = (SUFFIX, "cdn", "a-b.example")
    assert all(load(tables={"cdn": {"suffix": one}}, environ={}) for one in good)
    bad = ("", ".example", "example.", "Example.com", "a_b.example", "*.example", "a" * 181)
    for one in (*({"suffix": suffix} for suffix in bad), {}, {"suffix": "a", "sufix": "a"}):
        with pytest.raises(ConfigurationError, match=r"suffix|sufix"):
            load(tables={"cdn": one}, environ={})
    for text in ("ftp://a.example", "a.example:", "a.example:123456", "a b", "A.example"):
        with pytest.raises(ConfigurationError, match="ftp: "):
            load(tables={"cdn": {"suffix": "a", "ftp": text}}, environ={})
