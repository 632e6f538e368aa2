"""A replica has what its source has: the same versions, in the same order, and the same feed."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    rule,
    run_state_machine_as_test,
)

from drivers.indexed.batch import Transaction
from drivers.indexed.replica.following import Following
from drivers.indexed.replica.options import ReplicaOf
from drivers.indexed.replica.source import Source
from drivers.indexed.store import IndexedStore
from gateway.storage import (
    BytesBody,
    Delete,
    Encryption,
    NoFollowers,
    NoSuchKey,
    OriginDenied,
    OriginFailed,
    PartRef,
    Period,
    Position,
    Protection,
    Put,
    ReadOnly,
    Secret,
    Versioning,
)
from gateway.testing import Server
from gateway.testing.conformance.walks import all_versions
from tests.replicas.pair import caught_up, contents, of, store_of, until

pytestmark = pytest.mark.usefixtures("sockets", "seconds")

LARGE = b"large" * 40_000
SAYS_MUCH = Put(
    content_type="image/png",
    headers=(("Cache-Control", "no-store"), ("Content-Language", "de, en")),
    metadata={"by": "Zoë", "empty": ""},
    tags={"colour": "blue/grün"},
    protection=Protection(mode="governance", until=1_900_000_000_123, hold=True),
    storage_class="STANDARD_IA",
    owner="somebody",
    attributes={"acl": [{"to": "all"}], "redirect": "/there"},
    checksums={"SHA256": ""},
)


@pytest.fixture(scope="module")
def first() -> Iterator[Server]:
    kinds = {"photos": "forever", "plain": "off", "cut": "forever"}
    services = {sid: {"driver": "memory", "keep_versions": keep} for sid, keep in kinds.items()}
    with Server(services=services) as server:
        yield server


@pytest.fixture(scope="module")
def second(first: Server) -> Iterator[Server]:
    services = {"copy": of(first), "plain": of(first, "plain"), "loop": {"driver": "memory"}}
    with Server(services=services) as server:
        yield server


@pytest.fixture(scope="module")
def third(first: Server, second: Server) -> Iterator[Server]:
    """Begun when the source of one of its replicas has no more all of its changes."""
    source = store_of(first, "cut")
    for number in range(30):
        put(source, f"k{number % 9}", b"%d" % number, Put(tags={"n": str(number)}))
    source.delete("k3")
    forget(source, 20)
    with Server(services={"third": of(second, "copy"), "late": of(first, "cut")}) as server:
        yield server


def forget(source: IndexedStore, before: int) -> None:
    """Have no changes in the feed that are older."""
    sql = "DELETE FROM changes WHERE service = ? AND sequence < ?"
    source.space.write(lambda txn: txn.execute(sql, (source.service, before)))


@pytest.fixture
def source(first: Server) -> IndexedStore:
    return store_of(first, "photos")


@pytest.fixture
def replica(second: Server) -> IndexedStore:
    return store_of(second, "copy")


def put(store: IndexedStore, key: str, data: bytes = b"x", options: Put = Put()) -> str:
    return store.put(key, BytesBody(data), options).version or "null"


def same(source: IndexedStore, replica: IndexedStore) -> None:
    caught_up(source, replica)
    assert contents(replica) == contents(source)
    assert replica.stats() == source.stats()


def test_all_that_is_said_of_a_version_travels(source: Any, replica: Any) -> None:
    put(source, "said", LARGE, SAYS_MUCH)
    put(source, "sealed", b"secret", Put(encryption=Encryption()))
    awaits = Protection(mode="compliance", until=1_900_000_000_000, event=Period(30, "days"))
    put(source, "awaits", b"", Put(protection=awaits))
    for key in ("/", "/a", "//a", "..", "a//b/", "\n\0"):
        put(source, key, key.encode())
    upload = source.begin("parts", Put(checksums={"CRC32": ""})).id
    parts = [source.put_part("parts", upload, n, BytesBody(LARGE)) for n in (1, 2)]
    refs = [PartRef(number=n.number, etag=n.etag, checksums=n.checksums) for n in parts]
    source.complete("parts", upload, refs)
    same(source, replica)
    assert source.changes().changes == replica.changes().changes


def test_what_changes_later_travels(source: Any, replica: Any) -> None:
    first = put(source, "later", b"1", Put(tags={"a": "1"}))
    put(source, "later", b"2")
    source.set_labels("later", first, tags={"b": "2"}, attributes={"x": 1})
    source.set_hold("later", first, True)
    same(source, replica)
    source.set_hold("later", first, False)
    source.set_labels("later", first, tags={})
    source.delete("later")
    source.delete("later", Delete(version=first))
    same(source, replica)


def test_what_was_protected_and_went_at_the_source_goes(source: Any, replica: Any) -> None:
    kept = Protection(mode="governance", until=1_900_000_000_000)
    version = put(source, "bypassed", options=Put(protection=kept))
    caught_up(source, replica)
    source.delete("bypassed", Delete(version=version, bypass=True))
    same(source, replica)


def test_nothing_is_written_to_a_replica(
    first: Server, second: Server, source: Any, replica: Any
) -> None:
    put(source, "mine", options=Put(tags={"a": "b"}))
    caught_up(source, replica)
    where = first.endpoint_url
    writes: tuple[Callable[[], object], ...] = (
        lambda: replica.put("k", BytesBody(b"")),
        lambda: replica.delete("mine"),
        lambda: replica.delete_many([("mine", Delete())]),
        lambda: replica.begin("k"),
        lambda: replica.set_labels("mine", tags={}),
        lambda: replica.set_hold("mine", None, True),
        lambda: replica.set_retention("mine", None, None, None),
        lambda: replica.put_annotation("mine", "n", b""),
        lambda: replica.copy(replica, "mine", "k"),
    )
    for write in writes:
        with pytest.raises(ReadOnly, match=where):
            write()
    s3 = second.client()
    with pytest.raises(s3.exceptions.ClientError, match=where) as caught:
        s3.put_object(Bucket="copy", Key="k", Body=b"")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 405
    same(source, replica)


def test_the_standard_mode_says_where_to_write(first: Server, second: Server) -> None:
    asked = urllib.request.Request(
        f"{second.endpoint_url}/uploadfile?sid=copy&path=k",
        data=b"x",
        headers={"x-owncdn-key": second.secret_key},
        method="PUT",
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(asked)
    with caught.value as answer:
        said = json.load(answer)
    assert (caught.value.code, said["error"]) == (403, "read_only")
    assert first.endpoint_url in said["message"]


def test_objects_under_a_customers_key_stay_where_they_are(
    first: Server, second: Server, source: Any, replica: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gateway.replica"):
        first.client().put_object(
            Bucket="photos", Key="sse-c", Body=b"1", SSECustomerKey="k" * 32,
            SSECustomerAlgorithm="AES256",
        )  # fmt: skip
        caught_up(source, replica)
    assert "'sse-c'" in caplog.text
    with pytest.raises(NoSuchKey):
        replica.stat("sse-c")
    for entry in source.versions().entries:
        if entry.key == "sse-c":
            source.delete("sse-c", Delete(version=entry.version))
    same(source, replica)


KEYS = ("a", "a/b", "é")


class History(RuleBasedStateMachine):
    """Whatever is done to the source; after each step or some the replica is compared."""

    source: IndexedStore
    replica: IndexedStore

    def __init__(self) -> None:
        super().__init__()
        self.data = 0

    @rule(key=st.sampled_from(KEYS), tags=st.booleans())
    def put(self, key: str, tags: bool) -> None:
        self.data += 1
        put(self.source, key, b"%d" % self.data, Put(tags={"n": "1"} if tags else {}))

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self.source.delete(key)

    @rule(which=st.integers(0, 6))
    def purge(self, which: int) -> None:
        entries = [one for one in self.source.versions().entries if one.key in KEYS]
        if which < len(entries):
            one = entries[which]
            self.source.delete(one.key, Delete(version=one.version))

    @rule(key=st.sampled_from(KEYS), tags=st.dictionaries(st.just("t"), st.text(max_size=2)))
    def label(self, key: str, tags: dict[str, str]) -> None:
        with suppress(NoSuchKey):
            self.source.set_labels(key, tags=tags)

    @rule(state=st.sampled_from(("on", "suspended")))
    def set_versioning(self, state: Versioning) -> None:
        self.source.set_versioning(state)

    @rule()
    def compare(self) -> None:
        same(self.source, self.replica)

    def teardown(self) -> None:
        same(self.source, self.replica)


def test_whatever_is_done_to_the_source(source: IndexedStore, replica: IndexedStore) -> None:
    machine = type("HistoryOfBoth", (History,), {"source": source, "replica": replica})
    bounded = settings(
        max_examples=8, stateful_step_count=15, deadline=None, derandomize=True, database=None
    )
    run_state_machine_as_test(machine, settings=bounded)
    source.set_versioning("on")


def test_one_that_keeps_no_versions_is_followed(first: Server, second: Server) -> None:
    source, replica = store_of(first, "plain"), store_of(second, "plain")
    for number in range(5):
        put(source, "k", b"%d" % number)
        put(source, "gone")
    source.delete("gone")
    source.set_labels("k", tags={"a": "b"})
    caught_up(source, replica)
    mine, theirs = replica.versions().entries, source.versions().entries
    assert [(e.key, e.version, e.etag) for e in mine] == [
        (e.key, e.version, e.etag) for e in theirs
    ]
    assert replica.stat("k").tags == {"a": "b"}
    first.client().put_object(  # which does not come: but what it replaced is gone
        Bucket="plain", Key="k", Body=b"1", SSECustomerKey="k" * 32, SSECustomerAlgorithm="AES256"
    )
    caught_up(source, replica)
    with pytest.raises(NoSuchKey):
        replica.stat("k")


def test_what_the_feed_has_no_more_is_compared(first: Server, third: Server) -> None:
    source, replica = store_of(first, "cut"), store_of(third, "late")
    same(source, replica)
    put(source, "after")
    same(source, replica)


@pytest.mark.parametrize("pages", [3, 500])
def test_one_that_was_away_for_too_long_is_compared(
    first: Server,
    third: Server,
    pages: int,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivers.indexed.replica.source.PAGE", pages)
    source, replica = store_of(first, "cut"), store_of(third, "late")
    same(source, replica)
    with caplog.at_level(logging.WARNING, "gateway.replica"):
        differ(source, replica)
        same(source, replica)
    assert "does not have the changes any more" in caplog.text


def test_a_chain_of_replicas_and_a_new_source(source: Any, replica: Any, third: Server) -> None:
    """The third follows the second, and then what becomes of that."""
    last = store_of(third, "third")
    put(source, "a")
    source.delete("a")
    same(source, last)
    replica.close_declared()  # as when `replica_of` is taken out of the configuration
    replica.promote()
    replica.read_only = ""
    put(replica, "b")
    assert replica.changes(source.changes().last).changes[-1].key == "b"
    put(source, "nobody follows it")
    same(replica, last)


def differ(source: IndexedStore, replica: IndexedStore) -> None:
    """Cut the feed behind the replica, with changes of every kind in what is missing."""
    come_back = away(replica)
    source.delete("k1")
    entries = source.versions().entries
    source.delete(entries[-1].key, Delete(version=entries[-1].version))
    source.set_labels("k4", tags={"new": "1"})
    put(source, "k5", b"new")
    forget(source, 1 << 60)
    put(source, "last")
    come_back()


def away(replica: IndexedStore) -> Callable[[], None]:
    """Have it follow no more, until what is returned is called."""
    following = replica._following
    assert following is not None
    following.end()

    def come_back() -> None:
        replica._following = Following(replica, following._of, following._sid, following._followers)

    return come_back


def test_details_are_for_who_may_read_each_of_them(first: Server) -> None:
    """A rule that keeps tags from everybody keeps them from replicas: no change is told as if
    it had none."""
    s3 = first.client()
    s3.create_bucket(Bucket="ruled")
    s3.put_object(Bucket="ruled", Key="k", Body=b"x", Tagging="a=b")
    store = store_of(first, "ruled")
    asking = Source(ReplicaOf(url=first.endpoint_url, key=Secret(first.secret_key), sid="ruled"))
    with closing(asking):
        info = asking.changes(0, 10).told[0].info
        assert info is not None
        assert info.tags == {"a": "b"}
        denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObjectTagging"}
        statement = {**denied, "Resource": "arn:aws:s3:::ruled/*"}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="ruled", Policy=json.dumps(policy))
        assert asking.changes(0, 10, details=False).told[0].change.key == "k"
        with pytest.raises(OriginDenied):
            asking.changes(0, 10)
        with pytest.raises(OriginDenied):
            asking.versions(None)
    assert store.stats().objects == 1


def test_one_that_follows_itself_waits_for_ever(first: Server, second: Server) -> None:
    """And says so; a loop of several has nothing to follow, either."""
    loop = store_of(second, "loop")
    of = ReplicaOf(url=second.endpoint_url, key=Secret(second.secret_key), sid="loop")
    with closing_end(Following(loop, of, "loop", NoFollowers())) as following:
        for _ in range(2):
            with pytest.raises(OriginFailed, match="of no known state of its source"):
                following.changes()
        assert loop.position() == Position("", 0)


@contextmanager
def closing_end(following: Following) -> Iterator[Following]:
    try:
        yield following
    finally:
        following.end()


def test_a_source_with_another_past_is_compared(
    first: Server, third: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """A backup of it was brought back and written to: there are as many changes, and others."""
    source, replica = store_of(first, "cut"), store_of(third, "late")
    put(source, "before", b"kept")
    same(source, replica)  # from here on it follows: what came by comparing has no past
    put(source, "was", b"lost")
    same(source, replica)
    come_back = away(replica)
    last = source.changes(source.changes().last - 1).changes[0]
    other = f"{last.sequence:012x}{'f' * 20}"
    for table in ("changes", "objects"):
        sql = f"UPDATE {table} SET version = ? WHERE service = ? AND sequence = ?"
        values = (other, source.service, last.sequence)
        source.space.write(partial(_execute, sql, values))
    with caplog.at_level(logging.WARNING, "gateway.replica"):
        come_back()
        until(lambda: all_versions(replica) == all_versions(source))
        same(source, replica)
    assert "another past" in caplog.text


def _execute(sql: str, values: Sequence[object], txn: Transaction) -> None:
    txn.execute(sql, values)
