"""What bindings call a host: by its name, or by a pattern (`*.example.com`) that it is below."""

from __future__ import annotations

from collections.abc import Iterator


def patterns_of(host: str) -> Iterator[str]:
    """The most specific first."""
    yield host
    rest = host.partition(".")[2]
    while rest:
        yield f"*.{rest}"
        rest = rest.partition(".")[2]
