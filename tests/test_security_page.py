"""docs/security.md: each line of the threat model names tests, and they are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
_NAMED = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def rows(page: str) -> list[str]:
    """Those of its tables, without their heads."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    return [line for line in lines if not line.startswith("| what comes |")]


def unheld(page: str) -> list[str]:
    """Rows without a test, and tests that are not there."""
    wrong = [row for row in rows(page) if not _NAMED.search(row)]
    for file, name in _NAMED.findall(page):
        path = TESTS / file
        if not path.exists() or f"def {name}(" not in path.read_text("utf-8"):
            wrong.append(f"{file}::{name}")
    return wrong


def test_each_line_is_held_by_tests_that_are_there() -> None:
    assert len(rows(PAGE)) > 25
    assert unheld(PAGE) == []


def test_what_holds_nothing_is_found() -> None:
    page = "| what comes | … |\n|---|\n| a | b |\n| c | `test_networks.py::test_absent` |"
    assert unheld(page) == ["| a | b |", "test_networks.py::test_absent"]
