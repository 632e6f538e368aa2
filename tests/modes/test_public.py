"""The public mode over a store: what browsers get, and what nobody gets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.storage import Busy
from tests.modes.public_gateway import OWNER, Answer, Site, serving

DAY = {"client_cache_time": "1d"}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    memory = {"driver": "memory"}
    bindings: list[dict[str, Any]] = [
        {"service": "pages"},
        {"service": "pages", "prefix": "/below"},
        {"service": "pages", "host": "day.example", **DAY},
        {"service": "pages", "host": "own.example", "trusted_content": True, "index": ""},
        {"service": "pages", "host": "sorry.example", "error_document": "sorry.html"},
        {"service": "pages", "host": "none.example", "error_document": "absent"},
        {"service": "pages", "host": "any.example", "cors": "*"},
        {"service": "pages", "host": "few.example", "cors": ["https://a.example"]},
        {"service": "pages", "host": "list.example", "listing": True, **DAY},
        {"service": "pages", "host": "small.example", "precompressed": True},
        {"service": "absent", "host": "absent.example"},
        {"service": "ruled", "host": "ruled.example", "precompressed": True},
    ]
    with serving({"pages": memory, "ruled": memory}, bindings) as site:
        html = {"content_type": "text/html"}
        site.put("pages", "index.html", b"home", **html)
        site.put("pages", "docs/index.html", b"docs", **html)
        site.put("pages", "/evil.example/index.html", b"evil", **html)
        for odd in ("\\\\evil.example", "a\r\nb", "javascript:x", "é"):
            site.put("pages", f"{odd}/index.html", b"odd")
        site.put("pages", "sorry.html", b"sorry", **html)
        site.put("pages", "a b/é.txt", b"0123456789", content_type="text/plain")
        site.put("pages", "../up", b"up")
        site.put("pages", "a//b", b"two")
        site.put("pages", "dots/../index.html", b"dots")
        site.put("pages", "a%2Fb", b"escaped")
        site.put("pages", "empty", b"")
        site.put("pages", "big", b"0" * 700_000)
        site.put("pages", "p.svg", b"<svg/>", content_type="image/svg+xml")
        headers = (
            ("Cache-Control", "max-age=5"),
            ("Content-Disposition", "inline"),
            ("Content-Encoding", "gzip"),
            ("Content-Language", "de"),
            ("Expires", "Thu, 01 Jan 2099 00:00:00 GMT"),
        )
        site.put("pages", "said", b"x", headers=headers, metadata={"who": "me"}, tags={"t": "u"})
        site.put("pages", "mine", b"x", headers=(("Cache-Control", "private, max-age=9"),))
        for number in range(1001):
            site.put("pages", f"many/{number:04}", b"")
        site.put("pages", "odd/<b>\"&'?#%41", b"odd")
        site.put("pages", "odd/a/b", b"below")
        site.put("pages", "odd/", b"")
        for suffix in ("", ".br", ".zst", ".gz"):
            site.put("pages", f"code.js{suffix}", f"code{suffix}".encode(), **SCRIPT[suffix != ""])
        site.put("pages", "said.gz", b"twice")
        site.put("pages", "only.txt", b"only")
        site.put("pages", "only.txt.gz", b"only.gz")
        site.put("pages", "alone.txt.gz", b"alone.gz")
        yield site


SCRIPT: tuple[dict[str, Any], ...] = (
    {"content_type": "text/javascript", "headers": (("Cache-Control", "max-age=5"),)},
    {"content_type": "application/x-thing"},
)


def test_an_object_is_read_without_a_key(site: Site) -> None:
    answer = site.ask("/a%20b/%C3%A9.txt")
    assert (answer.status, answer.body) == (200, b"0123456789")
    assert answer.headers["content-type"] == "text/plain"
    assert answer.headers["etag"] == '"781e5e245d69b566979b86e28d23f2c7"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "content-security-policy" not in answer.headers
    record = site.records[-1]
    assert (record.mode, record.operation, record.sid) == ("public", "PublicGet", "pages")
    assert (record.key, record.key_id) == ("a b/é.txt", "")


def test_what_is_stored_with_an_object_is_said_and_nothing_else_of_it(site: Site) -> None:
    found = site.ask("/said").headers
    for name in ("etag", "last-modified", "x-request-id"):
        found.pop(name)
    assert found == {
        "content-type": "binary/octet-stream",
        "accept-ranges": "bytes",
        "cache-control": "max-age=5",
        "content-disposition": "inline",
        "content-encoding": "gzip",
        "content-language": "de",
        "expires": "Thu, 01 Jan 2099 00:00:00 GMT",
        "x-content-type-options": "nosniff",
        "content-length": "1",
    }


def test_large_objects_stream(site: Site) -> None:
    assert site.ask("/big").body == b"0" * 700_000


@pytest.mark.parametrize(
    "target", ["/", "/docs/", "/docs", "/said", "/absent", "/empty", "/p.svg", "/big"]
)
def test_head_says_what_get_says(site: Site, target: str) -> None:
    def said(method: str) -> tuple[int, dict[str, str]]:
        answer = site.ask(target, method)
        assert method == "GET" or answer.body == b""
        same = {name: text for name, text in answer.headers.items() if name != "x-request-id"}
        return answer.status, same

    assert said("HEAD") == said("GET")


RANGES = [
    ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
    ("bytes=8-", 206, b"89", "bytes 8-9/10"),
    ("bytes=-2", 206, b"89", "bytes 8-9/10"),
    ("bytes=4-99", 206, b"456789", "bytes 4-9/10"),
    ("bytes=10-", 416, None, "bytes */10"),
    ("bytes=0-1,3-4", 200, b"0123456789", None),
    ("lines=0-1", 200, b"0123456789", None),
]


@pytest.mark.parametrize(("asked", "status", "body", "extent"), RANGES)
def test_one_range(site: Site, asked: str, status: int, body: bytes, extent: str) -> None:
    answer = site.ask("/a%20b/%C3%A9.txt", headers={"range": asked})
    assert answer.status == status
    assert answer.headers.get("content-range") == extent
    assert body is None or answer.body == body


def test_a_head_knows_no_ranges(site: Site) -> None:
    """RFC 9110 §14.2."""
    for asked in ("bytes=0-3", "bytes=99-"):
        answer = site.ask("/a%20b/%C3%A9.txt", "HEAD", {"range": asked})
        assert (answer.status, answer.headers["content-length"]) == (200, "10")


def test_a_long_answer_without_a_place_is_refused_with_a_page(site: Site) -> None:
    held = list[str]()
    try:
        with pytest.raises(Busy):
            for number in range(100):
                site.admission.take(f"192.0.2.{number + 2}")
                held.append(f"192.0.2.{number + 2}")
        answer = site.ask("/big")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert b"<h1>503" in answer.body and "x-content-type-options" in answer.headers
        assert site.ask("/said").status == 200
    finally:
        for one in held:
            site.admission.release(one)
    assert site.ask("/big").status == 200


def test_a_range_of_another_object_than_the_one_meant_is_all_of_it(site: Site) -> None:
    def asked(tag: str) -> int:
        return site.ask("/big", headers={"range": "bytes=1-2", "if-range": tag}).status

    known = site.ask("/big", "HEAD").headers
    assert asked(known["etag"]) == asked(known["last-modified"]) == 206
    assert asked('"other"') == asked(f"W/{known['etag']}") == 200


def test_conditions(site: Site) -> None:
    known = site.ask("/said").headers
    for method in ("GET", "HEAD"):
        same = site.ask("/said", method, {"if-none-match": known["etag"]})
        assert (same.status, same.body) == (304, b"")
        for name in ("etag", "last-modified", "cache-control", "expires"):
            assert same.headers[name] == known[name]
        assert "content-type" not in same.headers and "content-length" not in same.headers
        since = {"if-modified-since": known["last-modified"]}
        assert site.ask("/said", method, since).status == 304
        assert site.ask("/said", method, {"if-match": '"other"'}).status == 412
        assert site.ask("/said", method, {"if-match": known["etag"]}).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get"])
def test_other_methods_are_refused(site: Site, method: str) -> None:
    answer = site.ask("/said", method, body=b"x")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_options_says_what_there_is(site: Site) -> None:
    answer = site.ask("/said", "OPTIONS")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control")]


# folders


@pytest.mark.parametrize(
    ("target", "status", "found"),
    [
        ("/", 200, b"home"),
        ("/docs/", 200, b"docs"),
        ("/docs", 301, "./docs/"),
        ("/docs?a=b", 301, "./docs/?a=b"),
        ("/below", 301, "./below/"),
        ("/below/", 200, b"home"),
        ("/below/docs", 301, "./docs/"),
        ("/empty/", 404, None),
        ("/absent", 404, None),
        ("/dots/../", 200, b"dots"),
        ("/dots/..", 404, None),  # a redirect there would lead to another folder
    ],
)
def test_folders_have_an_index_document(site: Site, target: str, status: int, found: Any) -> None:
    answer = site.ask(target)
    assert answer.status == status
    if status == 301:
        assert answer.headers["location"] == found
    elif found is not None:
        assert answer.body == found


def test_a_binding_may_have_no_index_document(site: Site) -> None:
    assert [site.ask(one, host="own.example").status for one in ("/", "/docs")] == [404, 404]


@pytest.mark.parametrize("target", ["//evil.example", "/%2Fevil.example", "/%2fevil.example?//x"])
def test_a_redirect_never_leads_to_another_host(site: Site, target: str) -> None:
    """Below `//evil.example` there is an index document, so that it is a folder."""
    answer = site.ask(target, headers={"x-forwarded-host": "evil.example"})
    assert answer.status == 301
    assert answer.headers["location"].partition("?")[0] == "./evil.example/"


@pytest.mark.parametrize("last", ["%5C%5Cevil.example", "a%0D%0Ab", "javascript%3Ax", "%C3%A9"])
def test_what_a_redirect_says_is_escaped(site: Site, last: str) -> None:
    answer = site.ask(f"/{last}")
    assert (answer.status, answer.headers["location"]) == (301, f"./{last}/")


# folders without one


def test_a_folder_may_be_listed(site: Site) -> None:
    answer = site.ask("/odd/", host="list.example")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cache-control"] == "max-age=86400"
    page = answer.body.decode()
    assert "<h1>/odd/</h1>" in page
    links = re.findall(r'<a href="([^"]*)">(.*?)</a>', page)
    assert links == [
        ("../", ".."),
        ("./a/", "a/"),
        ("./%3Cb%3E%22%26%27%3F%23%2541", "&lt;b&gt;&quot;&amp;&#x27;?#%41"),
    ]
    assert site.ask(f"/odd/{links[2][0][2:]}", host="list.example").body == b"odd"
    assert site.ask("/odd/", "HEAD", host="list.example").headers["content-length"] == str(
        len(answer.body)
    )


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/odd", 301),
        ("/odd/a/", 200),
        ("/docs/", 200),
        ("/none/", 404),
        ("/none", 404),
        ("/.", 404),
    ],
)
def test_what_is_a_folder_where_they_are_listed(site: Site, target: str, status: int) -> None:
    answer = site.ask(target, host="list.example")
    assert answer.status == status
    assert (b"<table>" in answer.body) == (target == "/odd/a/")


def test_a_list_has_pages(site: Site) -> None:
    target, found = "/many/", list[str]()
    while target:
        page = site.ask(target, host="list.example").body.decode()
        names = re.findall(r'href="\./([^"]*)"', page)
        assert len(names) <= 1000
        found += names
        more = re.search(r'href="(\?after=[^"]*)"', page)
        target = f"/many/{more[1]}" if more else ""
    assert found == [f"{number:04}" for number in range(1001)]


def test_a_list_goes_on_in_its_own_folder_only(site: Site) -> None:
    for query in ("after=docs/a", "after=%FF"):
        assert site.ask(f"/many/?{query}", host="list.example").status == 400


def test_no_folder_is_listed_unless_the_binding_says_so(site: Site) -> None:
    assert [site.ask(one).status for one in ("/odd/", "/odd", "/many/")] == [404, 404, 404]
    # what there is at `odd/` is an object by itself, which no folder hides
    assert site.ask("/odd/", host="own.example").status == 200


# compressed before


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("zstd, gzip", "zstd"),
        ("gzip", "gzip"),
        ("GZIP;Q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "br"),
        ("*;q=0.1, br;q=0", "zstd"),
        ("gzip;q=1, br;q=0.9", "gzip"),
        ("gzip;q=0.5, identity;q=0.9", None),
        ("gzip;q=0", None),
        ("gzip;q=x, deflate", None),
        ("", None),
    ],
)
def test_what_is_there_compressed_is_sent_to_who_takes_it(
    site: Site, accepts: str, coding: str | None
) -> None:
    suffix = {"br": ".br", "zstd": ".zst", "gzip": ".gz", None: ""}[coding]
    for method in ("GET", "HEAD"):
        said = {"accept-encoding": accepts}
        answer = site.ask("/code.js", method, said, host="small.example")
        assert answer.status == 200
        assert method == "HEAD" or answer.body == f"code{suffix}".encode()
        assert answer.headers.get("content-encoding") == coding
        assert answer.headers["content-type"] == "text/javascript"
        assert answer.headers["cache-control"] == "max-age=5"
        assert answer.headers["vary"] == "Accept-Encoding"
        known = site.ask(f"/code.js{suffix}").headers
        assert answer.headers["etag"] == known["etag"]


def test_conditions_and_ranges_are_of_what_is_sent(site: Site) -> None:
    accepts = {"accept-encoding": "br"}
    known = site.ask("/code.js", headers=accepts, host="small.example").headers
    for method in ("GET", "HEAD"):
        said = {**accepts, "if-none-match": known["etag"]}
        same = site.ask("/code.js", method, said, host="small.example")
        assert same.status == 304
        assert (same.headers["vary"], same.headers["cache-control"]) == (
            "Accept-Encoding",
            "max-age=5",
        )
    part = site.ask("/code.js", headers={**accepts, "range": "bytes=4-"}, host="small.example")
    assert (part.status, part.body, part.headers["content-encoding"]) == (206, b".br", "br")


def test_only_what_is_beside_a_plain_object_is_taken(site: Site) -> None:
    accepts = {"accept-encoding": "gzip, br"}

    def ask(target: str) -> Answer:
        return site.ask(target, headers=accepts, host="small.example")

    assert ask("/only.txt").body == b"only.gz"
    assert ask("/alone.txt").status == 404
    assert ask("/said").body == b"x"  # is stored in gzip itself
    assert "content-encoding" not in site.ask("/only.txt", headers=accepts).headers


# what a path names


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/../up", b"up"),
        ("/%2e%2e/up", b"up"),
        ("/docs/../up", None),
        ("/docs/../index.html", None),
        ("/./index.html", None),
        ("/a//b", b"two"),
        ("/a/b", None),
        ("/a%252Fb", b"escaped"),
        ("/a%2Fb", None),
        ("//index.html", None),
    ],
)
def test_a_path_names_one_key_as_it_is(site: Site, target: str, found: bytes | None) -> None:
    answer = site.ask(target)
    assert (answer.status, answer.body if found else None) == (200 if found else 404, found)


@pytest.mark.parametrize(
    ("target", "status"), [("/a%00b", 400), ("/%FF", 400), ("/" + "k" * 1025, 414)]
)
def test_what_is_no_key_is_refused(site: Site, target: str, status: int) -> None:
    assert site.ask(target).status == status


# what browsers do with it


def test_what_runs_in_a_browser_runs_in_a_sandbox(site: Site) -> None:
    for target in ("/", "/p.svg"):
        assert site.ask(target).headers["content-security-policy"] == "sandbox"
    trusted = site.ask("/p.svg", host="own.example").headers
    assert "content-security-policy" not in trusted
    assert trusted["x-content-type-options"] == "nosniff"


def test_how_long_browsers_keep_it(site: Site) -> None:
    for method in ("GET", "HEAD"):
        said = site.ask("/said", method, host="day.example").headers
        assert said["cache-control"] == "max-age=86400" and "expires" not in said
    tag = {"if-none-match": site.ask("/said").headers["etag"]}
    assert site.ask("/said", headers=tag, host="day.example").headers["cache-control"] == (
        "max-age=86400"
    )
    assert "cache-control" not in site.ask("/absent", host="day.example").headers


def test_what_an_object_forbids_to_keep_is_not_kept_for_that(site: Site) -> None:
    said = site.ask("/mine", host="day.example").headers
    assert said["cache-control"] == "private, max-age=9"


def test_pages_of_any_origin_may_read(site: Site) -> None:
    for target in ("/said", "/absent"):
        said = site.ask(target, headers={"origin": "https://x.example"}, host="any.example").headers
        assert said["access-control-allow-origin"] == "*" and "vary" not in said
        assert "access-control-allow-credentials" not in said


def test_pages_of_some_origins_may_read(site: Site) -> None:
    def said(origin: str) -> str | None:
        answer = site.ask("/said", headers={"origin": origin} if origin else {}, host="few.example")
        assert answer.headers["vary"] == "Origin"
        return answer.headers.get("access-control-allow-origin")

    assert said("https://a.example") == "https://a.example"
    assert said("https://a.example.evil.example") is said("null") is said("") is None


def preflight(site: Site, origin: str) -> Answer:
    asks = {
        "origin": origin,
        "access-control-request-method": "GET",
        "access-control-request-headers": "range, if-match",
    }
    return site.ask("/said", "OPTIONS", asks, host="few.example")


def test_a_preflight(site: Site) -> None:
    answer = preflight(site, "https://a.example")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://a.example"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    assert answer.headers["access-control-allow-headers"] == "range, if-match"
    refused = preflight(site, "https://b.example").headers
    assert not [name for name in refused if name.startswith("access-control")]


# errors


def test_an_error_is_a_page_that_tells_nothing(site: Site) -> None:
    answer = site.ask("/<script>")
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert b"<h1>404 Not Found</h1>" in answer.body
    assert b"script" not in answer.body and b"pages" not in answer.body
    assert site.records[-1].code == "NotFound"


def test_an_error_document_has_the_errors_status(site: Site) -> None:
    for method in ("GET", "HEAD"):
        answer = site.ask("/absent", method, host="sorry.example")
        assert (answer.status, answer.body) == (404, b"sorry" if method == "GET" else b"")
        assert answer.headers["content-type"] == "text/html"
        assert answer.headers["content-length"] == "5"
        assert "etag" not in answer.headers
    assert b"404 Not Found" in site.ask("/absent", host="none.example").body


def test_a_binding_to_no_service_is_not_found(site: Site) -> None:
    assert site.ask("/k", host="absent.example").status == 404


# whether


def test_what_is_not_bound_is_not_public(site: Site) -> None:
    assert site.ask("/pages/index.html", host="other.example").status == 403


def test_what_rules_deny_to_everybody_is_denied_here(site: Site) -> None:
    """A bucket policy's denial counts, whatever a binding says."""
    site.put("ruled", "open", b"open")
    site.put("ruled", "open.gz", b"gzip")
    site.put("ruled", "shut/secret", b"secret")
    assert site.ask("/shut/secret", host="ruled.example").status == 200
    policy = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": ["arn:aws:s3:::ruled/shut/*", "arn:aws:s3:::ruled/*.gz"],
        },
    }
    access = site.runtime.access(OWNER, "ruled")
    kind = site.plugins.kinds["policy"]
    site.runtime.set_setting(access, kind, kind.parsed(json.dumps(policy)))
    for method in ("GET", "HEAD"):
        assert site.ask("/shut/secret", method, host="ruled.example").status == 403
        assert site.ask("/open", method, host="ruled.example").status == 200
        assert site.ask("/open.gz", method, host="ruled.example").status == 403
        gzip = site.ask("/open", method, {"accept-encoding": "gzip"}, host="ruled.example")
        assert (gzip.status, "content-encoding" in gzip.headers) == (200, False)
