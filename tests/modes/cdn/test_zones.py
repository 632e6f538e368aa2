"""Zones through the interface: what they may be, whose they are, and what they serve."""

from __future__ import annotations

import cProfile
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from gateway.access.identity import Identity
from gateway.modes.operating import NotAccepted, Operator
from gateway.modes.zones import ZoneOptions
from gateway.services.zones.zones import GatewayZones
from gateway.storage import Conflict, Secret
from tests.modes.cdn.cdn_gateway import SUFFIX, Cdn, controlling, refused, said

UPSTREAM = {
    "endpoints": [{"host": "news.com", "port": 80}],
    "type": "own",
    "proto": "http",
    "auth": {"type": "none"},
}
ROOT = Identity(key="root", account="root", access="admin")
BINDINGS = [
    {"mode": "s3", "host": "bound.example"},
    {"mode": "s3", "host": "*.wild.example", "port": 8080},
]
SERVER = {"memory": True, "domains": ["s3.example"], "external_url": "https://www.outside.example"}


@pytest.fixture(scope="module")
def cdn() -> Iterator[Cdn]:
    with controlling(bindings=BINDINGS, server=SERVER) as found:
        yield found


def make(cdn: Cdn, as_: str = "kusanagi", /, **members: Any) -> int:
    body = {"object_size": "big", "upstream": UPSTREAM, **members}
    found: int = said(cdn.ask("POST", "/zone", body, as_=as_))["zone_id"]
    return found


def shown(cdn: Cdn, number: int, **more: Any) -> Any:
    return cdn.get(f"/zone/{number}", **more)


def hosts(cdn: Cdn, number: int) -> list[str]:
    rows = cdn.site.runtime.catalog.stores().bindings
    return [row.host for row in rows if row.part_of == f"zone {number}"]


def operator(cdn: Cdn) -> Operator:
    return cdn.runtime.operator(ROOT)


def test_each_member_with_what_it_takes_and_what_it_refuses(cdn: Cdn) -> None:
    number = make(cdn)
    rows: list[tuple[str, Any, Any]] = [
        ("custom_domains", ["a.members.test"], ["*.members.test"]),
        ("error_pages", ["404:https://www.test/lost"], ["404"]),
        ("referers", ["www.test"], ["http://www.test/"]),
        ("limit_rate_global", "20k", "20"),
        ("hash_secret", "s3cret", "a b"),
        ("hash_algorithm", "sha1", "sha2"),
        ("hash_ttl", 60, 0),
        ("expiration", 60, -1),
        ("upstream", UPSTREAM, {**UPSTREAM, "proto": "ftp"}),
        ("object_size", "big", "huge"),
        ("geo_filter_allow", [], ["CH"]),  # no database says where anybody is
        ("geo_filter_deny", [], ["RU"]),
        ("limit_rate_security", "off", "maybe"),
        ("cache_reuse_from", None, number),
        ("storage_id", None, 99),
    ]
    for name, good, bad in rows:
        assert said(cdn.ask("PATCH", f"/zone/{number}", {name: good})), name
        before = shown(cdn, number)
        refused(cdn.ask("PATCH", f"/zone/{number}", {name: bad}), 400, name.partition("_")[0])
        assert shown(cdn, number) == before
    refused(cdn.ask("PATCH", f"/zone/{number}", {"nothing": 1}), 400, "nothing")


def test_a_form_says_the_same(cdn: Cdn) -> None:
    form = {
        "object_size": "small",
        "upstream[endpoints][0][host]": "news.com",
        "upstream[endpoints][0][port]": "8080",
        "upstream[type]": "own",
        "upstream[proto]": "http",
        "upstream[auth][type]": "none",
        "custom_domains": "a.form.test,b.form.test",
        "expiration": "60",
    }
    number = said(cdn.ask("POST", "/zone/", form, form=True))["zone_id"]
    found = shown(cdn, number)
    assert found["upstream"]["endpoints"] == [{"host": "news.com", "port": 8080}]
    assert (found["custom_domains"], found["expiration"]) == (["a.form.test", "b.form.test"], 60)


