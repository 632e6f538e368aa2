"""What a request says of its own signature: parsed and checked, not yet verified.

The Authorization header and the query say the same things in two ways; both
become a `Claim`. Messages are those of AWS where clients are known to read them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.common import sigv4
from gateway.common.presigning import LONGEST
from gateway.common.remembering import remembered
from gateway.modes.s3.problems import S3Problem

SKEW = 15 * 60 * 1000
"""Milliseconds by which a client's clock may differ."""

_DAY = re.compile("[0-9]{8}")
_TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_NUMBER = re.compile(r"-?[0-9]+")
_QUERY = tuple(
    f"X-Amz-{name}"
    for name in ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
)


class SignedByVersion2(S3Problem):
    """An Authorization header of version 2, which is not taken."""


class _Place(NamedTuple):
    """Where a claim was made: the code and the beginning of complaints about it, and the
    argument that they name."""

    code: str
    text: str
    argument: str = ""

    def malformed(self, credential: str, text: str, **extra: str) -> S3Problem:
        if self.argument:
            extra |= {"ArgumentName": self.argument, "ArgumentValue": credential}
        return S3Problem(self.code, self.text + text, **extra)


_HEADER = _Place("AuthorizationHeaderMalformed", "The authorization header is malformed; ")
_PARAMETERS = _Place(
    "AuthorizationQueryParametersError", "Error parsing the X-Amz-Credential parameter; "
)
_FIELDS = _Place("InvalidArgument", "", "x-amz-credential")


class Claim(NamedTuple):
    """All but the signature itself: it is the same in many requests."""

    key_id: str
    day: str
    region: str
    service: str
    terminator: str
    scope: str
    signed: str
    """SignedHeaders, in lower case; it may be no list of names."""
    place: _Place

    def check_scope(self, timestamp: str, region: str) -> None:
        """Raise unless it was made for this service, this region and the timestamp's day."""
        if self.terminator != sigv4.TERMINATOR:
            raise self.malformed(
                f'incorrect terminal "{self.terminator}". This endpoint uses "{sigv4.TERMINATOR}".'
            )
        if self.service != sigv4.SERVICE:
            raise self.malformed(
                f'incorrect service "{self.service}". This endpoint belongs to "{sigv4.SERVICE}".'
            )
        if not _DAY.fullmatch(self.day):
            raise self.malformed(
                f'incorrect date format "{self.day}". This date in the credential must be in the'
                ' format "yyyyMMdd".'
            )
        if self.region != region:
            raise self.malformed(
                f"the region '{self.region}' is wrong; expecting '{region}'", Region=region
            )
        if self.day != timestamp[:8]:
            raise self.malformed(
                f'Invalid credential date "{self.day}". This date is not the same as'
                f' X-Amz-Date: "{timestamp[:8]}".'
            )

    def malformed(self, text: str, **extra: str) -> S3Problem:
        credential = f"{self.key_id}/{self.day}/{self.region}/{self.service}/{self.terminator}"
        return self.place.malformed(credential, text, **extra)


def _claim(credential: str, signed: str, place: _Place) -> Claim:
    parts = credential.rsplit("/", 4)
    if len(parts) != 5 or not parts[0]:
        raise place.malformed(
            credential,
            "the Credential is mal-formed; expecting"
            ' "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".',
        )
    key_id, day, region, service, terminator = parts
    scope = sigv4.scope_of(day, region)
    return Claim(key_id, day, region, service, terminator, scope, signed.lower(), place)


# the header


def claim_of_header(text: str) -> tuple[Claim, str]:
    """From an Authorization header, with its signature: parts in any order, with any blanks
    between them.

    What SDKs write before the signature is the same for a whole day, and read once.
    """
    before, named, signature = text.rpartition("Signature=")
    if named and signature.isalnum():
        return _before_signature(before), signature
    return _read_header(text)


@remembered(texts=512, longest=768)
def _before_signature(text: str) -> Claim:
    return _read_header(f"{text}Signature=-")[0]


def _read_header(text: str) -> tuple[Claim, str]:
    algorithm, _, rest = text.strip(" \t").partition(" ")
    if algorithm != sigv4.ALGORITHM:
        if algorithm == "AWS":
            raise SignedByVersion2("InvalidRequest", _other_version("This request was signed"))
        if algorithm.startswith("AWS4-"):
            raise S3Problem("InvalidRequest", _other_version())
        raise S3Problem(
            "InvalidArgument",
            "Unsupported Authorization Type",
            ArgumentName="Authorization",
            ArgumentValue=algorithm,
        )
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, _, value = part.partition("=")
        if (name := name.strip(" \t")) in parts:  # or the header itself was
            raise S3Problem(_HEADER.code, f"{_HEADER.text}{name} is there twice.")
        parts[name] = value.strip(" \t")
    try:
        credential, signed = parts["Credential"], parts["SignedHeaders"]
        return _claim(credential, signed, _HEADER), parts["Signature"]
    except KeyError as error:
        raise _incomplete(rest, error.args[0]) from None


def _incomplete(parts: str, missing: str) -> S3Problem:
    text = f"missing {missing}."
    if parts.count(",") < 2:
        text = (
            "the authorization header requires three components: Credential, SignedHeaders, and"
            " Signature."
        )
    return S3Problem(_HEADER.code, _HEADER.text + text)


