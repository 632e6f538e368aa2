"""Durability: what was acknowledged is there when the store is opened again."""

from __future__ import annotations

from gateway.storage import (
    BytesBody,
    Delete,
    Encryption,
    Get,
    PartRef,
    Put,
)
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.encryption import OURS, WITH_OURS
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.keys import fill
from gateway.testing.conformance.multipart import begin, send
from gateway.testing.conformance.parallel import in_processes
from gateway.testing.conformance.versions import hide, keeping, put
from gateway.testing.faults import noise

SIZES = (0, 100, 100_000, 3 << 20)


class DurabilityConformance(Conformance):
    def test_objects_are_there_after_reopening(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put(f"k{size}", noise(size), Put(metadata={"size": str(size)}))
        before = bench.picture()
        bench.reopen()
        assert bench.picture() == before
        for size in SIZES:
            assert bench.read(f"k{size}") == noise(size)

    def test_odd_keys_are_there_after_reopening(self, bench: Bench) -> None:
        kept = fill(bench)
        bench.reopen()
        assert {key: bench.read(key) for key in bench.listed()} == kept

    def test_what_was_deleted_stays_deleted_after_reopening(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put(f"k{size}", noise(size))
            bench.delete(f"k{size}")
        bench.reopen()
        assert bench.listed() == []

    def test_versions_and_their_state_are_there_after_reopening(self, bench: Bench) -> None:
        keeping(bench)
        first = put(bench, noise(100_000))
        put(bench, b"two")
        marker = hide(bench)
        before = bench.picture()
        bench.reopen()
        if bench.driver.keeps_versioning:
            assert bench.versions.versioning == "on"
        assert bench.picture() == before
        bench.delete("k", Delete(version=marker))
        assert bench.read("k") == b"two"
        assert bench.read("k", Get(version=first)) == noise(100_000)
        keeping(bench)
        assert put(bench, b"three") not in (first, marker)

    def test_uploads_go_on_after_reopening(self, bench: Bench) -> None:
        upload = begin(bench, options=Put(metadata={"a": "1"}))
        refs = [send(bench, upload, 1, noise(100_000))]
        bench.reopen()
        refs.append(send(bench, upload, 2, b"end"))
        info = bench.multipart.complete("k", upload, refs)
        bench.reopen()
        assert dict(info.metadata) == {"a": "1"}
        assert bench.read("k") == noise(100_000) + b"end"
        assert bench.multipart.complete("k", upload, refs) == info

    def test_changes_go_on_after_reopening(self, bench: Bench) -> None:
        first = bench.changes.changes().last
        bench.put("a")
        bench.reopen()
        bench.put("b")
        changes = bench.changes.changes(first).changes
        assert [(one.sequence, one.key) for one in changes] == [(first + 1, "a"), (first + 2, "b")]

    def test_encrypted_objects_are_readable_after_reopening(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put(f"managed {size}", noise(size), Put(encryption=Encryption()))
            bench.put(f"customer {size}", noise(size), Put(encryption=OURS))
        bench.reopen()
        for size in SIZES:
            assert bench.read(f"managed {size}") == noise(size)
            assert bench.read(f"customer {size}", WITH_OURS) == noise(size)

    def test_another_process_sees_what_is_here_and_this_what_is_there(self, bench: Bench) -> None:
        bench.put("from here", noise(100_000))
        upload = begin(bench, "upload")
        assert in_processes(bench, 1, Elsewhere(upload)) == [True]
        assert bench.read("from there") == noise(70_000)
        (part,) = bench.multipart.parts("upload", upload)
        bench.multipart.complete("upload", upload, [PartRef(number=1, etag=part.etag)])
        assert bench.read("upload") == b"part"
        assert bench.listed() == ["from there", "upload"]


class Elsewhere:
    """Work for another process, which gets it pickled with its upload."""

    def __init__(self, upload: str) -> None:
        self._upload = upload

    def __call__(self, bench: Bench, number: int) -> bool:
        there = bench.read("from here") == noise(100_000)
        bench.delete("from here")
        bench.put("from there", noise(70_000))
        bench.multipart.put_part("upload", self._upload, 1, BytesBody(b"part"), Put(size=4))
        return there
