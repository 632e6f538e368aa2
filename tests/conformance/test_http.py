"""The kit on an HTTP origin: what of it is about reading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.http import Http
from gateway.storage import CAPABILITIES, Context, Forwards, Store, Varies
from gateway.testing.conformance import ConditionsConformance, ReadingConformance
from gateway.testing.upstreams import Upstream
from tests.fetching.origin import LOOPBACK, keep, path_of

NEVER = frozenset(one.__name__ for one in {*CAPABILITIES} - {Forwards, Varies})


@pytest.fixture(scope="module")
def origin(sockets: None) -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.always(keep)
        yield upstream


class TestHttp(ReadingConformance, ConditionsConformance):
    lacks = NEVER
    knows_unchanged = False

    @pytest.fixture(autouse=True)
    def _where(self, origin: Upstream, tmp_path: Path) -> None:
        origin.objects.clear()
        self.origin = origin

    def open(self, context: Context) -> Store:
        store = Http(url=(f"{self.origin.url}/below it",), allow=LOOPBACK)
        store.open(context)
        return store

    def seed(self, store: Store, key: str, data: bytes) -> None:
        assert isinstance(store, Http)
        self.origin.objects[path_of(key, "/below%20it")] = data
