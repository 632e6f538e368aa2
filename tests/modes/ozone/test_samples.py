"""What the description's commands send is sent as it stands there, and what is answered has the
status, headers and documents that it shows: the same members in the same order, of the same types
and forms.

Four of its values are not what a reader of them would expect, and are true here: a list of buckets
has their versioning (null there), one of keys the bucket's name (null) and how many were asked for
(0). It asks for the info of a key in `buket-0`, which nobody makes. Documents are called JSON
everywhere, which it does for two of its five.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.modes.ozone.samples import Answered, Asked, all_samples
from tests.modes.ozone.trusting import HTTP_DATE, Ozone, done, refused, said
from tests.modes.public_gateway import Answer

SAMPLES = all_samples()
TRUE_HERE = {
    (".buckets.versioning", None): "DISABLED",
    (".name", None): "bucket-0",
    (".maxKeys", 0): 100,
    (".keyList.md5hash", None): "d41d8cd98f00b204e9800998ecf8427e",
    (".md5hash", None): "d41d8cd98f00b204e9800998ecf8427e",
}


@pytest.fixture(scope="module")
def ozone(ozone: Ozone) -> Ozone:
    """With what the samples speak of."""
    for name in ("volume-of-bilbo", "volume-to-update", "volume-to-delete"):
        ozone.volume(name=name)
    return ozone


def send(ozone: Ozone, asked: Asked, body: bytes = b"Hello Ozone!") -> Answer:
    return ozone.raw(asked.method, asked.target, asked.headers, body if asked.uploads else None)


def agree(sample: Any, given: Any, place: str = "") -> None:
    """That what is `given` is of the sample's form."""
    sample = (
        TRUE_HERE.get((place, sample), sample) if not isinstance(sample, dict | list) else sample
    )
    assert type(given) is type(sample), (place, sample, given)
    if isinstance(sample, dict):
        assert list(given) == list(sample), place
        for name, value in sample.items():
            agree(value, given[name], f"{place}.{name}")
    elif isinstance(sample, list):
        assert bool(given) is bool(sample), (place, given)
        for one in given:
            agree(sample[0], one, place)
    elif isinstance(sample, str) and re.fullmatch(HTTP_DATE, sample):
        assert re.fullmatch(HTTP_DATE, given), (place, given)
    else:
        assert given == sample, place


def check(ozone: Ozone, heading: str, answer: Answer) -> None:
    """That the answer is the one of that sample."""
    sample = SAMPLES[heading][0].answered
    assert isinstance(sample, Answered)
    assert answer.status == sample.status
    by_the_server = {"connection", "date"}
    assert set(sample.headers) - by_the_server <= set(answer.headers)
    if sample.document is None:
        assert answer.headers["content-type"] == sample.headers["content-type"]
    else:
        agree(sample.document, said(answer, sample.status))
    if sample.headers["content-length"] == "0":
        assert (answer.headers["content-length"], answer.body) == ("0", b"")


def test_the_text_has_all_calls() -> None:
    assert list(SAMPLES) == [
        "Create a Volume", "Update Volume", "Delete Volume", "Info Volume", "List Volumes",
        "Create Bucket", "Update Bucket", "Delete Bucket", "Info Bucket", "List Buckets",
        "Put Key", "Get Key", "Delete Key", "Info Key", "List Keys",
    ]  # fmt: skip
    assert sum(one.answered is not None for found in SAMPLES.values() for one in found) == 13


def test_volumes(ozone: Ozone) -> None:
    for heading in ("Create a Volume", "Delete Volume", "Info Volume"):
        check(ozone, heading, send(ozone, SAMPLES[heading][0].asked))
    assert said(ozone.ask("GET", "/volume-to-create", info="volume"))["owner"] == {"name": "bilbo"}
    refused(ozone.ask("GET", "/volume-to-delete", info="volume"), 404, "volumeNotFound")
    (update,) = SAMPLES["Update Volume"]
    assert send(ozone, update.asked).status == 200
    assert said(ozone.ask("GET", "/volume-to-update", info="volume"))["owner"] == {"name": "john"}


def test_a_list_of_volumes(ozone: Ozone) -> None:
    """What the sample shows, `Jan-vol1`, could not be made: names have no capitals."""
    (sample,) = SAMPLES["List Volumes"]
    assert said(send(ozone, sample.asked)) == {"volumes": []}
    refused(ozone.ask("POST", "/Jan-vol1", owner="bilbo"), 400, "invalidVolumeName")
    ozone.volume(name="jan-vol1", quota="2TB")
    small = sample.asked._replace(target=sample.asked.target.replace("Jan", "jan"))
    assert sample.answered is not None
    sample.answered.document["volumes"][0]["volumeName"] = "jan-vol1"
    check(ozone, "List Volumes", send(ozone, small))


