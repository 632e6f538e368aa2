"""What a policy decides by an object's tags is done to that object, or it is decided anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from threading import Thread
from typing import Any

import pytest

from drivers.indexed.store import IndexedStore
from gateway.access.access import Access
from gateway.access.grants import GRANTS
from gateway.access.identity import Identity
from gateway.access.rules import Unknown
from gateway.services.service import Service
from gateway.storage import (
    Conditions,
    Conflict,
    Delete,
    Forbidden,
    Get,
    NotFound,
    ObjectInfo,
    StorageError,
)
from gateway.storage.objects import now
from tests.modes.s3_gateway import Served

OPEN, CLOSED = {"class": "open"}, {"class": "closed"}
LATER = now() + 86_400_000


class Overtaken:
    """A store: between a look at it and what is done then, another thread changes the labels."""

    def __init__(self, store: Any, labels: Callable[[], Mapping[str, Any] | None]) -> None:
        self._store, self._labels = store, labels

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def stat(self, key: str, want: Get = Get()) -> ObjectInfo:
        found: ObjectInfo = self._store.stat(key, want)
        labels = self._labels()
        if labels is not None:
            writer = Thread(target=self._store.set_labels, args=(key,), kwargs=labels)
            writer.start()
            writer.join()
        return found


@dataclass
class Place:
    s3: Served
    bucket: str

    @property
    def _owner(self) -> Access:
        return self.s3.gateway.access(self._identity("main-key"), self.bucket)

    def _identity(self, key: str) -> Identity:
        found = self.s3.gateway.keys.credential(key)
        assert found is not None
        return found.identity

    def other(self, labels: Callable[[], Mapping[str, Any] | None]) -> Access:
        """Who may do what the tags allow; see `Overtaken`."""
        service = self._owner.service
        store: Any = Overtaken(service.store, labels)
        rules = self.s3.gateway.service_settings.rules(service)
        overtaken = Service(service.about, store)
        return Access(overtaken, self._identity("other-key"), rules=rules, facts=Unknown())

    def put(self, tags: Mapping[str, str]) -> ObjectInfo:
        self.s3.client().put_object(Bucket=self.bucket, Key="k", Body=b"data")
        return self._owner.set_tags("k", None, tags)

    @property
    def found(self) -> ObjectInfo:
        return self._owner.stat("k")

    @property
    def found_store(self) -> Any:
        return self._owner.service.store

    @property
    def state(self) -> object:
        try:
            found = self.found
        except NotFound:
            return None
        return dict(found.tags), found.protection, found.attributes


@pytest.fixture
def place(s3: Served, bucket: str) -> Place:
    name = f"{bucket}-races"
    s3.client().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:*Object*",
        "Resource": f"arn:aws:s3:::{name}/*",
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/class": "open"}},
    }
    s3.client().put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [statement]}))
    return Place(s3, name)


def _one(results: Any) -> object:
    (result,) = results
    if isinstance(result, StorageError):
        raise result
    return result


ACTS: Mapping[str, Callable[[Access, str | None], object]] = {
    "delete": lambda access, _: access.delete("k"),
    "delete a version": lambda access, version: access.delete("k", Delete(version=version)),
    "delete many": lambda access, _: _one(access.delete_many([("k", Delete())])),
    "delete on condition": lambda access, _: access.delete(
        "k", Delete(conditions=Conditions(if_size=4))
    ),
    "tags": lambda access, _: access.set_tags("k", None, {"a": "1"}),
    "tags of a version": lambda access, version: access.set_tags("k", version, {"a": "1"}),
    "no tags": lambda access, _: access.set_tags("k", None, {}),
    "retention": lambda access, _: access.set_retention("k", None, "governance", LATER),
    "hold": lambda access, _: access.set_hold("k", None, True),
    "list": lambda access, _: access.set_attributes("k", None, {GRANTS: [["*", "read"]]}),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_was_decided_by_tags_that_are_others_by_then_is_not_done(
    place: Place, act: str
) -> None:
    before = place.put(OPEN)
    other = place.other(lambda: {"tags": CLOSED})
    with pytest.raises(Forbidden):
        ACTS[act](other, before.version)
    found = place.found
    assert (found.version, dict(found.tags)) == (before.version, CLOSED)
    assert (found.protection, found.attributes) == (None, before.attributes)


@pytest.mark.parametrize("act", ACTS)
def test_it_is_done_where_the_other_tags_allow_it_too(place: Place, act: str) -> None:
    before = place.put(OPEN)
    changes = iter([{"tags": {**OPEN, "n": "1"}}])
    ACTS[act](place.other(lambda: next(changes, None)), before.version)
    assert place.state != ({**OPEN, "n": "1"}, None, before.attributes)


def test_annotations_are_changed_where_the_tags_allow_it_then(place: Place) -> None:
    place.put(OPEN)
    allowed = place.other(lambda: None)
    allowed.put_annotation("k", "a", b"1")
    other = place.other(lambda: {"tags": CLOSED})
    for act in (
        lambda: other.put_annotation("k", "b", b"2"),
        lambda: other.delete_annotation("k", "a"),
    ):
        with pytest.raises(Forbidden):
            act()
        place.found_store.set_labels("k", tags=OPEN)
    assert [one.name for one in allowed.annotations("k").annotations] == ["a"]


def test_where_the_tags_change_each_time_it_is_a_conflict(place: Place) -> None:
    version = place.put(OPEN).version
    numbers = count()
    other = place.other(lambda: {"tags": {**OPEN, "n": str(next(numbers))}})
    for act in ("delete", "delete many", "tags", "hold", "list"):
        with pytest.raises(Conflict):
            ACTS[act](other, version)
    assert place.found.version == version


def test_who_may_no_more_write_a_list_by_then_writes_none(place: Place) -> None:
    place.put({})
    attributes = {"attributes": {GRANTS: [["other", "full"]]}}
    place.found_store.set_labels("k", **attributes)
    ACTS["list"](place.other(lambda: None), None)
    place.found_store.set_labels("k", **attributes)
    changes: Iterator[Mapping[str, Any] | None] = iter([None, {"attributes": {GRANTS: []}}])
    with pytest.raises(Forbidden):
        ACTS["list"](place.other(lambda: next(changes, None)), None)
    assert place.found.attributes[GRANTS] == []


def test_over_a_store_that_does_not_compare_tags_it_is_decided_just_before(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IndexedStore, "compares_seen", False)
    for act in ("hold", "no tags", "delete"):
        version = place.put(OPEN).version
        ACTS[act](place.other(lambda: {"tags": CLOSED}), version)
