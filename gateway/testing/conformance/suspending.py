"""Versioning that is off, or suspended: the null version and what replaces it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/VersionSuspendedBehavior.html
"""

from __future__ import annotations

import pytest

from gateway.storage import NULL_VERSION, Deleted, Get, MethodNotAllowed
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.versions import hide, keeping, put, remove, shown


class SuspendingConformance(Conformance):
    needs = "Versions"

    def test_versioning_begins_off(self, bench: Bench) -> None:
        assert bench.versions.versioning == "off"

    def test_while_off_an_overwrite_and_a_delete_keep_nothing(self, bench: Bench) -> None:
        assert bench.versions.versioning == "off"
        bench.put("k", b"one")
        bench.put("k", b"two")
        assert shown(bench) == [(NULL_VERSION, True, False)]
        assert bench.delete("k") == Deleted("k", existed=True)
        assert shown(bench) == []

    def test_while_off_the_object_is_the_null_version(self, bench: Bench) -> None:
        assert bench.versions.versioning == "off"
        assert bench.put("k", b"one").version is None
        assert bench.read("k", Get(version=NULL_VERSION)) == b"one"
        assert remove(bench, NULL_VERSION).existed
        assert shown(bench) == []

    def test_what_was_there_before_stays_as_the_null_version(self, bench: Bench) -> None:
        assert bench.versions.versioning == "off"
        bench.put("k", b"before")
        keeping(bench)
        assert bench.store.stat("k").version == NULL_VERSION
        name = put(bench, b"after")
        assert shown(bench) == [(name, True, False), (NULL_VERSION, False, False)]
        assert bench.read("k", Get(version=NULL_VERSION)) == b"before"

    def test_while_suspended_a_put_replaces_the_null_version_only(self, bench: Bench) -> None:
        keeping(bench)
        kept = put(bench, b"kept")
        keeping(bench, "suspended")
        assert put(bench, b"one") == NULL_VERSION
        assert put(bench, b"two") == NULL_VERSION
        assert shown(bench) == [(NULL_VERSION, True, False), (kept, False, False)]
        assert bench.read("k") == bench.read("k", Get(version=NULL_VERSION)) == b"two"
        assert bench.read("k", Get(version=kept)) == b"kept"

    def test_while_suspended_a_put_replaces_an_old_null_version_and_is_the_latest(
        self, bench: Bench
    ) -> None:
        assert bench.versions.versioning == "off"
        bench.put("k", b"null")
        keeping(bench)
        kept = put(bench, b"kept")
        keeping(bench, "suspended")
        put(bench, b"new null")
        assert shown(bench) == [(NULL_VERSION, True, False), (kept, False, False)]

    def test_while_suspended_a_delete_puts_a_marker_in_place_of_the_null_version(
        self, bench: Bench
    ) -> None:
        keeping(bench)
        kept = put(bench, b"kept")
        keeping(bench, "suspended")
        put(bench, b"null")
        assert hide(bench) == NULL_VERSION
        assert hide(bench) == NULL_VERSION
        assert shown(bench) == [(NULL_VERSION, True, True), (kept, False, False)]
        with pytest.raises(MethodNotAllowed):
            bench.store.stat("k", Get(version=NULL_VERSION))
        assert remove(bench, NULL_VERSION).marker
        assert bench.read("k") == b"kept"

    def test_after_suspension_versions_are_kept_again(self, bench: Bench) -> None:
        keeping(bench)
        first = put(bench, b"1")
        keeping(bench, "suspended")
        put(bench, b"2")
        keeping(bench)
        third = put(bench, b"3")
        assert [one[0] for one in shown(bench)] == [third, NULL_VERSION, first]
