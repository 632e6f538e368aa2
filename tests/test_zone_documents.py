"""What a zone may be asked to be, how a change becomes a whole document, and of what it is made."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.modes.zones import HELPERS, ZoneOptions
from gateway.services.zones import names
from gateway.services.zones.documents import (
    MEMBERS,
    Document,
    Wrong,
    merged,
    presented,
    read,
    without_secrets,
)
from gateway.services.zones.parts import cdn_domain, parts_of

OWN: Document = {
    "endpoints": [{"host": "news.com", "port": 80}],
    "type": "own",
    "proto": "http",
    "host_header": "news.com",
    "auth": {"type": "none"},
}
SMALL: Document = {"object_size": "small", "upstream": OWN}
AWS: Document = {
    "endpoints": [{"host": "s3.eu-central-1.domain.com", "bucket": "test", "region": "test"}],
    "type": "aws-s3",
    "proto": "https",
    "auth": {"type": "aws_secret_key", "access_key": "examplekey", "secret_key": "skey1"},
}
MANY = [f"{one}{two}" for one in "ABCDEFGHIJ" for two in "ABCDEFGHIJKLMNOPQRSTUVWXY"]
"""As many countries as there are."""
OPTIONS = ZoneOptions(suffix="cdn.test", allow=(ip_network("10.0.0.0/8"),))


def own(**changes: Any) -> Document:
    return {**OWN, **changes}


GOOD: list[tuple[str, Any, Any]] = [
    ("custom_domains", "A.test, b.test.", ["a.test", "b.test"]),
    ("custom_domains", ["a.test", "a.test"], ["a.test"]),
    ("error_pages", "404:http://x.test/a,b,500:http://x.test", ["404:http://x.test/a,b", "500:http://x.test"]),
    ("error_pages", {"404": "http://x.test"}, ["404:http://x.test"]),
    ("referers", ["a.test", "!none"], ["a.test", "!none"]),
    ("geo_filter_allow", "ch,DE", ["CH", "DE"]),
    ("geo_filter_deny", ["ru"], ["RU"]),
    ("geo_filter_deny", MANY, MANY),
    ("limit_rate_global", "20k", "20k"),
    ("limit_rate_security", "off", None),
    ("hash_secret", "s3cret", "s3cret"),
    ("hash_ttl", None, None),
    ("cache_reuse_from", "7", 7),
    ("expiration", 3600, 3600),
    ("expiration", "0", 0),
    ("expiration", "", None),
    ("upstream", AWS, {**AWS, "host_header": None}),
    ("upstream", own(auth=None, host_header=""), own(host_header=None)),
    ("upstream", own(host_header="N.com:8080"), own(host_header="n.com:8080")),
    ("upstream", own(endpoints=[{"host": "N.com."}], proto="https"),
     own(endpoints=[{"host": "n.com", "port": 443}], proto="https")),
    ("upstream", own(endpoints=[{"host": "[2001:470::1]", "port": "8080"}]),
     own(endpoints=[{"host": "2001:470::1", "port": 8080}])),
]  # fmt: skip

BAD: list[tuple[str, Any, str]] = [
    ("object_size", "medium", "object_size: it is small or big."),
    ("upstream", [], "upstream: it is an object."),
    ("upstream", "{", "upstream: it is no JSON."),
    ("upstream", own(type="ftp"), "upstream.type: it is own or aws-s3."),
    ("upstream", own(proto="ftp"), "upstream.proto: it is http or https."),
    ("upstream", own(path="/"), "upstream.path: there is no such member."),
    ("upstream", own(endpoints=[]), "upstream.endpoints: it is a list of 1 to 16 objects."),
    ("upstream", own(endpoints=[{"host": "a b"}]), "upstream.endpoints[0].host: it is a host"),
    ("upstream", own(endpoints=[{"host": "x.com/a?"}]), "upstream.endpoints[0].host: it is a host"),
    ("upstream", own(endpoints=[{"host": "a@b"}]), "upstream.endpoints[0].host: it is a host"),
    ("upstream", own(endpoints=[{"host": "a", "port": 0}]), "endpoints[0].port: it is a number"),
    ("upstream", own(endpoints=[{"host": "a", "bucket": "b"}]), "endpoints[0].bucket: there is no"),
    ("upstream", own(auth={"type": "aws_secret_key"}), "upstream.auth.access_key: it is ASCII"),
    ("upstream", own(auth={"type": "http_basic", "username": "a", "password": 5}), "auth.password"),
    ("upstream", own(auth={"type": "none", "username": "a"}), "auth.username: there is no such"),
    ("upstream", {**AWS, "auth": {"type": "http_basic", "username": "a", "password": "b"}},
     "upstream.auth.type: of aws-s3 it is none or aws_signing_key or aws_secret_key."),
    ("upstream", {**AWS, "endpoints": [{"host": "s3.test", "bucket": "b"}]}, "needs the region"),
    ("upstream", own(host_header="a\r\nx: y"), "upstream.host_header: it is a host"),
    ("upstream", own(host_header="a.com:http"), "upstream.host_header: it is a host"),
    ("upstream", own(host_header="a.com:80:90"), "upstream.host_header: it is a host"),
    ("upstream", own(host_header="fe80::1"), "upstream.host_header: it is a host"),
    ("storage_id", "x", "storage_id: it is a number from 1"),
    ("custom_domains", ["*.a.test"], 'custom_domains: "*.a.test" is no domain'),
    ("custom_domains", "10.0.0.1", 'custom_domains: "10.0.0.1" is no domain'),
    ("custom_domains", "localhost", "is no domain"),
    ("custom_domains", {"a": 1}, "custom_domains: it is a list of texts"),
    ("custom_domains", ["a.test"] * 101, "custom_domains: it has up to 100 texts"),
    ("error_pages", 404, "error_pages: it is a list of texts"),
    ("geo_filter_allow", {"ch": 1}, "geo_filter_allow: it is a list of texts"),
    ("geo_filter_deny", [1], "geo_filter_deny: it is a list of texts"),
    ("referers", ["a.test", ""], "referers: it has up to 100 texts, none of them empty"),
    ("limit_rate_global", "20m", "limit_rate_global: it is kilobytes a second, as 20k."),
    ("limit_rate_security", "yes", "limit_rate_security: it is on or off."),
    ("hash_secret", "a b", "hash_secret: it is a text that a query may have."),
    ("hash_algorithm", "sha256", "hash_algorithm: it is md5 or sha1."),
    ("hash_algorithm", "md5", "hash_algorithm: it needs a hash_secret."),
    ("hash_ttl", 60, "hash_ttl: it needs a hash_secret."),
    ("hash_ttl", -1, "hash_ttl: it is a number from 1"),
    ("limit_rate_security", "on", "limit_rate_security: it needs a hash_secret."),
    ("cache_reuse_from", True, "cache_reuse_from: it is a number"),
    ("expiration", 1.5, "expiration: it is a number from 0"),
    ("expiration", "9" * 30, "expiration: it is a number from 0"),
    ("expirations", 1, "expirations: a zone has no such member. Did you mean"),
]  # fmt: skip


def test_each_member_has_values_that_it_takes_and_others_that_it_says_are_wrong() -> None:
    for name, given_value, found in GOOD:
        assert read({**SMALL, name: given_value})[name] == found, name
    for name, given_value, sentence in BAD:
        with pytest.raises(Wrong) as raised:
            read({**SMALL, name: given_value})
        assert sentence in str(raised.value), (name, given_value)
    assert {name for name, _, _ in BAD} >= {*MEMBERS}  # none is without


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(Wrong) as raised:
        read({"object_size": "tiny", "upstream": 1, "hash_ttl": "x"})
    assert len(raised.value.sentences) == 3
    for document, sentence in (
        ({"upstream": OWN}, "object_size: missing"),
        ({"object_size": "big"}, "upstream: give it, or storage_id"),
        ({**SMALL, "storage_id": 1}, "upstream: give it, or storage_id"),
        ({**SMALL, "hash_secret": "x", "limit_rate_security": "on", "limit_rate_global": "1k"},
         "it excludes limit_rate_security"),
    ):  # fmt: skip
        with pytest.raises(Wrong, match=sentence):
            read(document)


def test_a_secret_alone_has_the_usual_hash_and_time() -> None:
    found = read({**SMALL, "hash_secret": "x"})
    assert (found["hash_algorithm"], found["hash_ttl"]) == ("md5", 3600)


# the algebra

AUTHS = st.sampled_from(
    [{"type": "none"}, {"type": "http_basic", "username": "a", "password": "b"}]
)
UPSTREAMS = st.fixed_dictionaries(
    {
        "endpoints": st.sampled_from([[{"host": "a.test"}], [{"host": "b.test", "port": 81}]]),
        "type": st.just("own"),
        "proto": st.just("http"),
        "auth": AUTHS,
        "host_header": st.sampled_from([None, "h.test"]),
    }
)
ORIGINS: st.SearchStrategy[Document] = st.one_of(
    st.fixed_dictionaries({"upstream": UPSTREAMS}), st.just({"storage_id": 4})
)
TEXTS = st.lists(st.sampled_from(["a.test", "b.test", "c.test"]), max_size=3)
COUNTRIES = st.lists(st.sampled_from(["CH", "de", "RU"]), max_size=2)
TOKEN: st.SearchStrategy[Document] = st.one_of(
    st.just({}),
    st.fixed_dictionaries(
        {"hash_secret": st.sampled_from(["s", "t"])},
        optional={
            "hash_algorithm": st.sampled_from(["md5", "sha1"]),
            "hash_ttl": st.integers(1, 9),
        },
    ),
)
RATE = st.sampled_from([{}, {"limit_rate_global": "20k"}, {"limit_rate_security": "on"}])
REST = st.fixed_dictionaries(
    {},
    optional={
        "custom_domains": TEXTS,
        "error_pages": st.lists(st.just("404:http://x.test"), max_size=1),
        "referers": TEXTS,
        "geo_filter_allow": COUNTRIES,
        "geo_filter_deny": COUNTRIES,
        "cache_reuse_from": st.integers(1, 9),
        "expiration": st.integers(0, 9),
    },
)


@st.composite
def whole(draw: st.DrawFn) -> Document:
    token, rate = draw(TOKEN), draw(RATE)
    if "limit_rate_security" in rate and not token:
        rate = {}
    return read({"object_size": "big", **draw(ORIGINS), **token, **rate, **draw(REST)})


ABSENT = read(SMALL)


@given(whole())
def test_what_was_read_is_read_as_it_is(document: Document) -> None:
    assert read(document) == document
    assert read(merged(document, {}, ())) == document


@given(whole(), whole())
def test_a_change_of_all_is_a_replacement(before: Document, after: Document) -> None:
    assert read(merged(before, after, ())) == after


@given(whole(), REST, REST)
def test_changes_one_after_another_are_one(before: Document, one: Any, two: Any) -> None:
    both = read(merged(before, {**one, **two}, ()))
    assert read(merged(read(merged(before, one, ())), two, ())) == both
    assert {name: both[name] for name in MEMBERS if name not in {**one, **two}} == {
        name: before[name] for name in MEMBERS if name not in {**one, **two}
    }


@given(whole(), st.sampled_from(sorted(HELPERS)))
def test_a_helper_is_as_if_it_had_never_been_said(before: Document, helper: str) -> None:
    after = read(merged(before, {}, [helper]))
    expected = {**before}
    for path in HELPERS[helper]:
        within, _, name = path.rpartition(".")
        if not within:
            expected[name] = ABSENT[name]
        elif expected[within] is not None:
            said = {"auth": {"type": "none"}, "host_header": None}
            expected[within] = {**expected[within], name: said[name]}
    assert after == expected
    assert read(merged(after, {}, [helper])) == after


@given(whole(), TEXTS)
def test_helpers_come_before_what_is_given(before: Document, domains: list[str]) -> None:
    after = read(merged(before, {"custom_domains": domains}, ["clear_custom_domains"]))
    assert after["custom_domains"] == list(dict.fromkeys(domains))


def test_helpers_that_contradict_or_are_none() -> None:
    for helpers, sentence in ((["enable", "disable"], "excludes"), (["clear_all"], "no such")):
        with pytest.raises(Wrong, match=sentence):
            merged(ABSENT, {}, helpers)


def test_an_origin_takes_the_place_of_a_storage_and_the_other_way_round() -> None:
    stored = read(merged(ABSENT, {"storage_id": 4}, ()))
    assert (stored["storage_id"], stored["upstream"]) == (4, None)
    assert read(merged(stored, {"upstream": OWN}, ()))["storage_id"] is None
    with pytest.raises(Wrong, match="in its place"):
        read(merged(ABSENT, {"upstream": None}, ()))


# what is shown


def test_secrets_of_the_origin_are_shown_to_nobody_and_those_of_links_to_the_owner() -> None:
    basic = own(auth={"type": "http_basic", "username": "a", "password": "hunter2"})
    for upstream in (basic, AWS):
        document = read({"object_size": "big", "upstream": upstream, "hash_secret": "link"})
        assert "hunter2" not in str(presented(document)) and "skey1" not in str(presented(document))
        assert presented(document)["hash_secret"] == "link"
        assert without_secrets(document)["hash_secret"] is None


# what it is made of


def made(active: bool = True, storage: str = "", **members: Any) -> tuple[dict[str, Any], Any]:
    origin = {"storage_id": 4} if storage else {"upstream": OWN}
    document = read({"object_size": "big", **origin, **members})
    domain = cdn_domain(7, 121, OPTIONS.suffix)
    parts = parts_of(document, 7, domain=domain, active=active, options=OPTIONS, storage=storage)
    services = {sid: (one.driver, one.options) for sid, one in parts.services.items()}
    return services, [(one.row.host, one.row.service, one.row.options) for one in parts.bindings]


def test_a_plain_zone_is_a_cache_in_front_of_its_origin() -> None:
    services, doors = made()
    origin = {"url": ["http://news.com:80"], "host_header": "news.com", "allow": ["10.0.0.0/8"]}
    assert services["zone-7-origin"] == ("http", origin)
    cache = {"source": "zone-7-origin", "max_size": 10 << 30, "keep_when_source_changes": True}
    assert services["zone-7"] == ("cache", cache)
    assert [*services] == ["zone-7-origin", "zone-7"]  # what is behind comes first
    assert [(host, to) for host, to, _ in doors] == [("a7-121.cdn.test", "zone-7")]


def test_each_member_becomes_what_it_asks_for() -> None:
    def cache(**members: Any) -> Any:
        return made(**members)[0]["zone-7"][1]

    def door(**members: Any) -> Any:
        return made(**members)[1][0][2]

    assert cache(object_size="small")["max_item_size"] == 20_000_000
    assert (cache(expiration=60)["refresh_after"], cache(expiration=60)["respect_headers"]) == (
        "60s",
        False,
    )
    assert made(storage="photos")[0].keys() == {"zone-7"}
    assert cache(storage="photos")["source"] == "photos"
    links = {"secret": "x", "algorithm": "sha1", "ttl": "60s", "refused": 403}
    token = {"hash_secret": "x", "hash_algorithm": "sha1", "hash_ttl": 60}
    assert door(**token)["signed_links"] == links
    assert door(**token, limit_rate_security="on")["limit_rate"] == "link"
    assert door(limit_rate_global="20k")["limit_rate"] == "20k"
    both = door(referers=["a.test", "!none"])
    assert (both["referers"], both["referers_deny"]) == (["a.test"], ["none"])
    assert door(geo_filter_allow="ch")["countries_allow"] == ["CH"]
    assert door(geo_filter_deny="ch")["countries_deny"] == ["CH"]
    assert door(error_pages="404:http://x.test")["error_pages"] == ["404:http://x.test"]
    assert [to for _, to, _ in made(cache_reuse_from=3)[1]] == ["zone-3"]
    assert door()["counted_as"] == door(cache_reuse_from=3)["counted_as"] == "zone-7"
    names_of = [host for host, _, _ in made(custom_domains="b.test,c.test")[1]]
    assert names_of == ["a7-121.cdn.test", "b.test", "c.test"]
    assert made()[1][0][2].get("closed") is None
    closed = made(active=False, custom_domains="b.test")[1]
    assert [(host, said["closed"]) for host, _, said in closed] == [
        ("a7-121.cdn.test", True),
        ("b.test", True),
    ]
    basic = {"type": "http_basic", "username": "a", "password": "b"}
    origin = made(upstream=own(auth=basic))[0]["zone-7-origin"][1]
    assert (origin["username"], origin["password"]) == ("a", "b")
    signed = made(upstream=AWS)[0]["zone-7-origin"][1]
    assert signed["url"] == ["https://s3.eu-central-1.domain.com/test"]
    assert (signed["access_key"], signed["secret_key"], signed["region"]) == (
        "examplekey",
        "skey1",
        "test",
    )


# names


def test_names_of_the_gateway_itself_and_private_addresses_are_refused() -> None:
    here = names.Own(
        suffix="cdn.test",
        below=("s3.test",),
        hosts={"www.gateway.test", "*.bound.test"},
        listeners=[("0.0.0.0", 9000), ("192.0.2.5", 80)],
    )

    def refused(host: str, port: int = 80, **members: Any) -> str:
        upstream = own(endpoints=[{"host": host, "port": port}])
        document = read({"object_size": "big", "upstream": upstream, **members})
        return " ".join(names.refused(document, here, OPTIONS))

    assert refused("news.com") == refused("10.1.2.3") == refused("8.8.8.8") == ""
    for host in (
        "cdn.test",
        "a1-2.cdn.test",
        "s3.test",
        "b.s3.test",
        "www.gateway.test",
        "x.bound.test",
    ):
        assert "is this gateway itself" in refused(host)
        wanted = refused("news.com", custom_domains=[host])
        assert wanted == f"custom_domains: {host} is a name of this gateway itself."
    own_domain = refused("www.mine.test", custom_domains=["www.mine.test"])
    assert own_domain == "upstream.endpoints[0].host: www.mine.test is this gateway itself."
    for host, why in (
        ("127.0.0.1", "loopback"),
        ("192.168.1.1", "private"),
        ("169.254.169.254", "link-local"),
        ("::1", "loopback"),
        ("::ffff:127.0.0.1", "IPv4 in IPv6"),
    ):
        assert f"{host} is {why}, and no network that origins may be in" in refused(host)
    for host, port in (("127.0.0.1", 9000), ("localhost", 9000), ("192.0.2.5", 80), ("::1", 9000)):
        assert "is this gateway itself" in refused(host, port)
