"""A public binding in front of an HTTP origin: what that says goes through as it came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.testing.upstreams import Upstream, answer, raw, reset
from tests.fetching.origin import MODIFIED, keep
from tests.modes.public_gateway import OWNER, Answer, Site, serving


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Site, Upstream]]:
    with Upstream() as upstream:
        allow = ["127.0.0.0/8", "::1/128"]
        web: dict[str, Any] = {"driver": "http", "url": upstream.url, "allow": allow}
        bindings: list[dict[str, Any]] = [
            {"service": "web"},
            {"service": "asis", "host": "asis.example"},
            {"service": "web", "host": "bare.example", "remove_query": True},
            {"service": "web", "host": "webp.example", "append_webp": True},
            {"service": "web", "host": "day.example", "client_cache_time": "1d"},
            {"service": "web", "host": "index.example", "index": "home.html"},
            {"service": "web", "host": "sorry.example", "error_document": "sorry.html"},
            {"service": "cached", "host": "cached.example"},
            {"service": "cached", "host": "all.example", "methods": "all"},
            {"service": "web", "host": "cors.example", "methods": "all", "cors": "*"},
            {"service": "files", "host": "files.example", "methods": "all"},
        ]
        services: dict[str, dict[str, Any]] = {
            "web": web,
            "asis": {**web, "max_redirects": 0},
            "cached": {"driver": "cache", "space": "memory", "source": "web"},
        }
        with serving(services, bindings) as site:
            site.runtime.create(OWNER, "files")
            yield site, upstream


@pytest.fixture
def site(served: tuple[Site, Upstream], origin: Upstream) -> Site:
    return served[0]


@pytest.fixture
def origin(served: tuple[Site, Upstream]) -> Iterator[Upstream]:
    served[1].requests.clear()
    yield served[1]
    served[1].always(None)
    served[1].objects.clear()


def asked(site: Site, origin: Upstream, target: str, **more: Any) -> dict[str, str]:
    """The headers by which the origin was asked, and what it was asked for."""
    origin.requests.clear()
    site.ask(target, **more)
    (seen,) = origin.requests
    return {**seen.headers, "target": seen.target}


def test_what_an_origin_says_goes_through(site: Site, origin: Upstream) -> None:
    said = {
        "Content-Type": "text/plain",
        "ETag": '"weird tag"',
        "X-Custom": "1",
        "Cache-Control": "max-age=7",
        "Set-Cookie": "a=b",
        "Connection": "X-Hop",
        "X-Hop": "no",
        "Age": "3",
    }
    origin.always(answer(203, b"hello", said))
    for method in ("GET", "HEAD"):
        found = site.ask("/a", method)
        assert (found.status, found.body) == (203, b"hello" if method == "GET" else b"")
        for name in ("Content-Type", "X-Custom", "Cache-Control", "Set-Cookie", "Age"):
            assert found.headers[name.lower()] == said[name]
        assert "date" in found.headers and "x-hop" not in found.headers
        assert found.headers["content-length"] == "5"


def test_the_question_goes_through(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x"))
    found = asked(site, origin, "/a?b=1&b=2&%41+x", headers={"accept": "image/webp", "x-any": "y"})
    assert found["target"] == "/a?b=1&b=2&%41+x"
    assert (found["accept"], found["x-any"]) == ("image/webp", "y")
    assert found["host"] == f"127.0.0.1:{origin.port}"


@pytest.mark.parametrize(
    "name",
    [
        *("X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "X-Original-URL"),
        *("X-Rewrite-URL", "X-HTTP-Method-Override", "X-Host", "True-Client-IP"),
        *("X_Forwarded_Host", "X-Rewrite_URL", "X-Forwarded", "Front-End-Https", "Proxy"),
    ],
)
def test_what_only_a_proxy_may_say_is_not_passed_on(
    site: Site, origin: Upstream, name: str
) -> None:
    origin.always(answer(200, b"x"))
    assert name.lower() not in asked(site, origin, "/a", headers={name: "evil.example"})


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("Accept-Language", {"Connection": "close, accept-Language"}),  # which takes it away
        ("Accept_Language", {}),  # which is the other to many
    ],
)
def test_a_reader_says_to_a_cache_what_the_origin_gets(
    site: Site, origin: Upstream, name: str, more: dict[str, str]
) -> None:
    """Else the origin's answer to somebody else would be kept for who says so."""
    origin.always(
        lambda exchange: answer(
            200,
            "".join(exchange.seen.headers.get(one, "-") for one in _LANGUAGES).encode(),
            {"Cache-Control": "max-age=60", "Vary": "Accept-Language"},
        )(exchange)
    )
    target = f"/{name}"
    assert site.ask(target, headers={name: "de", **more}, host="cached.example").body == b"--"
    found = site.ask(target, headers={"Accept-Language": "de"}, host="cached.example")
    assert found.body == b"de-"
    assert site.ask(target, host="cached.example").body == b"--"


