"""What is said of a request whose signature does not fit, to its client and in the log.

The client is told what AWS tells: what was signed here, and the bytes of it. The log says which
line most likely differs (`suspects`), and why; of a wrong secret nobody can tell more than that
nothing else explains it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from gateway.common import sigv4
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.signatures.claims import Claim
from gateway.modes.s3.signatures.suspects import Signed, host_of, suspect
from gateway.web.request_head import variable

log = logging.getLogger("gateway.s3")

_ECHOED = 8 * 1024
"""Bytes of a canonical request that is explained and sent back: key ids are no secret, so
anybody may cause the work."""


def mismatch(
    signed: Signed,
    claim: Claim,
    given: str,
    key: bytes,
    timestamp: str,
    path: str,
    environ: Mapping[str, Any],
) -> S3Problem:
    """What to say of a signature, `given`, that is not the one of `signed` by that key. `path`
    is the decoded one."""
    canonical = sigv4.canonical_request(*signed)
    text = sigv4.string_to_sign(timestamp, claim.scope, canonical)
    said = {"AWSAccessKeyId": claim.key_id, "StringToSign": text}
    advice = _dropped(claim, environ)
    if len(canonical) <= _ECHOED:

        def fits(variation: Signed) -> bool:
            text = sigv4.string_to_sign(timestamp, claim.scope, sigv4.canonical_request(*variation))
            return compare_digest(sigv4.signature(key, text).encode(), given.encode("latin-1"))

        if advice:
            log.info("The signature of key %r does not match. %s", claim.key_id, advice)
        elif log.isEnabledFor(logging.INFO):
            found = suspect(signed, path, environ, fits) or _unexplained(claim, signed, environ)
            # which line differs; never the signature
            log.info("The signature of key %r does not match: %s.", claim.key_id, found)
        said |= _echoed(given, text, canonical)
    return S3Problem("SignatureDoesNotMatch", **said, Advice=advice)


def _echoed(given: str, text: str, canonical: str) -> dict[str, str]:
    return {
        "SignatureProvided": given,
        "StringToSignBytes": text.encode("latin-1").hex(" "),
        "CanonicalRequest": canonical,
        "CanonicalRequestBytes": canonical.encode("latin-1").hex(" "),
    }


def _unexplained(claim: Claim, signed: Signed, environ: Mapping[str, Any]) -> str:
    """What is left to say when no line alone explains it."""
    missing = [one for one in claim.signed.split(";") if environ.get(variable(one)) is None]
    if missing:
        return (
            f"the signed header {', '.join(missing)} did not arrive: a proxy or the server removed"
            " it, or the secret is another one"
        )
    return (
        "no line alone that clients and proxies usually get wrong explains it. Either the secret is"
        f" another one, or a proxy changed the host (here it is {host_of(signed)!r}), the path or a"
        " header, and does not say so"
    )


def log_cause(problem: S3Problem) -> None:
    """Say in the log what keeps all requests of a client from being let in, and nothing but
    their signature tells: its clock and its region."""
    here = problem.extra.get("ServerTime")
    if problem.code == "RequestTimeTooSkewed":
        log.info(
            "A request was signed at %r, and here it is %s: the clock of its client, or of this"
            " machine, is wrong.",
            problem.extra["RequestTime"],
            here,
        )
    elif here is not None and "Expires" not in problem.extra:
        log.info(
            "A URL is not valid yet, and here it is %s: the clock of who signed it, or of this"
            " machine, is wrong.",
            here,
        )
    elif "Region" in problem.extra:
        log.info("A request was signed for another region: %r.", problem.message)


def _dropped(claim: Claim, environ: Mapping[str, Any]) -> str:
    """What is to be said when signed headers came without a value at a server that drops what
    is not ASCII; "" otherwise."""
    names = [one for one in claim.signed.split(";") if environ.get(variable(one)) == ""]
    if not names or environ.get("SERVER_SOFTWARE") != "Granian":
        return ""
    return (
        f"The signed header {', '.join(names)} arrived empty: this server drops values outside"
        " ASCII. Send them encoded (RFC 2047)."
    )
