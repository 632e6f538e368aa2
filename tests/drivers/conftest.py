"""Upstreams listen, and some are processes of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def _needs(sockets: None, processes: None) -> None:
    """All tests of this folder."""