_LANGUAGES = ("accept-language", "accept_language")


def test_a_get_with_a_body_is_asked_without_it(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x"))
    found = asked(site, origin, "/a", body=b"fat")
    assert "content-length" not in found and origin.requests[0].body == b""


def test_queries_may_be_dropped_or_ask_for_webp(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x"))
    webp = {"accept": "image/avif,image/webp,*/*"}

    def target(host: str, target: str, headers: dict[str, str]) -> str:
        return asked(site, origin, target, host=host, headers=headers)["target"]

    assert target("bare.example", "/a?b=1", {}) == "/a"
    assert target("webp.example", "/a", webp) == "/a?webp=1"
    assert target("webp.example", "/a?w=9", webp) == "/a?w=9&webp=1"
    assert target("webp.example", "/a?w=9", {"accept": "image/webp;q=0, */*"}) == "/a?w=9"
    assert target("webp.example", "/a?w=9", {}) == "/a?w=9"
    assert site.ask("/a", host="webp.example").headers["vary"] == "Accept"


def test_folders_are_the_origins(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x"))
    assert asked(site, origin, "/")["target"] == "/"
    assert asked(site, origin, "/a/")["target"] == "/a/"
    assert asked(site, origin, "/a/", host="index.example")["target"] == "/a/home.html"
    origin.always(answer(404, b"no"))
    assert asked(site, origin, "/a")["target"] == "/a"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 429, 500, 503])
def test_an_error_of_the_origin_is_passed_on(site: Site, origin: Upstream, status: int) -> None:
    said = {"Content-Type": "text/odd", "Retry-After": "9", "WWW-Authenticate": "Basic"}
    origin.always(answer(status, b"its page", said))
    for method in ("GET", "HEAD"):
        found = site.ask("/a", method)
        assert (found.status, found.body) == (status, b"its page" if method == "GET" else b"")
        assert found.headers["content-type"] == "text/odd"
        assert found.headers["content-length"] == "8"
        assert found.headers["retry-after"] == "9"


def test_an_origin_that_wants_a_proxys_credentials_has_failed(site: Site, origin: Upstream) -> None:
    origin.always(answer(407, b"no", {"Proxy-Authenticate": "Basic"}))
    found = site.ask("/a")
    assert found.status == 502 and "proxy-authenticate" not in found.headers


def test_a_page_that_is_too_long_is_replaced(site: Site, origin: Upstream) -> None:
    said = {"Content-Type": "text/odd", "Content-Encoding": "odd", "X-Any": "y"}
    origin.always(answer(404, b"0" * 9_000_000, said))
    found = site.ask("/a")
    assert found.status == 404 and b"<h1>404 Not Found</h1>" in found.body
    assert b"<p>There is nothing here.</p>" in found.body
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert "content-encoding" not in found.headers and found.headers["x-any"] == "y"


def test_redirects_are_passed_on_where_they_are_not_followed(site: Site, origin: Upstream) -> None:
    origin.always(answer(302, b"there", {"Location": "https://elsewhere.example/x"}))
    found = site.ask("/a", host="asis.example")
    assert (found.status, found.body) == (302, b"there")
    assert found.headers["location"] == "https://elsewhere.example/x"
    assert site.records[-1].code == ""


def test_an_origin_that_does_not_answer(site: Site, origin: Upstream) -> None:
    origin.always(reset)
    found = site.ask("/a")
    assert found.status == 502 and str(origin.port).encode() not in found.body
    origin.always(raw(b"nonsense"))
    assert site.ask("/a").status == 502


def test_an_error_document_is_in_place_of_the_origins(site: Site, origin: Upstream) -> None:
    origin.will(answer(404, b"its page"), answer(200, b"sorry", {"Content-Type": "text/plain"}))
    found = site.ask("/a", host="sorry.example")
    assert (found.status, found.body) == (404, b"sorry")


def test_conditions_and_ranges(site: Site, origin: Upstream) -> None:
    origin.always(keep)
    origin.objects["/k"] = b"0123456789"
    known = site.ask("/k").headers
    assert known["last-modified"] == MODIFIED
    same = site.ask("/k", headers={"if-none-match": known["etag"]})
    assert (same.status, same.headers["etag"]) == (304, known["etag"])
    part = site.ask("/k", headers={"range": "bytes=2-4"})
    assert (part.status, part.body) == (206, b"234")
    assert part.headers["content-range"] == "bytes 2-4/10"
    assert site.ask("/k", headers={"range": "bytes=99-"}).status == 416
    assert site.ask("/k", headers={"if-match": '"other"'}).status == 412


def test_a_range_of_what_says_one_where_it_has_no_meaning(site: Site, origin: Upstream) -> None:
    """RFC 9110 §14.4: of a 200 it says nothing; of a part of it, ours does."""
    origin.always(answer(200, b"0123456789", {"Content-Range": "odd", "ETag": '"x"'}))
    assert site.ask("/k").headers["content-range"] == "odd"
    part = site.ask("/k", headers={"range": "bytes=2-4"})
    assert (part.status, part.headers["content-range"]) == (206, "bytes 2-4/10")


def test_the_time_that_browsers_keep_it_begins_now(site: Site, origin: Upstream) -> None:
    """It would be over before it began: of an old answer, its Age and Date say that."""
    said = {
        "Cache-Control": "max-age=600",
        "Age": "500",
        "Expires": "Thu, 01 Jan 1970 00:00:00 GMT",
    }
    origin.always(answer(200, b"x", said))
    found = site.ask("/a", host="day.example").headers
    assert found["cache-control"] == "max-age=86400"
    assert not {"age", "expires", "date"} & found.keys()


def test_policies_of_the_origin_count_besides_ours(site: Site, origin: Upstream) -> None:
    said = {"Content-Type": "text/html", "Content-Security-Policy": "img-src 'none'"}
    origin.always(answer(200, b"x", {**said, "X-Content-Type-Options": "odd"}))
    found = site.ask("/a").headers
    assert found["content-security-policy"] == "img-src 'none', sandbox"
    assert found["x-content-type-options"] == "nosniff"


def test_headers_that_an_origin_repeats_are_all_sent(site: Site, origin: Upstream) -> None:
    """A cookie is a line of its own (RFC 6265 §3); of others, too, not all are lists."""
    head = (
        b"Set-Cookie: a=1; Path=/\r\nLink: <a>\r\nSet-Cookie: b=2, c\r\nLink: <b>\r\n"
        b'WWW-Authenticate: Basic realm="a"\r\nWWW-Authenticate: Bearer\r\n'
        b"Cache-Control: max-age=60\r\nX-Request-Id: theirs\r\nContent-Length: 1\r\n\r\nx"
    )
    told = {
        "set-cookie": ["a=1; Path=/", "b=2, c"],
        "link": ["<a>", "<b>"],
        "www-authenticate": ['Basic realm="a"', "Bearer"],
    }
    for status in (b"200 OK", b"401 No"):
        origin.always(raw(b"HTTP/1.1 " + status + b"\r\n" + head))
        for host in ("asis.example", "cached.example", "cached.example"):
            found = site.ask("/twice-" + status.decode()[:3], host=host)
            assert {name: found.all(name) for name in told} == told, (status, host)
            assert len(found.all("x-request-id")) == 1 and "theirs" not in str(found.lines)


def test_through_a_cache(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x", {"X-Custom": "1", "Cache-Control": "max-age=60"}))

    def ask(method: str = "GET") -> Answer:
        return site.ask("/cached", method, host="cached.example")

    first, again, head = ask(), ask(), ask("HEAD")
    assert [one.status for one in (first, again, head)] == [200] * 3
    assert len(origin.requests) == 1
    assert {one.headers["x-custom"] for one in (first, again, head)} == {"1"}
    assert "fwd=uri-miss" in first.headers["cache-status"]
    for one in (again, head):
        assert one.headers["cache-status"].startswith("cached; hit; ttl=")
    assert "age" in again.headers
    said = [one.headers["cache-status"] for one in (first, again, head)]
    assert [one.cache for one in site.records[-3:]] == said


def test_every_answer_says_what_a_cache_did(site: Site, origin: Upstream) -> None:
    def said(target: str, method: str = "GET", **more: Any) -> tuple[int, str]:
        found = site.ask(target, method, host="cached.example", **more)
        assert site.records[-1].cache == found.headers["cache-status"]
        return found.status, found.headers["cache-status"].partition("; ttl=")[0]

    kept = {"Cache-Control": "max-age=60", "ETag": '"e"'}
    origin.always(answer(404, b"no", kept))
    assert said("/lost") == (404, "cached; fwd=uri-miss")
    assert said("/lost") == said("/lost", "HEAD") == (404, "cached; hit")
    origin.always(answer(503, b"down"))
    assert said("/down") == said("/broken", "HEAD") == (503, "cached; fwd=uri-miss")
    origin.always(answer(200, b"x", kept))
    assert said("/head", "HEAD") == (200, "cached; fwd=uri-miss")
    assert said("/same") == (200, "cached; fwd=uri-miss; stored")
    had = {"if-none-match": '"e"'}
    assert said("/same", headers=had) == said("/same", "HEAD", headers=had) == (304, "cached; hit")


def test_what_caches_before_the_origin_said_stays_before_ours(site: Site, origin: Upstream) -> None:
    """RFC 9211 §2: the nearest to the origin comes first."""
    origin.always(answer(200, b"x", {"Cache-Status": "far; hit", "Cache-Control": "max-age=9"}))
    said = site.ask("/far", host="cached.example").headers["cache-status"]
    assert said.startswith("far; hit, cached;")


# what is no read


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "OPTIONS"])
def test_other_methods_are_passed_on(site: Site, origin: Upstream, method: str) -> None:
    origin.always(answer(422, b"odd", {"X-Any": "y", "Content-Type": "text/html"}))
    said = {"content-type": "text/x", "x-any": "z", "x-forwarded-host": "evil.example"}
    found = site.ask("/a/b?c=d", method, said, host="all.example", body=b"data")
    assert (found.status, found.body) == (422, b"odd")
    assert found.headers["x-any"] == "y"
    assert found.headers["content-security-policy"] == "sandbox"
    (seen,) = origin.requests
    assert (seen.method, seen.target, seen.body) == (method, "/a/b?c=d", b"data")
    assert (seen.headers["content-type"], seen.headers["x-any"]) == ("text/x", "z")
    assert "x-forwarded-host" not in seen.headers
    assert site.records[-1].operation == "PublicForward"


