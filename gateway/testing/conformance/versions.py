"""Versions, as S3 keeps them: null versions, delete markers, and what deleting each uncovers.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/Versioning.html
"""

from __future__ import annotations

import pytest

from gateway.storage import (
    NULL_VERSION,
    Conditions,
    Delete,
    Deleted,
    Get,
    MethodNotAllowed,
    NoSuchKey,
    NoSuchVersion,
    PreconditionFailed,
    Put,
    Range,
    Versioning,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.walks import all_versions
from gateway.testing.faults import noise


def keeping(bench: Bench, state: Versioning = "on") -> None:
    bench.versions.set_versioning(state)
    assert bench.versions.versioning == state


def put(bench: Bench, data: bytes, key: str = "k") -> str:
    version = bench.put(key, data).version
    assert version, "a store that keeps versions names each"
    return version


def remove(bench: Bench, version: str, key: str = "k") -> Deleted:
    return bench.delete(key, Delete(version=version))


def hide(bench: Bench, key: str = "k") -> str:
    deleted = bench.delete(key)
    assert deleted.marker
    assert deleted.version
    return deleted.version


def shown(bench: Bench, key: str = "k") -> list[tuple[str, bool, bool]]:
    """(version, latest, marker) of each version of the key, newest first."""
    entries = all_versions(bench.versions, key)
    return [(e.version, e.latest, e.marker) for e in entries if e.key == key]


class VersionsConformance(Conformance):
    needs = "Versions"

    def test_while_on_each_put_is_a_version_of_its_own(self, bench: Bench) -> None:
        keeping(bench)
        bodies = (b"one", noise(100_000), b"", b"one")
        names = [put(bench, data) for data in bodies]
        assert len(set(names)) == 4
        assert NULL_VERSION not in names
        for name, data in zip(names, bodies, strict=True):
            assert bench.read("k", Get(version=name)) == data
            assert bench.store.stat("k", Get(version=name)).version == name
        assert bench.read("k") == b"one"
        assert bench.store.stat("k").version == names[-1]

    def test_what_a_version_is_called_names_one(self, bench: Bench) -> None:
        keeping(bench)
        for name in (put(bench, b"one"), hide(bench), NULL_VERSION):
            assert bench.versions.names_version(name)

    def test_versions_are_listed_newest_first_and_one_is_the_latest(self, bench: Bench) -> None:
        keeping(bench)
        names = [put(bench, b"%d" % n) for n in range(5)]
        assert shown(bench) == [(name, name == names[-1], False) for name in reversed(names)]

    def test_an_entry_of_a_version_says_what_a_stat_says(self, bench: Bench) -> None:
        keeping(bench)
        info = bench.put("k", noise(1000), Put(content_type="a/b"))
        (entry,) = all_versions(bench.versions)
        assert (entry.key, entry.version, entry.size, entry.etag, entry.modified) == (
            "k", info.version, 1000, info.etag, info.modified,
        )  # fmt: skip

    def test_each_version_has_its_own_properties(self, bench: Bench) -> None:
        keeping(bench)
        infos = [bench.put("k", b"x", Put(metadata={"n": str(n)})) for n in range(3)]
        for info in infos:
            assert bench.agree(info, bench.store.stat("k", Get(version=info.version)))

    def test_a_delete_hides_behind_a_marker(self, bench: Bench) -> None:
        keeping(bench)
        name = put(bench, b"data")
        marker = hide(bench)
        assert marker not in (name, NULL_VERSION)
        assert shown(bench) == [(marker, True, True), (name, False, False)]
        assert bench.listed() == []
        assert bench.read("k", Get(version=name)) == b"data"

    def test_a_hidden_key_is_NoSuchKey_naming_the_marker(self, bench: Bench) -> None:
        keeping(bench)
        put(bench, b"data")
        marker = hide(bench)
        for ask in (bench.store.get, bench.store.stat):
            with pytest.raises(NoSuchKey) as raised:
                ask("k")
            assert raised.value.delete_marker == marker

    def test_a_marker_has_no_bytes(self, bench: Bench) -> None:
        keeping(bench)
        put(bench, b"data")
        marker = hide(bench)
        put(bench, b"newer")
        for ask in (bench.store.get, bench.store.stat):
            with pytest.raises(MethodNotAllowed) as raised:
                ask("k", Get(version=marker))
            assert raised.value.delete_marker == marker

    def test_deleting_the_marker_restores_the_object(self, bench: Bench) -> None:
        keeping(bench)
        name = put(bench, b"data")
        marker = hide(bench)
        assert remove(bench, marker) == Deleted("k", existed=True, version=marker, marker=True)
        assert bench.read("k") == b"data"
        assert bench.listed() == ["k"]
        assert shown(bench) == [(name, True, False)]

    def test_deleting_a_hidden_key_again_makes_another_marker(self, bench: Bench) -> None:
        keeping(bench)
        put(bench, b"data")
        first, second = hide(bench), hide(bench)
        assert [one[0] for one in shown(bench)][:2] == [second, first]
        remove(bench, second)
        with pytest.raises(NoSuchKey) as raised:
            bench.store.stat("k")
        assert raised.value.delete_marker == first

    def test_deleting_what_never_was_makes_a_marker(self, bench: Bench) -> None:
        keeping(bench)
        deleted = bench.delete("k")
        assert (deleted.existed, deleted.marker) == (False, True)
        assert shown(bench) == [(deleted.version, True, True)]

    def test_removing_the_current_version_exposes_the_one_before(self, bench: Bench) -> None:
        keeping(bench)
        first, second = put(bench, b"one"), put(bench, noise(100_000))
        assert remove(bench, second) == Deleted("k", existed=True, version=second, marker=False)
        assert bench.read("k") == b"one"
        assert shown(bench) == [(first, True, False)]
        remove(bench, first)
        with pytest.raises(NoSuchKey) as raised:
            bench.store.stat("k")
        assert raised.value.delete_marker is None

    def test_removing_an_older_version_leaves_the_current(self, bench: Bench) -> None:
        keeping(bench)
        first, second = put(bench, b"one"), put(bench, b"two")
        remove(bench, first)
        assert bench.read("k") == b"two"
        assert shown(bench) == [(second, True, False)]
        with pytest.raises(NoSuchVersion):
            bench.store.get("k", Get(version=first))

    def test_a_version_that_is_not_there_is_NoSuchVersion(self, bench: Bench) -> None:
        keeping(bench)
        mine, other = put(bench, b"one"), put(bench, b"two", "other")
        for version in (other, NULL_VERSION, "no-such-version"):
            for ask in (bench.store.get, bench.store.stat):
                with pytest.raises(NoSuchVersion) as raised:
                    ask("k", Get(version=version))
                assert raised.value.version == version
        assert bench.read("k", Get(version=mine)) == b"one"

    def test_removing_a_version_that_is_not_there_is_fine(self, bench: Bench) -> None:
        keeping(bench)
        put(bench, b"one")
        with bench.unchanged():
            assert not remove(bench, "no-such-version").existed
            assert not remove(bench, NULL_VERSION).existed
            assert not remove(bench, NULL_VERSION, "absent").existed

    def test_ranges_and_conditions_are_those_of_the_version(self, bench: Bench) -> None:
        keeping(bench)
        info = bench.put("k", b"0123456789")
        put(bench, b"x")
        only = Conditions(if_match=(info.etag,))
        want = Get(version=info.version, range=Range(2, 4), conditions=only)
        assert bench.read("k", want) == b"234"

    def test_a_delete_that_names_an_object_hides_no_marker(self, bench: Bench) -> None:
        keeping(bench)
        info = bench.put("k", b"four")
        hide(bench)
        before = shown(bench)
        for conditions in (
            Conditions(if_match=("*",)),
            Conditions(if_match=(info.etag,)),
            Conditions(if_size=4),
            Conditions(if_modified=info.modified),
        ):
            with bench.able("conditions"), pytest.raises(PreconditionFailed):
                bench.delete("k", Delete(conditions=conditions))
        assert shown(bench) == before

    def test_conditions_on_writes_look_at_the_current_version(self, bench: Bench) -> None:
        keeping(bench)
        bench.put("k", b"one")
        hide(bench)
        with pytest.raises(NoSuchKey):
            bench.put("k", b"two", Put(conditions=Conditions(if_match=("*",))))
        bench.put("k", b"two", Put(conditions=Conditions(if_none_match=("*",))))
        assert bench.read("k") == b"two"

    def test_a_copy_is_made_of_any_version(self, bench: Bench) -> None:
        keeping(bench)
        bodies = (noise(100_000), b"small")
        names = [put(bench, data) for data in bodies]
        for name, data in zip(names, bodies, strict=True):
            copy(bench, "k", "to", Get(version=name))
            assert bench.read("to") == data
        marker = hide(bench)
        with pytest.raises(MethodNotAllowed):
            copy(bench, "k", "to", Get(version=marker))
        copy(bench, "k", "k", Get(version=names[0]))
        assert bench.read("k") == bodies[0]

    def test_labels_are_those_of_one_version(self, bench: Bench) -> None:
        keeping(bench)
        labels = bench.labels
        first, second = put(bench, b"one"), put(bench, b"two")
        labels.set_labels("k", first, tags={"n": "1"})
        labels.set_labels("k", tags={"n": "2"})
        tags = [dict(bench.store.stat("k", Get(version=v)).tags) for v in (first, second)]
        assert tags == [{"n": "1"}, {"n": "2"}]
        marker = hide(bench)
        with pytest.raises(NoSuchKey):
            labels.set_labels("k", tags={})
        with pytest.raises(MethodNotAllowed):
            labels.set_labels("k", marker, tags={})

    def test_parallel_puts_are_all_kept(self, bench: Bench) -> None:
        keeping(bench)
        names = together(12, lambda n: put(bench, b"%d" % n))
        listed = shown(bench)
        assert {one[0] for one in listed} == set(names)
        assert [one[1] for one in listed] == [True] + [False] * 11
        assert bench.store.stat("k").version == listed[0][0]

    def test_delete_many_removes_versions_and_hides_keys(self, bench: Bench) -> None:
        keeping(bench)
        first, second = put(bench, b"one"), put(bench, b"two")
        put(bench, b"other", "other")
        results = bench.delete_many(
            [("k", Delete(version=second)), ("other", Delete()), ("k", Delete(version="none"))]
        )
        assert results[0] == Deleted("k", existed=True, version=second, marker=False)
        assert isinstance(results[1], Deleted)
        assert (results[1].existed, results[1].marker) == (True, True)
        assert isinstance(results[2], Deleted)
        assert not results[2].existed
        assert shown(bench) == [(first, True, False)]
        assert bench.listed() == ["k"]
