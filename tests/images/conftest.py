"""Everything is tried by both engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.images.pictures import Site

Opening = Callable[..., Site]


@pytest.fixture(params=["pyvips", "pillow"])
def opened(request: pytest.FixtureRequest) -> Iterator[Opening]:
    sites: list[Site] = []

    def open(**options: Any) -> Site:
        sites.append(Site(engine=request.param, **options))
        return sites[-1]

    yield open
    for site in sites:
        site.close()


@pytest.fixture
def site(opened: Opening) -> Site:
    return opened()