def date_of_header(environ: Mapping[str, Any], now_ms: int, *, version_2: bool = False) -> str:
    """The timestamp that is signed, from x-amz-date or else Date, which may be RFC 9110's; by
    version 2 both may.

    Raises RequestTimeTooSkewed when it is too far from now.
    """
    timestamp: str | None = environ.get("HTTP_X_AMZ_DATE")
    if timestamp is None or version_2:
        timestamp = _date(environ.get("HTTP_DATE", "") if timestamp is None else timestamp)
    at = epoch(timestamp)
    if at is None or at < 0:
        raise S3Problem(
            "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header"
        )
    if abs(now_ms - at) > SKEW:
        raise S3Problem(
            "RequestTimeTooSkewed",
            RequestTime=timestamp,
            ServerTime=_iso(now_ms),
            MaxAllowedSkewMilliseconds=str(SKEW),
        )
    return timestamp


def _date(text: str) -> str:
    if _TIMESTAMP.fullmatch(text):
        return text
    try:
        date = parsedate_to_datetime(text)
        utc = date.astimezone(UTC) if date.tzinfo else date
    except (ValueError, OverflowError):
        return ""
    return utc.strftime("%Y%m%dT%H%M%SZ")


# the query


def auth_parameters(query: str) -> dict[str, str] | None:
    """The X-Amz-* parameters of a raw query, decoded; None when they do not authenticate.

    Raises for Signature Version 2 and for a parameter that comes twice.
    """
    if "X-Amz-" not in query and "AWSAccessKeyId=" not in query:
        return None
    found: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name.startswith("X-Amz-"):
            if name in found:
                raise S3Problem(_PARAMETERS.code, f"The parameter {name} is there twice.")
            found[name] = _decoded(value)
        elif name == "AWSAccessKeyId":
            url = "&Signature=" in f"&{query}"
            text = _other_version("This URL was presigned" if url else "")
            raise S3Problem("InvalidRequest", text)
    authenticates = not found.keys().isdisjoint(_QUERY)
    return found if authenticates else None


def _decoded(value: str) -> str:
    return unquote_to_bytes(value.replace("+", " ").encode("latin-1")).decode("latin-1")


def claim_of_query(parameters: Mapping[str, str]) -> tuple[Claim, str]:
    if not all(parameters.get(name) for name in _QUERY):
        raise S3Problem(
            _PARAMETERS.code,
            "Query-string authentication version 4 requires the X-Amz-Algorithm,"
            " X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and"
            " X-Amz-Expires parameters.",
        )
    if parameters["X-Amz-Algorithm"] != sigv4.ALGORITHM:
        raise S3Problem(_PARAMETERS.code, f'X-Amz-Algorithm only supports "{sigv4.ALGORITHM}"')
    claim = _claim(parameters["X-Amz-Credential"], parameters["X-Amz-SignedHeaders"], _PARAMETERS)
    return claim, parameters["X-Amz-Signature"]


def date_of_query(parameters: Mapping[str, str], now_ms: int) -> str:
    """The timestamp that is signed. Raises when the URL is not valid now."""
    timestamp, expires = parameters["X-Amz-Date"], parameters["X-Amz-Expires"]
    at = epoch(timestamp)
    if at is None:
        raise S3Problem(
            _PARAMETERS.code,
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"",
        )
    if not _NUMBER.fullmatch(expires):
        raise S3Problem(_PARAMETERS.code, "X-Amz-Expires should be a number")
    if expires.startswith("-"):
        raise S3Problem(_PARAMETERS.code, "X-Amz-Expires must be non-negative")
    if len(expires) > 9 or int(expires) > LONGEST:
        raise S3Problem(
            _PARAMETERS.code,
            "X-Amz-Expires must be less than a week (in seconds); that is, the given"
            f" X-Amz-Expires must be less than {LONGEST} seconds",
        )
    if now_ms < at - SKEW:
        raise S3Problem("AccessDenied", "Request is not valid yet", ServerTime=_iso(now_ms))
    end = at + int(expires) * 1000
    if now_ms > end or end == at:  # one for no time was never valid
        raise S3Problem(
            "AccessDenied",
            "Request has expired",
            **{"X-Amz-Expires": expires, "Expires": _iso(end), "ServerTime": _iso(now_ms)},
        )
    return timestamp


# a form


def claim_of_form(credential: str) -> Claim:
    return _claim(credential, "", _FIELDS)


def _other_version(done: str = "") -> str:
    """What to say of it. `done`: what was done by version 2. Its users mostly never asked for
    it: stock tools presign so, and sign headers by version 4."""
    advice = (
        f" {done} with signature version 2. aws: `aws configure set"
        ' default.s3.signature_version s3v4`; boto3: Config(signature_version="s3v4").'
    )
    return (
        "The authorization mechanism you have provided is not supported. Please use"
        f" {sigv4.ALGORITHM}.{advice if done else ''}"
    )


# times


@remembered(texts=256, longest=16)
def epoch(timestamp: str) -> int | None:
    """YYYYMMDDTHHMMSSZ as milliseconds since the epoch; None when it is no such time."""
    if not _TIMESTAMP.fullmatch(timestamp):
        return None
    try:
        parsed = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(parsed.timestamp()) * 1000


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
