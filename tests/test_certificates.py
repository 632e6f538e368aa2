"""Certificates of the catalog: what may be added, and what a handshake then gets."""

from __future__ import annotations

import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from gateway.catalog import Catalog, open_catalog
from gateway.common.x509 import CannotUse, NamedCertificate, checked, context_of
from gateway.config import Configuration, ConfigurationError, load
from gateway.servers import added_certificates
from gateway.servers.added_certificates import AddedCertificates, ListenerCertificates
from gateway.servers.certificates import CertificateFiles, FileCertificates, by_name
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.certificate_feed import CertificateFeed
from gateway.storage import NotFound, Secret
from gateway.telemetry.metrics import Metrics
from gateway.testing.certificates import certificate
from tests.test_listeners import files, made, shake_hands

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def pair(folder: Path, name: str, days: int = 2) -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key."""
    one, key = certificate(folder, name, days)
    return one.read_bytes(), key.read_bytes()


def text(key: PrivateKey, password: str = "") -> bytes:
    sealing = pem.BestAvailableEncryption(password.encode()) if password else pem.NoEncryption()
    return key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, sealing)


def issued(
    key: PrivateKey, subject: str, by: str, signing: PrivateKey, hosts: tuple[str, ...] = ()
) -> bytes:
    begins = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(
        _name(by), _name(subject), key.public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=9))
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts])
        builder = builder.add_extension(names, critical=False)
    kind = None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(signing, kind).public_bytes(pem.Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)] if text else [])


@pytest.fixture
def keys() -> list[ec.EllipticCurvePrivateKey]:
    return [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]


# what may be added


@pytest.mark.parametrize("kind", ["EC", "Ed25519", "RSA"])
def test_a_chain_and_its_key_are_taken(tmp_path: Path, kind: str) -> None:
    makers: dict[str, Callable[[], PrivateKey]] = {
        "EC": lambda: ec.generate_private_key(ec.SECP384R1()),
        "Ed25519": ed25519.Ed25519PrivateKey.generate,
        "RSA": lambda: rsa.generate_private_key(65537, 2048),
    }
    key, root = makers[kind](), ec.generate_private_key(ec.SECP256R1())
    leaf = issued(key, "leaf", "root", root, ("One.test", "*.zone.test"))
    both = leaf + text(key) + issued(root, "root", "root", root)
    found = checked(both, both)  # in one file, as some programs write it
    assert found.said.hosts == ("one.test", "*.zone.test")
    assert found.said.issuer == "CN=root" and found.doubts == ()
    assert "PRIVATE" not in found.chain and found.chain.count("BEGIN CERTIFICATE") == 2
    assert isinstance(context_of(found.chain, found.key), ssl.SSLContext)


def test_what_no_client_would_take_is_refused(
    tmp_path: Path, keys: list[ec.EllipticCurvePrivateKey]
) -> None:
    leaf = issued(keys[0], "leaf", "root", keys[1], ("one.test",))
    root = issued(keys[1], "root", "root", keys[1])
    weak = rsa.generate_private_key(65537, 1024)
    for chain, key, said in (
        (leaf, text(keys[2]), "is not that of the certificate"),
        (root + leaf, text(keys[0]), "that of certificate 2 of the file: put it first"),
        (leaf, text(keys[0], "secret"), "needs a password"),
        (leaf, leaf, "no private key"),
        (text(keys[0]), text(keys[0]), "no certificate"),
        (b"\xff\x00", text(keys[0]), "no certificate"),
        (issued(keys[0], "", "root", keys[1]), text(keys[0]), "for no host name"),
        (issued(weak, "leaf", "root", keys[1], ("one.test",)), text(weak), "too small"),
    ):
        with pytest.raises(CannotUse, match=said):
            checked(chain, key)


def test_what_some_clients_refuse_is_said(keys: list[ec.EllipticCurvePrivateKey]) -> None:
    leaf = issued(keys[0], "leaf", "between", keys[1], ("one.test",))
    between = issued(keys[1], "between", "root", keys[2])
    root = issued(keys[2], "root", "root", keys[2])
    assert checked(leaf + between, text(keys[0])).doubts == ()
    assert checked(leaf + between + root, text(keys[0])).doubts == ()
    (alone,) = checked(leaf, text(keys[0])).doubts
    assert "its issuer (CN=between) is not in the file" in alone
    (mixed,) = checked(leaf + root, text(keys[0])).doubts
    assert "certificate 2 of the file did not issue the one before it" in mixed


@pytest.mark.parametrize("in_memory", [True, False])
def test_no_private_key_is_ever_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: bool
) -> None:
    if in_memory and sys.platform != "linux":
        pytest.skip("files in memory: Linux")
    chain, key = pair(tmp_path, "one.test")
    folder, seen = tmp_path / "temporary", list[bytes]()
    folder.mkdir()

    class Watching(ssl.SSLContext):
        def load_cert_chain(self, certfile, keyfile=None, password=None):  # type: ignore[no-untyped-def]
            assert len(list(folder.iterdir())) == (0 if in_memory else 1)
            seen.append(Path(certfile).read_bytes())
            super().load_cert_chain(certfile, keyfile, password)

    watching = partial(Watching, ssl.PROTOCOL_TLS_SERVER)
    monkeypatch.setattr("gateway.common.x509.new_context", watching)
    monkeypatch.setattr("gateway.common.x509._IN_MEMORY", in_memory)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    context_of(chain.decode(), Secret(key))
    assert len(seen) == 1 and b"ENCRYPTED PRIVATE KEY" in seen[0]
    assert b"BEGIN PRIVATE KEY" not in seen[0]
    assert not list(folder.iterdir())


# what a handshake gets


class Given:
    """Certificates as a feed gives them, and whose context was made."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.opened = folder, list[str]()

    def __call__(
        self, name: str, revision: int, *hosts: str, fails: bool = False, expires: int = 0
    ) -> NamedCertificate:
        def context() -> ssl.SSLContext:
            self.opened.append(f"{name} {revision}")
            if fails:
                raise CannotUse("it is damaged")
            chain, key = pair(self._folder, hosts[0])
            return context_of(chain.decode(), Secret(key))

        return NamedCertificate(name, revision, hosts, expires, context)


