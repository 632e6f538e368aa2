"""What authors of drivers and layers test with: the conformance kit, and sources that misbehave.

`gateway.testing.conformance` holds one test for each behaviour that the
contract promises; `gateway.testing.faults` holds bodies that break, lie about
their length, or dawdle. Both need pytest and Hypothesis, which the gateway
itself does not.
"""

import pytest

# Before the kit is imported: its asserts then show values, as those of a test file do.
pytest.register_assert_rewrite("gateway.testing.conformance")
