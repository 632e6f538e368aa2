"""Certificates (X.509) with their keys, as PEM: for whom one is and until when, whether its key
is its own, and what a TLS handshake needs of both.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from gateway.common import looking, open_files
from gateway.storage import Secret

if TYPE_CHECKING:  # it takes its time, and who has no TLS does without
    from cryptography.x509 import Certificate


SOON = timedelta(days=14)
"""Before its end: who renews certificates by a program does so a month before."""


class CannotUse(Exception):
    """A certificate, with its key; the message says why."""


class Description(NamedTuple):
    """What a certificate says. `hosts` are names in lower case, `*.…` among them."""

    hosts: tuple[str, ...]
    addresses: tuple[str, ...]
    begins: datetime
    expires: datetime
    issuer: str
    fingerprint: str

    @property
    def names(self) -> tuple[str, ...]:
        return self.hosts + self.addresses


class Checked(NamedTuple):
    """`chain` is the certificate and those that lead from it to a known one, and nothing else
    that was in the file. `doubts` say what some clients may refuse."""

    chain: str
    key: Secret
    said: Description
    doubts: tuple[str, ...]


class NamedCertificate(NamedTuple):
    """One that somebody gave a name. `revision` grows with each change of any; it `expires` at
    that time, in milliseconds since the epoch; `context` makes what a handshake needs, and
    raises `CannotUse`. `ordered`: an authority was asked for it, and nobody brought it."""

    name: str
    revision: int
    hosts: tuple[str, ...]
    expires: int
    context: Callable[[], ssl.SSLContext]
    ordered: bool = False


def new_context() -> ssl.SSLContext:
    """A server's, without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def context_of(chain: str, key: Secret) -> ssl.SSLContext:
    """Raises `CannotUse`. Python's `ssl` reads files only: what is written into one is of no
    use without a password that nobody else ever has."""
    from cryptography.hazmat.primitives import serialization as pem

    context, password = new_context(), secrets.token_hex(32)
    locked = _private_key(key.reveal_bytes(), known=True).private_bytes(
        pem.Encoding.PEM,
        pem.PrivateFormat.PKCS8,
        pem.BestAvailableEncryption(password.encode()),
    )
    try:
        with _file(chain.encode() + locked) as path:
            context.load_cert_chain(path, password=password)
    except ssl.SSLError as error:  # an OSError too
        raise CannotUse(reason(error)) from error
    except OSError as error:
        raise CannotUse(f"a temporary file cannot be had: {error.strerror}") from error
    return context


_IN_MEMORY = hasattr(os, "memfd_create") and looking.is_folder(Path("/proc/self/fd"))


@contextmanager
def _file(content: bytes) -> Iterator[Path]:
    """In memory where a system has such files (memfd_create(2)): a disk may be slow, or full,
    and a handshake waits."""
    if _IN_MEMORY:
        with os.fdopen(os.memfd_create("certificate"), "wb") as file:
            file.write(content)
            file.flush()
            yield Path(f"/proc/self/fd/{file.fileno()}")
        return
    descriptor, path = tempfile.mkstemp(prefix="gateway-", suffix=".pem")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield Path(path)
    finally:
        open_files.patiently(open_files.HELD, open_files.remove, path)


def reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()


def in_words(names: Sequence[str], expires: datetime, path: Path) -> str:
    """`photos.example, *.zone.example until 2027-01-03 (photos.pem)`."""
    return f"{', '.join(names) or 'no name'} until {expires:%Y-%m-%d} ({path})"


def described(pem: bytes) -> Description:
    """The first of them. Raises `ValueError`."""
    from cryptography import x509

    return _described(x509.load_pem_x509_certificate(pem))


def _described(one: Certificate) -> Description:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        said = one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts: Sequence[Any] = said.get_values_for_type(x509.DNSName)
        addresses: Sequence[Any] = said.get_values_for_type(x509.IPAddress)
    except x509.DuplicateExtension as error:
        raise ValueError(str(error)) from error
    except x509.ExtensionNotFound:  # an old one; clients of today want names there
        common = one.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        hosts, addresses = [name.value for name in common], ()
    return Description(
        hosts=tuple(str(name).lower() for name in hosts),
        addresses=tuple(map(str, addresses)),
        begins=one.not_valid_before_utc,
        expires=one.not_valid_after_utc,
        issuer=one.issuer.rfc4514_string(),
        fingerprint=one.fingerprint(SHA256()).hex(":").upper(),
    )


def sha1_of(pem: str) -> str:
    """Of the first of them, in hex: what some APIs call one by."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1

    one = x509.load_pem_x509_certificate(pem.encode())
    return one.fingerprint(SHA1()).hex()  # noqa: S303 - it proves nothing to anybody


def checked(chain: bytes, key: bytes) -> Checked:
    """Both as PEM, in one file or in two. Raises `CannotUse` for what no client would take."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization as pem

    try:
        certificates = x509.load_pem_x509_certificates(chain)
        said = _described(certificates[0])
    except ValueError as error:
        raise CannotUse("no certificate (PEM) can be read") from error
    private = _private_key(key)
    _require_its_own(private.public_key(), certificates)
    if not said.hosts:
        raise CannotUse("it is for no host name, so nobody could ask for it")
    text = b"".join(one.public_bytes(pem.Encoding.PEM) for one in certificates).decode()
    plain = private.private_bytes(
        pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()
    ).decode()
    context_of(text, Secret(plain))
    return Checked(text, Secret(plain), said, tuple(_doubts(certificates)))


def _private_key(text: bytes, *, known: bool = False) -> Any:
    """`known`: it was looked at before. (For RSA that takes 50 ms and more.)"""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(text, None, unsafe_skip_rsa_key_validation=known)
    except TypeError as error:
        raise CannotUse("its key needs a password: give it without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CannotUse("no private key (PEM) can be read") from error


def _require_its_own(public: object, certificates: Sequence[Certificate]) -> None:
    own = [number for number, one in enumerate(certificates, 1) if _public_key(one) == public]
    if not own:
        raise CannotUse("the key is not that of the certificate")
    if own[0] > 1:
        raise CannotUse(f"the key is that of certificate {own[0]} of the file: put it first")


def _public_key(one: Certificate) -> object:
    """None for a kind that nobody here knows."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return one.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None


def _doubts(certificates: Sequence[Certificate]) -> Iterator[str]:
    """RFC 8446 §4.4.2: each certifies the one before it; only the root may be left out."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    for number, (one, issuer) in enumerate(pairwise(certificates), 2):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
            yield f"certificate {number} of the file did not issue the one before it"
    last = certificates[-1]
    if len(certificates) == 1 and last.issuer != last.subject:
        yield f"that of its issuer ({last.issuer.rfc4514_string()}) is not in the file"
