"""Listing: the order of UTF-8 bytes, each item once, and walks that always end."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.storage import BadKey, Entry, ListPage, ListQuery
from gateway.storage.paging import BRIEF, LIMIT, common_prefix
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.parallel import together
from gateway.testing.conformance.walks import pages

ALPHABET = ("a", "b", "/", "é", "\uffff", "📁")
"""Two letters, a delimiter, and three whose order is another one in UTF-16."""

KEYS = tuple("".join(letters) for n in (1, 2, 3) for letters in product(ALPHABET, repeat=n))
BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, database=None)
WORDS = st.text(st.sampled_from(ALPHABET), max_size=4)
QUERIES = st.builds(
    ListQuery,
    prefix=st.text(st.sampled_from(ALPHABET), max_size=2),
    delimiter=st.sampled_from(("", "/", "a", "//", "a/", "📁", "é\uffff")),
    after=WORDS | st.text(st.characters(codec="utf-8"), max_size=3),
    limit=st.integers(0, 12) | st.just(1000),
)


def filled(bench: Bench, keys: tuple[str, ...] = KEYS) -> list[str]:
    """Put an empty object for each key; those that the store took, in order."""

    def one(worker: int) -> list[str]:
        kept = []
        for key in keys[worker::8]:
            try:
                bench.put(key)
            except BadKey:
                assert bench.store.path_keys
            else:
                kept.append(bench.store.fold(key))
        return kept

    lists = together(8, one)
    errors = [error for error in lists if not isinstance(error, list)]
    assert not errors
    return sorted((key for some in lists if isinstance(some, list) for key in some), key=str.encode)


def expected(keys: list[str], query: ListQuery) -> tuple[list[str], list[str], str | None]:
    """The contract's rule, said as plainly as can be: (keys, common prefixes, next)."""
    items: dict[str, bool] = {}
    for key in keys:
        if key.startswith(query.prefix):
            prefix = common_prefix(key, query.prefix, query.delimiter)
            items[key if prefix is None else prefix] = prefix is None
    behind = [item for item in items if item.encode() > query.after.encode()]
    behind.sort(key=str.encode)
    page = behind[: query.limit]
    more = page[-1] if page and len(behind) > len(page) else None
    return [i for i in page if items[i]], [i for i in page if not items[i]], more


def told(page: ListPage) -> tuple[list[str], list[str], str | None]:
    return [entry.key for entry in page.entries], list(page.prefixes), page.next


