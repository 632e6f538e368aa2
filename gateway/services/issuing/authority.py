"""An authority that gives certificates, by the library `acme` (RFC 8555, RFC 9773): what is asked
of it, one question each, and its answers in words of ours.

What it says no to is `Refused`, with its own words; what is no answer is `Away`. The library is
imported with this file, which takes 150 ms: only who orders something does.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import josepy
import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.services.issuing.answers import Away, Gone, NoAccount, Refused
from gateway.storage import Secret

TIMEOUT = 20
"""Seconds for an answer."""
_NONCES = 4
_NOT_AS_PROMISED = (ValueError, LookupError, TypeError, AttributeError)
"""What the library raises where it relies on the form of an answer."""
_LONGEST = 500
"""Characters of an authority's words that are kept."""

Status = Literal["pending", "ready", "processing", "valid", "invalid"]


class Order(NamedTuple):
    """`proofs` are the addresses of what is to be proved."""

    status: Status
    proofs: tuple[str, ...]
    body: Any
    problem: Refused | None


class Proof(NamedTuple):
    """What is to be answered at `token` so that the authority believes it; `open`: it has not
    been told yet that it may look."""

    status: str
    open: bool
    token: str
    answer: str
    challenge: Any
    problem: Refused | None


def new_key() -> Secret:
    """ECDSA, P-256: as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Secret(
        key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode()
    )


def request_for(host: str, key: Secret) -> bytes:
    """What a certificate is asked for by (RFC 2986), as PEM."""
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    builder = x509.CertificateSigningRequestBuilder(x509.Name([])).add_extension(names, False)
    return builder.sign(_private(key), hashes.SHA256()).public_bytes(pem.Encoding.PEM)


def _private(key: Secret) -> ec.EllipticCurvePrivateKey:
    private = pem.load_pem_private_key(key.reveal_bytes(), None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    return private


class _Renewal(messages.NewOrder):  # type: ignore[misc]  # it is not known to the type checker
    """RFC 9773 §5."""

    replaces: str = josepy.field("replaces")


def identified(chain: str) -> str:
    """What an authority calls a certificate, as PEM (RFC 9773 §4.1)."""
    one = x509.load_pem_x509_certificate(chain.encode())
    issuer = one.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    number = one.serial_number
    parts = issuer.key_identifier or b"", number.to_bytes(number.bit_length() // 8 + 1, "big")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


class _Network(client.ClientNetwork):  # type: ignore[misc]  # likewise
    """A number that is used once may be refused, because it is old say, and another is given then
    (RFC 8555 §6.5): the library asks a second time, and no more."""

    def post(self, *arguments: Any, **options: Any) -> Any:
        for _ in range(_NONCES):
            try:
                return super().post(*arguments, **options)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
        return super().post(*arguments, **options)


class Authority:
    """Its `directory`, and the `key` of our account there, of which `account` is the address. All
    raise `Away`, and but for `renewal` and `enter` `NoAccount`. Close it."""

    def __init__(
        self, directory: str, key: Secret, account: str = "", ca_file: Path | None = None
    ) -> None:
        self._key = josepy.JWKEC(key=_private(key))
        self._net: Any = _Network(
            self._key,
            alg=josepy.ES256,
            verify_ssl=True if ca_file is None else str(ca_file),
            user_agent="storage-gateway",
            timeout=TIMEOUT,
        )
        self._net.session.hooks["response"].append(self._heard)
        self._status, self._retry = 0, ""
        if account:
            self._net.account = _registration(account)
        self._directory, self._client = directory, None

    def close(self) -> None:
        self._net.session.close()

    def enter(self, email: str, known_as: tuple[str, Secret] | None = None) -> str:
        """Make the account, or find the one that this key has; its address. `known_as`: whose it
        is to be, by what the authority gave them: an id, and a key for it. Raises `Refused`."""
        told: dict[str, Any] = {"email": email} if email else {}
        with self._asking():
            if known_as is not None:
                told["external_account_binding"] = messages.ExternalAccountBinding.from_data(
                    self._key.public_key(),
                    known_as[0],
                    known_as[1].reveal(),
                    self._known.directory,
                )
            new = messages.NewRegistration.from_data(**told, terms_of_service_agreed=True)
            try:
                url = str(self._known.new_account(new).uri)
            except errors.ConflictError as error:
                url = str(error.location)
        self._net.account = _registration(url)
        return url

    def begin(self, host: str, chain: str = "") -> str:
        """Begin an order; its address. `chain`: what it is to replace, which an authority that
        says when to renew counts otherwise (RFC 9773 §5). Raises `Refused`."""
        identifier = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=host)
        with self._asking():
            directory = self._known.directory
            order = messages.NewOrder(identifiers=[identifier])
            if chain and "renewalInfo" in directory.to_partial_json():
                order = _Renewal(identifiers=[identifier], replaces=identified(chain))
            answer = self._post(directory["newOrder"], order)
            return str(answer.headers["Location"])

    def order(self, url: str) -> Order:
        """Raises `Gone`."""
        try:
            with self._asking():
                body = messages.Order.from_json(self._post(url).json())
                status: Any = body.status.name
        except Refused as error:
            if self._status == 404:
                raise Gone from error
            raise
        problem = None if body.error is None else _refused(body.error)
        return Order(status, tuple(body.authorizations or ()), body, problem)

    def proof(self, url: str) -> Proof:
        """By HTTP (RFC 8555 §8.3). Raises `Refused` where it does not take that."""
        with self._asking():
            body = messages.Authorization.from_json(self._post(url).json())
            status, all_of_them = body.status.name, body.challenges or ()
        found = [one for one in all_of_them if isinstance(one.chall, challenges.HTTP01)]
        if not found:
            raise Refused("It does not look for proofs by HTTP (http-01).", "unsupported")
        (one, *_) = found
        failed = [each.error for each in all_of_them if each.error is not None]
        return Proof(
            status=status,
            open=one.status.name == "pending",
            token=one.chall.encode("token"),
            answer=one.chall.validation(self._key),
            challenge=one,
            problem=_refused(failed[0]) if failed else None,
        )

    def look(self, proof: Proof) -> None:
        """Tell it that the proof is there. Raises `Refused`."""
        with self._asking():
            self._known.answer_challenge(proof.challenge, proof.challenge.chall.response(self._key))

    def finish(self, order: Order, request: bytes) -> None:
        """Ask for the certificate. Raises `Refused`."""
        with self._asking():
            self._known.begin_finalization(messages.OrderResource(body=order.body, csr_pem=request))

    def chain(self, order: Order) -> str:
        """The certificate and those that lead to a known one, as PEM. Raises `Refused`."""
        with self._asking():
            return str(self._post(order.body.certificate).text)

    def renewal(self, chain: str) -> tuple[int | None, int]:
        """When it wants the certificate to be renewed, None where it does not say (RFC 9773), and
        when to ask it again, in milliseconds since the epoch."""
        with self._asking():
            try:
                when, then = self._known.renewal_time(chain.encode())
            except errors.ARIError as error:
                return None, _milliseconds(error.retry_after)
        return None if when is None else _milliseconds(when), _milliseconds(then)

    @property
    def _known(self) -> Any:
        if self._client is None:
            directory = client.ClientV2.get_directory(self._directory, self._net)
            self._client = client.ClientV2(directory, self._net)
        return self._client

    def _post(self, url: str, what: Any = None) -> Any:
        return self._net.post(url, what, new_nonce_url=self._known.directory["newNonce"])

    def _heard(self, answer: Any, *_: object, **__: object) -> None:
        self._status, self._retry = answer.status_code, answer.headers.get("Retry-After", "")

    @contextmanager
    def _asking(self) -> Iterator[None]:
        self._status, self._retry = 0, ""
        try:
            yield
        except messages.Error as error:
            if error.code == "accountDoesNotExist":
                raise NoAccount from error
            refused = _refused(error, self._retry)
            if not str(error.typ).startswith(messages.ERROR_PREFIX):
                raise Away(f"its answer is not one of an authority: HTTP {self._status}") from error
            if error.code in ("serverInternal", "badNonce") or self._status >= 500:
                raise Away(refused.words) from error
            raise refused from error
        except (errors.Error, josepy.errors.Error, *_NOT_AS_PROMISED) as error:
            raise Away(f"its answer is not one of an authority: HTTP {self._status}") from error
        except requests.RequestException as error:
            raise Away(_why(error)) from error


def _registration(url: str) -> Any:
    return messages.RegistrationResource(uri=url, body=messages.Registration())


def _refused(error: Any, retry: str = "") -> Refused:
    words = error.detail or error.title or "It does not say why."
    for one in error.subproblems or ():
        words += f" {one.detail}" if one.detail else ""
    printable = "".join(one if one.isprintable() else " " for one in words)[:_LONGEST]
    code = str(error.typ).rpartition(":")[2] if error.typ else ""
    return Refused(printable, code[:40], int(retry) * 1000 if retry.isdecimal() else 0)


_WHYS = (
    (requests.exceptions.SSLError, "its certificate is not to be trusted"),
    (requests.exceptions.Timeout, f"it did not answer within {TIMEOUT} s"),
    (requests.exceptions.ConnectionError, "there is no connection to it"),
)


def _why(error: Exception) -> str:
    """In words, for the library's are of its insides."""
    found = (words for kind, words in _WHYS if isinstance(error, kind))
    return next(found, f"it cannot be asked ({type(error).__name__})")


def _milliseconds(when: datetime) -> int:
    """The library has local times without a zone, too."""
    return round(when.astimezone(UTC).timestamp() * 1000)
