"""The table of the management mode is whole, and all that is made from it agrees."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urljoin

import pytest

from gateway.modes.management import ManagementMode
from gateway.modes.management.documents import API
from gateway.modes.management.functions import TABLE, errors_of
from gateway.modes.management.problems import PROBLEMS
from gateway.web.api import openapi
from gateway.web.api.page import examples, languages
from gateway.web.api.parameters import samples
from gateway.web.api.table import Function
from tests.modes import documented_answers
from tests.modes.management.managed import OPERATOR, Managed, managing, refused, said

DOCUMENT = openapi.document(API, "/api/v1")
SPECIFIED = """
GET /stats
GET /credentials
POST /credentials
GET /credentials/{id}
PUT /credentials/{id}
DELETE /credentials/{id}
GET /buckets
POST /buckets
GET /buckets/{bucket}
DELETE /buckets/{bucket}
GET /buckets/{bucket}/objects
DELETE /buckets/{bucket}/objects
POST /buckets/{bucket}/objects/delete
GET /buckets/{bucket}/objects/{key}
DELETE /buckets/{bucket}/objects/{key}
GET /buckets/{bucket}/uploads
DELETE /buckets/{bucket}/uploads/{upload_id}
GET /presigned-urls
POST /presigned-urls
"""

BEYOND = """
GET /volumes
POST /volumes
GET /volumes/{volume}
PUT /volumes/{volume}
DELETE /volumes/{volume}
GET /volumes/{volume}/buckets
POST /volumes/{volume}/buckets
"""


def test_the_calls_are_those_of_the_specification() -> None:
    found = [f"{one.methods[0]} /{one.path}" for one in TABLE]
    assert found == [*SPECIFIED.split("\n")[1:-1], *BEYOND.split("\n")[1:-1]]
    assert all(len(one.methods) == 1 for one in TABLE)
    assert ManagementMode().operations() == [one.name for one in TABLE]
    assert len(set(ManagementMode().operations())) == len(TABLE)


@pytest.mark.usefixtures("seconds")
def test_the_openapi_document_is_one() -> None:
    pytest.importorskip("openapi_spec_validator").validate(DOCUMENT)


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_the_document_says_what_a_call_takes(function: Function[Any]) -> None:
    said = DOCUMENT["paths"][f"/{function.path}"][function.methods[0].lower()]
    assert said["operationId"] == function.name
    named = {one["name"]: one for one in said["parameters"]}
    assert set(named) == {one.name for one in (*function.parts, *function.query)}
    for one in function.parts:
        assert (named[one.name]["in"], named[one.name]["required"]) == ("path", True)
    assert {f"{{{one.name}}}" for one in function.parts} == set(re.findall(r"{\w+}", function.path))
    codes = errors_of(function)
    assert set(codes) <= set(PROBLEMS)
    statuses = {*map(str, function.statuses), *(str(PROBLEMS[code][0]) for code in codes)}
    assert set(said["responses"]) - {"default"} == statuses
    assert ("requestBody" in said) is bool(function.members)
    if function.members:
        content = said["requestBody"]["content"]["application/json"]
        pytest.importorskip("jsonschema").Draft202012Validator(content["schema"]).validate(
            content["example"]
        )
        assert not content["schema"]["additionalProperties"]


def test_problems_are_documented_or_anybodys() -> None:
    documented = {code for one in TABLE for code in errors_of(one)}
    anybodys = {
        "BadDigest", "IncompleteBody", "InsufficientStorage", "InternalError", "InvalidRequest",
        "MethodNotAllowed", "NoSuchFunction", "ReadOnly", "ServiceUnavailable", "SlowDown",
    }  # fmt: skip
    assert documented | anybodys == set(PROBLEMS)
    assert set(DOCUMENT["components"]["schemas"]["Error"]["required"]) == {
        "code", "message", "requestId",
    }  # fmt: skip


# where they are


@pytest.mark.parametrize("at", ["/api/v1", "/manage"])
def test_documents_are_beside_the_functions(at: str) -> None:
    with managing([{"mode": "management", "prefix": "/manage"}]) as api:
        document = api.ask("GET", "/openapi.json", key=None, at=at)
        assert json.loads(document.body) == openapi.document(API, at)
        for path in ("", "/", "/docs"):  # a person who types where it is
            moved = api.ask("GET", path, key=None, at=at)
            link = urljoin(f"http://h{at}{path}", moved.headers["location"])
            assert (moved.status, link) == (307, f"http://h{at}/docs/")
        page = api.ask("GET", "/docs/", key=None, at=at)
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert f"http://127.0.0.1:9000{at}/buckets/my-bucket" in page.body.decode()
        for name in ("docs.css", "docs.js"):
            assert f'"{name}"' in page.body.decode()
            found = api.ask("GET", f"/docs/{name}", key=None, at=at)
            assert (found.status, found.headers["x-content-type-options"]) == (200, "nosniff")
        assert b'"X-API-Key": key.value' in found.body
        assert b"{{" not in found.body
        assert api.ask("HEAD", "/docs/", key=None, at=at).body == b""
        refused(api.ask("POST", "/docs/", key=None, at=at), 401, "Unauthorized")
        assert set(api.get("/stats", at=at)) == set(api.get("/stats"))


def test_at_a_host_of_its_own_it_is_at_the_root() -> None:
    with managing([{"mode": "management", "host": "manage.example"}]) as api:
        found = api.get("/buckets", at="", host="manage.example")
        assert [one["name"] for one in found["buckets"]] == ["dull", "files", "shared"]
        document = api.ask("GET", "/openapi.json", key=None, at="", host="manage.example")
        assert json.loads(document.body)["servers"] == [{"url": "/"}]


@pytest.mark.parametrize(
    ("query", "authorization"),
    [
        ("", "AWS4-HMAC-SHA256 Credential=root/20260101/us-east-1/s3/aws4_request"),
        ("", "AWS root:signature"),
        ("X-Amz-Signature=0", ""),
        ("a=b&Signature=0", ""),
    ],
)
def test_what_is_signed_is_s3s(api: Managed, query: str, authorization: str) -> None:
    headers = {"authorization": authorization} if authorization else {}
    answer = api.site.ask(f"/api/v1/buckets?{query}", headers=headers)
    assert answer.headers["content-type"] == "application/xml"
    assert api.site.ask("/api/v1/buckets?signature=0").headers["content-type"] == "application/json"


def test_the_page_names_all_calls(api: Managed) -> None:
    html = api.ask("GET", "/docs/", key=None).body.decode()
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    for function in TABLE:
        article = html.partition(f'<article id="{function.name}"')[2].partition("</article>")[0]
        assert f'data-function="{function.path}"' in article
        for one in (*function.parts, *function.query, *function.members):
            assert f'<label for="{function.name}-{one.name}"'.lower() in article.lower()
    fields = re.findall(r"<(?:input|textarea) [^>]*id=\"([^\"]+)\"", html)
    assert sorted(fields) == sorted(re.findall(r'<label for="([^"]+)"', html))


# answers are as documented


@pytest.fixture(scope="module")
def answers(api: Managed) -> dict[str, Any]:
    """What each function answers, in the order in which a life goes."""
    made = said(api.ask("POST", "/credentials", {"user_name": "all"}), 201)
    number, bucket = f"/credentials/{made['id']}", {"name": "all-of-it", "owner_id": made["id"]}
    found = {
        "createCredential": made,
        "createBucket": said(api.ask("POST", "/buckets", bucket), 201),
        "updateCredential": said(api.ask("PUT", number, {"is_active": True})),
    }
    upload = api.runtime.access(OPERATOR, "all-of-it").begin("big").id
    for key in ("a", "b", "c", "d"):
        api.put("all-of-it", key, b"1", metadata={"m": "1"})
    url = {"bucket_name": "all-of-it", "object_key": "a", "access_key": made["access_key"]}
    found["createPresignedUrl"] = said(api.ask("POST", "/presigned-urls", url), 201)
    at = "/buckets/all-of-it"
    reads = {
        "getStats": "/stats", "listCredentials": "/credentials", "getCredential": number,
        "listBuckets": "/buckets", "getBucket": at, "listObjects": f"{at}/objects",
        "getObject": f"{at}/objects/a", "listUploads": f"{at}/uploads",
        "listPresignedUrls": "/presigned-urls",
    }  # fmt: skip
    found |= {name: api.get(path) for name, path in reads.items()}
    volume = {"name": "all-of-it", "owner_id": made["id"], "quota": 1 << 40}
    found |= {
        "createVolume": said(api.ask("POST", "/volumes", volume), 201),
        "createVolumeBucket": said(
            api.ask("POST", "/volumes/all-of-it/buckets", {"name": "one"}), 201
        ),
        "listVolumes": api.get("/volumes"),
        "getVolume": api.get("/volumes/all-of-it"),
        "updateVolume": said(api.ask("PUT", "/volumes/all-of-it", {"unlimited": True})),
        "listVolumeBuckets": api.get("/volumes/all-of-it/buckets"),
    }
    said(api.ask("DELETE", "/buckets/all-of-it.one"))
    ends = [
        ("deleteObject", "DELETE", f"{at}/objects/a", None),
        ("deleteObjects", "DELETE", f"{at}/objects", {"keys": ["b"]}),
        ("deleteObjectsByPost", "POST", f"{at}/objects/delete", {"keys": ["c", "d"]}),
        ("abortUpload", "DELETE", f"{at}/uploads/{upload}", None),
        ("deleteBucket", "DELETE", at, None),
        ("deleteVolume", "DELETE", "/volumes/all-of-it", None),
        ("deleteCredential", "DELETE", number, None),
    ]
    return found | {name: said(api.ask(method, path, body)) for name, method, path, body in ends}


@pytest.mark.parametrize("function", TABLE, ids=lambda one: one.name)
def test_an_answer_is_what_the_document_says(
    answers: dict[str, Any], function: Function[Any]
) -> None:
    documented_answers.check(DOCUMENT, function, answers[function.name])


# examples


@pytest.mark.parametrize("language", languages.LANGUAGES, ids=lambda one: one.name)
def test_examples_are_whole(language: languages.Language) -> None:
    for function in TABLE:
        address = examples.url(function, "http://127.0.0.1:9000/api/v1")
        program = examples.program(API, language, function, address)
        assert "GATEWAY_KEY" in program
        assert "X-API-Key" in program
        assert f'"{address}"' in program.replace("'", '"')
        assert not re.search(r"\{\{\w+\}\}|[{}]", address)
        for name in samples(function.members):
            assert f'"{name}"' in program.replace('\\"', '"')
        if language.kind == "py":
            compile(program, function.name, "exec")
