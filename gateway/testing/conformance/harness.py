"""`Conformance`: a driver under test, and the bench on which each test finds it open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.storage import CAPABILITIES
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.under_test import DriverUnderTest


class Conformance(DriverUnderTest):
    """The base of all the kit's classes."""

    needs: ClassVar[str] = ""
    """The capability without which none of the class's own tests can be."""

    @pytest.fixture
    def can(self, request: pytest.FixtureRequest) -> None:
        """Skip what is said to be lacking before anything is made for it."""
        needed = self._needed(request.function.__name__)
        if needed in (self.lacks or ()):
            pytest.skip(f"store has no {needed}")

    @pytest.fixture
    def bench(self, can: None, tmp_path: Path) -> Iterator[Bench]:
        bench = Bench(self, tmp_path)
        try:
            self._tell_what_is_there(bench)
            yield bench
        finally:
            bench.close()

    def _needed(self, test: str) -> str:
        """By the class that has the test, whichever inherits it."""
        owner = next(one for one in type(self).__mro__ if test in vars(one))
        needed: str = vars(owner).get("needs", "")
        return needed

    def _tell_what_is_there(self, bench: Bench) -> None:
        """A store that has learned something is tested in it, too."""
        lacks = self.lacks or ()
        there = [one.__name__ for one in CAPABILITIES if one.__name__ in lacks and bench.has(one)]
        if there:
            pytest.fail(f"the store is said to lack what it has: {', '.join(there)}")
