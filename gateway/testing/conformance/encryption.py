"""Encryption at rest: unreadable on disk, exact through the door, and only with the right key.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest

from gateway.storage import (
    BytesBody,
    Complete,
    Encryption,
    Get,
    PartRef,
    Put,
    Range,
    Secret,
    WrongKey,
)
from gateway.storage.checksums import compute, encode
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.copying import copy
from gateway.testing.conformance.harness import Conformance
from gateway.testing.conformance.multipart import begin
from gateway.testing.faults import noise

SIZES = (0, 100, 100_000, (2 << 20) + 5)


def customer(name: str) -> Encryption:
    """Encryption under a customer's key; another name is another key."""
    key = hashlib.sha256(name.encode()).digest()
    md5 = encode(hashlib.md5(key, usedforsecurity=False).digest())
    return Encryption(kind="customer", key=Secret(key), key_md5=md5)


MANAGED = Encryption()
OURS, THEIRS = customer("ours"), customer("theirs")
WITH_OURS, WITH_THEIRS = Get(encryption=OURS), Get(encryption=THEIRS)
KMS = Encryption(kind="kms", double=True)
READS = {"managed": (MANAGED, Get()), "customer": (OURS, WITH_OURS), "kms": (KMS, Get())}


def kept_by(bench: Bench, kind: str) -> tuple[Encryption, Get]:
    """How something is encrypted, and read. Skips the test where there is no such thing."""
    encryption, want = READS[kind]
    if kind == "kms":
        with bench.able("encryption" if "encryption" in (bench.driver.lacks or ()) else kind):
            bench.writable.put("probe", BytesBody(b""), Put(size=0, encryption=encryption))
        bench.delete("probe")
    return encryption, want


def said(encryption: Encryption | None) -> object:
    """What is told of it; which key a key service takes by default is its own affair."""
    return encryption and (encryption.kind, encryption.key, encryption.key_md5, encryption.double)


each_kind = pytest.mark.parametrize("kind", READS)