class ListingConformance(Conformance):
    def test_any_page_is_that_of_the_rule(self, bench: Bench) -> None:
        keys, listable = filled(bench), bench.listable

        @BOUNDED
        @given(QUERIES)
        def check(query: ListQuery) -> None:
            after = bench.store.fold(query.after)
            assert told(listable.list(query)) == expected(keys, replace(query, after=after)), query

        check()

    def test_any_walk_gives_each_item_once(self, bench: Bench) -> None:
        keys, listable = filled(bench), bench.listable
        for prefix, delimiter, limit in product(("", "a"), ("", "/", "a/"), (3, 50)):
            query = ListQuery(prefix=prefix, delimiter=delimiter)
            walked = [told(page) for page in pages(listable, replace(query, limit=limit))]
            whole = expected(keys, query)
            assert [key for page in walked for key in page[0]] == whole[0]
            assert [one for page in walked for one in page[1]] == whole[1]

    def test_the_order_is_that_of_UTF_8_also_beyond_the_basic_plane(self, bench: Bench) -> None:
        keys = filled(bench, ("\U00010000", "\uffff", "\ue000", "z", "\U0010ffff", "é", "Y"))
        assert bench.listed() == keys == sorted(keys)

    def test_an_empty_store_has_an_empty_page(self, bench: Bench) -> None:
        assert bench.listable.list() == ListPage()
        assert bench.listable.list(ListQuery(prefix="a", delimiter="/", after="b")) == ListPage()

    def test_an_entry_says_what_a_stat_says(self, bench: Bench) -> None:
        bench.put("k", b"data")
        info = bench.store.stat("k")
        assert bench.listable.list().entries == (
            Entry(
                "k", 4, info.etag, info.modified, info.content_type,
                info.version, info.storage_class, info.owner,
            ),
        )  # fmt: skip

    def test_a_brief_entry_says_what_every_list_shows(self, bench: Bench) -> None:
        for key in ("a", "b/1"):
            bench.put(key, b"data")
        whole, brief = bench.listable.list(), bench.listable.list(ListQuery(brief=True))
        unsaid: dict[str, Any] = {name: Entry._field_defaults[name] for name in BRIEF}
        assert [one._replace(**unsaid) for one in brief.entries] == [
            one._replace(**unsaid) for one in whole.entries
        ]

    def test_a_limit_of_nothing_is_an_empty_page_without_next(self, bench: Bench) -> None:
        filled(bench, ("a", "b"))
        assert bench.listable.list(ListQuery(limit=0)) == ListPage()
        assert bench.listable.list(ListQuery(limit=0, delimiter="a")) == ListPage()

    def test_next_is_there_exactly_when_more_is(self, bench: Bench) -> None:
        filled(bench, ("a", "b", "c/1", "c/2"))
        for delimiter, limit, following in (
            ("", 4, None), ("", 3, "c/1"), ("/", 3, None), ("/", 2, "b"), ("/", 5, None),
        ):  # fmt: skip
            page = bench.listable.list(ListQuery(delimiter=delimiter, limit=limit))
            assert page.next == following, (delimiter, limit)

    def test_a_page_begins_behind_any_text(self, bench: Bench) -> None:
        filled(bench, ("b", "d/1", "d/2", "f"))
        for after, delimiter, items in (
            ("", "", ["b", "d/1", "d/2", "f"]),
            ("a", "", ["b", "d/1", "d/2", "f"]),
            ("b", "", ["d/1", "d/2", "f"]),
            ("d/", "", ["d/1", "d/2", "f"]),
            ("d/1zzz", "", ["d/2", "f"]),
            ("d", "/", ["d/", "f"]),
            ("d/", "/", ["f"]),
            ("d/1", "/", ["f"]),
            ("z", "/", []),
        ):
            page = bench.listable.list(ListQuery(after=after, delimiter=delimiter))
            assert sorted((*(e.key for e in page.entries), *page.prefixes)) == items, after

    def test_no_page_has_more_than_a_thousand(self, bench: Bench) -> None:
        keys = filled(bench, tuple(f"k{n:04}" for n in range(LIMIT + 1)))
        page = bench.listable.list(ListQuery(limit=5 * LIMIT))
        assert told(page) == (keys[:LIMIT], [], keys[LIMIT - 1])
        assert told(bench.listable.list(ListQuery(after=keys[LIMIT - 1]))) == (
            keys[LIMIT:],
            [],
            None,
        )

    def test_what_was_deleted_is_not_listed_nor_its_common_prefix(self, bench: Bench) -> None:
        filled(bench, ("a/1", "b/1", "c"))
        bench.delete("a/1")
        bench.delete("c")
        assert told(bench.listable.list(ListQuery(delimiter="/"))) == ([], ["b/"], None)

    def test_an_overwritten_object_is_listed_once_with_its_new_size(self, bench: Bench) -> None:
        for size in range(4):
            bench.put("k", bytes(size))
        assert [(entry.key, entry.size) for entry in bench.listable.list().entries] == [("k", 3)]

    def test_walks_beside_writers_advance_and_miss_nothing_that_stays(self, bench: Bench) -> None:
        stays = filled(bench, tuple(f"{n:02}/stays" for n in range(12)))
        done = False

        def churn() -> None:
            turn = 0
            while not done:
                turn = (turn + 7) % 12
                bench.put(f"{turn:02}/comes")
                bench.delete(f"{turn:02}/comes")

        writer = Thread(target=churn)
        writer.start()
        try:
            for limit in (1, 2, 3, 5) * 3:
                walk = [
                    e.key for p in pages(bench.listable, ListQuery(limit=limit)) for e in p.entries
                ]
                assert [key for key in walk if key in stays] == stays
                assert len(set(walk)) == len(walk)
        finally:
            done = True
            writer.join()

    @pytest.mark.parametrize("size", [0, 1000, 200_000])
    def test_sizes_in_lists_are_those_of_the_bodies(self, bench: Bench, size: int) -> None:
        bench.put("k", bytes(size))
        assert bench.listable.list().entries[0].size == size
