"""The `s3` driver in front of upstreams that fail in all the ways that upstreams fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from drivers.s3 import S3
from gateway.storage import (
    Busy,
    BytesBody,
    Conditions,
    Context,
    IncompleteBody,
    NoSuchKey,
    OriginDenied,
    OriginFailed,
    Put,
    Secret,
    Shared,
    TimedOut,
    TooLarge,
    Unavailable,
    Unsupported,
    pieces,
)
from gateway.storage.checksums import compute
from gateway.testing import upstreams
from gateway.testing.certificates import certificate
from gateway.testing.faults import Generated, lying, noise
from gateway.testing.upstreams import Upstream, answer, cut, md5, moved, raw, refuse

Make = Callable[..., S3]
LARGE = noise(700_000)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def make() -> Iterator[Make]:
    opened: list[S3] = []
    shared = Shared()

    def make(url: str, **options: Any) -> S3:
        given = {"access_key": Secret("key"), "secret_key": Secret("secret"), **options}
        store = S3(bucket="bkt", endpoint_url=url, **given)
        store.open(Context(shared=shared))
        store.client._pause = lambda _: None
        opened.append(store)
        return store

    yield make
    for store in opened:
        store.close()


def read(store: S3, key: str = "k") -> bytes:
    with store.get(key) as opened:
        return b"".join(pieces(opened.body))


def put(store: S3, data: bytes, key: str = "k", **options: Any) -> None:
    store.put(key, BytesBody(data), Put(size=len(data), **options))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until_closed(store: S3) -> None:
    """Wait until what the upstream has closed is seen here."""
    for idle in store.client.pool._idle.values():
        for connection in idle:
            while not connection.stale():
                threading.Event().wait(0.01)


# refusing, hanging, breaking


def test_an_upstream_that_is_not_there_is_OriginFailed(make: Make) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    with pytest.raises(OriginFailed, match=url):
        read(make(url))


def test_a_name_that_does_not_resolve_is_named(make: Make) -> None:
    with pytest.raises(OriginFailed, match=r"no-such-host\.invalid.*does not resolve"):
        read(make("http://no-such-host.invalid", retries=0))


def test_an_upstream_that_hangs_is_TimedOut(upstream: Upstream, make: Make) -> None:
    upstream.always(upstreams.hang)
    with pytest.raises(TimedOut):
        read(make(upstream.url, read_timeout=0.1, retries=0))


def test_all_tries_together_end_in_time(upstream: Upstream, make: Make) -> None:
    upstream.always(upstreams.hang)
    with pytest.raises(TimedOut):
        read(make(upstream.url, read_timeout=60, timeout=0.3, retries=5))
    assert len(upstream.requests) <= 2


@pytest.mark.parametrize("broken", [upstreams.reset, upstreams.close])
def test_a_read_that_breaks_is_tried_again(
    upstream: Upstream, make: Make, broken: upstreams.Act
) -> None:
    store = make(upstream.url)
    put(store, b"data")
    upstream.will(broken, broken)
    assert read(store) == b"data"
    upstream.will(broken, broken, broken, broken)  # that of an idle connection is no try
    with pytest.raises(OriginFailed):
        read(store)


def test_503_twice_and_then_200(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url)
    for code in ("SlowDown", "ServiceUnavailable"):
        upstream.will(refuse(503, code), refuse(503, code))
        put(store, b"data")
        upstream.will(refuse(503, code), refuse(503, code))
        assert read(store) == b"data"


def test_what_is_not_done_is_told_with_when_to_come_again(upstream: Upstream, make: Make) -> None:
    upstream.always(refuse(503, "SlowDown", {"Retry-After": 7}))
    with pytest.raises(Busy) as busy:
        read(make(upstream.url))
    assert busy.value.retry_after == 7
    upstream.always(refuse(503, "ServiceUnavailable", {"Retry-After": 9}))
    with pytest.raises(OriginFailed) as failed:
        read(make(upstream.url))
    assert (failed.value.retry_after, failed.value.status) == (9, 503)


def test_a_conditional_write_is_not_repeated_when_it_may_have_been_done(
    upstream: Upstream, make: Make
) -> None:
    once = Conditions(if_none_match=("*",))
    for act in (upstreams.close, refuse(500, "InternalError")):
        upstream.will(act)
        with pytest.raises(OriginFailed):
            put(make(upstream.url), b"data", conditions=once)
    assert len(upstream.requests) == 2
    upstream.will(refuse(503, "SlowDown"))  # this one was not done
    put(make(upstream.url), b"data", conditions=once)
    assert len(upstream.requests) == 4


def test_a_body_that_streams_is_not_sent_twice_unless_it_was_not_begun(
    upstream: Upstream, make: Make
) -> None:
    store = make(upstream.url)
    upstream.will(refuse(500, "InternalError"))
    with pytest.raises(OriginFailed):
        put(store, LARGE)
    assert len(upstream.requests) == 1


def test_an_idle_connection_that_was_closed_costs_nothing(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url, retries=0)

    def say_and_close(exchange: upstreams.Exchange) -> None:
        upstream._keep(exchange)
        exchange.close()

    upstream.always(say_and_close)
    for _ in range(3):
        put(store, b"data", conditions=Conditions(if_none_match=("*",)))
        until_closed(store)
        put(store, LARGE)
        until_closed(store)
        assert read(store) == LARGE
        until_closed(store)
    assert upstream.connections == 9


# answers that are not whole, or not true


def test_a_small_answer_that_is_cut_is_asked_for_again(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url)
    upstream.will(cut(b"0123456789", 5), answer(200, b"0123456789", {"ETag": '"e"'}))
    assert read(store) == b"0123456789"
    upstream.always(cut(b"0123456789", 9))
    with pytest.raises(OriginFailed, match="9 of 10 bytes"):
        read(store)


@pytest.mark.parametrize("at", [0, 1, 300_000, 699_999])
def test_a_large_answer_that_is_cut_never_ends_well(
    upstream: Upstream, make: Make, at: int
) -> None:
    upstream.always(cut(LARGE, at))
    with make(upstream.url).get("k") as opened:
        assert opened.length == len(LARGE)
        received = bytearray()
        with pytest.raises(OriginFailed, match="cut"):
            for piece in pieces(opened.body):
                received += piece
    assert bytes(received) == LARGE[:at]


def test_an_answer_that_stalls_is_TimedOut(upstream: Upstream, make: Make) -> None:
    upstream.always(upstreams.stall(LARGE, 100_000))
    with make(upstream.url, read_timeout=0.2).get("k") as opened, pytest.raises(TimedOut):
        list(pieces(opened.body))


OK = b"HTTP/1.1 200 OK\r\n"
MALFORMED = {
    "no http": b"220 smtp.example.com\r\n\r\n",
    "length no number": OK + b'ETag: "e"\r\nContent-Length: 4x\r\n\r\ndata',
    "negative length": OK + b"Content-Length: -4\r\n\r\ndata",
    "two lengths": OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\ndata",
    "length and chunks": OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\ndata",
    "folded line": OK + b"X: a\r\n b\r\nContent-Length: 4\r\n\r\ndata",
    "blank in a name": OK + b"Content-Length : 4\r\n\r\ndata",
    "bare newline": OK + b"X: a\nContent-Length: 4\r\n\r\ndata",
    "nul": OK + b"X: a\0b\r\nContent-Length: 4\r\n\r\ndata",
    "no length": OK + b'ETag: "e"\r\n\r\ndata',
    "endless head": OK + b"X: " + b"a" * 200_000,
    "cut head": OK + b"Content-Len",
    "range not asked": b"HTTP/1.1 206 Some\r\nContent-Length: 4\r\n\r\ndata",
    "range that does not fit": (
        b"HTTP/1.1 206 Some\r\nContent-Length: 4\r\nContent-Range: bytes 0-9/10\r\n\r\ndata"
    ),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_an_answer_that_is_ambiguous_or_malformed_is_not_used(
    upstream: Upstream, make: Make, data: bytes
) -> None:
    upstream.always(raw(data))
    with pytest.raises(OriginFailed):
        read(make(upstream.url, retries=0))


def test_more_bytes_than_announced_are_nobodys_answer(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url)
    evil = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "x"\r\n\r\nevil'
    for size in (4, 100_000):
        body = noise(size)
        first = upstreams.head(200, {"Content-Length": size, "ETag": '"e"'}) + body + evil
        upstream.will(lambda exchange, data=first: exchange.send(data))  # type: ignore[misc]  # a default
        assert read(store) == body
        upstream.will(answer(200, b"good", {"ETag": '"e"'}))
        assert read(store) == b"good"


def test_chunks_are_read_to_their_proof(upstream: Upstream, make: Make) -> None:
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    page = b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
    store = make(upstream.url, retries=0)
    whole = b"".join(b"%x;x=y\r\n%c\r\n" % (1, byte) for byte in page) + b"0\r\nT: t\r\n\r\n"
    upstream.will(raw(chunked + whole))
    assert store.list().entries == ()
    for broken in (whole[:-2], whole[:50], b"zz\r\n" + whole, b"1\r\nab\r\n0\r\n\r\n"):
        upstream.will(raw(chunked + broken))
        with pytest.raises(OriginFailed):
            store.list()


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b"<ListBucketResult><Name>&b;</Name></ListBucketResult>"
)


@pytest.mark.parametrize("page", [b"", b"<", b"<html></html>", BOMB, b"\xff\xfe<x/>"])
def test_a_document_that_is_none_is_OriginFailed(
    upstream: Upstream, make: Make, page: bytes
) -> None:
    upstream.always(answer(200, page))
    with pytest.raises(OriginFailed):
        make(upstream.url).list()


@pytest.mark.parametrize("etag", ['"' + "0" * 32 + '"', ""])
@pytest.mark.parametrize("data", [b"data", LARGE])
def test_a_put_whose_ETag_is_another_bodys_is_not_acknowledged(
    upstream: Upstream, make: Make, etag: str, data: bytes
) -> None:
    upstream.always(answer(200, b"", {"ETag": etag} if etag else {}))
    with pytest.raises(OriginFailed):
        put(make(upstream.url), data)


@pytest.mark.parametrize("etag", [md5(b"data"), "a-ceph-like-etag", "0" * 32 + "-3"])
def test_an_ETag_that_is_no_MD5_is_passed_on(upstream: Upstream, make: Make, etag: str) -> None:
    upstream.always(answer(200, b"", {"ETag": f'"{etag}"'}))
    assert make(upstream.url).put("k", BytesBody(b"data"), Put(size=4)).etag == etag


# what is sent


@pytest.mark.parametrize("announced", [len(LARGE) + 1, len(LARGE) - 1])
def test_a_body_that_does_not_fit_never_arrives_whole(
    upstream: Upstream, make: Make, announced: int
) -> None:
    store = make(upstream.url)
    put(store, b"old")
    for digests in ({}, {"SHA256": compute("SHA256", LARGE)}):
        source, _ = lying(LARGE, announced)
        with pytest.raises((IncompleteBody, TooLarge)):
            store.put("k", source, Put(size=announced, digests=digests))
    assert read(store) == b"old"


def test_without_a_known_hash_and_without_TLS_chunks_are_signed(
    upstream: Upstream, make: Make
) -> None:
    upstream.always(answer(200, b"", {"ETag": '"not-an-md5"'}))
    store = make(upstream.url)
    store.put("k", Generated(600_000), Put(size=600_000))
    digest = compute("SHA256", LARGE)
    put(store, LARGE, digests={"SHA256": digest})
    store.put("k", Generated(600_000), Put(size=600_000, checksums={"CRC32": ""}))
    signed, hashed, trailing = upstream.requests
    assert signed.headers["x-amz-content-sha256"] == "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    assert signed.body.count(b";chunk-signature=") == 4
    assert hashed.body == LARGE
    assert len(hashed.headers["x-amz-content-sha256"]) == 64
    assert trailing.headers["x-amz-content-sha256"].endswith("-TRAILER")
    assert b"x-amz-checksum-crc32:" in trailing.body[-200:]


def test_nothing_from_a_caller_becomes_a_header_of_its_own(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url)
    for options in (
        Put(size=1, metadata={"a": "x\r\nx-amz-acl: public-read"}),
        Put(size=1, metadata={"a\r\nb": "x"}),
        Put(size=1, content_type="a\nb"),
        Put(size=1, headers=(("Cache-Control", "a\0b"),)),
    ):
        with pytest.raises(Unsupported):
            store.put("k", BytesBody(b"x"), options)
    put(store, b"x", key="k\r\nx: y")
    (request,) = upstream.requests
    assert request.target == "/bkt/k%0D%0Ax%3A%20y"
    assert "x" not in request.headers


# who is asked, and where


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"])
def test_that_the_upstream_refuses_the_gateway_is_no_403_of_ours(
    upstream: Upstream, make: Make, code: str
) -> None:
    upstream.always(refuse(403, code))
    store = make(upstream.url)
    for ask in (read, lambda s: s.stat("k"), lambda s: put(s, b""), lambda s: s.list()):
        with pytest.raises(OriginDenied) as denied:
            ask(store)
        assert denied.value.status == 403


def test_a_bucket_in_another_region_is_followed_once_and_remembered(
    upstream: Upstream, make: Make
) -> None:
    store = make(upstream.url, region="us-east-1")
    upstream.will(moved("eu-west-7"))
    put(store, b"data")
    assert read(store) == b"data"
    regions = [one.headers["authorization"].split("/")[2] for one in upstream.requests]
    assert regions == ["us-east-1", "eu-west-7", "eu-west-7"]
    upstream.always(moved("eu-west-8"))
    with pytest.raises(OriginFailed):
        read(store)
    assert len(upstream.requests) == 5, "one more for the region, and no circle"


def test_a_wrong_region_that_is_told_in_the_document_is_followed(
    upstream: Upstream, make: Make
) -> None:
    told = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-7</Region></Error>"
    upstream.will(answer(400, told))
    put(make(upstream.url), b"data")
    assert "/eu-west-7/" in upstream.requests[-1].headers["authorization"]


def test_keys_that_were_exchanged_are_found_again(
    upstream: Upstream, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"

    def write(key: str) -> None:
        file.write_text(f"[default]\naws_access_key_id = {key}\naws_secret_access_key = of {key}\n")

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    write("first")
    store = make(upstream.url, access_key=None, secret_key=None)
    put(store, b"data")
    write("second")
    upstream.will(refuse(403, "InvalidAccessKeyId"))
    assert read(store) == b"data"
    upstream.will(refuse(403, "InvalidAccessKeyId"))
    with pytest.raises(OriginDenied):  # the keys are still the same
        read(store)
    used = [one.headers["authorization"].split("Credential=")[1] for one in upstream.requests]
    assert [one.partition("/")[0] for one in used] == ["first", "first", "second", "second"]


def test_a_key_that_is_missing_stays_missing(upstream: Upstream, make: Make) -> None:
    with pytest.raises(NoSuchKey):
        read(make(upstream.url))
    assert len(upstream.requests) == 1


# certificates


def test_a_certificate_that_is_trusted_and_fits(make: Make, tmp_path: Path) -> None:
    pair = certificate(tmp_path)
    with Upstream(tls=pair) as upstream:
        store = make(upstream.url, ca_file=pair[0])
        put(store, b"data")
        put(store, LARGE, key="large")
        assert (read(store), read(store, "large")) == (b"data", LARGE)
        assert upstream.connections == 1
        assert upstream.requests[1].headers["x-amz-content-sha256"] == "UNSIGNED-PAYLOAD"


@pytest.mark.parametrize("fault", ["unknown", "another name", "expired"])
def test_a_certificate_that_does_not_fit_is_refused(make: Make, tmp_path: Path, fault: str) -> None:
    name = "other.example" if fault == "another name" else "localhost"
    pair = certificate(tmp_path, name, days=-1 if fault == "expired" else 2)
    trusted = certificate(tmp_path, "somebody")[0] if fault == "unknown" else pair[0]
    with Upstream(tls=pair) as upstream:
        with pytest.raises(OriginFailed, match=r"certificate of .* is not to be trusted"):
            read(make(upstream.url, ca_file=trusted, retries=0))
        assert not upstream.requests


# nobody else waits


def test_a_slow_upstream_holds_as_many_as_may_wait_and_no_more(
    upstream: Upstream, make: Make
) -> None:
    upstream.always(upstreams.hang)
    store = make(upstream.url, waiting=2, queue_timeout=0.1, read_timeout=30, retries=0)
    outcomes: list[BaseException] = []

    def ask(_: int) -> None:
        try:
            read(store)
        except Unavailable as error:
            outcomes.append(error)

    with ThreadPoolExecutor(8) as pool, Upstream() as other:
        asked = [pool.submit(ask, number) for number in range(8)]
        fine = make(other.url)
        put(fine, b"data")
        assert read(fine) == b"data"
        for _ in range(200):
            if len(outcomes) == 6:
                break
            threading.Event().wait(0.05)
        assert [type(one) for one in outcomes] == [Busy] * 6
        assert len(upstream.requests) == 2
        upstream.ended.set()  # those that hang are let go
        for one in asked:
            one.result()


def test_an_upstream_that_is_down_is_asked_by_one_at_a_time(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url, read_timeout=0.05, retries=0)
    upstream.always(upstreams.hang)
    for _ in range(3):
        with pytest.raises(TimedOut):
            read(store)
    seen, go = threading.Event(), threading.Event()

    def wait_for_it(exchange: upstreams.Exchange) -> None:
        seen.set()
        go.wait(30)
        answer(200, b"back", {"ETag": '"e"'})(exchange)

    upstream.always(wait_for_it)
    store.client.pool.limits = type(store.client.pool.limits)(read_timeout=30, retries=0)
    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(read, store)
        assert seen.wait(30)
        for _ in range(3):
            with pytest.raises(OriginFailed, match="does not answer"):
                read(store)
        go.set()
        assert probing.result() == b"back"
    upstream.always(answer(200, b"back", {"ETag": '"e"'}))
    assert [read(store) for _ in range(3)] == [b"back"] * 3


def test_connections_are_shared_and_bounded(upstream: Upstream, make: Make) -> None:
    store, same = make(upstream.url, connections=2), make(upstream.url, connections=2)
    assert store.client is same.client
    put(store, b"data")
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: read(same), range(100))) == [b"data"] * 100
    assert upstream.connections <= 2


def test_no_secret_is_shown(
    make: Make, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    upstream.always(refuse(403, "SignatureDoesNotMatch"))
    store = make(upstream.url, secret_key=Secret("very-secret"), session_token=Secret("a-token"))
    with pytest.raises(OriginDenied) as denied:
        read(store)
    shown = f"{store!r} {store.client.keys!r} {denied.value} {caplog.text}"
    assert "very-secret" not in shown
    assert "a-token" not in shown
    assert upstream.requests[0].headers["x-amz-security-token"] == "a-token"


def test_an_incomplete_body_leaves_the_connection_to_nobody(upstream: Upstream, make: Make) -> None:
    store = make(upstream.url)
    for _ in range(3):
        source, options = lying(LARGE, len(LARGE) + 1)
        with pytest.raises(IncompleteBody):
            store.put("k", source, options)
        put(store, b"fine")
        assert read(store) == b"fine"
