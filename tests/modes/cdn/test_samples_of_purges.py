"""The samples of purge jobs, sent as they stand; what of a zone is forgotten, and that it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.storage import BytesBody
from tests.modes.cdn.cdn_gateway import SUFFIX, Cdn, controlling, refused, said
from tests.modes.cdn.samples import SAMPLES, check, send
from tests.modes.public_gateway import Answer


@pytest.fixture
def cdn(plain: Cdn) -> Cdn:
    """With what the samples are about: the zone 1, over a storage with two files."""
    return plain


@pytest.fixture(scope="module")
def plain() -> Any:
    with controlling() as found:
        storage = {"name": "pictures", "region": "europe"}
        number = said(found.ask("POST", "/storage", storage))["id"]
        zone = {"storage_id": number, "object_size": "small", "expiration": 3600}
        assert said(found.ask("POST", "/zone/", zone))["zone_id"] == 1
        yield found


def host(cdn: Cdn) -> str:
    return f"a1-{cdn.get('/account')['id']}.{SUFFIX}"


def write(cdn: Cdn, body: bytes) -> None:
    """Behind the zone's back."""
    user = cdn.runtime.keys.credential(cdn.get("/storages")[0]["ftp_user"])
    assert user is not None
    for key in ("example/logo.png", "second/file"):
        cdn.runtime.access(user.identity, "pictures").put(key, BytesBody(body))


def visit(cdn: Cdn, path: str) -> Answer:
    cdn.runtime.notice()
    return cdn.site.ask(path, host=host(cdn))


def begin(cdn: Cdn, body: dict[str, Any], **more: Any) -> Any:
    return said(cdn.ask("POST", "/purge/zone/1", body, **more))["job_id"]


def test_the_samples(cdn: Cdn) -> None:
    (asked,) = SAMPLES["Purge files"].asked
    found = check("Purge files", send(cdn, asked))["job_id"]
    seen = {"purge/job/2170dd23decc45691adf28987282d0bc": f"purge/job/{found}"}
    (looking,) = SAMPLES["View purge job"].asked
    before = check("View purge job", send(cdn, looking, ids=seen))
    files = [f"http://{host(cdn)}{path}" for path in ("/example/logo.png", "/second/file")]
    assert (before["job_id"], before["files"], before["status"]) == (found, files, "waiting")
    cdn.runtime.purge_jobs.carry_out()
    after = check("View purge job", send(cdn, looking, ids=seen), same=("status",))
    assert after == {**before, "status": "finished"}
    (listing,) = SAMPLES["List purge jobs"].asked
    assert check("List purge jobs", send(cdn, listing), same=("status",)) == [after]
    (deleting,) = SAMPLES["Delete a purge job"].asked
    (job,) = [one for one in deleting.target.split("/") if len(one) == 32]
    check("Delete a purge job", send(cdn, deleting, ids={f"purge/job/{job}": f"purge/job/{found}"}))
    assert cdn.get("/purge/") == []
    refused(cdn.ask("GET", f"/purge/job/{found}"), 404, "no purge job")


@pytest.mark.parametrize(
    ("body", "form", "gone"),
    [
        ({"files": "/example/logo.png\r\n\n"}, False, (True, False)),
        ({"files": "http://{host}/second/file?x=1"}, True, (False, True)),
        ({"prefixes": ["/example/"]}, False, (True, False)),
        ({"prefixes": "/example/,/none/"}, True, (True, False)),
        ({"files": "/second/file", "prefixes": ["/example"]}, False, (True, True)),
        ({"tags": ["none"]}, False, (False, False)),
        ({}, False, (True, True)),
        ({"files": None}, False, (True, True)),
    ],
)
def test_what_visitors_get(
    cdn: Cdn, body: dict[str, Any], form: bool, gone: tuple[bool, bool]
) -> None:
    paths = ("/example/logo.png", "/second/file")
    write(cdn, b"old")
    begin(cdn, {})
    cdn.runtime.purge_jobs.carry_out()
    assert [visit(cdn, path).body for path in paths] == [b"old", b"old"]
    write(cdn, b"new")
    assert [visit(cdn, path).body for path in paths] == [b"old", b"old"]
    named = json.loads(json.dumps(body).replace("{host}", host(cdn)))
    job = begin(cdn, named, form=form)
    cdn.runtime.purge_jobs.carry_out()
    assert cdn.get(f"/purge/job/{job}")["status"] == "finished"
    assert [visit(cdn, path).body == b"new" for path in paths] == [*gone]


def test_what_a_job_is_shown_with(cdn: Cdn) -> None:
    many = begin(cdn, {"files": "\n".join(f"/{number}" for number in range(30))})
    more = begin(cdn, {"prefixes": ["/a"], "tags": ["b"], "soft": 1})
    listed = {one["job_id"]: one for one in cdn.get("/purge", query={"status": "waiting"})}
    assert (len(listed[many]["files"]), listed[many]["files_count"]) == (20, 30)
    whole = cdn.get(f"/purge/job/{many}")
    assert len(whole["files"]) == 30
    assert "files_count" not in whole
    assert listed[more] == {**listed[more], "prefixes": ["/a"], "tags": ["b"], "soft": True}
    assert len(cdn.get("/purge", query={"count": 1})) == 1
    for one in listed:
        said(cdn.ask("DELETE", f"/purge/job/{one}"))
    assert cdn.runtime.purge_jobs.carry_out()["finished"] == 0


def test_what_cannot_be(cdn: Cdn) -> None:
    for body, words in (
        ({"files": " \n"}, "none is named"),
        ({"files": "http://elsewhere.test/a"}, "no address of this zone"),
        ({"files": "/a\n" * 10_001}, "at most 10000"),
        ({"files": "a"}, "no path"),
        ({"prefixes": []}, '"prefixes"'),
        ({"tags": ["a b"]}, "no tag"),
    ):
        refused(cdn.ask("POST", "/purge/zone/1", body), 400, words)
    for query in ({"status": "ended"}, {"count": 501}, {"count": 0}):
        refused(cdn.ask("GET", "/purge", query=query), 400)
    refused(cdn.ask("POST", "/purge/zone/2", {}), 404)


def test_one_that_is_running_stays(cdn: Cdn) -> None:
    job = begin(cdn, {})
    (row,) = cdn.runtime.catalog.open_purge_jobs()
    cdn.runtime.catalog.run_purge_job(row.number)
    refused(cdn.ask("DELETE", f"/purge/job/{job}"), 400, "The purge job is running")
    cdn.runtime.purge_jobs.carry_out()
    said(cdn.ask("DELETE", f"/purge/job/{job}"))


def test_whose_they_are(cdn: Cdn) -> None:
    job = begin(cdn, {"files": "/a"})
    refused(cdn.ask("POST", "/purge/zone/1", {}, as_="batou"), 404)
    for method in ("GET", "DELETE"):
        refused(cdn.ask(method, f"/purge/job/{job}", as_="batou"), 404, "no purge job")
    assert cdn.get("/purge", as_="batou") == cdn.get("/purge", as_="root") == []
    assert cdn.get(f"/purge/job/{job}", as_="root")["job_id"] == job
