"""What is tested with: a server in memory, the conformance kit, and sources that misbehave.

`Server` is the whole gateway for other people's suites, which get it as pytest
fixtures too (`gateway.pytest_plugin`); docs/testing.md is about it.
`gateway.testing.conformance` holds one test for each behaviour that the
contract promises to users of a driver; it needs pytest and Hypothesis, which
the gateway itself does not. `gateway.testing.faults` holds bodies that break,
lie about their length, or dawdle.
"""

from gateway.testing.server import Credentials, Fault, Recorded, Server

__all__ = ["Credentials", "Fault", "Recorded", "Server"]
