"""Run a suite that others wrote, and hold what passes against the list of what is to pass.

Exit codes: 0 it is as the list says, 1 it is not, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.yardsticks import cache_tests, lists, s3_tests, versitygw
from tests.yardsticks.lists import Outcome

HERE = Path(__file__).parent


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.yardsticks", description=__doc__, allow_abbrev=False
    )
    suites = parser.add_subparsers(dest="suite", required=True)
    ceph = suites.add_parser("s3-tests", help="ceph/s3-tests, on a folder and in memory")
    ceph.add_argument("clone", type=Path, help="of https://github.com/ceph/s3-tests")
    ceph.add_argument("--python", default=sys.executable, help="one that has its requirements")
    ceph.add_argument("--store", choices=s3_tests.STORES, help="on this one only")
    ceph.add_argument("-k", dest="chosen", default="", help="tests, as pytest takes them")
    versity = suites.add_parser("versitygw", help="versitygw's own tests")
    versity.add_argument("binary", type=Path, help="see tests/yardsticks/versitygw.py")
    versity.add_argument("names", nargs="*", help="of tests; all that count when none is given")
    caches = suites.add_parser("cache-tests", help="http-tests/cache-tests, on disk and in memory")
    caches.add_argument("clone", type=Path, help="see tests/yardsticks/cache_tests.py")
    caches.add_argument("--space", choices=cache_tests.SPACES, help="in this one only")
    for one in (ceph, versity, caches):
        one.add_argument("--record", action="store_true", help="write the list anew")
    return parser.parse_args(given)


def of_s3_tests(given: argparse.Namespace) -> tuple[Outcome, bool]:
    """(outcome, whether all tests ran)."""
    clone, outcomes = given.clone.resolve(), []
    for store in [given.store] if given.store else s3_tests.STORES:
        folder = Path(tempfile.mkdtemp(prefix=f"s3-tests-{store}-"))
        found = s3_tests.run(clone, given.python, store, folder, given.chosen)
        print(f"{store}: {len(found.passed)} passed, {len(found.failed)} failed; see {folder}")
        outcomes.append(found)
    return lists.on_all(outcomes), not (given.chosen or given.store)


def of_versitygw(given: argparse.Namespace) -> tuple[Outcome, bool]:
    otherwise = lists.read_reasons(HERE / "versitygw-otherwise.txt")
    names = given.names or sorted(lists.read(HERE / "versitygw.txt") | otherwise.keys())
    return versitygw.run(given.binary.resolve(), names, print), not given.names


def of_cache_tests(given: argparse.Namespace) -> tuple[Outcome, bool]:
    outcomes = []
    for space in [given.space] if given.space else cache_tests.SPACES:
        folder = Path(tempfile.mkdtemp(prefix=f"cache-tests-{space}-"))
        found = cache_tests.run(given.clone.resolve(), space, folder)
        counts = Counter(name.partition(":")[0] for name in found.passed)
        print(f"{space}: {dict(counts)} passed, {len(found.failed)} failed; see {folder}")
        outcomes.append(found)
    return lists.on_all(outcomes), True


SUITES = {"s3-tests": of_s3_tests, "versitygw": of_versitygw, "cache-tests": of_cache_tests}


def main(given: Sequence[str] | None = None) -> int:
    chosen = arguments(given)
    path = HERE / f"{chosen.suite}.txt"
    found, whole = SUITES[chosen.suite](chosen)
    expected = lists.read(path)
    verdict = lists.judge(expected, found, whole=whole)
    print(lists.told(verdict, found))
    if chosen.record:
        kept = frozenset[str]() if whole else expected - found.names
        lists.write(path, kept | found.passed)
        return 0
    return 0 if verdict.fits else 1


if __name__ == "__main__":
    sys.exit(main())
