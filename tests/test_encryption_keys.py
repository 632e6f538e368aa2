"""Named encryption keys: kept in the catalog, rotated, disabled, and what they wrap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.access.identity import Identity
from gateway.catalog import Catalog, open_catalog
from gateway.catalog.secrets import find_master
from gateway.config import ConfigurationError, load
from gateway.services.key_service import FIRST_DEFAULT, CatalogKeyService
from gateway.services.runtime import Runtime, open_runtime
from gateway.storage import (
    AlreadyExists,
    BytesBody,
    Corrupt,
    DisabledEncryptionKey,
    Encryption,
    NoSuchEncryptionKey,
    NotFound,
    Put,
    Secret,
)
from gateway.testing.faults import noise
from tests import catalogs

KEY = Secret(b"k" * 32)
ONE = Encryption(kind="kms", key_id="one", context="e30=")


def opened(folder: Path, kind: str = "sqlite", kms: str = "") -> Catalog:
    file, place = folder / "gateway.toml", "memory = true" if kind == "memory" else 'data = "data"'
    file.write_text(f"[server]\n{place}\n{catalogs.table(kind)}{kms}")
    return open_catalog(load(file, environ={}), {})


@pytest.fixture(params=catalogs.KINDS)
def catalog(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Catalog]:
    catalogs.without_delay(monkeypatch)
    found = opened(tmp_path, request.param)
    found.add_encryption_key("one")
    yield found
    found.close()


@pytest.fixture
def service(catalog: Catalog) -> CatalogKeyService:
    return CatalogKeyService(catalog)


def test_what_is_wrapped_is_unwrapped_for_the_same_key_and_context_alone(
    catalog: Catalog, service: CatalogKeyService
) -> None:
    catalog.add_encryption_key("two")
    wrapped = service.wrap(KEY, ONE)
    assert KEY.reveal_bytes() not in wrapped and wrapped != service.wrap(KEY, ONE)
    assert service.unwrap(wrapped, ONE) == KEY
    assert service.unwrap(wrapped, replace(ONE, bucket_key=True, double=True)) == KEY
    for other in (replace(ONE, context=""), replace(ONE, key_id="two")):
        with pytest.raises(Corrupt):
            service.unwrap(wrapped, other)
    for damaged in (b"", wrapped[:9], wrapped[:-1], b"\x02" + wrapped[1:], wrapped + b"x"):
        with pytest.raises(Corrupt):
            service.unwrap(damaged, ONE)


def test_a_new_version_wraps_and_the_old_ones_stay_readable(
    catalog: Catalog, service: CatalogKeyService
) -> None:
    wrapped = [service.wrap(KEY, ONE)]
    for version in (2, 3):
        assert catalog.rotate_encryption_key("one") == version
        wrapped.append(service.wrap(KEY, ONE))
    key = catalog.encryption_key("one")
    assert key is not None and len(set(key.versions)) == 3
    assert [service.unwrap(one, ONE) for one in wrapped] == [KEY] * 3
    assert [int.from_bytes(one[1:5], "big") for one in wrapped] == [1, 2, 3]


def test_a_disabled_key_is_given_to_nobody_until_it_is_enabled(
    catalog: Catalog, service: CatalogKeyService
) -> None:
    wrapped = service.wrap(KEY, ONE)
    catalog.set_encryption_key_active("one", False)
    for ask in (
        lambda: service.named(ONE),
        lambda: service.wrap(KEY, ONE),
        lambda: service.unwrap(wrapped, ONE),
    ):
        with pytest.raises(DisabledEncryptionKey):
            ask()
    catalog.set_encryption_key_active("one", True)
    assert service.unwrap(wrapped, ONE) == KEY


def test_which_key_is_meant(catalog: Catalog, service: CatalogKeyService) -> None:
    def named(key_id: str) -> str:
        return service.named(replace(ONE, key_id=key_id)).key_id

    arn = "arn:aws:kms:us-east-1:123456789012:"
    for said in ("one", "alias/one", f"{arn}key/one", f"{arn}alias/one"):
        assert named(said) == "one"
    for said in ("two", f"{arn}key/two", "a\0b", "alias/", arn):
        with pytest.raises(NoSuchEncryptionKey) as raised:
            named(said)
        assert raised.value.message == f"Key '{said}' does not exist"
    assert named("") == FIRST_DEFAULT == named("")
    catalog.set_default_encryption_key("one")
    assert named("") == "one"
    assert catalog.make_default_encryption_key("other") == "one"


def test_keys_are_listed_without_their_secrets(catalog: Catalog) -> None:
    catalog.add_encryption_key("a/b")
    catalog.set_default_encryption_key("one")
    catalog.set_encryption_key_active("a/b", False)
    catalog.rotate_encryption_key("one")
    first, second = catalog.encryption_keys()
    assert (first.name, first.active, first.default, first.versions) == ("a/b", False, False, 1)
    assert (second.name, second.active, second.default, second.versions) == ("one", True, True, 2)
    assert first.created == first.rotated > 0 and second.created <= second.rotated
    with pytest.raises(AlreadyExists):
        catalog.add_encryption_key("one")
    for change in (
        catalog.rotate_encryption_key,
        catalog.set_default_encryption_key,
        lambda name: catalog.set_encryption_key_active(name, True),
    ):
        with pytest.raises(NotFound):
            change("none")


def test_what_one_process_changes_the_others_have_at_once(tmp_path: Path) -> None:
    mine, theirs = opened(tmp_path), opened(tmp_path)
    try:
        here, there = CatalogKeyService(mine), CatalogKeyService(theirs)
        with pytest.raises(NoSuchEncryptionKey):
            there.named(ONE)
        mine.add_encryption_key("one")
        assert there.unwrap(here.wrap(KEY, ONE), ONE) == KEY
        mine.rotate_encryption_key("one")
        assert there.unwrap(here.wrap(KEY, ONE), ONE) == KEY
        assert there.wrap(KEY, ONE)[1:5] == b"\0\0\0\2"
        mine.set_encryption_key_active("one", False)
        with pytest.raises(DisabledEncryptionKey):
            there.named(ONE)
    finally:
        mine.close()
        theirs.close()


def test_a_version_that_this_process_does_not_know_yet_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on PostgreSQL, which is asked twice a second whether somebody wrote."""
    mine, theirs = opened(tmp_path), opened(tmp_path)
    try:
        mine.add_encryption_key("one")
        there = CatalogKeyService(theirs)
        there.wrap(KEY, ONE)
        now = theirs.version()
        monkeypatch.setattr(theirs, "version", lambda: now)
        mine.rotate_encryption_key("one")
        assert there.unwrap(CatalogKeyService(mine).wrap(KEY, ONE), ONE) == KEY
    finally:
        mine.close()
        theirs.close()


