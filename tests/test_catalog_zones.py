"""Zones in the catalog: a row, and the services and bindings by which it is served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.catalog import Catalog
from gateway.catalog.keys import Declarations
from gateway.catalog.parts import Parts, WantedBinding, WantedService
from gateway.catalog.secrets import Keyring, new_master
from gateway.catalog.stores import BindingRow
from gateway.catalog.zones import WantedZone
from gateway.storage import AlreadyExists, Conflict, InvalidRequest, NotFound
from tests import catalogs


@pytest.fixture(params=catalogs.QUICK)
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    catalogs.empty(request.param)
    keyring = Keyring(new_master())
    opened = catalogs.opened(request.param, tmp_path, Declarations(), lambda: 7, keyring)
    yield opened
    opened.close()


def wanted(
    *hosts: str,
    document: dict[str, Any] | None = None,
    shown: dict[str, Any] | None = None,
    url: str = "http://one.test",
    active: bool = True,
    **others: Any,
) -> WantedZone:
    def parts(number: int) -> Parts:
        services = {
            f"zone-{number}-origin": WantedService("http", {"url": [url]}),
            f"zone-{number}": WantedService("cache", {"source": f"zone-{number}-origin"}),
        }
        doors = [f"a{number}.cdn.test", *hosts] if active else []
        secret = {"signed_links": {"secret": "hunter2"}}
        bindings = [
            WantedBinding(BindingRow(host, 0, "", "public", f"zone-{number}", secret), {})
            for host in doors
        ]
        return Parts(services, bindings)

    known: dict[str, Any] = {
        "document": document or {},
        "reuses": None,
        "storage": None,
        "upstreams": (),
    }
    known |= {"shown": known["document"] if shown is None else shown, **others}
    return WantedZone(active=active, hosts=hosts, parts=parts, **known)


def doors(catalog: Catalog) -> dict[str, tuple[str, str]]:
    return {row.host: (row.service, row.part_of) for row in catalog.stores().bindings}


def test_a_zone_its_services_and_its_doors_are_one_commit(catalog: Catalog) -> None:
    document = {"hash_secret": "hunter2"}
    made = catalog.add_zone("alice", wanted("www.test", document=document, shown={}), limit=9)
    assert (made.number, made.account, made.document) == (1, "alice", document)
    stores = catalog.stores()
    assert stores.number == made.revision == catalog.stores_number() == 1
    assert {sid: row.owner for sid, row in stores.services.items()} == {
        "zone-1": "alice",
        "zone-1-origin": "alice",
    }
    assert doors(catalog) == {
        "a1.cdn.test": ("zone-1", "zone 1"),
        "www.test": ("zone-1", "zone 1"),
    }
    (entry,) = catalog.audit()
    assert (entry.action, entry.subject) == ("zone.add", "1")
    assert "hunter2" not in json.dumps(entry.detail)

    changed = catalog.change_zone(made, wanted("other.test"))
    assert changed.revision == 2 and changed.document == {}
    assert doors(catalog).keys() == {"a1.cdn.test", "other.test"}
    after = catalog.stores().services
    assert after == stores.services  # no cache is opened anew for a name
    with pytest.raises(Conflict):
        catalog.change_zone(made, wanted())

    off = catalog.change_zone(changed, wanted(url="http://two.test", active=False))
    assert doors(catalog) == {} and not off.active
    moved = catalog.stores().services
    assert moved["zone-1"] == stores.services["zone-1"]
    assert catalog.options(moved["zone-1-origin"]) == {"url": ["http://two.test"]}
    same = catalog.change_zone(off, wanted(url="http://two.test", active=False))
    assert same.revision == off.revision == catalog.stores_number()

    catalog.remove_zone(same)
    assert catalog.zone(1) is None and not catalog.stores().services
    with pytest.raises(NotFound):
        catalog.remove_zone(same)
    with pytest.raises(NotFound):
        catalog.change_zone(same, wanted())
    assert catalog.add_zone("alice", wanted(), limit=9).number == 2


def test_what_another_has_is_refused_and_nothing_is_left(catalog: Catalog) -> None:
    one = catalog.add_zone("alice", wanted("www.test"), limit=9)
    catalog.add_binding(BindingRow("*.shop.test", 0, "", "s3", ""), since=1)
    number = catalog.stores_number()
    for refused, text in (
        (wanted("www.test"), "www.test is taken"),
        (wanted("a.b.shop.test"), "a.b.shop.test is taken"),
        (wanted(upstreams=("a1.cdn.test",)), "a1.cdn.test is a name of this gateway"),
        (wanted(reuses=5), "no other zone 5"),
    ):
        with pytest.raises(InvalidRequest, match=text):
            catalog.add_zone("bob", refused, limit=9)
    with pytest.raises(InvalidRequest, match="no other zone 1"):
        catalog.add_zone("bob", wanted(reuses=1), limit=9)
    with pytest.raises(InvalidRequest, match="1 zones at most"):
        catalog.add_zone("alice", wanted(), limit=1)
    assert catalog.stores_number() == number
    assert [row.number for row in catalog.zones()] == [1]
    assert catalog.change_zone(one, wanted("www.test", "more.test")).number == 1


def test_a_cache_that_is_used_by_another_stays(catalog: Catalog) -> None:
    one = catalog.add_zone("alice", wanted(), limit=9)
    files = catalog.add_storage("files", "alice", "europe", "local", {}, most=9)
    with pytest.raises(InvalidRequest, match="no storage"):
        catalog.add_zone("bob", wanted(storage=files), limit=9)
    two = catalog.add_zone("alice", wanted(reuses=1, storage=files), limit=9)
    assert catalog.zones_on(files) == [2] and catalog.count_zones("alice") == 2
    with pytest.raises(Conflict, match="zone 2 uses"):
        catalog.remove_zone(one)
    with pytest.raises(InvalidRequest, match="it uses that of 1"):
        catalog.add_zone("alice", wanted(reuses=2), limit=9)
    third = catalog.add_zone("alice", wanted(), limit=9)
    with pytest.raises(InvalidRequest, match="zone 2 uses the cache of this one"):
        catalog.change_zone(one, wanted(reuses=third.number))
    with pytest.raises(InvalidRequest, match="no other zone 2"):
        catalog.change_zone(two, wanted(reuses=2))
    catalog.remove_zone(two)
    catalog.remove_zone(one)
    assert [row.number for row in catalog.zones("alice")] == [third.number]
    assert catalog.zones("alice", after=third.number) == catalog.zones("bob") == []


def test_what_is_part_of_a_zone_is_changed_with_it_alone(catalog: Catalog) -> None:
    catalog.add_zone("alice", wanted(), limit=9)
    stores = catalog.stores()
    row = stores.services["zone-1"]
    changes: list[Callable[[], object]] = [
        lambda: catalog.change_store(row, {}, name="", since=stores.number),
        lambda: catalog.remove_store(row, since=stores.number),
        lambda: catalog.remove_binding("a1.cdn.test", 0, "", since=stores.number),
    ]
    for change in changes:
        with pytest.raises(Conflict, match="is part of the zone 1"):
            change()
    assert catalog.stores() == stores


def test_a_zone_goes_round_names_that_others_have(catalog: Catalog) -> None:
    catalog.add_service("zone-1", "bob")
    made = catalog.add_zone("alice", wanted(), limit=9)
    assert made.number > 1 and f"zone-{made.number}" in catalog.stores().services
    with pytest.raises(AlreadyExists):
        catalog.add_service(f"zone-{made.number}-origin", "bob")
