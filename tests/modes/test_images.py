"""Pictures through both APIs, from a cache in front of the `image` layer, with real clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.images.pictures import jpeg, seen
from tests.layers.origin import until
from tests.modes.standard_gateway import S3_KEY, Answer, Served, serving

SERVICES = """
[services.photos]
driver = "memory"
keep_versions = "off"
[services.resized]
driver = "image"
source = "photos"
[services.pictures]
driver = "cache"
source = "resized"
"""


@pytest.fixture(scope="module")
def served(sockets: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("pictures"), more=SERVICES) as served:
        s3 = served.s3()
        for key, data in (("cat.jpg", jpeg()), ("bad.jpg", b"none"), ("cat.txt", b"meow")):
            kind = "text/plain" if key.endswith("txt") else "image/jpeg"
            s3.put_object(Bucket="pictures", Key=key, Body=data, ContentType=kind)
        yield served


def s3(
    served: Served, target: str, method: str = "GET", *, presigned: bool = False, **headers: str
) -> Answer:
    """A signed request whose query is signed along."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = AWSRequest(method=method, url=f"{served.url}{target}", headers=given)
    kind: Any = S3SigV4QueryAuth if presigned else S3SigV4Auth
    kind(Credentials(*S3_KEY), "s3", "us-east-1").add_auth(request)
    connection = HTTPConnection("127.0.0.1", served.port, timeout=60)
    try:
        connection.request(
            method, request.url.removeprefix(served.url), headers=dict(request.headers)
        )
        answer = connection.getresponse()
        said = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, said, answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize("sid", ["pictures", "resized"])
@pytest.mark.parametrize("presigned", [False, True])
def test_a_variant_by_s3(served: Served, sid: str, presigned: bool) -> None:
    target = f"/{sid}/cat.jpg?x-id=GetObject&w=40&webp=1"
    got = s3(served, target, presigned=presigned)
    assert (got.status, seen(got.body).size) == (200, (40, 30))
    assert got.headers["content-type"] == "image/webp"
    assert got.headers["etag"].endswith('-image"')
    head = s3(served, target, "HEAD", presigned=presigned)
    for name in ("content-length", "etag", "content-type", "last-modified"):
        assert head.headers[name] == got.headers[name]
    part = s3(served, target, presigned=presigned, Range="bytes=5-9")
    assert (part.status, part.body) == (206, got.body[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(got.body)}"
    assert s3(served, target, If_None_Match=got.headers["etag"]).status == 304


def test_a_variant_by_getfile(served: Served) -> None:
    got = served.call("getfile", sid="pictures", path="cat.jpg", w=40, webp=1)
    assert (got.status, got.headers["content-type"]) == (200, "image/webp")
    assert got.body == s3(served, "/pictures/cat.jpg?w=40&webp=1").body


def test_what_is_wrong_is_said(served: Served) -> None:
    for target, status, code in (
        ("/pictures/cat.jpg?w=x", 400, b"InvalidRequest"),
        ("/pictures/bad.jpg?w=4", 422, b"UnprocessableEntity"),
    ):
        got = s3(served, target)
        assert got.status == s3(served, target, "HEAD").status == status
        assert b"<Code>" + code in got.body
    for path, wide, status, error in (
        ("cat.jpg", "x", 400, "invalid_request"),
        ("bad.jpg", "4", 422, "unprocessable"),
    ):
        found = served.call("getfile", sid="pictures", path=path, w=wide)
        assert (found.status, found.error) == (status, error)
        assert "picture" in found.json["message"] or "pixels" in found.json["message"]


def test_what_the_cache_did_is_noted_of_every_answer(served: Served) -> None:
    served.s3().put_object(Bucket="photos", Key="noted.jpg", Body=jpeg(), ContentType="image/jpeg")
    etag = s3(served, "/pictures/noted.jpg?w=50").headers["etag"]
    s3(served, "/pictures/noted.jpg?w=50", "HEAD")
    s3(served, "/pictures/noted.jpg?w=50", If_None_Match=etag)
    s3(served, "/pictures/noted-not", "HEAD")
    s3(served, "/pictures/noted-not")
    for method in ("GET", "HEAD"):
        served.call("getfile", method=method, sid="pictures", path="noted.jpg", w=50)
    served.call("getfile", sid="pictures", path="noted-not")

    def noted() -> Counter[str]:
        found = served.call("reqlist", sid="pictures").json["requests"]
        said = (str(one["cache"]) for one in found if str(one["path"]).startswith("noted"))
        return Counter(one.partition("; ttl=")[0] for one in said)

    until(lambda: noted().total() == 8)  # it is written behind the requests
    missed = {"pictures; fwd=uri-miss; stored": 1, "pictures; fwd=uri-miss": 1}
    assert noted() == {**missed, "pictures; hit": 6}
    served.s3().delete_object(Bucket="photos", Key="noted.jpg")


def test_all_else_passes(served: Served) -> None:
    assert s3(served, "/pictures/cat.txt?w=4").body == b"meow"
    client = served.s3()
    listed = client.list_objects_v2(Bucket="pictures")["Contents"]
    assert [one["Key"] for one in listed] == ["bad.jpg", "cat.jpg", "cat.txt"]
    client.copy_object(
        Bucket="pictures", Key="copies/cat.jpg", CopySource={"Bucket": "resized", "Key": "cat.jpg"}
    )
    assert client.get_object(Bucket="photos", Key="copies/cat.jpg")["Body"].read() == jpeg()
    client.delete_object(Bucket="resized", Key="copies/cat.jpg")
    with pytest.raises(ClientError):
        client.head_object(Bucket="photos", Key="copies/cat.jpg")
