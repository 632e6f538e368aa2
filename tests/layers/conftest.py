"""A site whose caches are on disk, and one whose caches are in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.cache import Cache
from tests.layers.origin import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture(params=["disk", "memory"])
def cached(request: pytest.FixtureRequest, site: Site) -> Callable[..., Cache]:
    """Opens a worker's cache, on disk and in memory in turn."""

    def open(**options: Any) -> Cache:
        return site.worker(space=request.param, **options)

    return open
