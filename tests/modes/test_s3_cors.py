"""Pages of other origins: which may ask, what they are told, and what a bucket says of it."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.modes import Options
from gateway.modes.s3 import cross_origin
from gateway.modes.s3.configuration import cors
from gateway.modes.s3.replies import Reply
from tests.modes.s3_gateway import Answer, Served, serving
from tests.modes.test_s3_objects import refused

RULES: list[dict[str, Any]] = [
    {
        "ID": "first",
        "AllowedOrigins": ["https://*.example.com", "http://one.example"],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["Content-Type", "x-amz-*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 100,
    },
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]
VARY = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"
FIRST = {
    "access-control-allow-methods": "GET, PUT",
    "access-control-expose-headers": "ETag, x-amz-version-id",
    "access-control-max-age": "100",
    "access-control-allow-credentials": "true",
    "vary": VARY,
}


def ruled(s3: Served, bucket: str, rules: list[dict[str, Any]] = RULES) -> None:
    s3.client().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})


def ask(
    s3: Served, target: str, origin: str, method: str = "", headers: str = "", host: str = ""
) -> Answer:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": headers,
    }
    given = {name: text for name, text in asked.items() if text}
    return s3.raw("OPTIONS", target, key="", headers=given, host=host)


def said(answer: Answer) -> dict[str, str]:
    return {n: t for n, t in answer.headers.items() if n.startswith("access-") or n == "vary"}


def test_rules_come_back_and_go(s3: Served, bucket: str) -> None:
    client = s3.client()
    assert refused(client.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")
    ruled(s3, bucket)
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == RULES
    other = s3.client("other-key")
    assert refused(other.get_bucket_cors, Bucket=bucket)[1] == "AccessDenied"
    assert refused(other.delete_bucket_cors, Bucket=bucket)[1] == "AccessDenied"
    client.delete_bucket_cors(Bucket=bucket)
    assert refused(client.get_bucket_cors, Bucket=bucket) == (404, "NoSuchCORSConfiguration")


@pytest.mark.parametrize(
    ("inside", "code", "message"),
    [
        ("", "MalformedXML", ""),
        ("<Rule/>", "MalformedXML", ""),
        ("<AllowedMethod>GET</AllowedMethod>", "MalformedXML", ""),
        ("<AllowedOrigin>*</AllowedOrigin>", "MalformedXML", ""),
        ("{}<Foo/>", "MalformedXML", ""),
        ("{}<MaxAgeSeconds>soon</MaxAgeSeconds>", "MalformedXML", ""),
        ("{}<AllowedMethod>get</AllowedMethod>", "InvalidRequest", "Unsupported method is get"),
        ("{}<AllowedMethod/>", "InvalidRequest", "Unsupported method is"),
        ("{}<AllowedOrigin>*a*</AllowedOrigin>", "InvalidRequest", "more than one wildcard"),
        ("{}<AllowedHeader>*a*</AllowedHeader>", "InvalidRequest", "more than one wildcard"),
        ("{}<AllowedHeader>a b</AllowedHeader>", "InvalidRequest", "invalid character"),
        ("{}<ExposeHeader>a:b</ExposeHeader>", "InvalidRequest", "invalid character"),
        ("{}<ExposeHeader>*</ExposeHeader>", "InvalidRequest", "do not support wildcard"),
        (f"{{}}<ID>{'x' * 256}</ID>", "InvalidArgument", "too long"),
    ],
)
def test_rules_that_are_none(s3: Served, bucket: str, inside: str, code: str, message: str) -> None:
    least = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
    rule = inside and f"<CORSRule>{inside.format(least)}</CORSRule>"
    body = f"<CORSConfiguration>{rule}</CORSConfiguration>".encode()
    answer = s3.raw("PUT", f"/{bucket}?cors", body=body)
    assert answer.code() == code
    assert message in answer.body.decode()
    many = f"<CORSRule>{least}</CORSRule>" * 101
    body = f"<CORSConfiguration>{many}</CORSConfiguration>".encode()
    assert s3.raw("PUT", f"/{bucket}?cors", body=body).code() == "InvalidRequest"


def test_a_preflight_needs_no_signature_and_reads_no_data(s3: Served, bucket: str) -> None:
    ruled(s3, bucket)
    answer = ask(
        s3, f"/{bucket}/no-such", "https://a.example.com", "PUT", "X-Amz-Date, content-type"
    )
    assert (answer.status, answer.body) == (200, b"")
    assert said(answer) == {
        "access-control-allow-origin": "https://a.example.com",
        "access-control-allow-headers": "x-amz-date, content-type",
        **FIRST,
    }
    anybody = ask(s3, f"/{bucket}?X-Amz-Signature=x", "null", "HEAD")
    assert said(anybody) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "HEAD",
        "vary": VARY,
    }


@pytest.mark.parametrize(
    ("origin", "method", "headers", "status", "code"),
    [
        ("", "GET", "", 400, "BadRequest"),
        ("http://one.example", "", "", 400, "BadRequest"),
        ("http://one.example", "get", "", 400, "BadRequest"),
        ("http://one.example", "PATCH", "", 400, "BadRequest"),
        ("http://one.example", "GET", "a b", 400, "BadRequest"),
        ("http://one.example", "GET", "a,ü", 400, "BadRequest"),
        ("http://one.example", "POST", "", 403, "AccessForbidden"),
        ("http://one.example", "GET", "x-other", 403, "AccessForbidden"),
        ("http://one.example", "GET", "content-type, x-other", 403, "AccessForbidden"),
        ("http://ONE.example", "GET", "", 403, "AccessForbidden"),
        ("https://example.com", "GET", "", 403, "AccessForbidden"),
        ("http://anybody.example", "HEAD", "content-type", 403, "AccessForbidden"),
    ],
)
def test_preflights_that_are_refused(
    s3: Served, bucket: str, origin: str, method: str, headers: str, status: int, code: str
) -> None:
    ruled(s3, bucket)
    answer = ask(s3, f"/{bucket}/k", origin, method, headers)
    assert (answer.status, answer.code()) == (status, code)
    assert said(answer) == {}


def test_preflights_of_buckets_without_rules(s3: Served, bucket: str) -> None:
    answer = ask(s3, f"/{bucket}/k", "http://one.example", "GET")
    assert (answer.status, answer.code()) == (403, "AccessForbidden")
    for text in (b"CORS is not enabled", b"<Method>GET<", b"<ResourceType>BUCKET<"):
        assert text in answer.body
    assert b"<Method>OPTIONS<" in ask(s3, f"/{bucket}/k", "http://one.example").body
    answer = ask(s3, "/no-such-bucket/k", "http://one.example", "GET")
    assert (answer.status, b"Bucket not found" in answer.body) == (403, True)
    assert ask(s3, "/", "http://one.example", "GET").status == 403


def test_answers_and_errors_say_it_too(s3: Served, bucket: str) -> None:
    ruled(s3, bucket)
    s3.client().put_object(Bucket=bucket, Key="k", Body=b"x")
    told = {"access-control-allow-origin": "http://one.example", **FIRST}
    origin = {"Origin": "http://one.example"}
    for key, status, target in (
        ("main-key", 200, f"/{bucket}/k"),
        ("main-key", 404, f"/{bucket}/none"),
        ("", 403, f"/{bucket}/k"),
        ("main-key", 501, f"/{bucket}/k?torrent"),
    ):
        answer = s3.raw("GET", target, key=key, headers=origin)
        assert (answer.status, said(answer)) == (status, told)
        assert said(s3.raw("GET", target, key=key)) == {}
        other = {"Origin": "http://other.example"}
        assert said(s3.raw("GET", target, key=key, headers=other)) == {}


def test_a_page_may_say_what_it_asks_for(s3: Served, bucket: str) -> None:
    ruled(s3, bucket)

    def put(**more: str) -> Answer:
        headers = {"Origin": "http://one.example"}
        headers |= {f"Access-Control-Request-{name}": text for name, text in more.items()}
        return s3.raw("PUT", f"/{bucket}/k", body=b"x", headers=headers)

    assert said(put(Method="GET", Headers="x-amz-date"))["access-control-max-age"] == "100"
    assert said(put(Method="POST")) == {}
    assert said(put(Headers="x-other")) == {}
    assert put(Method="what").code() == "BadRequest"
    assert put(Headers="a b").code() == "BadRequest"


def test_an_answer_that_varies_already_goes_on_to() -> None:
    reply = Reply(200, [("vary", "Accept")])
    cross_origin.add(reply, {"gateway.s3.cross-origin": [("vary", VARY)]})
    assert dict(reply.headers)["vary"] == f"Accept, {VARY}"


@pytest.mark.usefixtures("sockets")
def test_a_preflight_to_a_bucket_by_its_host_name() -> None:
    with serving(Options(domains=("s3.example.com",))) as s3:
        s3.raw("PUT", "/bucket")
        ruled(s3, "bucket")
        answer = ask(s3, "/k", "http://one.example", "GET", host="bucket.s3.example.com")
        assert answer.headers["access-control-allow-origin"] == "http://one.example"


@pytest.mark.parametrize(
    ("pattern", "origin", "found"),
    [
        ("*", "anything", "*"),
        ("http://*", "http://a", "http://a"),
        ("*suffix", "suffix", "suffix"),
        ("start*end", "startend", "startend"),
        ("start*rtend", "startend", None),  # what the star stands for overlaps with nothing
        ("start*end", "0start12end", None),
        ("plain", "plain", "plain"),
        ("plain", "plainer", None),
    ],
)
def test_origins(pattern: str, origin: str, found: str | None) -> None:
    assert cors.CorsRule(origins=(pattern,), methods=("GET",)).origin(origin) == found


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (("http://a", "*"), "http://a"),
        (("*", "http://a"), "*"),
        (("http://?", "*"), "*"),
        (("http://b", "http:*a"), "http://a"),
        (("http://b", "\\http://a"), None),
    ],
)
def test_the_first_origin_that_fits_counts(patterns: tuple[str, ...], found: str | None) -> None:
    assert cors.CorsRule(origins=patterns, methods=("GET",)).origin("http://a") == found


class Compared(str):
    """How often it was looked at."""

    __slots__ = ()
    times = 0

    def startswith(self, *rest: Any) -> bool:
        Compared.times += 1
        return super().startswith(*rest)

    def endswith(self, *rest: Any) -> bool:
        Compared.times += 1
        return super().endswith(*rest)


def test_of_a_rule_with_many_headers_few_are_compared() -> None:
    """Anybody may ask, and for a thousand headers at once."""
    rule = cors.CorsRule(
        origins=("*",), methods=("GET",), headers=(*(f"X-{one}-*" for one in range(2000)), "*-b")
    )
    assert rule.lets("GET", [Compared("x-1999-a"), Compared("x-a-b")])
    assert not rule.lets("GET", [Compared("x-2000-a")])
    assert Compared.times < 100


def test_a_document_has_a_largest_size(s3: Served, bucket: str) -> None:
    least = b"<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
    rule = b"<CORSConfiguration><CORSRule>%s</CORSRule></CORSConfiguration>" % least
    assert s3.raw("PUT", f"/{bucket}?cors", body=rule.ljust(64 << 10)).status == 200
    answer = s3.raw("PUT", f"/{bucket}?cors", body=rule.ljust((64 << 10) + 1))
    assert answer.code() == "MaxMessageLengthExceeded"
