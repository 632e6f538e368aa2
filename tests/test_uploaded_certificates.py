"""Certificates that accounts bring (`services.uploaded_certificates`): whose they are, and which
names they may be for."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.access.identity import ANONYMOUS, Identity, KeyAccess
from gateway.common.x509 import NamedCertificate
from gateway.config import CertifiedName, load
from gateway.config.tables import AcmeOptions
from gateway.modes.uploaded_certificates import UploadedCertificate
from gateway.plugins.finding import Plugins
from gateway.services import uploaded_certificates
from gateway.services.binding_editor import BindingEditor
from gateway.services.certificate_editor import CertificateEditor
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service_editor import ServiceEditor
from gateway.storage import StorageError
from gateway.testing.certificates import certificate
from tests import catalogs

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def who(account: str, access: KeyAccess = "own") -> Identity:
    return Identity(key=f"{account}-key", account=account, access=access)


ALICE, BOB, ROOT = who("alice"), who("bob"), who("root", "admin")

CONFIGURATION = """
[server]
domains = ["s3.gateway.test"]
[services.site]
driver = "memory"
account = "alice"
[services.other]
driver = "memory"
account = "bob"
[[accounts]]
id = "alice"
[[accounts]]
id = "bob"
[[bindings]]
host = "www.alice.test"
mode = "public"
service = "site"
[[bindings]]
host = "*.bob.test"
mode = "public"
service = "other"
[[bindings]]
host = "console.gateway.test"
mode = "console"
[cdn]
suffix = "cdn.gateway.test"
"""
ORDERING = AcmeOptions(terms_agreed=True, names=(CertifiedName("ordered.gateway.test"),))
"""As `[acme]` says it, where its library is installed."""


@pytest.fixture(params=catalogs.QUICK)
def runtime(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Runtime]:
    catalogs.without_delay(monkeypatch)
    memory = str(request.param == "memory").lower()
    file = tmp_path / "gateway.toml"
    head, text = CONFIGURATION.split("\n", 2)[1:]
    where = f'data = "data"\nmemory = {memory}\n'
    file.write_text(f"{head}\n{where}{text}{catalogs.table(request.param)}")
    read = load(file, environ={}, plugins=_plugins())
    opened = open_runtime(replace(read, acme=ORDERING), environ={})
    yield opened
    opened.close()


@cache
def _plugins() -> Plugins:
    return Plugins.load()


@cache
def a_key(number: int = 0) -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def text(key: Key) -> str:
    form = pem.PrivateFormat.TraditionalOpenSSL  # as "openssl genrsa" writes it
    return key.private_bytes(pem.Encoding.PEM, form, pem.NoEncryption()).decode()


def issued(*hosts: str, key: Key | None = None, days: int = 9, by: str = "by") -> str:
    begins = datetime.now(UTC) - timedelta(days=20)
    name, issuer = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in ("It is it", by)
    )
    builder = x509.CertificateBuilder(
        issuer, name, (key or a_key()).public_key(), x509.random_serial_number()
    )
    builder = builder.not_valid_before(begins)
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=days))
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(one) for one in hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(a_key(), hashes.SHA256()).public_bytes(pem.Encoding.PEM).decode()


def upload(runtime: Runtime, identity: Identity, *hosts: str) -> UploadedCertificate:
    return runtime.uploaded_certificates.upload(identity, issued(*hosts), text(a_key()))


def outcome(act: Callable[..., object], *arguments: object) -> str:
    try:
        act(*arguments)
    except StorageError as error:
        return f"{type(error).__name__}: {error}"
    return "done"


def follow(runtime: Runtime) -> list[NamedCertificate]:
    taken = list[NamedCertificate]()

    def take(found: object) -> None:
        taken[:] = found  # type: ignore[call-overload]

    runtime.keep_up(lambda _: None, take)
    return taken


def test_one_is_kept_shown_at_once_and_removed(runtime: Runtime) -> None:
    taken, certificates = follow(runtime), runtime.uploaded_certificates
    key = rsa.generate_private_key(65537, 2048)
    leaf, issuer = issued("cdn.alice.example", "www.alice.example", key=key), issued(by="root")
    made = certificates.upload(ALICE, leaf, text(key), issuer)
    assert made == UploadedCertificate(
        made.number,
        "alice",
        ("cdn.alice.example", "www.alice.example"),
        hashlib.sha1(ssl.PEM_cert_to_DER_cert(leaf), usedforsecurity=False).hexdigest(),
        made.expires,
    )
    assert certificates.list(ALICE) == [made]
    (one,) = taken  # without a look of anybody's
    assert (one.hosts, one.expires) == (made.hosts, made.expires)
    assert isinstance(one.context(), ssl.SSLContext)
    (row,) = runtime.catalog.certificates()[1]
    assert row.chain == leaf + issuer
    assert "PRIVATE" not in repr(runtime.catalog.audit())
    certificates.remove(ALICE, made.number)
    assert (certificates.list(ALICE), taken) == ([], [])
    assert outcome(certificates.remove, ALICE, made.number).startswith("NotFound")
    assert upload(runtime, ALICE, "cdn.alice.example").number > made.number


def test_who_may_see_and_remove_which(runtime: Runtime) -> None:
    certificates = runtime.uploaded_certificates
    made = upload(runtime, ALICE, "cdn.alice.example")
    calls: dict[str, Callable[[Identity], object]] = {
        "find": lambda one: certificates.find(one, made.number),
        "remove": lambda one: certificates.remove(one, made.number),
    }
    for name, call in calls.items():
        assert outcome(call, BOB) == f"NotFound: There is no certificate {made.number}.", name
        for other in (ANONYMOUS, who("alice", "read-all"), who("alice", {"site": "admin"})):
            assert outcome(call, other).startswith("Forbidden"), name
    assert certificates.list(BOB) == certificates.list(ROOT) == []
    assert certificates.find(ROOT, made.number) == certificates.find(ALICE, made.number) == made
    certificates.remove(ROOT, made.number)
    assert certificates.list(ALICE) == []


def test_one_that_is_removed_by_its_name_is_gone_for_its_account(runtime: Runtime) -> None:
    made = upload(runtime, ALICE, "cdn.alice.example")
    (row,) = runtime.catalog.certificates()[1]
    runtime.catalog.remove_certificate(row.name)
    certificates = runtime.uploaded_certificates
    assert certificates.list(ALICE) == []
    assert outcome(certificates.find, ALICE, made.number).startswith("NotFound")
    assert outcome(certificates.remove, ALICE, made.number).startswith("NotFound")


CANNOT_BE_USED: dict[str, tuple[Callable[[], tuple[str, str]], str]] = {
    "no PEM": (lambda: ("nonsense", text(a_key())), "no certificate (PEM) can be read"),
    "no key": (lambda: (issued("a.test"), "nonsense"), "no private key (PEM) can be read"),
    "a key in Latin": (lambda: (issued("a.test"), "\ud800é\0"), "no private key"),
    "another key": (lambda: (issued("a.test"), text(a_key(1))), "the key is not that of"),
    "over": (lambda: (issued("a.test", days=-1), text(a_key())), "is over since 20"),
    "for nothing": (lambda: (issued(), text(a_key())), "is for 'it is it'"),
    "for .test": (lambda: (issued("*.test"), text(a_key())), "is for '*.test'"),
    "for a star": (lambda: (issued("a*.b.test"), text(a_key())), "is for 'a*.b.test'"),
    "long": (lambda: ("x" * 100_001, text(a_key())), "at most 100000 characters"),
}


@pytest.mark.parametrize("runtime", ["memory"], indirect=True)
def test_what_cannot_be_used_is_refused(runtime: Runtime) -> None:
    for name, (make, message) in CANNOT_BE_USED.items():
        chain, key = make()
        said = outcome(runtime.uploaded_certificates.upload, ALICE, chain, key)
        assert message in said, name
        assert said.startswith("InvalidRequest" if name == "long" else "Conflict"), name
    assert runtime.uploaded_certificates.list(ALICE) == []


TAKEN: dict[str, tuple[Identity, tuple[str, ...], str]] = {
    "a binding of its own, for which the gateway has one": (ALICE, ("www.alice.test",), ""),
    "another's binding": (BOB, ("www.alice.test",), "www.alice.test"),
    "beside another's binding": (BOB, ("*.alice.test",), "*.alice.test"),
    "within another's binding": (ALICE, ("a.b.bob.test",), "a.b.bob.test"),
    "what that is within": (ALICE, ("bob.test",), ""),
    "a binding of the gateway": (ALICE, ("console.gateway.test",), "console.gateway.test"),
    "a bucket's name": (ALICE, ("mine.s3.gateway.test",), "mine.s3.gateway.test"),
    "the gateway's name": (ALICE, ("free.test", "s3.gateway.test"), "s3.gateway.test"),
    "a zone's that is still to come": (BOB, ("a9-1.cdn.gateway.test",), "a9-1.cdn.gateway.test"),
    "what all zones are below": (BOB, ("*.cdn.gateway.test",), "*.cdn.gateway.test"),
    "what the gateway orders one for": (BOB, ("ordered.gateway.test",), "ordered.gateway.test"),
    "the gateway's, of who runs it": (ROOT, ("s3.gateway.test",), ""),
    "another's, of who runs it": (ROOT, ("www.alice.test",), "www.alice.test"),
    "another's certificate": (BOB, ("had.alice.example",), "had.alice.example"),
    "within another's certificate": (BOB, ("x.wide.example",), "x.wide.example"),
    "around another's certificate": (BOB, ("*.alice.example",), "*.alice.example"),
    "one that an operator added": (ALICE, ("added.example",), "added.example"),
    "one of its own, again": (ALICE, ("had.alice.example",), ""),
    "nobody's": (BOB, ("free.example", "*.free.example"), ""),
}


@pytest.mark.parametrize("runtime", ["memory"], indirect=True)
def test_names_of_others_are_refused(runtime: Runtime, tmp_path: Path) -> None:
    upload(runtime, ALICE, "had.alice.example", "*.wide.example")
    for name in ("added.example", "www.alice.test"):
        chain, key = (one.read_bytes() for one in certificate(tmp_path, name))
        CertificateEditor(runtime.catalog).set(name, chain, key)
    for name, (identity, hosts, refused) in TAKEN.items():
        said = outcome(upload, runtime, identity, *hosts)
        wanted = f"Conflict: The name {refused!r} is somebody else's here." if refused else "done"
        assert said == wanted, name


def test_who_has_the_binding_has_the_name(runtime: Runtime) -> None:
    """Whoever was quicker with a certificate for it, which nobody had then; and that one is shown
    no more."""
    taken = follow(runtime)
    upload(runtime, BOB, "shop.alice.example", "bobs.example")
    (one,) = taken
    assert one.hosts == ("shop.alice.example", "bobs.example")
    assert outcome(upload, runtime, ALICE, "shop.alice.example").startswith("Conflict")
    editor = BindingEditor(runtime.chain.configuration, runtime.catalog)
    ServiceEditor(runtime.chain.configuration, runtime.catalog, folder=Path()).add(
        "shop", "memory", {}, account="alice"
    )
    editor.add({"host": "shop.alice.example", "mode": "public", "service": "shop"})
    runtime.notice()
    (one,) = taken
    assert one.hosts == ("bobs.example",)
    assert outcome(upload, runtime, ALICE, "shop.alice.example") == "done"
    assert outcome(upload, runtime, BOB, "shop.alice.example").startswith("Conflict")
    assert [each.hosts for each in taken] == [("bobs.example",), ("shop.alice.example",)]
    editor.remove({"host": "shop.alice.example"})
    runtime.notice()
    assert taken[0].hosts == ("shop.alice.example", "bobs.example")


def test_the_same_certificate_and_too_many_are_refused(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates, chain = runtime.uploaded_certificates, issued("a.example")
    certificates.upload(ALICE, chain, text(a_key()))
    again = outcome(certificates.upload, ALICE, chain, text(a_key()))
    assert again == "Conflict: The account has this certificate already."
    monkeypatch.setattr(uploaded_certificates, "MOST", 1)
    more = outcome(upload, runtime, ALICE, "b.example")
    assert more == "InvalidRequest: An account has at most 1 certificates."
    assert outcome(upload, runtime, BOB, "b.example") == "done"


def test_of_two_who_bring_one_name_at_once_one_gets_it(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is looked at again where something came between."""
    table, came = type(runtime.catalog), list[int]()
    claims = table.certificate_claims

    def late(self: object) -> object:
        found = claims(self)  # type: ignore[arg-type]
        if not came:
            came.append(1)
            upload(runtime, BOB, "shop.example")
        return found

    monkeypatch.setattr(table, "certificate_claims", late)
    said = outcome(upload, runtime, ALICE, "shop.example")
    assert said == "Conflict: The name 'shop.example' is somebody else's here."


def test_which_names_one_is_for() -> None:
    one = UploadedCertificate(1, "alice", ("a.test", "*.b.test"), "", 0)
    asked = ("a.test", "x.b.test", "b.test", "x.y.b.test", "x.a.test", "")
    assert [host for host in asked if one.is_for(host)] == ["a.test", "x.b.test"]