def test_put_replaces_and_patch_merges(cdn: Cdn) -> None:
    token = {"hash_secret": "s", "hash_ttl": 9}
    number = make(cdn, **{"custom_domains": ["a.algebra.test"], "expiration": 5, **token})
    body = {"upstream": UPSTREAM, "referers": ["www.test"]}
    assert said(cdn.ask("PUT", f"/zone/{number}", body)) == {"message": "Zone replaced"}
    found = shown(cdn, number)
    assert (found["custom_domains"], found["expiration"], found["hash_secret"]) == ([], None, None)
    assert (found["referers"], found["object_size"]) == (["www.test"], "big")
    refused(cdn.ask("PUT", f"/zone/{number}", {**body, "object_size": "small"}), 400, "stays")
    refused(cdn.ask("PUT", f"/zone/{number}", {"referers": []}), 400, "upstream: give it")

    patch = {"expiration": 7, "clear_referers": 1}
    assert said(cdn.ask("PATCH", f"/zone/{number}", patch)) == {"message": "Zone patched"}
    assert said(cdn.ask("PATCH", f"/zone/{number}", {"hash_secret": "t"}))
    found = shown(cdn, number)
    assert (found["referers"], found["expiration"]) == ([], 7)
    assert (found["hash_secret"], found["hash_algorithm"], found["hash_ttl"]) == ("t", "md5", 3600)
    assert said(cdn.ask("PATCH", f"/zone/{number}", {"expiration": None}))
    assert shown(cdn, number)["expiration"] is None
    query = {"clear_security_token": "1"}
    assert said(cdn.ask("PATCH", f"/zone/{number}", query=query))
    assert shown(cdn, number)["hash_secret"] is None


def test_what_is_disabled_keeps_its_names_and_lets_nobody_in(cdn: Cdn) -> None:
    number = make(cdn, custom_domains=["a.off.test"])
    own = shown(cdn, number)["cdn_domain"]
    assert hosts(cdn, number) == [own, "a.off.test"]
    assert said(cdn.ask("PATCH", f"/zone/{number}", {"disable": 1, "expiration": 9}))
    both = [own, "a.off.test"]
    assert (shown(cdn, number)["is_active"], hosts(cdn, number)) == ("0", both)
    for host in both:
        assert cdn.site.ask("/k", host=host).status == 403
    assert said(cdn.ask("PUT", f"/zone/{number}", {"upstream": UPSTREAM}))  # it stays disabled
    assert (shown(cdn, number)["is_active"], hosts(cdn, number)) == ("0", [own])
    assert cdn.site.ask("/k", host=own).status == 403
    assert said(cdn.ask("PATCH", f"/zone/{number}", {"enable": 1}))
    assert (shown(cdn, number)["is_active"], hosts(cdn, number)) == ("1", [own])
    refused(cdn.ask("PATCH", f"/zone/{number}", {"enable": 1, "disable": 1}), 400, "excludes")


def test_names_that_others_have(cdn: Cdn) -> None:
    make(cdn, "batou", custom_domains=["www.batou.test"])
    operator(cdn).add_binding({"host": "*.added.test", "mode": "s3"})
    for host in (
        "www.batou.test",
        "a.added.test",
        "bound.example",
        "x.wild.example",
        "www.outside.example",
        "bucket.s3.example",
        f"a9-9.{SUFFIX}",
    ):
        body = {"object_size": "big", "upstream": UPSTREAM, "custom_domains": [host]}
        refused(cdn.ask("POST", "/zone", body), 400, host)
        there = {**UPSTREAM, "endpoints": [{"host": host}]}
        refused(cdn.ask("POST", "/zone", {"object_size": "big", "upstream": there}), 400, "itself")
    private = {**UPSTREAM, "endpoints": [{"host": "news.com"}, {"host": "10.1.2.3"}]}
    text = refused(cdn.ask("POST", "/zone", {"object_size": "big", "upstream": private}), 400)
    assert text.startswith("upstream.endpoints[1].host: 10.1.2.3 is private")


