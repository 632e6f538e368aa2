"""Buckets as websites: what they say of themselves, what browsers get, and where they are sent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.config import Binding
from gateway.config.texts import HostPattern
from gateway.modes import WSGIApp
from gateway.modes.s3 import WebsiteMode
from gateway.modes.s3.website import bucket_of
from tests.modes.s3_gateway import Answer, Served, serving, wrapped
from tests.modes.test_s3_objects import refused

SITE: dict[str, Any] = {
    "IndexDocument": {"Suffix": "index.html"},
    "ErrorDocument": {"Key": "error.html"},
    "RoutingRules": [
        {
            "Condition": {"KeyPrefixEquals": "old/"},
            "Redirect": {"ReplaceKeyPrefixWith": "new/", "HttpRedirectCode": "302"},
        },
        {
            "Condition": {"KeyPrefixEquals": "gone/", "HttpErrorCodeReturnedEquals": "404"},
            "Redirect": {
                "HostName": "archive.example",
                "Protocol": "https",
                "ReplaceKeyWith": "a b",
                "HttpRedirectCode": "307",
            },
        },
    ],
}
PAGES = {
    "index.html": b"home",
    "docs/index.html": b"docs",
    "a page.html": b"page",
    "error.html": b"sorry",
    "moved": b"",
    "big": b"0" * 300_000,
}


class Site:
    """The site of one bucket, asked as a browser asks."""

    def __init__(self, app: WSGIApp, bucket: str) -> None:
        self.app, self.bucket = app, bucket

    def ask(self, path: str, method: str = "GET", query: str = "", **more: str) -> Answer:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "HTTP_HOST": f"{self.bucket}.web.example:8080",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
            "gateway.admission": lambda **_: None,
            "gateway.binding": Binding(host=HostPattern("*.web.example"), mode="website"),
            **more,
        }
        answer = Answer(0, {})

        def start(line: str, headers: list[tuple[str, str]]) -> None:
            answer.status, answer.headers = int(line[:3]), dict(headers)

        answer.body = b"".join(self.app(environ, start))
        return answer

    def goes_to(self, path: str, query: str = "", **more: str) -> tuple[int, str]:
        answer = self.ask(path, query=query, **more)
        assert answer.body == b""
        return answer.status, answer.headers["location"]


@pytest.fixture(scope="module")
def site(s3: Served) -> Iterator[Site]:
    """All may read what is in it, and list it."""
    client, bucket = s3.client(), "a-site"
    client.create_bucket(Bucket=bucket, ACL="public-read")
    client.put_bucket_website(Bucket=bucket, WebsiteConfiguration=SITE)
    for key, body in PAGES.items():
        more = {"WebsiteRedirectLocation": "/to/there"} if key == "moved" else {}
        client.put_object(
            Bucket=bucket, Key=key, Body=body, ContentType="text/html", ACL="public-read", **more
        )
    client.put_object(Bucket=bucket, Key="private", Body=b"secret")
    yield Site(wrapped(WebsiteMode().app(s3.gateway)), bucket)


# what it says of itself


def test_a_configuration_comes_back_and_goes(s3: Served, bucket: str) -> None:
    client = s3.client()
    missing = (404, "NoSuchWebsiteConfiguration")
    assert refused(client.get_bucket_website, Bucket=bucket) == missing
    all_to = {"RedirectAllRequestsTo": {"HostName": "example.com", "Protocol": "https"}}
    for wanted in (SITE, {"IndexDocument": {"Suffix": "i"}}, all_to):
        client.put_bucket_website(Bucket=bucket, WebsiteConfiguration=wanted)
        found = client.get_bucket_website(Bucket=bucket)
        del found["ResponseMetadata"]
        assert found == wanted
    other = s3.client("other-key")
    assert refused(other.delete_bucket_website, Bucket=bucket)[1] == "AccessDenied"
    client.delete_bucket_website(Bucket=bucket)
    assert refused(client.get_bucket_website, Bucket=bucket) == missing


INDEX = "<IndexDocument><Suffix>i</Suffix></IndexDocument>"


def ruled(inside: str) -> str:
    return f"{INDEX}<RoutingRules><RoutingRule>{inside}</RoutingRule></RoutingRules>"


TO = "<Redirect><HostName>h</HostName></Redirect>"


@pytest.mark.parametrize(
    ("inside", "code", "said"),
    [
        ("", "InvalidArgument", "Suffix must be provided"),
        ("<IndexDocument/>", "InvalidArgument", "IndexDocument"),
        (INDEX.replace(">i<", ">/i<"), "InvalidArgument", "<ArgumentValue>/i<"),
        (f"{INDEX}<ErrorDocument><Key/></ErrorDocument>", "InvalidArgument", "ErrorDocument"),
        (f"{INDEX}<More/>", "MalformedXML", ""),
        (f"{INDEX}<RoutingRules/>", "MalformedXML", ""),
        ("<RedirectAllRequestsTo/>", "MalformedXML", ""),
        (
            f"<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>{INDEX}",
            "MalformedXML",
            "",
        ),
        (ruled(""), "MalformedXML", ""),
        (ruled("<Redirect/>"), "MalformedXML", ""),
        (ruled(f"<Condition/>{TO}"), "MalformedXML", ""),
        (ruled(f"<Condition><Key/></Condition>{TO}"), "MalformedXML", ""),
        (ruled("<Redirect><Host/></Redirect>"), "MalformedXML", ""),
        (ruled("<Redirect><Protocol>ftp</Protocol></Redirect>"), "InvalidRequest", "protocol"),
        (
            ruled("<Redirect><ReplaceKeyWith>a</ReplaceKeyWith><ReplaceKeyPrefixWith/></Redirect>"),
            "InvalidRequest",
            "not both",
        ),
        *(
            (ruled(f"<Redirect><HttpRedirectCode>{text}</HttpRedirectCode></Redirect>"), code, "")
            for text, code in [
                ("300", "InvalidRequest"),
                ("306", "InvalidRequest"),
                ("3xx", "MalformedXML"),
            ]
        ),
        *(
            (
                ruled(
                    f"<Condition><HttpErrorCodeReturnedEquals>{text}</HttpErrorCodeReturnedEquals>"
                    f"</Condition>{TO}"
                ),
                code,
                "",
            )
            for text, code in [
                ("200", "InvalidRequest"),
                ("418", "InvalidRequest"),
                ("x", "MalformedXML"),
            ]
        ),
        (
            f"{INDEX}<RoutingRules>{f'<RoutingRule>{TO}</RoutingRule>' * 51}</RoutingRules>",
            "InvalidRequest",
            "51 routing rules",
        ),
        (f"{INDEX}<!--{'x' * (128 << 10)}-->", "MaxMessageLengthExceeded", "131072"),
    ],
)
def test_configurations_that_are_none(
    s3: Served, bucket: str, inside: str, code: str, said: str
) -> None:
    body = f"<WebsiteConfiguration>{inside}</WebsiteConfiguration>".encode()
    answer = s3.raw("PUT", f"/{bucket}?website", body=body)
    assert answer.code() == code
    assert said in answer.body.decode()


# what browsers get


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/", 200, b"home"),
        ("", 200, b"home"),
        ("/docs/", 200, b"docs"),
        ("/a page.html", 200, b"page"),
        ("/big", 200, PAGES["big"]),
        ("/none", 404, b"sorry"),
        ("/docs/none/", 404, b"sorry"),
        ("//", 404, b"sorry"),
        ("/private", 403, b"sorry"),
    ],
)
def test_pages(site: Site, path: str, status: int, body: bytes) -> None:
    answer = site.ask(path, query="versionId=x&acl")
    assert (answer.status, answer.body) == (status, body)
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["content-length"] == str(len(body))
    head = site.ask(path, "HEAD")
    assert (head.status, head.body) == (status, b"")
    assert head.headers["content-length"] == str(len(body))


def test_a_page_may_be_asked_for_on_condition_or_in_part(site: Site) -> None:
    etag = site.ask("/").headers["etag"]
    assert site.ask("/", HTTP_IF_NONE_MATCH=etag).status == 304
    part = site.ask("/", HTTP_RANGE="bytes=1-2")
    assert (part.status, part.body) == (206, b"om")


def test_who_is_sent_where(site: Site) -> None:
    home = "http://a-site.web.example:8080"
    assert site.goes_to("/docs") == (302, "/docs/")
    assert site.goes_to("/docs", SCRIPT_NAME="/at") == (302, "/at/docs/")
    assert site.goes_to("/moved") == (301, "/to/there")
    assert site.goes_to("/old/ä", "q=1") == (302, f"{home}/new/%C3%A4?q=1")
    assert site.goes_to("/old/x", SCRIPT_NAME="/at") == (302, f"{home}/at/new/x")
    assert site.goes_to("/gone/x") == (307, "https://archive.example/a%20b")


def test_no_key_sends_anybody_to_another_host(s3: Served, site: Site) -> None:
    public = {"x-amz-acl": "public-read"}
    made = s3.raw("PUT", "/a-site//other.example/index.html", body=b"x", headers=public)
    assert made.status == 200
    assert site.goes_to("//other.example") == (302, "/%2Fother.example/")


def test_all_of_a_site_elsewhere(s3: Served, site: Site, bucket: str) -> None:
    everything = {"RedirectAllRequestsTo": {"HostName": "example.com"}}
    s3.client().put_bucket_website(Bucket=bucket, WebsiteConfiguration=everything)
    moved = Site(site.app, bucket)
    assert moved.goes_to("/a/b", "c=d") == (301, "http://example.com/a/b?c=d")
    assert moved.goes_to("/") == (301, "http://example.com/")


def test_a_site_without_its_error_page_says_it_itself(s3: Served, site: Site, bucket: str) -> None:
    s3.client().put_bucket_website(Bucket=bucket, WebsiteConfiguration=SITE)
    bare = Site(site.app, bucket)
    answer = bare.ask("/<script>")
    assert (answer.status, answer.headers["x-amz-error-code"]) == (403, "AccessDenied")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<h1>403 Forbidden</h1>" in answer.body and b"<script>" not in answer.body
    s3.client().put_object(Bucket=bucket, Key="error.html", Body=b"private, too")
    assert bare.ask("/none").body == bare.ask("/none").body != b"private, too"
    head = bare.ask("/none", "HEAD")
    assert (head.status, head.body, head.headers["x-amz-error-code"]) == (403, b"", "AccessDenied")


def test_what_is_no_site(s3: Served, site: Site, bucket: str) -> None:
    answer = Site(site.app, bucket).ask("/")
    assert (answer.status, b"NoSuchWebsiteConfiguration" in answer.body) == (404, True)
    answer = Site(site.app, "no-such-bucket").ask("/")
    assert (answer.status, b"Code: NoSuchBucket" in answer.body) == (404, True)
    answer = site.ask("/", "PUT")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert site.ask("/" + "x" * 1025).status == 400


def test_other_origins_are_told_of_sites_too(s3: Served, site: Site) -> None:
    rules = [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]
    s3.client().put_bucket_cors(Bucket=site.bucket, CORSConfiguration={"CORSRules": rules})
    try:
        told = site.ask("/none", HTTP_ORIGIN="http://x")
        assert (told.status, told.headers["access-control-allow-origin"]) == (404, "*")
        asked = {"HTTP_ORIGIN": "http://x", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}
        assert site.ask("/", "OPTIONS", **asked).status == 200
    finally:
        s3.client().delete_bucket_cors(Bucket=site.bucket)


@pytest.mark.parametrize(
    ("binding", "host", "bucket"),
    [
        ({"host": "*.web.example"}, "photos.web.example:80", "photos"),
        ({"host": "*.web.example"}, "www.photos.web.example", "www.photos"),
        ({"host": "www.photos.example"}, "www.photos.example", "www.photos.example"),
        ({"host": "www.photos.example", "service": "photos"}, "www.photos.example", "photos"),
        ({"port": 8080}, "Photos:8080", "photos"),
        (None, "photos", "photos"),
    ],
)
def test_whose_site_it_is(binding: dict[str, Any] | None, host: str, bucket: str) -> None:
    environ: dict[str, Any] = {"HTTP_HOST": host}
    if binding is not None:
        environ["gateway.binding"] = Binding(mode="website", **binding)
    assert bucket_of(environ) == bucket


@pytest.mark.usefixtures("sockets")
def test_a_site_on_a_host_of_its_own() -> None:
    doors = [
        {"host": "*.web.example", "mode": "website"},
        {"host": "www.example", "mode": "website", "service": "photos"},
    ]
    with serving(bindings=doors) as s3:
        client = s3.client()
        client.create_bucket(Bucket="photos")
        site = {"IndexDocument": {"Suffix": "index.html"}}
        client.put_bucket_website(Bucket="photos", WebsiteConfiguration=site)
        client.put_object(Bucket="photos", Key="a/index.html", Body=b"x", ACL="public-read")
        answer = s3.raw("GET", "/a/", key="", host="photos.web.example")
        assert (answer.status, answer.body) == (200, b"x")
        assert s3.raw("GET", "/a/", key="", host="www.example").body == b"x"
        assert s3.records[-1].mode == "website"
        assert s3.records[-1].operation == "WebsiteGet"
        assert s3.raw("GET", "/photos/a/", key="").code() == "AccessDenied"


# where objects send those who ask for them


def test_a_redirect_stays_with_its_object(s3: Served, bucket: str) -> None:
    client = s3.client()
    client.put_object(Bucket=bucket, Key="k", Body=b"x", WebsiteRedirectLocation="https://a/ü")
    for found in (
        client.head_object(Bucket=bucket, Key="k"),
        client.get_object(Bucket=bucket, Key="k"),
    ):
        assert found["WebsiteRedirectLocation"].encode("latin-1").decode() == "https://a/ü"
    source = {"Bucket": bucket, "Key": "k"}
    client.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    assert "WebsiteRedirectLocation" not in client.head_object(Bucket=bucket, Key="copy")
    client.copy_object(Bucket=bucket, Key="k", CopySource=source, WebsiteRedirectLocation="/b")
    assert client.head_object(Bucket=bucket, Key="k")["WebsiteRedirectLocation"] == "/b"
    upload = client.create_multipart_upload(Bucket=bucket, Key="m", WebsiteRedirectLocation="/m")
    named = {"Bucket": bucket, "Key": "m", "UploadId": upload["UploadId"]}
    etag = client.upload_part(**named, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"ETag": etag, "PartNumber": 1}]}
    client.complete_multipart_upload(**named, MultipartUpload=parts)
    assert client.head_object(Bucket=bucket, Key="m")["WebsiteRedirectLocation"] == "/m"


@pytest.mark.parametrize("location", ["ftp://example.com", "example.com", "/" + "x" * 2048])
def test_redirects_that_are_none(s3: Served, bucket: str, location: str) -> None:
    client = s3.client()
    for call in (client.put_object, client.create_multipart_upload):
        found = refused(call, Bucket=bucket, Key="k", WebsiteRedirectLocation=location)
        assert found == (400, "InvalidRedirectLocation")
