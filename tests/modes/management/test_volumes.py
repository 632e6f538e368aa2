"""Volumes through the management API: made, changed, listed, dropped, and the buckets in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.access.grants import Grant
from gateway.storage import QuotaExceeded
from tests.modes.management.managed import OPERATOR, Managed, managing, refused, said

ORIGIN = {"driver": "http", "url": "http://127.0.0.1:9/", "allow": ["127.0.0.1"]}


@pytest.fixture(scope="module")
def volumes() -> Iterator[Managed]:
    """A gateway of its own, which no other test's buckets are in."""
    declared = {"declared": {"account": "team"}}
    services = {name: {**ORIGIN, "volume": "declared"} for name in ("declared.one", "two")}
    with managing(volumes=declared, services=services) as api:
        yield api


def make(api: Managed, name: str, owner: str = "manager", **more: Any) -> Any:
    body = {"name": name, "owner_id": api.credential(owner), **more}
    return said(api.ask("POST", "/volumes", body), 201)


def names(answer: Any, kind: str = "volumes") -> list[str]:
    return [one["name"] for one in answer[kind]]


def test_a_volume_from_its_beginning_to_its_end(volumes: Managed) -> None:
    made = make(volumes, "media", quota=20_000)
    assert made["created_at"]
    assert {**made, "created_at": ""} == {
        "name": "media",
        "owner": "The team",
        "created_at": "",
        "quota": 20_000,
        "quota_human": "19.5 KB",
        "total_size": 0,
        "total_size_human": "0 B",
        "bucket_count": 0,
        "is_declared": False,
    }
    at = "/volumes/media"
    assert volumes.get(at) == made
    bucket = said(volumes.ask("POST", f"{at}/buckets", {"name": "films"}), 201)
    assert (bucket["name"], bucket["owner"]) == ("media.films", "The team")
    assert (bucket["volume"], bucket["name_in_volume"]) == ("media", "films")
    volumes.put("media.films", "k", b"x" * 15_000)
    found = volumes.get(at)
    assert (found["total_size"], found["bucket_count"]) == (15_000, 1)
    with pytest.raises(QuotaExceeded):
        volumes.put("media.films", "l", b"x" * 15_000)

    said(volumes.ask("PUT", at, {"quota": 40_000}))
    volumes.put("media.films", "l", b"x" * 15_000)
    said(volumes.ask("PUT", at, {"unlimited": True}))
    assert volumes.get(at)["quota"] is None
    said(volumes.ask("PUT", at, {"quota": 0}))
    assert (volumes.get(at)["quota"], volumes.get(at)["quota_human"]) == (0, "0 B")
    said(volumes.ask("PUT", at, {"owner_id": volumes.credential("root")}))
    found = volumes.get(at)
    assert (found["owner"], found["quota"]) == ("root", 0), "what is absent stays"
    assert volumes.get("/buckets/media.films")["owner"] == "root", "its buckets go with it"

    refused(volumes.ask("DELETE", at), 409, "VolumeNotEmpty")
    for key in ("k", "l"):
        said(volumes.ask("DELETE", f"/buckets/media.films/objects/{key}"))
    said(volumes.ask("DELETE", "/buckets/media.films"))
    said(volumes.ask("DELETE", at))
    refused(volumes.ask("GET", at), 404, "NoSuchVolume")


def test_who_manages_an_account_has_its_volumes_and_no_others(volumes: Managed) -> None:
    make(volumes, "of-the-team")
    make(volumes, "of-root", "root")
    own = "/volumes/of-the-team"
    assert names(volumes.get("/volumes", key="manager", prefix="of-")) == ["of-the-team"]
    assert {"of-the-team", "of-root"} <= {*names(volumes.get("/volumes"))}
    said(volumes.ask("POST", f"{own}/buckets", {"name": "own"}, key="manager"), 201)
    found = volumes.get(f"{own}/buckets", key="manager")["buckets"]
    assert [(one["name"], one["name_in_volume"]) for one in found] == [("of-the-team.own", "own")]
    everything = volumes.get("/buckets", key="manager")["buckets"]
    assert found[0] in everything, "a list of all says it, too"

    body = {"name": "another", "owner_id": volumes.credential("manager")}
    refused(volumes.ask("POST", "/volumes", body, key="manager"), 403, "AccessDenied")
    refused(volumes.ask("PUT", own, {"quota": 1}, key="manager"), 403, "AccessDenied")
    for method, path, sent in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("GET", "/buckets", None),
        ("POST", "/buckets", {"name": "foreign"}),
    ):
        for volume in ("of-root", "there-is-none"):
            answer = volumes.ask(method, f"/volumes/{volume}{path}", sent, key="manager")
            refused(answer, 404, "NoSuchVolume")
    said(volumes.ask("POST", "/volumes/of-root/buckets", {"name": "shared"}), 201)
    volumes.runtime.set_grants(OPERATOR, "of-root.shared", [Grant("team", "read")])
    for path in ("", "/buckets"):
        answer = volumes.ask("GET", f"/volumes/of-root{path}", key="manager")
        refused(answer, 403, "AccessDenied")  # it may know of it by now, and no more
    said(volumes.ask("DELETE", "/buckets/of-the-team.own", key="manager"))
    said(volumes.ask("DELETE", own, key="manager"))


