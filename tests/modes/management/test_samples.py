"""What the description shows is sent as it stands there, and what is answered has the members,
types and formats that it shows: no more, and no fewer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gateway.storage import BytesBody, Put
from tests.modes.management.managed import OPERATOR, Managed, said
from tests.modes.management.samples import Sample, all_samples

SAMPLES = all_samples()
FORMATS = (
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",  # a time
    r"\d{1,3}\.\d [KMGTPE]B|\d{1,3} B",  # a size for people
    r"[0-9a-f]{32}",  # an ETag
    r"[a-z]+/[a-z]+",  # a media type
)


def of(about: str) -> Sample:
    return next(sample for begins, sample in SAMPLES.items() if begins.startswith(about))


def check(sample: Any, given: Any, place: str = "") -> None:
    """That `given` is of the sample's form."""
    assert type(given) is type(sample), (place, sample, given)
    if isinstance(sample, dict):
        if place.endswith(".metadata"):  # names are the uploader's
            assert all(isinstance(one, str) for one in given.values())
            return
        assert list(given) == list(sample), place
        for name, value in sample.items():
            check(value, given[name], f"{place}.{name}")
    elif isinstance(sample, list):
        assert given, place
        for one in given:
            check(sample[0], one, place)
    elif isinstance(sample, str):
        for form in FORMATS:
            assert (re.fullmatch(form, given) is None) == (re.fullmatch(form, sample) is None), (
                place,
                sample,
                given,
            )


@pytest.fixture(scope="module")
def made(api: Managed) -> dict[str, Any]:
    """The credential of the sample, and its buckets with something in them."""
    sent, answered = of("Creates a new access credential").bodies
    answer = said(api.ask("POST", "/credentials", sent), 201)
    check(answered, answer)
    assert {name: answer[name] for name in sent} == sent
    sent, _ = of("Creates a new bucket").bodies
    body = {**sent, "owner_id": answer["id"], "name": "my-bucket"}
    said(api.ask("POST", "/buckets", body), 201)
    for key in ("photos/vacation.jpg", "file1.txt", "file2.txt", "folder/file3.txt"):
        metadata = {"user-id": "12345", "category": "photos"}
        api.put("my-bucket", key, b"data", content_type="image/jpeg", metadata=metadata)
    return dict(answer)


def test_the_text_has_all_calls() -> None:
    assert len(SAMPLES) == 13
    assert sum(len(one.bodies) for one in SAMPLES.values()) == 19


def test_statistics(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns overall").bodies
    found = api.get("/stats")
    check(answered, found)
    assert found["buckets"] >= 4
    assert found["objects"] >= 1


def test_a_credential_with_its_buckets(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns detailed information about a specific credential").bodies
    found = api.get(f"/credentials/{made['id']}")
    check(answered, found)
    assert (found["user_name"], found["bucket_count"]) == ("john-doe", 1)
    assert found["buckets"][0]["owner"] == "john-doe"


def test_a_credential_is_changed(api: Managed, made: dict[str, Any]) -> None:
    sent, answered = of("Updates an existing").bodies
    assert said(api.ask("PUT", f"/credentials/{made['id']}", sent)) == answered


def test_buckets(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns a list of all buckets").bodies
    found = api.get("/buckets")
    counted = [one for one in found["buckets"] if one["object_count"] is not None]
    check(answered, {"buckets": counted})


def test_a_bucket_is_made(api: Managed, made: dict[str, Any]) -> None:
    sent, answered = of("Creates a new bucket").bodies
    assert sent["owner_id"] == 1  # the first key that the gateway has seen
    found = said(api.ask("POST", "/buckets", sent), 201)
    assert list(found) == list(answered)
    assert (answered.pop("objects") != [], found.pop("objects")) == (True, [])  # there are none yet
    check(answered, found)
    assert (found["name"], found["region"]) == ("my-new-bucket", "us-east-1")


def test_a_bucket_with_its_objects(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns detailed information about a specific bucket").bodies
    check(answered, api.get("/buckets/my-bucket"))


def test_objects(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns a list of objects").bodies
    found = api.get("/buckets/my-bucket/objects", prefix="photos/")
    check(answered, found)
    assert [one["key"] for one in found["objects"]] == ["photos/vacation.jpg"]


def test_an_object(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Returns detailed information about a specific object").bodies
    found = api.get("/buckets/my-bucket/objects/photos/vacation.jpg")
    check(answered, found)
    assert found["metadata"] == answered["metadata"]
    assert found["part_count"] == answered["part_count"] == 0


@pytest.mark.parametrize(("method", "path"), [("DELETE", "objects"), ("POST", "objects/delete")])
def test_objects_are_deleted(api: Managed, made: dict[str, Any], method: str, path: str) -> None:
    sent, answered = of("Deletes multiple objects").bodies
    found = said(api.ask(method, f"/buckets/my-bucket/{path}", sent))
    check(answered, found)
    assert found["deleted"] == sent["keys"]


def test_an_object_is_deleted(api: Managed, made: dict[str, Any]) -> None:
    (answered,) = of("Deletes a specific object").bodies
    key = of("Deletes a specific object").parameters["key"].partition("Example: ")[2].split()[0]
    api.put("my-bucket", key, b"data")
    assert said(api.ask("DELETE", f"/buckets/my-bucket/objects/{key}")) == answered
    assert api.ask("GET", f"/buckets/my-bucket/objects/{key}").status == 404


def test_uploads(api: Managed, made: dict[str, Any]) -> None:
    answered, _ = of("Returns active multipart uploads").bodies
    access = api.runtime.access(OPERATOR, "my-bucket")
    upload = access.begin("large-file.zip", Put(content_type="application/zip"))
    access.put_part("large-file.zip", upload.id, 1, BytesBody(b"x" * 2000), Put(size=2000))
    found = api.get("/buckets/my-bucket/uploads")
    check(answered, found)
    (one,) = found["uploads"]
    assert (one["upload_id"], one["part_count"], one["total_size"]) == (upload.id, 1, 2000)
    assert one["total_size_human"] == "2.0 KB"


def test_presigned_urls(api: Managed, made: dict[str, Any]) -> None:
    sent, answered = of("Generates a new presigned URL").bodies
    found = said(api.ask("POST", "/presigned-urls", sent), 201)
    check(answered, found)
    begin = r"http://gateway\.example/my-bucket/file\.txt\?"
    shown = answered["url"].partition("?")[2].partition("&hash=")[0]
    for name in re.findall(r"(X-Amz-[A-Za-z]+)=", shown):
        begin += rf"(?=.*{name}=)"
    assert re.match(begin, found["url"])
    _, listed = of("Returns active multipart uploads").bodies
    check(listed, api.get("/presigned-urls"))
