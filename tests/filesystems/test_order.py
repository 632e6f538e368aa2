"""What a page of a list costs: the folders that it touches, and the files that are on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers.fsspec.local import LocalTree
from drivers.fsspec.tree import Found, Node
from drivers.fsspec.walk import page
from gateway.storage import ListQuery


class Counting(LocalTree):
    """Which folders were read, and how many files were looked at."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.scanned: list[str] = []
        self.looked = 0

    def scan(self, folder: str) -> Iterable[Node]:
        self.scanned.append(folder)
        return super().scan(folder)

    def found(self, folder: str, node: Node) -> Found | None:
        self.looked += 1
        return super().found(folder, node)


@pytest.fixture
def tree(tmp_path: Path) -> Counting:
    """Ten folders of ten folders of ten files, and some beside them."""
    for one in range(10):
        for two in range(10):
            folder = tmp_path / f"a{one}" / f"b{two}"
            folder.mkdir(parents=True)
            for three in range(10):
                (folder / f"c{three}").touch()
    for name in ("a0.txt", "a00", "a-", "z"):
        (tmp_path / name).touch()
    return Counting(str(tmp_path))


def keys(tree: Counting, **query: object) -> list[str]:
    tree.scanned, tree.looked = [], 0
    return [one.text for one in page(tree, ListQuery(**query)).items]  # type: ignore[arg-type]  # as given


def test_names_and_folders_are_in_the_order_of_their_keys(tree: Counting) -> None:
    assert keys(tree, delimiter="/")[:6] == ["a-", "a0.txt", "a0/", "a00", "a1/", "a2/"]
    whole = keys(tree)
    assert whole == sorted(whole)
    assert len(whole) == 1000


def test_a_page_reads_only_the_folders_that_it_touches(tree: Counting) -> None:
    assert keys(tree, prefix="a3/b4/") == [f"a3/b4/c{n}" for n in range(10)]
    assert tree.scanned == ["a3/b4/"]
    assert keys(tree, after="a7/b8/c8", limit=1) == ["a7/b8/c9"]
    assert tree.scanned == ["", "a7/", "a7/b8/", "a7/b9/"]
    assert tree.looked == 2  # the second says that there is more
    assert len(keys(tree, limit=5)) == 5
    assert tree.looked == 6


def test_a_common_prefix_costs_a_look_for_one_file(tree: Counting) -> None:
    assert len(keys(tree, delimiter="/")) == 14
    assert len(tree.scanned) == 1 + 10 * 2
    assert keys(tree, prefix="a5/", delimiter="/", after="a5/b7/") == ["a5/b8/", "a5/b9/"]
    assert tree.scanned == ["a5/", "a5/b8/", "a5/b9/"]


def test_any_delimiter_spares_the_folders_behind_it(tree: Counting) -> None:
    assert keys(tree, delimiter="b") == ["a-", "a0.txt", *(f"a{n}/b" for n in range(1)), "a00"] + [
        f"a{n}/b" for n in range(1, 10)
    ] + ["z"]


def test_a_prefix_that_is_no_path_has_nothing(tree: Counting) -> None:
    for prefix in ("/", "../", "a0//", "a0/../", ".gateway/", "a0/./b", "\x00/"):
        assert keys(tree, prefix=prefix) == []
        assert tree.scanned == []


def test_a_prefix_longer_than_any_path_has_nothing(tree: Counting) -> None:
    assert keys(tree, prefix="d/" * 5000) == []
    assert keys(tree, after="d/" * 5000) == ["z"]


def test_names_that_are_no_text_are_not_listed(tmp_path: Path) -> None:
    try:
        (tmp_path / "not-\udcff-text").touch()
    except (OSError, UnicodeEncodeError):
        pytest.skip("the file system has text names only")
    (tmp_path / "k").touch()
    assert keys(Counting(str(tmp_path))) == ["k"]


def test_a_deep_tree_is_walked_without_recursion(tmp_path: Path) -> None:
    class Deep(Counting):
        def scan(self, folder: str) -> Iterable[Node]:
            return [Node("d", folder=len(folder) < 4000)]  # no path is longer than 4096

        def found(self, folder: str, node: Node) -> Found | None:
            return Found(0, 0, "-", "-")

    assert keys(Deep(str(tmp_path))) == ["d/" * 2000 + "d"]