def test_an_empty_body_is_passed_on_as_that_and_none_as_none(site: Site, origin: Upstream) -> None:
    origin.always(answer(204))
    assert site.ask("/a", "POST", host="all.example", body=b"").status == 204
    assert site.ask("/a", "DELETE", host="all.example").status == 204
    empty, none = origin.requests
    assert empty.headers["content-length"] == "0"
    assert not {"content-length", "transfer-encoding"} & none.headers.keys()


def test_what_is_passed_on_makes_what_is_kept_invalid(site: Site, origin: Upstream) -> None:
    said = {"Cache-Control": "max-age=60"}
    origin.will(answer(200, b"old", said), answer(204), answer(200, b"new", said))

    def read() -> bytes:
        return site.ask("/changed", host="cached.example").body

    assert read() == read() == b"old"
    assert site.ask("/changed", "POST", host="all.example", body=b"x").status == 204
    assert read() == b"new"


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "trace"])
def test_what_nobody_passes_on_is_refused(site: Site, origin: Upstream, method: str) -> None:
    found = site.ask("/a", method, host="all.example")
    assert found.status == 405 and "POST" in found.headers["allow"]
    assert not origin.requests


@pytest.mark.parametrize(
    ("said", "status"),
    [({"transfer-encoding": "chunked"}, 411), ({"content-length": str(1 << 50)}, 413)],
)
def test_a_body_of_no_length_or_of_too_much_is_refused(
    site: Site, origin: Upstream, said: dict[str, str], status: int
) -> None:
    assert site.ask("/a", "POST", said, host="all.example").status == status
    assert not origin.requests