def test_another_accounts_zone_is_as_if_it_were_not_there(cdn: Cdn) -> None:
    number = make(cdn, "batou")
    there = {"object_size": "big", "upstream": UPSTREAM, "cache_reuse_from": number}
    refused(cdn.ask("POST", "/zone", there), 400, f"no other zone {number}")
    for id in (number, 10**6, 2**62, 10**30, 0, "x"):
        for method in ("GET", "PUT", "PATCH", "DELETE"):
            body = {"upstream": UPSTREAM} if method in ("PUT", "PATCH") else None
            refused(cdn.ask(method, f"/zone/{id}", body), 404)
    assert number not in [int(one["id"]) for one in cdn.get("/zones")]
    assert shown(cdn, number, as_="root")["id"] == str(number)
    assert said(cdn.ask("PATCH", f"/zone/{number}", {"expiration": 1}, as_="root"))
    assert shown(cdn, number, as_="batou")["expiration"] == 1
    assert cdn.site.runtime.catalog.read_service(f"zone-{number}").owner == "batou"  # type: ignore[union-attr]


def test_a_cache_that_another_zone_uses(cdn: Cdn) -> None:
    first = make(cdn)
    second = make(cdn, cache_reuse_from=str(first))
    assert shown(cdn, second)["cache_reuse_from"] == first
    (row,) = [
        one for one in cdn.runtime.catalog.stores().bindings if one.part_of == f"zone {second}"
    ]
    assert row.service == f"zone-{first}"
    refused(cdn.ask("DELETE", f"/zone/{first}"), 406, f"zone {second} uses")
    assert said(cdn.ask("PATCH", f"/zone/{second}", {"clear_reuse_cache": 1}))
    assert said(cdn.ask("DELETE", f"/zone/{first}")) == {"message": "Zone deleted"}
    refused(cdn.ask("DELETE", f"/zone/{first}"), 404)


def test_what_belongs_to_a_zone_is_shown_so_and_changed_with_it_alone(cdn: Cdn) -> None:
    number = make(cdn, custom_domains=["a.parts.test"])
    sid = f"zone-{number}"
    root = operator(cdn)
    assert {root.service(one).info.part_of for one in (sid, f"{sid}-origin")} == {f"zone {number}"}
    doors = [one.part_of for one in root.bindings() if one.host == "a.parts.test"]
    assert doors == [f"zone {number}"]
    changes: list[Callable[[], object]] = [
        lambda: root.change_service(sid, {"max_size": "1MiB"}),
        lambda: root.remove_service(sid),
        lambda: root.remove_service(f"{sid}-origin"),
        lambda: root.remove_binding("a.parts.test", 0, ""),
    ]
    for change in changes:
        with pytest.raises(Conflict, match=f"is part of the zone {number}"):
            change()
    with pytest.raises(NotAccepted, match=f"part of the zone {number}"):
        root.add_service("mine", "cache", {"source": sid})
    with pytest.raises(NotAccepted, match=f"part of the zone {number}"):
        root.add_binding({"host": "mine.test", "mode": "public", "service": sid})


def test_as_many_as_an_account_may_have() -> None:
    with controlling(cdn={"suffix": SUFFIX, "max_zones": 1}) as cdn:
        make(cdn)
        body = {"object_size": "big", "upstream": UPSTREAM}
        refused(cdn.ask("POST", "/zone", body), 400, "1 zones at most")
        make(cdn, "batou")


def test_links_may_be_refused_as_the_original_does() -> None:
    for table, status in (({}, 403), ({"hash_refused": 405}, 405)):
        with controlling(cdn={"suffix": SUFFIX, **table}) as cdn:
            assert Served(cdn, "of-links", hash_secret="s3cret").ask()[0] == status


def test_a_certificate_for_one_of_its_domains(cdn: Cdn) -> None:
    number = make(cdn, custom_domains=["www.certified.test"])
    assert shown(cdn, number)["ssl_type"] == "shared"
    catalog = cdn.site.runtime.catalog
    catalog.set_certificate("one", ["*.certified.test"], "CHAIN", Secret("KEY"), expires=1)
    assert shown(cdn, number)["ssl_type"] == "own"


