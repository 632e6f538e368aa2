"""Labels: what may change without new bytes."""

from __future__ import annotations

import pytest

from gateway.storage import (
    Conditions,
    Delete,
    Labels,
    NoSuchKey,
    NoSuchVersion,
    PreconditionFailed,
    Put,
)
from gateway.storage.conditions import SEEN
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together


def comparing(bench: Bench) -> Labels:
    labels = bench.labels
    if not labels.compares_seen:
        bench.lacking("conditions on what was seen")
    return labels


class LabelsConformance(Conformance):
    needs = "Labels"

    def test_tags_are_replaced_as_a_whole(self, bench: Bench) -> None:
        labels = bench.labels
        bench.put("k", b"data", Put(tags={"a": "1", "b": "2"}))
        info = labels.set_labels("k", tags={"b": "3", "ключ": "+="})
        assert dict(info.tags) == {"b": "3", "ключ": "+="}
        assert info == bench.store.stat("k")

    def test_no_tags_remove_all_tags(self, bench: Bench) -> None:
        labels = bench.labels
        bench.put("k", b"data", Put(tags={"a": "1"}))
        assert not labels.set_labels("k", tags={}).tags
        assert not bench.store.stat("k").tags

    def test_attributes_are_set_by_name_and_removed_by_None(self, bench: Bench) -> None:
        labels = bench.labels
        bench.put("k", b"data", Put(attributes={"acl": [1], "stays": {"x": True}}))
        labels.set_labels("k", attributes={"new": [["*", "read"]], "acl": [2]})
        labels.set_labels("k", attributes={"new": None, "never there": None})
        assert dict(bench.store.stat("k").attributes) == {"acl": [2], "stays": {"x": True}}

    def test_attributes_are_given_to_the_object_that_is_meant(self, bench: Bench) -> None:
        labels = bench.labels
        seen = bench.put("k", b"data", Put(attributes={"a": 1}))
        meant = Conditions(if_match=(seen.etag,), if_modified=seen.modified)
        if seen.etag.startswith("W/"):
            return
        labels.set_labels("k", attributes={"a": 2}, conditions=meant)
        bench.put("k", b"others", Put(attributes={"a": 3}))
        with pytest.raises(PreconditionFailed):
            labels.set_labels("k", attributes={"a": 4}, conditions=meant)
        assert dict(bench.store.stat("k").attributes) == {"a": 3}

    def test_labels_are_changed_where_the_tags_are_those_that_were_seen(self, bench: Bench) -> None:
        labels = comparing(bench)
        bench.put("k", b"data", Put(tags={"a": "1"}))
        seen, none = Conditions(if_seen={"tags": {"a": "1"}}), Conditions(if_seen={"tags": {}})
        more = Conditions(if_seen={"tags": {"a": "1", "b": ""}})
        for other in (Conditions(if_seen={"tags": {"a": "2"}}), more, none):
            with bench.unchanged(), pytest.raises(PreconditionFailed) as caught:
                labels.set_labels("k", tags={}, conditions=other)
            assert caught.value.condition == SEEN
        labels.set_labels("k", tags={}, conditions=seen)
        labels.set_labels("k", tags={"b": "2"}, conditions=none)
        assert dict(bench.store.stat("k").tags) == {"b": "2"}

    def test_what_has_other_tags_than_were_seen_is_not_deleted(self, bench: Bench) -> None:
        comparing(bench)
        bench.put("k", b"data", Put(tags={"a": "1"}))
        seen, none = (
            Delete(conditions=Conditions(if_seen={"tags": tags})) for tags in ({"a": "1"}, {})
        )
        with bench.unchanged(), pytest.raises(PreconditionFailed):
            bench.delete("k", none)
        (result,) = bench.delete_many([("k", none)])
        assert isinstance(result, PreconditionFailed)
        bench.delete("k", seen)
        with pytest.raises(PreconditionFailed):
            bench.delete("k", seen)
        assert not bench.delete("absent", none).existed

    def test_tags_and_attributes_leave_each_other_alone(self, bench: Bench) -> None:
        labels = bench.labels
        bench.put("k", b"data", Put(attributes={"b": 2}, tags={"a": "1"}))
        labels.set_labels("k", tags={"c": "3"})
        with bench.able("attributes"):
            labels.set_labels("k", attributes={"d": 4})
        info = bench.store.stat("k")
        assert (dict(info.tags), dict(info.attributes)) == ({"c": "3"}, {"b": 2, "d": 4})

    def test_labels_change_neither_bytes_nor_ETag_nor_time(self, bench: Bench) -> None:
        labels = bench.labels
        options = Put(metadata={"m": "1"}, checksums={"CRC32": ""}, content_type="a/b")
        before = bench.put("k", b"data", options)
        after = labels.set_labels("k", tags={"a": "1"})
        for name in ("size", "etag", "modified", "metadata", "checksums", "content_type"):
            assert getattr(after, name) == getattr(before, name)
        assert bench.read("k") == b"data"

    def test_labels_need_an_object(self, bench: Bench) -> None:
        labels = bench.labels
        with bench.unchanged(), pytest.raises(NoSuchKey):
            labels.set_labels("absent", tags={"a": "1"})
        bench.put("k")
        with bench.unchanged(), pytest.raises((NoSuchVersion, NoSuchKey)):
            labels.set_labels("k", "no-such-version", tags={"a": "1"})

    def test_parallel_changes_of_different_attributes_are_all_there(self, bench: Bench) -> None:
        labels = bench.labels
        bench.put("k")
        with bench.able("attributes"):
            labels.set_labels("k", attributes={"first": 1})
        labels.set_labels("k", attributes={"first": None})
        together(12, lambda n: labels.set_labels("k", attributes={f"a{n}": n}))
        assert dict(bench.store.stat("k").attributes) == {f"a{n}": n for n in range(12)}