def test_a_body_that_ends_early_is_never_complete(site: Site, origin: Upstream) -> None:
    origin.always(answer(200, b"x"))
    found = site.ask("/a", "POST", {"content-length": "9"}, host="all.example", body=b"short")
    assert found.status == 400
    assert not origin.requests


def test_where_there_is_no_origin_other_methods_are_refused(site: Site) -> None:
    found = site.ask("/a", "PUT", host="files.example", body=b"x")
    assert (found.status, found.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_a_preflight_is_answered_here_where_the_binding_says_something(
    site: Site, origin: Upstream
) -> None:
    asks = {"origin": "https://a.example", "access-control-request-method": "PUT"}
    found = site.ask("/a", "OPTIONS", asks, host="cors.example")
    assert found.status == 204 and "PUT" in found.headers["access-control-allow-methods"]
    assert not origin.requests
    origin.always(answer(200, b"its own"))
    assert site.ask("/a", "OPTIONS", asks, host="all.example").body == b"its own"


@pytest.mark.parametrize("status", [200, 404])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_origin_gives_no_orders_to_a_proxy_in_front(
    site: Site, origin: Upstream, method: str, status: int
) -> None:
    """nginx would send the file that it names, the gateway's catalog say, to who asked."""
    orders = {"X-Accel-Redirect": "/-files/catalog.db", "X-Sendfile": "/etc/passwd"}
    origin.always(answer(status, b"x", {**orders, "X-Own": "1"}))
    body = b"x" if method == "POST" else b""
    said = {"content-length": str(len(body))} if body else {}
    found = site.ask("/orders", method, said, host="all.example", body=body)
    assert found.status == status
    assert found.headers["x-own"] == "1"
    assert not {name for name in found.headers if name.startswith(("x-accel", "x-sendfile"))}
