"""Services that do not tell keys apart by case: what is decided about one name of an object is
decided about all of them, behind a path and a cache too."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers.indexed.replica.options import ReplicaOf
from drivers.local import Local
from drivers.memory import Memory
from gateway.access.access import Access
from gateway.access.identity import Identity
from gateway.access.rules import Inside
from gateway.config import load
from gateway.modes.s3.configuration.lifecycle import Filter, Lifecycle, Rule
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.subtree import Below
from gateway.storage import (
    BadKey,
    BytesBody,
    Context,
    Delete,
    Forbidden,
    ListQuery,
    NoSuchKey,
    Put,
    Secret,
)
from gateway.storage.folding import folded
from tests.older_index import make_older

OWNER = Identity(key="Owner", account="main", access="own")
GUEST = Identity(key="Guest", account="other", access="own")


def statement(effect: str, action: str, keys: str = "", **more: Any) -> dict[str, Any]:
    resource = f"arn:aws:s3:::folding{keys and f'/{keys}'}"
    principal = "*" if effect == "Deny" else {"AWS": "*"}
    said = {"Effect": effect, "Principal": principal, "Action": f"s3:{action}"}
    return {**said, **({} if "NotResource" in more else {"Resource": resource}), **more}


POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        statement("Deny", "GetObject", "Secret/*"),
        statement("Deny", "GetObject", "Of-${aws:username}/*"),
        statement("Allow", "GetObject", "Guests/${aws:username}/*"),
        statement("Deny", "PutObject", NotResource="arn:aws:s3:::folding/Guests*"),
        statement("Deny", "ListBucket", Condition={"StringLike": {"s3:prefix": "Secret/*"}}),
        statement("Allow", "ListBucket", Condition={"StringEquals": {"s3:prefix": "Guests/"}}),
    ],
}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Runtime]:
    plain = {"driver": "memory", "account": "main", "keep_versions": "off"}
    folding = {**plain, "case_sensitive": False, "settings": {"policy": json.dumps(POLICY)}}
    front = {"driver": "cache", "source": "folding", "account": "main", "space": "memory"}
    tables = {
        "server": {"memory": True},
        "accounts": [{"id": "main"}, {"id": "other"}],
        "services": {
            "plain": plain,
            "folding": folding,
            "cached": front,
            "below": {**front, "source_path": "Guests"},
            "loose": {**front, "source": "plain", "case_sensitive": False},
        },
    }
    runtime = open_runtime(load(tables=tables, environ={}), server="waitress", environ={})
    yield runtime
    runtime.close()


def access(gateway: Runtime, sid: str, identity: Identity = OWNER) -> Access:
    return gateway.access(identity, sid, Inside(1))


def put(to: Any, key: str, data: bytes = b"data") -> None:
    to.put(key, BytesBody(data), Put(size=len(data)))


def read(of: Any, key: str) -> bytes:
    with of.get(key) as opened:
        data: bytes = opened.body.read()
        return data


@pytest.mark.parametrize("key", ["Secret/k", "SECRET/K", "secret/k", "of-OWNER/k", "Of-Owner/k"])
def test_what_a_policy_denies_by_one_name_it_denies_by_all(gateway: Runtime, key: str) -> None:
    asked = access(gateway, "folding")
    put(asked.service.store, key)
    with pytest.raises(Forbidden):
        asked.get(key)


def test_what_a_policy_allows_by_one_name_it_allows_by_all(gateway: Runtime) -> None:
    put(access(gateway, "folding"), "GUESTS/Guest/K")
    for key in ("guests/guest/k", "Guests/GUEST/K"):
        assert read(access(gateway, "folding", GUEST), key) == b"data"
    with pytest.raises(Forbidden):
        access(gateway, "folding", GUEST).get("guests/other/k")
    with pytest.raises(Forbidden):
        put(access(gateway, "folding"), "other/k")


def test_conditions_on_a_prefix_hold_in_any_case(gateway: Runtime) -> None:
    for prefix in ("Secret/", "SECRET/a", "secret/"):
        with pytest.raises(Forbidden):
            access(gateway, "folding").list(ListQuery(prefix=prefix))
    for prefix in ("Guests/", "guests/", "GUESTS/"):
        access(gateway, "folding", GUEST).list(ListQuery(prefix=prefix))


def test_a_list_may_begin_behind_a_character_that_becomes_a_lesser_one(gateway: Runtime) -> None:
    for key in ("guests/ka", "guests/kb", "guests/kc"):
        put(access(gateway, "folding"), key)
    query = ListQuery(after="guests/\N{KELVIN SIGN}a", limit=1)
    assert access(gateway, "folding").list(query).next == "guests/kb"


def test_a_cache_gives_nothing_old_by_another_name(gateway: Runtime) -> None:
    cached = access(gateway, "cached")
    put(cached, "guests/Cached", b"old")
    assert read(cached, "guests/cached") == read(cached, "GUESTS/CACHED") == b"old"
    put(cached, "GUESTS/cacheD", b"new")
    assert read(cached, "guests/cached") == read(cached, "GUESTS/CACHED") == b"new"
    cached.delete("guests/cached")
    with pytest.raises(NoSuchKey):
        cached.get("GUESTS/CACHED")


def test_below_a_path_keys_lose_it_however_it_is_written(gateway: Runtime) -> None:
    put(access(gateway, "folding"), "Guests/Below/K")
    below = access(gateway, "below")
    assert "below/k" in [one.key for one in below.list().entries]
    assert read(below, "BELOW/K") == b"data"
    store = Below(access(gateway, "folding").service, "Guests")
    assert store.stat("Below/K").key == "below/k"
    feed = store.changes().changes
    assert {"below/k"} <= {one.key for one in feed}


def test_a_path_is_asked_for_as_it_is_where_a_cache_alone_takes_any_case(gateway: Runtime) -> None:
    put(access(gateway, "plain"), "Path/K")
    store = Below(access(gateway, "loose").service, "Path")
    assert read(store, "K") == b"data"
    assert [one.key for one in store.list().entries] == ["K"]


def test_rules_for_objects_that_expire_are_about_keys_as_they_are_kept() -> None:
    rules = (Rule(id="a", enabled=True, filter=Filter(prefix="Logs/"), days=1),)
    for sensitive, prefix in ((True, "Logs/"), (False, "logs/")):
        (rule,) = Lifecycle(rules).of(Memory(case_sensitive=sensitive))
        assert rule.filter.prefix == prefix


@pytest.mark.parametrize(
    ("key", "kept"),
    [
        ("A/B?C=D?E", "a/b?C=D?E"),
        ("ΟΔΟΣ", "οδοσ"),
        ("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "i\N{COMBINING DOT ABOVE}"),
        ("ß", "ß"),
    ],
)
def test_what_a_key_becomes(key: str, kept: str) -> None:
    assert folded(key) == folded(kept) == kept
    assert all(kept.startswith(folded(key[:n])) for n in range(len(key)))


# for as long as the service is there


def opened(folder: Path, *, case_sensitive: bool, **options: Any) -> Local:
    store = Local(case_sensitive=case_sensitive, **options)
    store.open(Context(sid="s", folder=folder))
    return store


@pytest.mark.parametrize("made", [True, False])
def test_it_stays_as_it_was_made(tmp_path: Path, made: bool) -> None:
    with closing(opened(tmp_path, case_sensitive=made)) as store:
        put(store, "K")
        store.delete("K", Delete())
    said = f"case_sensitive = {str(made).lower()}"
    with pytest.raises(ValueError, match=said):
        opened(tmp_path, case_sensitive=not made)
    with closing(opened(tmp_path, case_sensitive=made, quota=1000)) as store:
        put(store, "K")
        assert store.stat("K").key == ("K" if made else "k")


def test_a_service_of_an_earlier_release_is_case_sensitive(tmp_path: Path) -> None:
    with closing(opened(tmp_path, case_sensitive=True)) as store:
        put(store, "K")
    with closing(sqlite3.connect(tmp_path / "index.db", isolation_level=None)) as index:
        make_older(index.execute, 6)
    with pytest.raises(ValueError, match="case_sensitive = true"):
        opened(tmp_path, case_sensitive=False)
    with closing(opened(tmp_path, case_sensitive=True)) as store:
        assert read(store, "K") == b"data"


def test_buckets_are_told_that_they_cannot_have_it() -> None:
    store = Memory(case_sensitive=False)
    with pytest.raises(ValueError, match="services that are declared or added"):
        store.open(Context())
    store.close()


def test_a_replica_has_its_keys_as_its_source_has_them() -> None:
    source = ReplicaOf(url="https://source.example", key=Secret("k"), sid="s")
    with pytest.raises(ValueError, match="case_sensitive"):
        Memory(case_sensitive=False, replica_of=source)


def test_a_key_that_would_be_too_long_in_lower_case_is_refused() -> None:
    """Nobody could ask for what lists show, and a replica takes no such key."""
    with closing(Memory(case_sensitive=False)) as store:
        store.open(Context(sid="here"))
        store.put("\u023a" * 341, BytesBody(b""))
        long = "\u023a" * 342  # 684 bytes, and 1026 in lower case
        for write in (
            lambda: store.put(long, BytesBody(b"")),
            lambda: store.begin(long),
            lambda: store.copy(store, "\u023a" * 341, long),
        ):
            with pytest.raises(BadKey):
                write()
