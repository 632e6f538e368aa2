"""Signed links: what they open, until when and for whom; and who does without one gets nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import ConfigurationError, load
from gateway.modes.public.problems import PublicProblem
from gateway.modes.public.signed_links import Link, SignedLinks, opened
from gateway.servers.sockets import wait_until_accepting
from gateway.storage import Secret
from gateway.testing.upstreams import Upstream
from tests.code_blocks import blocks
from tests.e2e.conftest import free_port
from tests.modes.public_gateway import Site, serving

NOW = 1_700_000_000
PATH = "/images/logo.png"
CREATED = f"cdn_creation_time={NOW}"
MD5 = "3d4e6fd5e1d06f16c818db34e5acde1c"
SHA1 = "86e69816500a089a39cbc4e1d13c6d11533dce39"


def links(**options: Any) -> SignedLinks:
    return SignedLinks(secret=Secret("s3cret"), **options)


UCDN, HMAC, NGINX = links(), links(form="hmac-sha256"), links(form="secure_link")


def asked(
    query: str,
    options: SignedLinks = UCDN,
    *,
    path: str = PATH,
    now: int = NOW,
    address: str = "80.249.1.2",
) -> str:
    """What comes of a link: what is left of its query, or a code."""
    try:
        return f"?{opened(options, Link(path, query, address, now)).query}"
    except PublicProblem as problem:
        return problem.code


def ucdn(*values: str, path: str = PATH) -> str:
    return hashlib.md5("".join([path, "s3cret", *values]).encode()).hexdigest()


def by_hmac(rest: str, path: str = PATH) -> str:
    signed = f"{quote(path, safe='/~')}?{rest}"
    made = hmac.new(b"s3cret", signed.encode("latin-1"), "sha256").hexdigest()
    return f"{rest}&cdn_hash={made}"


def nginx(expires: int | str, path: str = PATH, address: str = "80.249.1.2") -> str:
    digest = hashlib.md5(f"{expires}{path}{address} s3cret".encode()).digest()
    return f"md5={base64.urlsafe_b64encode(digest).decode().rstrip('=')}&expires={expires}"


def test_the_values_by_which_others_are_compared() -> None:
    query = f"{CREATED}&cdn_ttl=3600&cdn_hash="
    assert asked(query + MD5) == "?"
    assert asked(query + MD5, links(algorithm="sha1")) == "Forbidden"
    assert asked(query + SHA1, links(algorithm="sha1")) == "?"
    assert asked(query + MD5, path="/images/logo.jpg") == "Forbidden"
    assert asked(query + MD5, SignedLinks(secret=Secret("another"))) == "Forbidden"


@pytest.mark.parametrize("form", [UCDN, HMAC])
def test_a_link_counts_from_five_minutes_before_it_was_made_until_its_time_is_over(
    form: SignedLinks,
) -> None:
    own, hour = f"{CREATED}&cdn_ttl=60&", f"{CREATED}&"
    if form is HMAC:
        own, hour = by_hmac(own[:-1]), by_hmac(hour[:-1])
    else:
        own += f"cdn_hash={ucdn(str(NOW), '60')}"
        hour += f"cdn_hash={ucdn(str(NOW))}"
    for query, seconds in ((own, 60), (hour, 3600)):
        for now, expected in (
            (NOW - 301, "Forbidden"),
            (NOW - 300, "?"),
            (NOW, "?"),
            (NOW + seconds - 1, "?"),
            (NOW + seconds, "Gone"),
        ):
            assert asked(query, form, now=now) == expected, (query, now - NOW)


def test_what_is_signed_is_all_that_is_said_in_its_order() -> None:
    values = ("3600", "80.249.0.0.16", "75000", "228k", "first", "second")
    query = (
        f"cdn_cv_z=first&a=1&cdn_bw_fs=228k&cdn_bw=75000&cdn_net=80.249.0.0.16&{CREATED}"
        "&cdn_cv_a=second&b=%26&cdn_ttl=3600&cdn_hash="
    )
    good = query + ucdn(str(NOW), *values)
    assert asked(good) == "?a=1&b=%26"
    assert asked(good.replace("first", "other")) == "Forbidden"
    assert asked(query + ucdn(str(NOW), *values[:4], "second", "first")) == "Forbidden"
    signed = by_hmac(f"a=1&{CREATED}&cdn_any=x&b=%26")
    assert asked(signed, HMAC) == "?a=1&b=%26"
    for other in (signed.replace("a=1", "a=2"), signed.replace("cdn_any=x", ""), f"{signed}&c"):
        assert asked(other, HMAC) == "Forbidden", other


def test_a_net_is_for_its_clients_alone() -> None:
    for net, address, expected in (
        ("80.249.0.0.16", "80.249.255.1", "?"),
        ("80.249.0.0.16", "80.250.0.1", "Forbidden"),
        ("80.249.1.2", "80.249.1.2", "?"),
        ("80.249.1.2", "80.249.1.3", "Forbidden"),
        ("80.249.1.2.16", "80.249.9.9", "?"),
        ("2001:db8::.32", "2001:db8:1::1", "?"),
        ("2001:db8::.32", "80.249.1.2", "Forbidden"),
        ("80.249", "80.249.1.2", "Forbidden"),
        ("80.249.0.0.99", "80.249.1.2", "Forbidden"),
        ("*", "80.249.1.2", "Forbidden"),
        ("80.249.0.0.16", "", "Forbidden"),
    ):
        query = f"{CREATED}&cdn_net={net}&cdn_hash={ucdn(str(NOW), net)}"
        assert asked(query, address=address) == expected, net


def test_what_is_no_good_link_is_refused() -> None:
    good = f"{CREATED}&cdn_ttl=3600&cdn_hash={MD5}"
    for query in (
        *("", "cdn_hash=", f"cdn_hash={MD5}", f"{CREATED}&cdn_ttl=3600", "cdn_hash=%C3%A9"),
        good[:-1],
        good.upper(),
        f"{good}&cdn_ttl=3600",  # which of them?
        good.replace("cdn_ttl=3600", "cdn_ttl=36000"),
        f"cdn_creation_time=0&cdn_hash={ucdn('0')}",
        f"cdn_creation_time=+{NOW}&cdn_hash={ucdn(f' {NOW}')}",
        f"{CREATED}&cdn_ttl=-1&cdn_hash={ucdn(str(NOW), '-1')}",
        f"{CREATED}&cdn_ttl=1e9&cdn_hash={ucdn(str(NOW), '1e9')}",
    ):
        assert asked(query) == "Forbidden", query
        assert asked(query, links(refused=405)) == "MethodNotAllowed", query
    with pytest.raises(ValueError):
        opened(UCDN, Link(PATH, "%FF", "", NOW))
    # digits that went from one value to the next: it would count for 200,000 years
    moved = f"cdn_creation_time=1&cdn_ttl={str(NOW)[1:]}3600&cdn_hash={MD5}"
    assert asked(moved, now=NOW + 9999) == "Forbidden"


def test_the_form_of_nginx() -> None:
    expires = NOW + 10
    for now, expected in ((NOW, "?a=1"), (expires, "?a=1"), (expires + 1, "Gone")):
        assert asked(f"a=1&{nginx(expires)}", NGINX, now=now) == expected
    assert asked(nginx(expires).replace("&", "==&"), NGINX) == "?"
    assert asked(nginx(expires), NGINX, address="80.249.1.3") == "Forbidden"
    assert asked(nginx(expires).replace(str(expires), str(expires + 1)), NGINX) == "Forbidden"
    assert asked(nginx("").partition("&")[0], NGINX) == "Forbidden"  # it would be for ever
    known = links(form="secure_link", expression="$secret$uri")
    digest = base64.urlsafe_b64encode(hashlib.md5(b"s3cret" + PATH.encode()).digest()).decode()
    assert asked(f"md5={digest}&expires={expires}", known) == "?"


_NAMES = st.sampled_from(["cdn_ttl", "cdn_bw", "cdn_cv_a", "cdn_cv_b", "cdn_x", "a", "é&=?"])
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_QUERIES = st.dictionaries(_NAMES, _TEXTS, max_size=5).map(lambda one: {**one, "cdn_ttl": "60"})


@given(path=_TEXTS.map("/{}".format), said=_QUERIES, other=_TEXTS)
def test_whatever_is_signed_opens_what_it_was_signed_for_and_nothing_else(
    path: str, said: dict[str, str], other: str
) -> None:
    rest = urlencode({"cdn_creation_time": str(NOW), **said})
    own = [text for name, text in said.items() if name.startswith("cdn_cv_")]
    made = ucdn(str(NOW), "60", said.get("cdn_bw", ""), *own, path=path)
    for form, query in ((UCDN, f"{rest}&cdn_hash={made}"), (HMAC, by_hmac(rest, path))):
        left = asked(query, form, path=path)
        assert left[:1] == "?"
        kept = [one for one in said.items() if not one[0].startswith("cdn_")]
        assert parse_qsl(left[1:], keep_blank_values=True) == kept
        if other:
            assert asked(query, form, path=path + other) == "Forbidden"
        assert asked(query, form, path=path, now=NOW + 60) == "Gone"


@pytest.mark.parametrize("form", ["hmac-sha256", "ucdn", "secure_link"])
def test_what_is_documented_makes_links(form: str) -> None:
    programs = [one.code for one in blocks("docs/public.md") if one.language == "python"]
    code = programs[["hmac-sha256", "ucdn", "secure_link"].index(form)]
    names = {"time": time, "hmac": hmac, "hashlib": hashlib, "base64": base64, "quote": quote}
    told: dict[str, Any] = {**names, "address": "80.249.1.2"}
    exec(code, told)
    path, _, query = told["link"].partition("?")
    assert asked(query, links(form=form), path=path, now=int(time.time())) == "?"


# through the door

LINKED = {"service": "pages", "signed_links": {"secret": "hunter2", "form": "hmac-sha256"}}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    refused = {**LINKED["signed_links"], "refused": 405}  # type: ignore[dict-item]
    bindings: list[dict[str, Any]] = [
        {**LINKED, "prefix": "/below", "listing": True, "cors": "*", "error_document": "sorry"},
        {**LINKED, "host": "405.example", "signed_links": refused},
    ]
    with serving({"pages": {"driver": "memory"}}, bindings) as site:
        site.put("pages", "a b/é", b"here")
        site.put("pages", "sorry", b"sorry")
        yield site


def link(path: str, *more: str, created: int = 0) -> str:
    rest = "&".join([f"cdn_creation_time={created or int(time.time())}", *more])
    signed = f"{quote(path, safe='/~')}?{rest}"
    return f"{signed}&cdn_hash={hmac.new(b'hunter2', signed.encode(), 'sha256').hexdigest()}"


def test_nobody_gets_in_without_a_link(site: Site) -> None:
    good = link("/below/a b/é")
    assert site.ask(good).body == b"here"
    assert site.ask(good, "HEAD").status == 200
    refused = site.ask("/below/a%20b/%C3%A9")
    assert (refused.status, refused.body) == (403, b"sorry")
    assert site.records[-1].code == "Forbidden"
    assert site.ask(link("/below/absent")).status == 404
    for target in ("/below/absent", "/below/a%20b", "/below", "/below/?after=a", "/below/%FF"):
        assert site.ask(target).status in (400, 403), target
    assert site.ask(link("/a b/é").replace("/a%20b", "/below/a%20b")).status == 403  # no prefix
    assert site.ask(link("/below/a b/é", created=NOW)).status == 410
    assert site.ask("/x", host="405.example").status == 405
    assert "GET" in site.ask("/x", host="405.example").headers["allow"]
    asks = {"origin": "https://a.example", "access-control-request-method": "GET"}
    assert site.ask("/below/x", "OPTIONS", asks).status == 204
    assert site.ask("/below/x", "OPTIONS").status == 403


def test_a_list_is_gone_through_with_a_link_for_each_page(site: Site) -> None:
    first = site.ask(link("/below/"))
    assert (first.status, b"sorry" in first.body) == (200, True)
    assert b"sorry" not in site.ask(link("/below/", "after=t")).body


@pytest.mark.usefixtures("sockets")
def test_what_a_link_says_of_itself_comes_to_no_cache_and_no_origin() -> None:
    with Upstream() as upstream:
        upstream.objects["/k"] = b"one"
        services: dict[str, Any] = {
            "origin": {"driver": "http", "url": upstream.url, "allow": ["127.0.0.0/8"]},
            "near": {"driver": "cache", "source": "origin", "refresh_after": "1h"},
        }
        bindings = [
            {**LINKED, "service": "near"},
            {**LINKED, "service": "origin", "host": "all.example", "methods": "all"},
        ]
        with serving(services, bindings) as site:
            for ttl in ("60", "61"):
                assert site.ask(link("/k", "a=1", f"cdn_ttl={ttl}", "cdn_x=y")).body == b"one"
            site.ask(link("/k", "a=1"), "POST", host="all.example", body=b"")
            assert site.ask("/k?a=1", "POST", host="all.example", body=b"").status == 403
        targets = [(one.method, one.target) for one in upstream.requests]
        assert targets == [("GET", "/k?a=1"), ("POST", "/k?a=1")]


def test_options_that_make_no_sense_are_refused() -> None:
    for options, why in (
        ({}, "signed_links.secret: missing"),
        ({"secret": ""}, "not empty"),
        ({"form": "md5"}, "form"),
        ({"form": "hmac-sha256", "algorithm": "sha1"}, "algorithm"),
        ({"ttl": "0s"}, "ttl"),
        ({"refused": 404}, "allowed: 403 . 405"),
        ({"expression": "$uri"}, "expression"),
        ({"expression": "$uri $secret $cookie_x"}, "expression"),
        ({"expression": "$uri $secret $"}, "expression"),
    ):
        given = {"secret": "hunter2", **options} if options else {}
        binding = {"host": "h.example", "mode": "public", "service": "pages", "signed_links": given}
        services = {"pages": {"driver": "memory"}}
        with pytest.raises(ConfigurationError, match=why) as failure:
            load(tables={"services": services, "bindings": [binding]}, environ={})
        assert "hunter2" not in str(failure.value)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not there")
@pytest.mark.usefixtures("sockets", "processes")
def test_nginx_says_the_same_of_links_of_its_form(tmp_path: Path) -> None:
    """Of the example of its documentation, with the time in it."""
    now = int(time.time())
    queries = [
        *(nginx(expires, "/k", "127.0.0.1") for expires in (now + 1000, now - 1000)),
        nginx(now + 1000, "/other", "127.0.0.1"),
        nginx(now + 1000, "/k", "127.0.0.1").replace("&", "==&"),
        *("", "md5=x", f"md5=x&expires={now + 1000}", f"expires={now + 1000}"),
    ]
    port = free_port()
    (tmp_path / "nginx.conf").write_text(
        f"""
        daemon off; pid nginx.pid; error_log error.log;
        events {{}}
        http {{
          access_log off; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f;
          uwsgi_temp_path u; scgi_temp_path s;
          server {{ listen 127.0.0.1:{port};
            location / {{
              secure_link $arg_md5,$arg_expires;
              secure_link_md5 "$secure_link_expires$uri$remote_addr s3cret";
              if ($secure_link = "") {{ return 403; }}
              if ($secure_link = "0") {{ return 410; }}
              return 200; }} }} }}
        """
    )
    command = ["nginx", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until_accepting("127.0.0.1", port, threading.Event())
            answers = [status(f"http://127.0.0.1:{port}/k?{query}") for query in queries]
        finally:
            process.terminate()
    codes = {"?": 200, "Forbidden": 403, "Gone": 410}
    ours = [asked(one, NGINX, path="/k", now=now, address="127.0.0.1") for one in queries]
    assert [codes[one] for one in ours] == answers
    assert answers[:4] == [200, 410, 403, 200]


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