def test_buckets(ozone: Ozone) -> None:
    (make,), (update,) = SAMPLES["Create Bucket"], SAMPLES["Update Bucket"]
    check(ozone, "Create Bucket", send(ozone, make.asked))
    check(ozone, "Info Bucket", send(ozone, SAMPLES["Info Bucket"][0].asked))
    check(ozone, "List Buckets", send(ozone, SAMPLES["List Buckets"][0].asked))
    refused(send(ozone, update.asked), 400, "invalidBucketName")  # nobody has made it
    ozone.ask("POST", "/volume-of-bilbo/bucket-to-update", "bilbo")
    check(ozone, "Update Bucket", send(ozone, update.asked))
    found = said(ozone.ask("GET", "/volume-of-bilbo/bucket-to-update", info="bucket"))
    assert found["acls"] == [{"type": "USER", "name": "peregrin", "rights": "READ_WRITE"}]
    check(ozone, "Delete Bucket", send(ozone, SAMPLES["Delete Bucket"][0].asked))
    answer = ozone.ask("GET", "/volume-of-bilbo/bucket-0", info="bucket")
    refused(answer, 400, "invalidBucketName")


def test_keys(ozone: Ozone) -> None:
    done(send(ozone, SAMPLES["Create Bucket"][0].asked), 201)
    (put,), (get, save) = SAMPLES["Put Key"], SAMPLES["Get Key"]
    assert send(ozone, put.asked).status == 201
    answer = send(ozone, get.asked)
    check(ozone, "Get Key", answer)
    assert get.answered is not None
    assert answer.body == get.answered.text.encode()
    refused(send(ozone, save.asked), 400, "invalidKey")  # nobody has put it
    send(ozone, put.asked, b"")  # what the documents are of
    check(ozone, "List Keys", send(ozone, SAMPLES["List Keys"][0].asked))
    (info,) = SAMPLES["Info Key"]
    refused(send(ozone, info.asked), 400, "invalidBucketName")
    right = info.asked._replace(target=info.asked.target.replace("buket", "bucket"))
    check(ozone, "Info Key", send(ozone, right))
    check(ozone, "Delete Key", send(ozone, SAMPLES["Delete Key"][0].asked))
    refused(send(ozone, get.asked), 400, "invalidKey")
    done(send(ozone, SAMPLES["Delete Bucket"][0].asked))


def test_what_its_java_client_sends(ozone: Ozone) -> None:
    """Which the description does not have: `info` of lists, types of grants in capitals, another
    header for storage, and a date that is counted from when the client began."""
    acls = "ADD USER:frodo:rw, ADD GROUP:hobbits:r"
    made = {"x-ozone-acls": acls, "x-ozone-storage-type": "DEFAULT"}
    rows: list[tuple[str, str, dict[str, str], bytes | None]] = [
        ("POST", "/by-java?quota=100TB", {"x-ozone-user": "hdfs"}, None),
        ("PUT", "/by-java", {"x-ozone-user": "hdfs"}, None),
        ("PUT", "/by-java?quota=1000MB", {}, None),
        ("GET", "/by-java?info=volume", {}, None),
        ("GET", "/?info=service&max-keys=100&prefix=by-", {}, None),
        ("POST", "/by-java/bucket", {**made, "x-ozone-bucket-versioning": "DISABLED"}, None),
        ("PUT", "/by-java/bucket", {"x-ozone-bucket-versioning": "DISABLED"}, None),
        ("PUT", "/by-java/bucket", {"x-ozone-storage-type": "SSD"}, None),
        ("GET", "/by-java/bucket?info=bucket", {}, None),
        ("GET", "/by-java?info=bucket&max-keys=100", {}, None),
        ("PUT", "/by-java/bucket/key", {"content-type": "application/octet-stream"}, b"data"),
        ("GET", "/by-java/bucket?info=key&max-keys=100&prev-key=a", {}, None),
        ("POST", "/by-java/bucket/key?toKey=other", {}, None),
        ("GET", "/by-java/bucket/other", {}, None),
        ("GET", "/by-java/bucket/other?info=key", {}, None),
        ("DELETE", "/by-java/bucket/other", {}, None),
        ("DELETE", "/by-java/bucket", {}, None),
        ("DELETE", "/by-java", {}, None),
    ]
    always = {
        "authorization": "OZONE root",
        "date": "Thu, 01 Jan 1970 00:12:34 GMT",
        "x-ozone-version": "v1",
    }
    answers = [
        ozone.raw(method, target, {**always, **headers}, body)
        for method, target, headers, body in rows
    ]
    makes = [(row[0] == "POST" and "toKey" not in row[1]) or bool(row[3]) for row in rows]
    assert [one.status for one in answers] == [201 if one else 200 for one in makes]
    listed = [json.loads(answers[number].body) for number in (4, 9, 11)]
    assert [len(one) for found in listed for one in found.values() if isinstance(one, list)] == [
        0,  # it is the user hdfs's
        1,
        1,
    ]
