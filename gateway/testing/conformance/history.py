"""Lists of versions: their order, their pages, and a model that any history is held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, product

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from gateway.storage import (
    NULL_VERSION,
    Delete,
    Get,
    Versioning,
    VersionQuery,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.conformance.walks import all_entries, all_versions, version_pages

KEYS = ("a", "a/b", "é")
BOUNDED = settings(
    max_examples=20, stateful_step_count=20, deadline=None, derandomize=True, database=None
)


@dataclass(frozen=True)
class Kept:
    """One version of the model; `data` None: a delete marker."""

    version: str
    data: bytes | None


class History(RuleBasedStateMachine):
    """Versioning in thirty lines; each step is done to the store too, and all is compared."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.store = self.bench.another()
        self.state: Versioning = "off"
        self.kept: dict[str, list[Kept]] = {key: [] for key in KEYS}
        self.numbers = count()

    def teardown(self) -> None:
        self.store.close()

    def _add(self, key: str, version: str, data: bytes | None) -> None:
        if self.state != "on":
            self._drop(key, NULL_VERSION)
        self.kept[key].insert(0, Kept(version, data))

    def _drop(self, key: str, version: str) -> None:
        self.kept[key] = [one for one in self.kept[key] if one.version != version]

    @rule(key=st.sampled_from(KEYS))
    def put(self, key: str) -> None:
        data = b"%d" % next(self.numbers)
        version = self.store.put(key, data).version
        assert (version in (None, NULL_VERSION)) == (self.state != "on")
        self._add(key, version or NULL_VERSION, data)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        deleted = self.store.delete(key)
        assert deleted.marker == (self.state != "off")
        if self.state == "off":
            self._drop(key, NULL_VERSION)
        else:
            assert deleted.version is not None
            self._add(key, deleted.version, None)

    @rule(key=st.sampled_from(KEYS), which=st.integers(0, 4))
    def remove(self, key: str, which: int) -> None:
        if which < len(self.kept[key]):
            one = self.kept[key][which]
            deleted = self.store.delete(key, Delete(version=one.version))
            assert (deleted.existed, deleted.marker) == (True, one.data is None)
            self._drop(key, one.version)

    @rule(state=st.sampled_from(("on", "suspended")))
    def set_versioning(self, state: Versioning) -> None:
        self.store.versions.set_versioning(state)
        self.state = state

    @invariant()
    def versions_are_those_of_the_model(self) -> None:
        told = [(e.key, e.version, e.latest, e.marker) for e in all_versions(self.store.versions)]
        assert told == [
            (key, one.version, place == 0, one.data is None)
            for key in sorted(KEYS, key=str.encode)
            for place, one in enumerate(self.kept[key])
        ]

    @invariant()
    def current_objects_are_those_of_the_model(self) -> None:
        current = {key: kept[0].data for key, kept in self.kept.items() if kept}
        there = {key: data for key, data in current.items() if data is not None}
        assert [e.key for e in all_entries(self.store.listable)] == sorted(there, key=str.encode)
        assert {key: self.store.read(key) for key in there} == there

    @invariant()
    def each_version_is_readable(self) -> None:
        for key, kept in self.kept.items():
            for one in kept:
                if one.data is not None:
                    assert self.store.read(key, Get(version=one.version)) == one.data


class HistoryConformance(Conformance):
    needs = "Versions"

    def test_any_history_is_that_of_the_model(self, bench: Bench) -> None:
        assert bench.versions.versioning == "off"
        assert bench.listable is not None
        machine = type("HistoryOfTheStore", (History,), {"bench": bench})
        run_state_machine_as_test(machine, settings=BOUNDED)

    def filled(self, bench: Bench) -> None:
        keeping(bench)
        for number, key in enumerate(("b", "a", "a/1", "a/2", "é", "📁", "c/d/e", "a")):
            for _ in range(number % 3 + 1):
                put(bench, b"x", key)
        hide(bench, "a/1")
        hide(bench, "c/d/e")
        hide(bench, "gone")

    def test_versions_are_listed_by_key_and_then_newest_first(self, bench: Bench) -> None:
        self.filled(bench)
        entries = all_versions(bench.versions)
        keys = [entry.key for entry in entries]
        assert keys == sorted(keys, key=str.encode)
        firsts = [keys.index(key) for key in dict.fromkeys(keys)]
        assert [n for n, entry in enumerate(entries) if entry.latest] == firsts

    def test_pages_of_any_size_give_each_version_once(self, bench: Bench) -> None:
        self.filled(bench)
        for prefix, delimiter in product(("", "a", "a/"), ("", "/")):
            query = VersionQuery(prefix=prefix, delimiter=delimiter)
            whole = bench.versions.versions(query)
            assert whole.next is None
            for limit in (1, 2, 3, 7):
                walked = list(version_pages(bench.versions, replace(query, limit=limit)))
                assert tuple(e for page in walked for e in page.entries) == whole.entries
                assert tuple(p for page in walked for p in page.prefixes) == whole.prefixes
                assert all(len(page.entries) + len(page.prefixes) <= limit for page in walked)

    def test_a_delimiter_rolls_versions_up(self, bench: Bench) -> None:
        self.filled(bench)
        page = bench.versions.versions(VersionQuery(delimiter="/"))
        assert page.prefixes == ("a/", "c/")
        assert {entry.key for entry in page.entries} == {"a", "b", "gone", "é", "📁"}

    def test_a_page_without_a_version_to_begin_at_begins_behind_the_key(self, bench: Bench) -> None:
        self.filled(bench)
        everything = all_versions(bench.versions)
        for after in ("", "a", "a/1", "aa", "zz"):
            page = bench.versions.versions(VersionQuery(after=after))
            assert list(page.entries) == [e for e in everything if e.key.encode() > after.encode()]

    def test_a_limit_of_nothing_is_an_empty_page(self, bench: Bench) -> None:
        self.filled(bench)
        page = bench.versions.versions(VersionQuery(limit=0))
        assert (page.entries, page.next) == ((), None)

    def test_a_store_is_emptied_page_by_page(self, bench: Bench) -> None:
        """What clients do to a bucket: what a page names is gone when the next is asked for."""
        self.filled(bench)
        for page in version_pages(bench.versions, VersionQuery(limit=2)):
            bench.writable.delete_many(
                [(entry.key, Delete(version=entry.version)) for entry in page.entries]
            )
        assert all_versions(bench.versions) == []
        assert bench.listed() == []
