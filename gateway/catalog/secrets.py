"""The master key, and what is derived from it.

Secrets of keys must be readable again (SigV4 needs them), so they are sealed
with AES-256-GCM, the key's id being the associated data; so are the options of
services, of which any may hold a secret, the private keys of certificates and of accounts at
who gives them, and named encryption keys. A secret presented by itself is found by its HMAC.
The drivers' key for encryption at rest is a third one: none of the three tells anything of
another (HKDF, RFC 5869).

Losing the master key loses all secrets and all that drivers encrypted: back up
`gateway.key` apart from the data.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.catalog.errors import CatalogError
from gateway.common import looking
from gateway.common.system import sync_folder
from gateway.storage import Secret

VARIABLE = "GATEWAY_MASTER_KEY"
FILE = "gateway.key"
_BYTES = 32
_NONCE = 12
_PATIENCE = 2.0
"""Seconds that another process may take between creating the file and filling it."""


class Keyring:
    """Keys derived from the master key, each for one purpose."""

    __slots__ = ("_cipher", "_index", "_sessions", "storage", "token")

    def __init__(self, master: Secret) -> None:
        def derive(purpose: str) -> bytes:
            info = f"storage-gateway/{purpose}".encode()
            derivation = HKDF(algorithm=SHA256(), length=_BYTES, salt=None, info=info)
            return derivation.derive(master.reveal_bytes())

        self._cipher = AESGCM(derive("seal"))
        self._index = derive("index")
        self._sessions = derive("sessions")
        self.storage = Secret(derive("storage"))
        """For `Context.master_key`."""
        self.token = hmac.digest(derive("check"), b"storage-gateway", "sha256").hex()
        """Tells one master key from another, and nothing else of it."""

    def seal(self, key: str, secret: Secret) -> bytes:
        """The secret of the key of that id."""
        return self._sealed(key.encode(), secret)

    def unseal(self, key: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when it was sealed for another key, or was changed."""
        return self._unsealed(key.encode(), sealed, f"secret of the key {key!r}")

    def seal_options(self, sid: str, options: Secret) -> bytes:
        """Those of the service of that id: no key's id has a slash."""
        return self._sealed(f"services/{sid}".encode(), options)

    def unseal_options(self, sid: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when they were sealed for another service, or were changed."""
        place = f"services/{sid}".encode()
        return self._unsealed(place, sealed, f"options of the service {sid!r}")

    def seal_binding(self, door: str, options: Secret) -> bytes:
        """The options of the binding there: no other place begins so."""
        return self._sealed(f"bindings/{door}".encode(), options)

    def unseal_binding(self, door: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when they were sealed for another one, or were changed."""
        return self._unsealed(f"bindings/{door}".encode(), sealed, f"options of {door!r}")

    def seal_zone(self, number: int, secrets: Secret) -> bytes:
        """Those of the zone of that number."""
        return self._sealed(f"zones/{number}".encode(), secrets)

    def unseal_zone(self, number: int, sealed: bytes) -> Secret:
        """Raises `CatalogError` when they were sealed for another one, or were changed."""
        return self._unsealed(f"zones/{number}".encode(), sealed, f"secrets of the zone {number}")

    def seal_private_key(self, name: str, key: Secret) -> bytes:
        """That of the certificate of that name: no key's id has a slash, and no service's."""
        return self._sealed(f"certificates/{name}".encode(), key)

    def unseal_private_key(self, name: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when it was sealed for another one, or was changed."""
        place = f"certificates/{name}".encode()
        return self._unsealed(place, sealed, f"key of the certificate {name!r}")

    def seal_order_key(self, host: str, key: Secret) -> bytes:
        """That of the certificate that is ordered for that name."""
        return self._sealed(f"orders/{host}".encode(), key)

    def unseal_order_key(self, host: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when it was sealed for another one, or was changed."""
        return self._unsealed(f"orders/{host}".encode(), sealed, f"key of the order for {host!r}")

    def seal_account_key(self, directory: str, key: Secret) -> bytes:
        """That of the account at that authority."""
        return self._sealed(f"acme/{directory}".encode(), key)

    def unseal_account_key(self, directory: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when it was sealed for another one, or was changed."""
        place = f"acme/{directory}".encode()
        return self._unsealed(place, sealed, f"key of the account at {directory}")

    def seal_encryption_key(self, name: str, key: Secret) -> bytes:
        """A version of the named key, which has slashes of its own behind this first one."""
        return self._sealed(f"encryption/{name}".encode(), key)

    def unseal_encryption_key(self, name: str, sealed: bytes) -> Secret:
        """Raises `CatalogError` when it was sealed for another one, or was changed."""
        place = f"encryption/{name}".encode()
        return Secret(self._opened(place, sealed, f"encryption key {name!r}"))

    def _sealed(self, place: bytes, secret: Secret) -> bytes:
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.reveal_bytes(), place)

    def _unsealed(self, place: bytes, sealed: bytes, what: str) -> Secret:
        return Secret(self._opened(place, sealed, what).decode())

    def _opened(self, place: bytes, sealed: bytes, what: str) -> bytes:
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place)
        except (InvalidTag, ValueError):  # too short for one
            raise CatalogError(f"The sealed {what} is damaged.") from None

    def index(self, secret: str) -> bytes:
        return hmac.digest(self._index, secret.encode(errors="surrogateescape"), hashlib.sha256)

    def of_session(self, token: str, purpose: str) -> bytes:
        """What stands for a session's token, in the catalog or on its pages."""
        text = f"{purpose}/{token}".encode(errors="surrogateescape")
        return hmac.digest(self._sessions, text, hashlib.sha256)


def new_master() -> Secret:
    return Secret(secrets.token_bytes(_BYTES))


def find_master(folder: Path | None, environ: Mapping[str, str]) -> Secret | None:
    """The master key of the environment, or of the folder's file; None: there is none
    yet. Writes nothing. Raises `CatalogError`."""
    if environ.get(VARIABLE):
        return _parsed(environ[VARIABLE], VARIABLE)
    if folder is None or not looking.is_there(folder / FILE):
        return None
    return _read(folder / FILE)


def make_master(folder: Path) -> Secret:
    """Make the file, or read the one that another process made first."""
    path = folder / FILE
    text = base64.b64encode(new_master().reveal_bytes()) + b"\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(folder)
    return _read(path)


def _read(path: Path) -> Secret:
    mode = path.stat().st_mode
    if os.name == "posix" and mode & 0o077:
        raise CatalogError(
            f"{path} may be read by others than its owner (mode {mode & 0o777:04o});"
            f" it holds the master key: chmod 600 {path}"
        )
    deadline = time.monotonic() + _PATIENCE
    while not (text := path.read_bytes()).endswith(b"\n") and time.monotonic() < deadline:
        time.sleep(0.01)
    return _parsed(text.decode("ascii", errors="replace"), str(path))


def _parsed(text: str, place: str) -> Secret:
    text = text.strip()
    for decode in (bytes.fromhex, lambda one: base64.b64decode(one, validate=True)):
        try:
            key = decode(text)
        except (ValueError, binascii.Error):
            continue
        if len(key) == _BYTES:
            return Secret(key)
    raise CatalogError(
        f"{place} is no master key: it must be 32 bytes in base64 or hex,"
        " such as `openssl rand -base64 32` prints."
    )