def test_declared_keys_are_made_once(tmp_path: Path) -> None:
    for _ in range(2):
        catalog = opened(tmp_path, kms='[kms]\nkeys = ["one", "a/b"]\n')
        service = CatalogKeyService(catalog)
        assert [one.versions for one in catalog.encryption_keys()] == [1, 1]
        wrapped = service.wrap(KEY, ONE)
        catalog.close()
    catalog = opened(tmp_path)  # declared no more, and still there
    assert CatalogKeyService(catalog).unwrap(wrapped, ONE) == KEY
    catalog.close()
    for wrong in ("alias/x", "", "-a", "a b", "arn:x", "x" * 129):
        with pytest.raises(ConfigurationError, match=r"kms\.keys"):
            opened(tmp_path, kms=f"[kms]\nkeys = ['{wrong}']\n")


def test_no_key_is_on_the_disk_in_clear(tmp_path: Path) -> None:
    catalog = opened(tmp_path)
    catalog.add_encryption_key("one")
    key = catalog.encryption_key("one")
    catalog.close()
    assert key is not None and find_master(tmp_path / "data", {}) is not None
    for file in (tmp_path / "data").iterdir():
        if file.is_file():
            assert key.versions[0].reveal_bytes() not in file.read_bytes()


# with the stores that wrap by them


def test_objects_are_read_after_a_restart_and_over_a_reload(tmp_path: Path) -> None:
    """The store that stays over a reload asks the key service that it was opened with."""
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\ndata = "data"\n[services.files]\ndriver = "local"\n')
    configuration, me = load(file, environ={}), Identity(key="k", account="root", access="admin")
    data, options = noise(300_000), Put(size=300_000, encryption=replace(ONE, key_id=""))

    def read(runtime: Runtime, key: str) -> bytes:
        with runtime.access(me, "files").get(key) as opened:
            assert opened.info.encryption == replace(ONE, key_id=FIRST_DEFAULT)
            return b"".join(iter(opened.body.read, b""))

    first = open_runtime(configuration, environ={})
    first.access(me, "files").put("before", BytesBody(data), options)
    after = open_runtime(configuration, environ={}, before=first)
    first.close()
    after.catalog.rotate_encryption_key(FIRST_DEFAULT)
    after.access(me, "files").put("after", BytesBody(data), options)
    assert read(after, "before") == read(after, "after") == data
    after.catalog.set_encryption_key_active(FIRST_DEFAULT, False)
    with pytest.raises(DisabledEncryptionKey):
        read(after, "after")
    after.catalog.set_encryption_key_active(FIRST_DEFAULT, True)
    after.close()
    again = open_runtime(configuration, environ={})
    assert read(again, "before") == read(again, "after") == data
    again.close()
    blobs = [one for one in (tmp_path / "data" / "blobs").rglob("*") if one.is_file()]
    assert len(blobs) == 2 and not any(data[:64] in one.read_bytes() for one in blobs)
