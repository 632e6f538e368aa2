"""What is stored with an object: its properties, as they were given, and nothing else."""

from __future__ import annotations

import pytest

from gateway.storage import (
    Encryption,
    Protection,
    Put,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.harness import Conformance
from gateway.testing.faults import noise

HEADERS = (
    ("Cache-Control", "no-cache"),
    ("Link", "</a>; rel=next"),
    ("Content-Language", "de, en"),
    ("Link", "</b>; rel=prev"),
)
PROPERTIES = (
    Put(content_type="image/jpeg; q=1"),
    Put(headers=HEADERS),
    Put(metadata={"a": "1", "empty": "", "umlaut": "grün 📁", "spaces": "a  b", "x-y.z": "="}),
    Put(metadata={"x-y_z": "another name than x-y-z"}),
    Put(tags={"Project": "X y", "empty": "", "ключ": "значение", "a+b=c": "/:@"}),
    Put(tags={"": "no name", "&": "<&>"}),
    Put(storage_class="GLACIER_IR"),
    Put(owner="account-7"),
    Put(attributes={"acl": [["*", "read"]], "n": 1, "none": None, "deep": {"é": [True, 1.5]}}),
)
SIZES = (0, 1000, 100_000, (1 << 20) + 1)


class PropertiesConformance(Conformance):
    @pytest.mark.parametrize("options", PROPERTIES)
    @pytest.mark.parametrize("size", [10, 100_000])
    def test_what_is_given_with_a_put_comes_back(
        self, bench: Bench, options: Put, size: int
    ) -> None:
        told = bench.put("k", noise(size), options)
        with bench.store.get("k") as opened:
            for info in (told, bench.store.stat("k"), opened.info):
                for name in ("content_type", "headers", "storage_class"):
                    assert getattr(info, name) == getattr(options, name)
                assert info.owner == (bench.kept("owner", options.owner) or "")
                for name in ("metadata", "tags", "attributes"):
                    assert dict(getattr(info, name)) == dict(getattr(options, name))

    def test_an_object_of_which_nothing_was_said_has_nothing(self, bench: Bench) -> None:
        info = bench.put("k", b"data")
        assert (info.headers, info.parts, info.owner) == ((), (), "")
        assert not (info.metadata or info.tags or info.attributes)
        assert (info.protection, info.version) == (None, None)

    @pytest.mark.parametrize(
        "options",
        [Put(protection=Protection(hold=True)), Put(encryption=Encryption())],
        ids=["protection", "encryption"],
    )
    def test_what_cannot_be_kept_is_refused_and_not_dropped(
        self, bench: Bench, options: Put
    ) -> None:
        info = bench.put("k", b"data", options)
        assert info.protection == options.protection
        assert (info.encryption is None) == (options.encryption is None)
