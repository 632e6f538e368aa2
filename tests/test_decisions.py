"""`docs/decisions.md` and `CHANGELOG.md` stay such that a person can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
"""Characters of a line of the decisions."""

SHORT = 240
"""Of a line of the changelog."""

LABELLED = re.compile(r"\*(Chosen|Why|Rejected|Measured):\* \S")


def offences(text: str) -> Iterator[str]:
    """What is wrong with decisions: a heading each, then labelled lines and nothing else."""
    before, entry, empty = "", "", False
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > LONGEST:
            yield f"{number}: {len(line)} characters"
        if line.startswith("#"):
            if empty:
                yield f"{number}: nothing is said of {entry!r}"
            entry = line.removeprefix("### ") if line.startswith("### ") else ""
            empty, before = bool(entry), line
        elif LABELLED.match(line):
            if not entry:
                yield f"{number}: of what decision?"
            empty = False
        elif line and (entry or before.startswith("## ")):
            yield f"{number}: has no label: {line[:40]}"
    if empty:
        yield f"nothing is said of {entry!r}"


def test_decisions_have_their_form() -> None:
    text = (ROOT / "docs" / "decisions.md").read_text("utf-8")
    assert text.count("\n### ") > 150
    assert list(offences(text)) == []


def test_no_decision_is_there_twice() -> None:
    headings = re.findall(
        r"^#+ .*", (ROOT / "docs" / "decisions.md").read_text("utf-8"), re.MULTILINE
    )
    assert len(headings) == len(set(headings))


def test_changes_are_short_and_below_a_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    head, *versions = text.split("\n## ")
    assert "\n- " not in head
    assert all(re.match(r"\d+\.\d+\.\d+", one) for one in versions)
    lines = [line for one in versions for line in one.splitlines()[1:] if line]
    assert not [line for line in lines if not line.startswith(("- ", "### "))]
    assert not [line for line in lines if len(line) > SHORT]
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("# D\n\nAn introduction.\n\n## C\n\n### One\n*Why:* Because.\n", []),
        ("## C\n- **One.** Because.\n", ["2: has no label: - **One.** Because."]),
        ("### One\n\n### Two\n*Why:* So.\n", ["3: nothing is said of 'One'"]),
        ("### One\n", ["nothing is said of 'One'"]),
        ("## C\n*Why:* So.\n", ["2: of what decision?"]),
        ("### One\n*Chosen:* It.\nAnd more.\n", ["3: has no label: And more."]),
        (f"### One\n*Why:* {'x' * LONGEST}\n", ["2: 407 characters"]),
    ],
)
def test_what_has_another_form_is_seen(text: str, wrong: list[str]) -> None:
    assert list(offences(text)) == wrong
