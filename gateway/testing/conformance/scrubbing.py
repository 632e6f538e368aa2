"""Scrubs: what is fine is found fine, all of it, and nothing is changed by looking.

That damage is found is for a driver's own tests: only they know where its bytes lie.
"""

from __future__ import annotations

from gateway.storage import Put
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.completing import completed, sent
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.encryption import MANAGED
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.faults import noise

SIZES = (0, 1000, 100_000, 2 << 20)


class ScrubsConformance(Conformance):
    needs = "Scrubs"

    def checked(self, bench: Bench) -> int:
        """How many objects, versions and parts were; none may be damaged."""
        steps = list(bench.scrubs.scrub())
        assert [step.damage for step in steps if step.damage] == []
        return sum(step.objects for step in steps)

    def test_objects_of_every_size_are_fine(self, bench: Bench) -> None:
        assert self.checked(bench) == 0
        for size in SIZES:
            bench.put(f"k{size}", noise(size))
        with bench.unchanged():
            assert self.checked(bench) == len(SIZES)

    def test_encrypted_objects_are_fine(self, bench: Bench) -> None:
        assert self.checked(bench) == 0
        for size in SIZES:
            bench.put(f"k{size}", noise(size), Put(encryption=MANAGED))
        assert self.checked(bench) == len(SIZES)

    def test_versions_are_fine_and_markers_are_no_objects(self, bench: Bench) -> None:
        assert self.checked(bench) == 0
        keeping(bench)
        for size in SIZES:
            put(bench, noise(size))
        hide(bench)
        assert self.checked(bench) == len(SIZES)

    def test_copies_and_objects_of_parts_are_fine(self, bench: Bench) -> None:
        assert self.checked(bench) == 0
        completed(bench)
        copy(bench, "k", "copy")
        assert self.checked(bench) == 2

    def test_parts_that_wait_are_fine(self, bench: Bench) -> None:
        assert self.checked(bench) == 0
        _, refs = sent(bench)
        assert self.checked(bench) == len(refs)

    def test_it_goes_on_while_objects_come_and_go(self, bench: Bench) -> None:
        scrubs = bench.scrubs
        for number in range(20):
            bench.put(f"k{number:02}", noise(100_000, str(number)))
        for number, step in enumerate(scrubs.scrub()):
            assert step.damage is None
            bench.delete(f"k{number % 20:02}")
            bench.put(f"k{(number + 10) % 20:02}", b"new")
            if number > 500:
                break
        assert self.checked(bench) <= 20