class EncryptionConformance(Conformance):
    @each_kind
    def test_what_was_encrypted_is_read_exactly(self, bench: Bench, kind: str) -> None:
        encryption, want = kept_by(bench, kind)
        for size in SIZES:
            info = bench.put("k", noise(size), Put(encryption=encryption))
            assert info.size == size
            assert bench.agree(info, bench.store.stat("k", want))
            assert bench.read("k", want) == noise(size)

    @each_kind
    def test_an_object_tells_how_it_is_encrypted_and_never_the_key(
        self, bench: Bench, kind: str
    ) -> None:
        encryption, want = kept_by(bench, kind)
        bench.put("k", b"data", Put(encryption=encryption))
        told = bench.store.stat("k", want).encryption
        assert said(told) == said(replace(encryption, key=None))

    @each_kind
    def test_ranges_are_exact_across_the_borders_of_blocks(self, bench: Bench, kind: str) -> None:
        encryption, want = kept_by(bench, kind)
        data = noise(SIZES[-1])
        bench.put("k", data, Put(encryption=encryption))
        for border in (16, 4096, 65_536, 262_144, 524_288, 1 << 20, 2 << 20):
            for first, last in ((border - 1, border), (border, border), (border - 9, border + 9)):
                read = bench.read("k", replace(want, range=Range(first, last)))
                assert read == data[first : last + 1], (first, last)
        assert bench.read("k", replace(want, range=Range(None, 7))) == data[-7:]

    @each_kind
    @pytest.mark.parametrize("size", [1000, 200_000])
    def test_nothing_of_it_is_kept_in_clear(self, bench: Bench, kind: str, size: int) -> None:
        encryption = kept_by(bench, kind)[0]
        clear, secret = noise(size, "clear"), noise(size, "secret")
        bench.put("clear", clear)
        bench.put("secret", secret, Put(encryption=encryption))
        kept = list(bench.driver.raw(bench.folder))
        if not any(clear[100:400] in one for one in kept):
            pytest.skip("what is kept cannot be looked at")
        assert not any(secret[at : at + 64] in one for one in kept for at in (0, 100, size - 64))
        if OURS.key is not None:
            assert not any(OURS.key.reveal_bytes() in one for one in kept)

    def test_equal_objects_are_kept_as_different_bytes(self, bench: Bench) -> None:
        bench.put("one", bytes(300_000), Put(encryption=MANAGED))
        bench.put("two", bytes(300_000), Put(encryption=MANAGED))
        zeros = [one for one in bench.driver.raw(bench.folder) if bytes(4096) * 8 in one]
        assert not any(any(one) for one in zeros), "other than what is set aside, all zeros"
        assert bench.read("one") == bench.read("two") == bytes(300_000)

    def test_without_the_customers_key_nothing_is_told(self, bench: Bench) -> None:
        for size in SIZES:
            bench.put("k", noise(size), Put(encryption=OURS))
            for ask in (bench.store.get, bench.store.stat):
                with pytest.raises(WrongKey) as raised:
                    ask("k")
                assert not raised.value.given
                with pytest.raises(WrongKey) as raised:
                    ask("k", WITH_THEIRS)
                assert raised.value.given

    def test_what_is_told_without_the_key_is_what_is_told_with_it(self, bench: Bench) -> None:
        bench.put("k", b"data", Put(encryption=OURS))
        with suppress(WrongKey):
            assert bench.store.stat("k", Get(keyless=True)) == bench.store.stat("k", WITH_OURS)
        with pytest.raises(WrongKey):
            bench.store.get("k", Get(keyless=True))

    def test_another_key_does_not_fit_whatever_is_said_of_it(self, bench: Bench) -> None:
        """The MD5 of a key is not the key: who knows only the MD5 reads nothing."""
        for size in SIZES[1:]:
            bench.put("k", noise(size), Put(encryption=OURS))
            for md5 in ("", OURS.key_md5):
                with pytest.raises(WrongKey):
                    bench.read("k", Get(encryption=replace(THEIRS, key_md5=md5)))

    def test_a_key_for_an_object_that_has_none_is_WrongKey(self, bench: Bench) -> None:
        bench.put("probe", b"data", Put(encryption=OURS))
        for options in (Put(), Put(encryption=MANAGED)):
            bench.put("k", b"data", options)
            for ask in (bench.store.get, bench.store.stat):
                with pytest.raises(WrongKey):
                    ask("k", WITH_OURS)

    @each_kind
    def test_checksums_are_those_of_the_plain_bytes(self, bench: Bench, kind: str) -> None:
        encryption, want = kept_by(bench, kind)
        for size in SIZES:
            options = Put(encryption=encryption, checksums={"SHA256": ""})
            bench.put("k", noise(size), options)
            told = bench.store.stat("k", want).checksums
            assert dict(told) == {"SHA256": compute("SHA256", noise(size))}

    @each_kind
    def test_an_etag_tells_nothing_of_what_others_may_not_read(
        self, bench: Bench, kind: str
    ) -> None:
        """It is in lists, which need no key."""
        encryption, _ = kept_by(bench, kind)
        digest = hashlib.md5(b"a guess", usedforsecurity=False).hexdigest()
        etag = bench.put("k", b"a guess", Put(encryption=encryption)).etag
        assert kind == "managed" or etag != digest

    @each_kind
    def test_sizes_in_lists_are_those_of_the_plain_bytes(self, bench: Bench, kind: str) -> None:
        bench.put("k", bytes(100_001), Put(encryption=kept_by(bench, kind)[0]))
        assert [entry.size for entry in bench.listable.list().entries] == [100_001]

    def test_copies_are_decrypted_and_encrypted_as_asked(self, bench: Bench) -> None:
        keys = ((OURS, WITH_OURS), (THEIRS, WITH_THEIRS), (MANAGED, Get()), (None, Get()))
        for size in (100, 200_000):
            for source, read_source in keys:
                bench.put("from", noise(size), Put(encryption=source))
                for target, read_target in keys:
                    info = copy(bench, "from", "to", read_source, Put(encryption=target))
                    assert (info.size, info.encryption is None) == (size, target is None)
                    assert bench.read("to", read_target) == noise(size)

    def test_a_copy_needs_the_key_of_its_source(self, bench: Bench) -> None:
        bench.put("from", noise(200_000), Put(encryption=OURS))
        for want in (Get(), WITH_THEIRS):
            with bench.able("encryption"), pytest.raises(WrongKey):
                copy(bench, "from", "to", want)
            with pytest.raises(WrongKey):
                copy(bench, "from", "to", want, Put(encryption=THEIRS))
        assert bench.listed() == ["from"]

    @each_kind
    def test_an_upload_in_parts_is_encrypted(self, bench: Bench, kind: str) -> None:
        encryption, want = kept_by(bench, kind)
        bench.put("probe", b"", Put(encryption=encryption))
        bench.delete("probe")
        upload = begin(bench, options=Put(encryption=encryption))
        of_part = encryption if kind == "customer" else None
        bodies = [noise(size, str(size)) for size in (300_000, 70_000, 10)]
        refs = []
        for number, data in enumerate(bodies, 1):
            options = Put(size=len(data), encryption=of_part)
            part = bench.multipart.put_part("k", upload, number, BytesBody(data), options)
            refs.append(PartRef(number=number, etag=part.etag))
        info = bench.multipart.complete("k", upload, refs, Complete(encryption=of_part))
        whole = b"".join(bodies)
        assert said(info.encryption) == said(replace(encryption, key=None))
        assert bench.read("k", want) == whole
        wanted = Range(299_990, 370_005)
        assert bench.read("k", replace(want, range=wanted)) == whole[299_990:370_006]
        assert not any(bodies[0][:64] in one for one in bench.driver.raw(bench.folder))

    def test_a_part_of_an_encrypted_upload_needs_its_key(self, bench: Bench) -> None:
        bench.put("probe", b"", Put(encryption=OURS))
        upload = begin(bench, options=Put(encryption=OURS))
        assert bench.multipart.upload("k", upload).options.encryption == replace(OURS, key=None)
        for wrong in (None, THEIRS):
            options = Put(size=4, encryption=wrong)
            with pytest.raises(WrongKey):
                bench.multipart.put_part("k", upload, 1, BytesBody(b"data"), options)
        assert bench.multipart.parts("k", upload) == ()
