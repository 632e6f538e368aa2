"""Who signed a form: what is signed is its policy, as the field has it.

May surprise: signature version 2 is taken here, and nowhere else. What it lacks in a header
(it covers neither all headers nor the body) no signature of a form has: the policy says what
is allowed, and is signed whole.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hmac import compare_digest, digest

from gateway.access.identity import Credential, Keys
from gateway.common import sigv4
from gateway.common.presigning import LONGEST
from gateway.modes.s3.forms import post_policy
from gateway.modes.s3.forms.fields import missing, wrong
from gateway.modes.s3.problems import S3Problem
from gateway.modes.s3.signatures import claims
from gateway.modes.s3.signatures.auth import Authenticated, no_tokens

_VERSION_4 = ("policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_VERSION_2 = ("awsaccesskeyid", "signature", "policy")
_SPELLED = {"awsaccesskeyid": "AWSAccessKeyId"}


def who(fields: Mapping[str, str], keys: Keys, *, now_ms: int, region: str) -> Authenticated:
    """Nobody, for a form without a signature: a policy alone is none. Raises S3Problem."""
    if "x-amz-security-token" in fields:
        raise no_tokens()
    second = "awsaccesskeyid" in fields or "signature" in fields
    if not second and fields.keys().isdisjoint(_VERSION_4[1:]):
        return Authenticated()
    for name in _VERSION_2 if second else _VERSION_4:
        if name not in fields:
            raise missing(_SPELLED.get(name, name))
    if second:
        credential = _by_version_2(fields, keys)
    else:
        credential = _by_version_4(fields, keys, now_ms, region)
    return Authenticated(credential.identity, credential)


def _by_version_4(fields: Mapping[str, str], keys: Keys, now_ms: int, region: str) -> Credential:
    algorithm, timestamp = fields["x-amz-algorithm"], fields["x-amz-date"]
    if algorithm != sigv4.ALGORITHM:
        raise wrong("X-Amz-Algorithm", f"Only {sigv4.ALGORITHM} is supported", algorithm)
    at = claims.epoch(timestamp)
    if at is None:
        raise wrong("X-Amz-Date", "X-Amz-Date must be formated via ISO8601 Long format", timestamp)
    claim = claims.claim_of_form(fields["x-amz-credential"])
    claim.check_scope(timestamp, region)
    if now_ms - at > LONGEST * 1000:  # no signing key is older
        raise post_policy.expired()
    credential = _credential(keys, claim.key_id)
    key = sigv4.signing_key(credential.secret.reveal(), claim.day, claim.region)
    text = fields["policy"]
    expected = sigv4.signature(key, text.encode().decode("latin-1"))
    _compare(expected, fields["x-amz-signature"], credential, text)
    return credential


def _by_version_2(fields: Mapping[str, str], keys: Keys) -> Credential:
    credential = _credential(keys, fields["awsaccesskeyid"])
    text = fields["policy"]
    made = digest(credential.secret.reveal().encode(), text.encode(), "sha1")
    _compare(b64encode(made).decode(), fields["signature"].strip(), credential, text)
    return credential


def _credential(keys: Keys, key_id: str) -> Credential:
    found = keys.credential(key_id)
    if found is None:
        raise S3Problem("InvalidAccessKeyId", AWSAccessKeyId=key_id)
    return found


def _compare(expected: str, given: str, credential: Credential, text: str) -> None:
    if not compare_digest(expected.encode(), given.encode()):
        raise S3Problem(
            "SignatureDoesNotMatch",
            AWSAccessKeyId=credential.id,
            StringToSign=text,
            SignatureProvided=given,
            StringToSignBytes=text.encode().hex(" "),
        )
