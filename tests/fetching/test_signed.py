"""Origins that speak S3 and are open to nobody: requests are signed, and say nothing that a visitor
could mean."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from drivers.cache import Cache
from drivers.http import Http
from gateway.common import sigv4
from gateway.storage import (
    BytesBody,
    Context,
    Forward,
    Get,
    NoSuchKey,
    OriginDenied,
    OriginFailed,
    Range,
    ReadOnly,
    Secret,
)
from gateway.testing import Server
from gateway.testing.upstreams import Upstream, answer
from tests.conformance.s3_upstream import moto_upstream
from tests.fetching.origin import Fetching, kept, read

REGION = "eu-central-1"
ODD = ("k", "a key/é+", "~*'()!&=;:@,$/#?%25", "x//y ", "ключ/日本 .txt")
SECRET: dict[str, Any] = {"access_key": "AKIA", "secret_key": Secret("s"), "region": REGION}


@pytest.fixture(scope="module")
def s3() -> Iterator[Server]:
    objects = {key: key.encode() for key in ODD}
    with Server(buckets={"bkt": objects}, region=REGION) as server:
        yield server


def derived(server: Server, day: str = "") -> dict[str, Any]:
    day = day or time.strftime("%Y%m%d", time.gmtime())
    key = sigv4.signing_key(server.secret_key, day, REGION)
    scope = sigv4.scope_of(day, REGION)
    return {"access_key": server.access_key, "key_scope": scope, "signing_key": key}


def test_objects_that_are_open_to_nobody_are_read(s3: Server, fetching: Fetching) -> None:
    by_secret = {
        "access_key": s3.access_key,
        "secret_key": Secret(s3.secret_key),
        "region": REGION,
    }
    given = derived(s3)
    key: bytes = given["signing_key"]
    for options in (
        by_secret,
        {**given, "signing_key": Secret(key.hex())},
        {**given, "signing_key": Secret(b64encode(key).decode())},
    ):
        store = fetching.http(f"{s3.endpoint_url}/bkt", **options)
        for one in ODD:
            assert read(store, one) == one.encode(), one
            assert store.stat(one).size == len(one.encode()), one
        assert read(store, "a key/é+", Get(range=Range(2, 4))) == b"key"
        with pytest.raises(NoSuchKey):
            store.get("absent")
        found = store.probe()
        assert found.can["read"], found


def test_another_key_another_region_and_another_day_are_refused(
    s3: Server, fetching: Fetching
) -> None:
    right: dict[str, Any] = {"access_key": s3.access_key, "secret_key": Secret(s3.secret_key)}
    old = derived(s3, "20200101")
    for options in (
        {**right, "region": "us-east-1"},
        {**right, "region": REGION, "secret_key": Secret("other")},
        {**right, "region": REGION, "access_key": "other"},
        {**old, "signing_key": Secret(old["signing_key"].hex())},
        {**old, "signing_key": Secret("skey1"), "key_scope": "example_scope"},
    ):
        with pytest.raises((OriginDenied, OriginFailed)) as caught:
            fetching.http(f"{s3.endpoint_url}/bkt", **options).get("k")
        said = caught.value.origin
        assert said is not None and said.status in (400, 403)
        assert said.page is None, "it names the key's id, and what was signed"


def test_moto_says_the_same_of_signatures(
    fetching: Fetching, capfd: pytest.CaptureFixture[str], processes: None
) -> None:
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("flask", reason="moto's server is not installed")
    boto3 = pytest.importorskip("boto3")
    said = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [said]})
    with moto_upstream() as url:
        session = boto3.session.Session("any", "key", region_name=REGION)
        iam, s3 = (session.client(name, endpoint_url=url) for name in ("iam", "s3"))
        iam.create_user(UserName="reader")
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        iam.put_user_policy(UserName="reader", PolicyName="p", PolicyDocument=policy)
        where = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket="bkt", CreateBucketConfiguration=where)
        for one in ODD[:2]:
            s3.put_object(Bucket="bkt", Key=one, Body=one.encode())
        strict = Request(f"{url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urlopen(strict).close()
        options = {"access_key": key["AccessKeyId"], "region": REGION}
        secret = Secret(key["SecretAccessKey"])
        store = fetching.http(f"{url}/bkt", **options, secret_key=secret)
        assert [read(store, one) for one in ODD[:2]] == [one.encode() for one in ODD[:2]]
        with pytest.raises(OriginDenied):
            fetching.http(f"{url}/bkt", **options, secret_key=Secret("other")).get("k")
    capfd.readouterr()  # its log


# whose rights they are


def test_nothing_that_a_visitor_says_is_asked_with_the_rights_of_the_key(
    origin: Upstream, fetching: Fetching
) -> None:
    kept(origin, k=b"data")
    store = fetching.http(origin.url, **SECRET, request_headers={"x-amz-request-payer": "me"})
    mean = {
        "Authorization": "Bearer x",
        "cookie": "c",
        "X-Amz-Security-Token": "t",
        "x-amz-date": "20200101T000000Z",
        "accept": "a",
    }
    want = Get(query="acl&response-content-type=text/html", headers=mean)
    assert read(store, "k", want) == b"data"
    assert store.stat("k", want).size == 4
    for seen in origin.requests:
        assert seen.target == "/k"
        assert seen.headers["accept"] == "a"
        signed = seen.headers["authorization"]
        assert "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-request-payer" in signed
        assert not {"cookie", "x-amz-security-token"} & seen.headers.keys()
        assert seen.headers["x-amz-date"] != "20200101T000000Z"
    assert store.parameters == frozenset()
    assert store.normal("k", want) == store.normal("k", Get())


def test_lists_and_writes_are_nobodys(origin: Upstream, fetching: Fetching) -> None:
    store = fetching.http(f"{origin.url}/bkt", **SECRET)
    for method in ("PUT", "DELETE", "POST"):
        with pytest.raises(ReadOnly):
            store.forward("k", BytesBody(b"x"), Forward(method=method, size=1))
    for read_it in (store.get, store.stat):
        with pytest.raises(NoSuchKey):
            read_it("")
    assert not origin.requests


def test_another_place_gets_no_signature_and_the_own_one_for_its_path(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    store = fetching.http(origin.url, **SECRET)
    back = f"{origin.url}/private"
    origin.will(
        answer(307, b"", {"Location": "/moved?x=1&a=%2B"}),
        answer(307, b"", {"Location": f"{other.url}/there"}),
    )
    other.will(answer(307, b"", {"Location": back}))
    kept(origin, private=b"data")
    assert read(store) == b"data"
    first, moved, last = origin.requests
    assert "authorization" in first.headers
    assert moved.target == "/moved?a=%2B&x=1"
    assert moved.headers["authorization"] != first.headers["authorization"]
    for seen in (*other.requests, last):
        assert not {"authorization", "x-amz-date", "x-amz-content-sha256"} & seen.headers.keys()


def test_several_are_asked_in_turn_each_by_its_name(
    origin: Upstream, other: Upstream, fetching: Fetching
) -> None:
    origin.always(answer(503))
    kept(other, k=b"data")
    assert read(fetching.http(origin.url, other.url, **SECRET)) == b"data"
    named = fetching.http(other.url, **SECRET, host_header="bkt.s3.test")
    assert read(named) == b"data"
    assert other.requests[-1].headers["host"] == "bkt.s3.test"
    said = [one.requests[-1].headers["authorization"] for one in (origin, other)]
    assert said[0] != said[1]


def test_a_cache_in_front_keeps_one_of_all_queries(origin: Upstream, fetching: Fetching) -> None:
    kept(origin, k=b"data")
    cache = Cache(source=fetching.http(origin.url, **SECRET))
    cache.open(Context())
    for query in ("", "v=1", "v=2&acl"):
        assert read(cache, "k", Get(query=query)) == b"data"
    cache.close()
    assert len(origin.requests) == 1


WRONG: dict[str, dict[str, Any]] = {
    "a secret without a key's id": {"secret_key": Secret("s"), "region": REGION},
    "a key's id alone": {"access_key": "a"},
    "no region": {"access_key": "a", "secret_key": Secret("s")},
    "both": {**SECRET, "signing_key": Secret("k"), "key_scope": "x"},
    "no scope": {"access_key": "a", "signing_key": Secret("k")},
    "a line break in the id": {**SECRET, "access_key": "a\r\nb: c"},
    "a comma in the scope": {
        "access_key": "a", "signing_key": Secret("k"), "key_scope": "a, Signature=x",
    },
    "a slash in the region": {**SECRET, "region": "eu/x"},
    "a password, too": {**SECRET, "username": "u", "password": Secret("p")},
    "an own date": {**SECRET, "request_headers": {"X-Amz-Date": "now"}},
    "an own authorization": {**SECRET, "request_headers": {"authorization": "x"}},
}  # fmt: skip


@pytest.mark.parametrize("options", WRONG.values(), ids=WRONG.keys())
def test_what_cannot_sign_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"access_key|region|key_scope|request_headers"):
        Http(url=("https://x",), **options)


def test_keys_are_not_shown() -> None:
    store = Http(url=("https://x",), **{**SECRET, "secret_key": Secret("hidden")})
    assert "hidden" not in repr(store) + repr(vars(store))