# what it serves, from a storage, which is in memory as all here is


class Served:
    """A zone in front of a storage in which `k` is."""

    def __init__(self, cdn: Cdn, name: str, **members: Any) -> None:
        self.cdn = cdn
        kusanagi = Identity(key="kusanagi", account="kusanagi")
        self.storage = cdn.runtime.storages.make(kusanagi, name, "europe")
        self.write("one")
        self.number = make(cdn, upstream=None, storage_id=self.storage.number, **members)
        self.host = shown(cdn, self.number)["cdn_domain"]

    def write(self, text: str) -> None:
        self.cdn.site.put(self.storage.sid, "k", text.encode())

    def patch(self, **members: Any) -> None:
        assert said(self.cdn.ask("PATCH", f"/zone/{self.number}", members))

    def ask(self, target: str = "/k", **more: Any) -> tuple[int, bytes]:
        answer = self.cdn.site.ask(target, **{"host": self.host, **more})
        return answer.status, answer.body


def test_a_zone_serves_at_once_and_by_each_of_its_names(cdn: Cdn) -> None:
    zone = Served(cdn, "kusanagi-files", custom_domains=["www.served.test"])
    assert zone.ask() == (200, b"one") == zone.ask(host="www.served.test")
    zone.write("two")
    assert zone.ask() == (200, b"one")  # it is cached
    zone.patch(custom_domains=["img.served.test"])
    assert zone.ask(host="img.served.test") == (200, b"one")  # and stays
    assert zone.ask(host="www.served.test")[0] != 200
    zone.patch(disable=1)
    assert zone.ask()[0] == 403
    zone.patch(enable=1)
    assert zone.ask() == (200, b"one")
    assert said(cdn.ask("DELETE", f"/zone/{zone.number}"))
    assert zone.ask()[0] != 200


def test_links_filters_and_error_pages(cdn: Cdn) -> None:
    zone = Served(cdn, "kusanagi-guarded", hash_secret="s3cret", hash_ttl=3600)
    assert zone.ask()[0] == 403
    secret, created = "s3cret", round(cdn.runtime.clock() / 1000)
    digest = hashlib.md5(f"/k{secret}{created}".encode(), usedforsecurity=False).hexdigest()
    signed = f"/k?cdn_hash={digest}&cdn_creation_time={created}"
    assert zone.ask(signed) == (200, b"one")
    zone.patch(hash_algorithm="sha1")
    assert zone.ask(signed)[0] == 403
    zone.patch(clear_security_token=1, referers=["friend.test", "!none"])
    assert zone.ask()[0] == 403
    headers = {"referer": "https://www.friend.test/page"}
    assert zone.ask(headers=headers) == (200, b"one")
    zone.patch(clear_referers=1, error_pages=["404:https://www.test/lost"])
    answer = cdn.site.ask("/missing", host=zone.host)
    assert (answer.status, answer.headers["location"]) == (302, "https://www.test/lost")


def test_a_shared_cache_answers_for_both(cdn: Cdn) -> None:
    first = Served(cdn, "kusanagi-shared")
    assert first.ask() == (200, b"one")
    second = make(cdn, cache_reuse_from=first.number)
    host = shown(cdn, second)["cdn_domain"]
    first.write("two")
    assert first.ask(host=host) == (200, b"one")
    number = first.number
    refused(cdn.ask("PATCH", f"/zone/{number}", {"cache_reuse_from": second}), 400, "uses")


def test_what_a_request_costs_does_not_depend_on_how_many_zones_there_are(cdn: Cdn) -> None:
    zone = Served(cdn, "kusanagi-counted")

    def calls() -> int:
        def once() -> int:
            profile = cProfile.Profile()
            profile.enable()
            assert zone.ask() == (200, b"one")
            profile.disable()
            return sum(one.callcount for one in profile.getstats())

        return min(once() for _ in range(8))  # something may run behind one of them

    before = calls()
    for number in range(20):
        make(cdn, custom_domains=[f"{number}.many.test"])
    assert calls() == before


