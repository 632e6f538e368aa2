"""The runners of foreign suites: what they make of what a suite prints, and of the lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load
from tests.yardsticks import cache_tests, lists, s3_tests, versitygw
from tests.yardsticks.__main__ import HERE, arguments
from tests.yardsticks.lists import Outcome, Verdict

PRINTED = """\
..F.E
=========================== short test summary info ============================
PASSED s3tests/functional/test_s3.py::test_bucket_list_empty
PASSED s3tests/functional/test_s3.py::test_sse[AES256]
PASSED s3tests/functional/test_s3.py::test_not_cleaned_up
SKIPPED [1] s3tests/functional/test_s3.py:9: no reason
FAILED s3tests/functional/test_s3.py::test_acl - AssertionError: assert 403 == 200
FAILED s3tests/functional/test_headers.py::test_short
ERROR s3tests/functional/test_s3.py::test_not_cleaned_up - botocore.exceptions.ClientError: x
3 failed, 2 passed in 1.00s
"""


def test_what_pytest_prints_is_an_outcome() -> None:
    found = s3_tests.outcome(PRINTED)
    assert found.passed == {"test_bucket_list_empty", "test_sse[AES256]"}
    assert found.failed == {
        "test_acl": "AssertionError: assert 403 == 200",
        "test_short": "failed",
        "test_not_cleaned_up": "botocore.exceptions.ClientError: x",
    }


@pytest.mark.parametrize(
    ("printed", "wrong"),
    [
        ("\x1b[36mRUN  \x1b[0mA\n\x1b[32mPASS \x1b[0mA\n", None),
        ("RUN  A\nFAIL A: expected 1: got 2\n", "expected 1: got 2"),
        ("RUN  A\nPASS A\nFAIL A: not removed\n", "not removed"),
        ("RUN  A\npanic: nil\n\ngoroutine 1\n", "nil"),
        ("RUN  A\n2026/01/01 error: no bucket\n", "2026/01/01 error: no bucket"),
        ("", "nothing was printed"),
    ],
)
def test_what_versitygw_prints_is_a_result(printed: str, wrong: str | None) -> None:
    assert versitygw.result(printed) == wrong


def test_regressions_and_improvements_are_told_and_what_is_no_more() -> None:
    found = Outcome(frozenset({"same", "new"}), {"broken": "500", "never": "501"})
    expected = frozenset({"same", "broken", "gone"})
    assert lists.judge(expected, found, whole=True) == Verdict(("broken",), ("new",), ("gone",))
    part = lists.judge(expected, found, whole=False)
    assert part == Verdict(("broken",), ("new",), ())
    assert not part.fits
    told = lists.told(part, found)
    assert "worse:  broken: 500" in told
    assert "better: new" in told
    assert lists.judge(frozenset({"same", "new"}), found, whole=True).fits


def test_on_all_stores_passes_what_passes_on_each() -> None:
    one = Outcome(frozenset({"a", "b"}), {"c": "on one"})
    other = Outcome(frozenset({"a", "c"}), {"b": "on the other"})
    assert lists.on_all([one, other]) == Outcome(
        frozenset({"a"}), {"b": "on the other", "c": "on one"}
    )


def test_lists_come_back_as_they_were_written(tmp_path: Path) -> None:
    lists.write(tmp_path / "list", {"b", "a[1]"})
    assert (tmp_path / "list").read_bytes() == b"a[1]\nb\n"
    assert lists.read(tmp_path / "list") == {"a[1]", "b"}


def test_the_lists_of_the_project_are_well_formed() -> None:
    for name in ("s3-tests.txt", "versitygw.txt", "cache-tests.txt"):
        text = (HERE / name).read_text(encoding="utf-8")
        assert text == "".join(f"{one}\n" for one in sorted(set(text.split())))
        assert text
    otherwise = lists.read_reasons(HERE / "versitygw-otherwise.txt")
    assert otherwise.keys().isdisjoint(lists.read(HERE / "versitygw.txt"))
    assert all(otherwise.values())


def test_the_gateway_and_the_suite_know_the_same_keys(tmp_path: Path) -> None:
    known = s3_tests.people()
    (tmp_path / "gateway.toml").write_text(s3_tests.gateway_toml(known, 8000), encoding="utf-8")
    configured = load(tmp_path / "gateway.toml", environ={})
    conf = s3_tests.suite_conf(known, 8000)
    secrets = {key.id: key.credential().secret.reveal() for key in configured.keys}
    for section in ("s3 main", "s3 alt", "s3 tenant"):
        assert secrets[conf[section]["access_key"]] == conf[section]["secret_key"]


def test_the_gateway_of_cache_tests_has_a_chain(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(cache_tests.gateway_toml("memory", 8080, 8000, 8001))
    configured = load(tmp_path / "gateway.toml", environ={})
    assert [one.service for one in configured.bindings] == ["edge"]
    found = cache_tests.outcome('{"passed": ["required:a"], "failed": {"optimal:b": "no"}}')
    assert found == Outcome(frozenset({"required:a"}), {"optimal:b": "no"})


def test_the_commands_are_as_documented() -> None:
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert "python -m tests.yardsticks s3-tests CLONE" in text
    assert "python -m tests.yardsticks versitygw BINARY" in text
    assert "python -m tests.yardsticks cache-tests CLONE" in text
    assert arguments(["cache-tests", "CLONE", "--space", "disk"]).space == "disk"
    assert arguments(["s3-tests", "CLONE"]).suite == "s3-tests"
    assert arguments(["versitygw", "BINARY", "one", "--record"]).names == ["one"]