@pytest.fixture
def given(tmp_path: Path) -> Given:
    return Given(tmp_path)


def test_a_context_is_made_when_it_is_asked_for_and_kept_until_it_changes(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    added = AddedCertificates()
    one, other = given("one", 1, "one.test", "*.zone.test"), given("other", 2, "other.test")
    added.replace([])
    added.replace([one, other])
    added.replace([one, other])
    assert caplog.messages == ["added certificates have changed: 2 are shown by name"]
    assert given.opened == []
    found = added.named("one.test")
    assert found is not None and added.named("*.zone.test") is found
    added.replace([one, given("other", 3, "other.test")])
    assert added.named("one.test") is found and given.opened == ["one 1"]
    added.replace([given("one", 4, "new.test")])
    assert added.named("one.test") is None is added.named("other.test")
    assert added.named("new.test") not in (None, found)


def test_the_one_that_was_changed_last_counts(given: Given) -> None:
    added = AddedCertificates()
    added.replace([given("a", 7, "one.test"), given("b", 3, "one.test", "b.test")])
    assert added.named("one.test") is not added.named("b.test") is not None
    added.replace([given("a", 7, "one.test"), given("b", 8, "one.test", "b.test")])
    assert added.named("one.test") is added.named("b.test")


def test_one_that_cannot_be_used_is_said_once_and_tried_again(
    given: Given, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = AddedCertificates()
    added.replace([given("one", 1, "one.test", fails=True)])
    assert added.named("one.test") is None is added.named("one.test")
    assert given.opened == ["one 1"]
    monkeypatch.setattr(added_certificates, "RETRY", 0)
    added.replace([given("one", 2, "one.test", fails=True)])
    assert added.named("one.test") is None is added.named("one.test")
    assert given.opened == ["one 1", "one 2", "one 2"]
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == [
        "the added certificate one cannot be used: it is damaged"
    ] * 2


def test_the_most_specific_counts_and_of_two_alike_the_configurations(
    tmp_path: Path, given: Given
) -> None:
    declared = FileCertificates([files(made(tmp_path, one)) for one in ("a.test", "*.zone.test")])
    added = AddedCertificates()
    table = ListenerCertificates(declared, added)
    first, zone = (one.context for one in declared.all)
    assert (table.for_name("x.zone.test"), table.for_name("other.test")) == (zone, first)
    added.replace(
        [
            given("exact", 1, "x.zone.test"),
            given("same", 2, "a.test", "*.zone.test"),
            given("other", 3, "*.other.test"),
            given("damaged", 4, "y.other.test", fails=True),
        ]
    )
    assert table.for_name("x.zone.test") is added.named("x.zone.test") is not None
    assert table.for_name("y.zone.test") is zone
    assert table.for_name("a.test") is first is table.for_name("")
    assert table.for_name("x.other.test") is added.named("*.other.test") is not None
    assert table.for_name("y.other.test") is added.named("*.other.test")
    assert table.for_name("none.test") is first


def test_who_waits_for_several_is_told_when_there_are(tmp_path: Path, given: Given) -> None:
    added, told = AddedCertificates(), list[str]()
    table = ListenerCertificates(FileCertificates([files(made(tmp_path, "a.test"))]), added)
    added.when_some(lambda: told.append("first"))
    added.replace([])
    assert told == [] and not table.several
    added.replace([given("one", 1, "one.test")])
    assert told == ["first"] and table.several
    added.when_some(lambda: told.append("second"))
    assert "second" in told


def test_those_that_are_over_or_soon_will_be_are_said(
    given: Given, caplog: pytest.LogCaptureFixture
) -> None:
    day = 86_400_000
    added = AddedCertificates(clock=lambda: 20_000 * day)
    added.replace(
        [
            given(name, number, f"{name}.test", f"*.{name}.test", expires=(20_000 + number) * day)
            for number, name in ((-1, "over"), (14, "soon"), (15, "later"))
        ]
    )
    added.warn()
    assert [one.message for one in caplog.records if one.levelname == "WARNING"] == [
        "the added certificate over (over.test, *.over.test) is over, and clients refuse it:"
        " until 2024-10-03",
        "the added certificate soon (soon.test, *.soon.test) is soon over: until 2024-10-18",
    ]
    assert dict(added.gauges())[added_certificates.EXPIRES, "later"] == 20_015 * 86_400
    assert given.opened == []
    metrics = Metrics()
    metrics.share(added.gauges)
    said = metrics.exposition()[1].decode()
    assert f'{added_certificates.EXPIRES}{{certificate="soon"}} 1.7292096e+09' in said


# the catalog's


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    file = tmp_path / "gateway.toml"
    file.write_text('[server]\ndata = "data"\n')
    return load(file, environ={})


@pytest.fixture
def catalog(configuration: Configuration) -> Iterator[Catalog]:
    opened = open_catalog(configuration, {})
    yield opened
    opened.close()


def test_handshakes_follow_the_catalog(
    tmp_path: Path, catalog: Catalog, configuration: Configuration
) -> None:
    """Which another process changes."""
    added, default = AddedCertificates(), made(tmp_path, "default.test")
    table = ListenerCertificates(FileCertificates([files(default)]), added)
    server, feed = by_name(table), CertificateFeed(catalog, added.replace)
    other = open_catalog(configuration, {})
    try:
        editor = CertificateEditor(other)
        zone, again = made(tmp_path, "*.zone.test"), made(tmp_path, "again.test")
        feed.look()
        assert _shows(server, default, "a.zone.test")
        assert not editor.set("zone", *_content(files(zone))).replaced
        feed.look()
        shake_hands(server, zone, "a.zone.test")
        shake_hands(server, default, "default.test")
        assert editor.set("zone", *_content(files(again))).replaced
        feed.look()
        shake_hands(server, again, "again.test")
        assert _shows(server, default, "a.zone.test")
        editor.remove("zone")
        feed.look()
        assert _shows(server, default, "again.test")
    finally:
        other.close()


def _content(one: CertificateFiles) -> tuple[bytes, bytes]:
    return one.certificate.read_bytes(), one.key.read_bytes()


def _shows(server: ssl.SSLContext, trusted: Path, name: str) -> bool:
    """Whether it shows that certificate, which is for another name."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(server, trusted, name)
    return True


def test_the_feed_gives_what_has_changed_and_again_what_was_not_taken(catalog: Catalog) -> None:
    given = list[int]()

    def take(found: object) -> None:
        given.append(catalog.certificates_number())
        if len(given) == 2:
            raise OSError

    feed = CertificateFeed(catalog, take)
    feed.look()
    feed.look()
    assert given == [0]
    catalog.set_certificate("one", ["one.test"], "", Secret("key"), expires=1)
    with pytest.raises(OSError):
        feed.look()
    feed.look()
    feed.look()
    assert given == [0, 1, 1]


def test_a_key_that_is_damaged_keeps_no_other_from_being_shown(
    tmp_path: Path, catalog: Catalog, caplog: pytest.LogCaptureFixture
) -> None:
    editor, added = CertificateEditor(catalog), AddedCertificates()
    for name in ("one.test", "other.test"):
        editor.set(name, *pair(tmp_path, name))
    row = editor.find("one.test")
    from sqlalchemy import update

    from gateway.catalog.schema import CERTIFICATES

    with catalog._database.writing() as connection:
        damaged = update(CERTIFICATES).where(CERTIFICATES.c.name == "one.test")
        connection.execute(damaged.values(sealed=row.sealed[:-1] + b"?"))
    CertificateFeed(catalog, added.replace).look()
    assert added.named("one.test") is None
    assert added.named("other.test") is not None
    assert "certificate one.test cannot be used" in caplog.text and "damaged" in caplog.text


def test_the_editor_says_what_is_wrong_and_what_is_doubtful(
    tmp_path: Path, catalog: Catalog
) -> None:
    editor = CertificateEditor(catalog)
    chain, key = pair(tmp_path, "one.test")
    for name in ("", "a/b", "a b"):
        with pytest.raises(ConfigurationError, match="an id has 1 to 128"):
            editor.set(name, chain, key)
    with pytest.raises(ConfigurationError, match=r"certificates.one: the key is not that of"):
        editor.set("one", chain, pair(tmp_path, "other.test")[1])
    assert editor.all() == []
    assert editor.set("one", chain, key).doubts == ()
    (over,) = editor.set("over", *pair(tmp_path, "over.test", days=-1)).doubts
    assert over.startswith("it is over since 20")
    early = CertificateEditor(catalog, clock=lambda: 0).set("one", chain, key)
    assert early.replaced and early.doubts[0].startswith("it counts from 20")
    with pytest.raises(NotFound, match=r"no certificate 'ovr'\. Did you mean \"over\""):
        editor.remove("ovr")
    assert [one.name for one in editor.all()] == ["one", "over"]