def test_a_storage_that_is_an_origin_stays(cdn: Cdn) -> None:
    zone = Served(cdn, "kusanagi-needed")
    kusanagi = Identity(key="kusanagi", account="kusanagi")
    cdn.site.runtime.access(ROOT, zone.storage.sid).delete("k")
    with pytest.raises(Conflict):
        cdn.runtime.storages.drop(kusanagi, zone.storage.number)
    zone.patch(upstream=UPSTREAM)
    assert shown(cdn, zone.number)["storage_id"] is None
    cdn.runtime.storages.drop(kusanagi, zone.storage.number)
    refused(cdn.ask("PATCH", f"/zone/{zone.number}", {"storage_id": zone.storage.number}), 400)
    theirs = cdn.runtime.storages.make(Identity(key="b", account="batou"), "batou-files", "europe")
    text = refused(cdn.ask("PATCH", f"/zone/{zone.number}", {"storage_id": theirs.number}), 400)
    assert text == f"storage_id: there is no storage {theirs.number}."


def test_certificates_for_domains_that_a_zone_has_no_more_are_renewed_no_more() -> None:
    pytest.importorskip("acme")
    acme = {"terms_agreed": True, "directory": "https://authority.test/dir"}
    with controlling(acme=acme) as cdn:
        number = make(cdn, custom_domains=["a.acme.test", "b.acme.test"])
        certificates = cdn.runtime.certificates
        certificates.order(["a.acme.test", "b.acme.test", "c.acme.test"])

        def renewed() -> set[str]:
            names = ["a.acme.test", "b.acme.test", "c.acme.test"]
            return {one.name for one in certificates.states(names) if one.next is not None}

        assert renewed() == {"a.acme.test", "b.acme.test", "c.acme.test"}
        assert said(cdn.ask("PATCH", f"/zone/{number}", {"custom_domains": ["b.acme.test"]}))
        assert renewed() == {"b.acme.test", "c.acme.test"}
        assert said(cdn.ask("DELETE", f"/zone/{number}"))
        assert renewed() == {"c.acme.test"}


def test_zones_follow_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What another configuration says of all zones holds for those that there are."""
    with controlling(cdn={"suffix": SUFFIX, "allow": ["10.0.0.0/8"]}) as cdn:
        private = {**UPSTREAM, "endpoints": [{"host": "10.1.2.3"}]}
        number, off = make(cdn, upstream=private), make(cdn)
        assert said(cdn.ask("PATCH", f"/zone/{off}", {"disable": 1}))
        changed = shown(cdn, number)["update_ts"]
        catalog = cdn.runtime.catalog
        cdn.runtime.zones.settle()
        revision = catalog.stores_number()
        options = ZoneOptions(suffix="other.example", cache_size=5_000_000)
        tables = {"cdn": options}
        later = replace(cdn.runtime.chain.configuration, mode_tables=tables)
        zones = GatewayZones(later, catalog, cdn.runtime.serving, cdn.runtime.notice)
        zones.settle()
        account = cdn.get("/account")["id"]
        assert hosts(cdn, number) == [f"a{number}-{account}.other.example"]
        assert hosts(cdn, off) == [f"a{off}-{account}.other.example"]
        rows = catalog.stores().services
        cache, origin = (catalog.options(rows[f"zone-{number}{one}"]) for one in ("", "-origin"))
        assert (cache["max_size"], "allow" in origin) == (5_000_000, False)
        found = zones.find(ROOT, number)
        assert found.ready and str(found.changed // 1000) == changed
        assert catalog.stores_number() > revision
        revision = catalog.stores_number()
        monkeypatch.setattr(catalog, "zones", None)  # they are not even looked at
        zones.settle()
        assert catalog.stores_number() == revision
        assert [one.action for one in catalog.audit(action="zone.settle")] == ["zone.settle"] * 2
