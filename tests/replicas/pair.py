"""What tests of replicas have in common: gateways in memory on real sockets, and their stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from drivers.indexed.store import IndexedStore
from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.storage import NULL_VERSION, Get, ObjectInfo, VersionEntry, carried, pieces
from gateway.testing import Server
from gateway.testing.conformance.walks import all_versions

ADMIN = Identity(key="testing", account=ROOT_ACCOUNT, access="admin")
PATIENCE = 60.0


def store_of(server: Server, sid: str) -> IndexedStore:
    """That of a service, past all rules."""
    found = server._stage.access(ADMIN, sid).service.store
    assert isinstance(found, IndexedStore)
    return found


def of(source: Server, sid: str = "photos", **others: object) -> dict[str, Any]:
    """The options of a replica of that service."""
    told = {"url": source.endpoint_url, "key": source.secret_key, "sid": sid, **others}
    return {"driver": "memory", "replica_of": told}


def until(true: Callable[[], object]) -> None:
    latest = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < latest, "it takes too long"
        time.sleep(0.005)


def caught_up(source: IndexedStore, replica: IndexedStore) -> None:
    """Wait until all that the source has told is there."""
    page = source.changes()
    until(lambda: replica.position() == (page.feed, page.last))


def contents(store: IndexedStore) -> list[tuple[VersionEntry, Mapping[str, Any], bytes]]:
    """All that a store has: each version with all that is said of it, and its bytes."""
    found = list[tuple[VersionEntry, Mapping[str, Any], bytes]]()
    for entry in all_versions(store):
        if entry.marker:
            found.append((entry, {}, b""))
            continue
        with store.get(entry.key, Get(version=entry.version)) as opened:
            found.append((entry, _said(opened.info), b"".join(pieces(opened.body))))
    return found


def _said(info: ObjectInfo) -> Mapping[str, Any]:
    others = (info.checksums, info.checksum_type, tuple(info.parts), info.version or NULL_VERSION)
    return carried(info, others=others)