def test_what_is_declared_is_shown_and_changed_there(volumes: Managed) -> None:
    """With services of any driver in it, also of such as count nothing."""
    found = volumes.get("/volumes/declared", key="manager")
    assert (found["owner"], found["is_declared"], found["quota"]) == ("The team", True, None)
    assert (found["bucket_count"], found["total_size"]) == (2, 0)
    buckets = volumes.get("/volumes/declared/buckets", key="manager")["buckets"]
    assert [(one["name"], one["name_in_volume"], one["total_size"]) for one in buckets] == [
        ("declared.one", "one", None),
        ("two", "two", None),
    ]
    for method, body in (("PUT", {"quota": 5}), ("DELETE", None)):
        refused(volumes.ask(method, "/volumes/declared", body), 409, "Conflict", "declared")
    at = "/volumes/declared/buckets"
    assert said(volumes.ask("POST", at, {"name": "more"}, key="manager"), 201)["volume"]
    refused(volumes.ask("POST", at, {"name": "two"}), 409, "BucketAlreadyExists")
    said(volumes.ask("DELETE", "/buckets/declared.more"))


def test_what_cannot_be_is_refused(volumes: Managed) -> None:
    owner = volumes.credential("manager")
    make(volumes, "taken")
    post = [
        ({"name": "taken", "owner_id": owner}, 409, "VolumeAlreadyExists", ""),
        ({"name": "Taken", "owner_id": owner}, 422, "ValidationError", "name"),
        ({"name": "a..b", "owner_id": owner}, 422, "ValidationError", "name"),
        ({"name": "192.0.2.1", "owner_id": owner}, 422, "ValidationError", "name"),
        ({"name": "fresh"}, 422, "ValidationError", "owner_id"),
        ({"name": "fresh", "owner_id": 1 << 40}, 404, "NoSuchCredential", ""),
        ({"name": "fresh", "owner_id": owner, "quota": -1}, 422, "ValidationError", "quota"),
        ({"name": "fresh", "owner_id": owner, "quota": "1GB"}, 422, "ValidationError", "quota"),
        ({"name": "fresh", "owner_id": owner, "size": 1}, 422, "ValidationError", "size"),
    ]
    for body, status, code, word in post:
        refused(volumes.ask("POST", "/volumes", body), status, code, word)
    put = [
        ({"quota": 5, "unlimited": True}, 422, "ValidationError", "contradict"),
        ({"unlimited": "yes"}, 422, "ValidationError", "unlimited"),
        ({"owner_id": 1 << 40}, 404, "NoSuchCredential", ""),
        ({"name": "other"}, 422, "ValidationError", "name"),
    ]
    for body, status, code, word in put:
        refused(volumes.ask("PUT", "/volumes/taken", body), status, code, word)
    refused(volumes.ask("PUT", "/volumes/fresh", {"quota": 5}), 404, "NoSuchVolume")
    at = "/volumes/taken/buckets"
    said(volumes.ask("POST", at, {"name": "one"}), 201)
    refused(volumes.ask("POST", at, {"name": "one"}), 409, "BucketAlreadyExists")
    refused(volumes.ask("POST", at, {"name": "a.-b"}), 422, "ValidationError", "name")
    assert "fresh" not in names(volumes.get("/volumes"))


def test_lists_come_in_pages(volumes: Managed) -> None:
    made = [f"paged-{number}" for number in range(5)]
    for name in made:
        make(volumes, name)
    for name in ("a", "b", "c"):
        said(volumes.ask("POST", "/volumes/paged-0/buckets", {"name": f"{name}-bucket"}), 201)

    def pages(path: str, kind: str, **query: object) -> list[list[str]]:
        found, more = list[list[str]](), dict[str, object]()
        while True:
            answer = volumes.get(path, limit=2, **query, **more)
            found.append(names(answer, kind))
            if "next" not in answer:
                return found
            more = {"after": answer["next"]}

    assert pages("/volumes", "volumes", prefix="paged-") == [made[:2], made[2:4], made[4:]]
    buckets = [f"paged-0.{name}-bucket" for name in "abc"]
    assert pages("/volumes/paged-0/buckets", "buckets") == [buckets[:2], buckets[2:]]
    assert pages("/volumes/paged-0/buckets", "buckets", prefix="b") == [buckets[1:2]]
    refused(volumes.ask("GET", "/volumes", after="x"), 400, "InvalidArgument")
