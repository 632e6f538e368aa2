"""What tells a service from what it was, or will be: for caches, which must not take the
objects of one for those of another. Secrets do not count, for `repr` does not show them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from gateway.config import Configuration, Declared


def generation_of(id: int, declared: Declared, likenesses: Mapping[str, str]) -> str:
    """Another one when an added service is another (the `id` of its row), or what is behind it
    may have other objects: another driver or options. `likenesses` are those of its links."""
    if declared.driver.outlives_source(declared.options):
        return _digest(id, declared.source_path)
    return _digest(id, declared.source_path, sorted(likenesses.items()))


def added_likeness(generation: str, declared: Declared) -> str:
    return _digest(generation, declared.driver.driver, sorted(declared.options.items()))


def likeness(configuration: Configuration, sid: str) -> str:
    """That of a declared service."""
    one = configuration.services[sid]
    links = {field: likeness(configuration, to) for field, to in one.links.items()}
    options = sorted(one.options.items())
    return _digest(sid, one.driver.driver, options, one.source_path, sorted(links.items()))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
