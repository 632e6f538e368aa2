"""What an upstream can do, found out by a few reads: for `gateway check --connect`."""

from __future__ import annotations

from drivers.s3.account import OpenedUpstream, S3Account
from drivers.s3.labels import Whole
from gateway.storage import (
    Conditions,
    Get,
    InvalidRequest,
    ListQuery,
    NotModified,
    Probe,
    StorageError,
    Unsupported,
)


def probe_account(store: OpenedUpstream, target: str) -> Probe:
    """Raises what the upstream refuses."""
    names = [one.name for one in S3Account(store).buckets()]
    note = f"{len(names)} buckets{': ' + ', '.join(names[:10]) if names else ''}"
    return Probe(target=target, can={"buckets": True}, notes=(note,))


def probe_bucket(store: Whole, target: str) -> Probe:
    """Raises what the upstream refuses when it is asked for a list."""
    page = store.list(ListQuery(limit=1))
    can: dict[str, bool | None] = {"list": True}
    notes = []
    try:
        state = store.versioning
    except Unsupported:
        can["versions"] = False
    except (StorageError, InvalidRequest) as error:
        can["versions"] = None
        notes.append(f"Whether versions are kept could not be read: {error}")
    else:
        can["versions"] = state != "off"
        notes.append(f"versioning is {state}")
    try:
        can["protection"] = store.can_protect()
    except StorageError:
        can["protection"] = None
    can |= {"read": None, "conditions": None, "checksums": None}
    if page.entries:
        can |= _object(store, page.entries[0].key)
    else:
        notes.append("The bucket is empty: reading an object was not tried.")
    region = store.client.endpoint.where(store.name)[1]
    notes.append(f"region {region}")
    return Probe(target=target, can=can, notes=tuple(notes))


def _object(store: Whole, key: str) -> dict[str, bool | None]:
    """By the first object of the list. Conditions on writes cannot be tried by reading."""
    info = store.stat(key)
    try:
        store.stat(key, Get(conditions=Conditions(if_none_match=(info.etag,))))
        conditions = False
    except NotModified:
        conditions = True
    return {"read": True, "conditions": conditions, "checksums": True if info.checksums else None}
