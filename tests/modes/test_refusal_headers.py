"""What refusals say in headers, in every mode whose errors are a table."""

from __future__ import annotations

from gateway.modes.management import errors as management
from gateway.modes.ozone import errors as ozone
from gateway.modes.s3 import errors as s3
from gateway.modes.standard import errors as standard
from gateway.storage import (
    Busy,
    Forbidden,
    InvalidRange,
    OriginDenied,
    OriginFailed,
    StorageError,
    TimedOut,
    Unavailable,
)
from gateway.web.http_fields import Headers

_TOLD = ozone.Told("/", "1", "here", 400)

SAID: list[tuple[StorageError, Headers]] = [
    (InvalidRange(size=10), [("content-range", "bytes */10")]),
    (Unavailable(), [("retry-after", "1")]),
    (Unavailable(retry_after=7), [("retry-after", "7")]),
    (Busy(), [("retry-after", "1")]),
    (TimedOut(), [("retry-after", "1")]),
    (OriginFailed(), [("retry-after", "1")]),
    (OriginDenied(), []),  # nobody mends that by asking again
    (Forbidden(), []),
]


def test_each_mode_says_the_same() -> None:
    wrong = []
    for error, wanted in SAID:
        answers = {
            "management": management.reply(error, "1")[1].headers,
            "ozone": ozone.reply(error, _TOLD)[1].headers,
            "s3": s3._headers(error),
            "standard": standard.reply(error, "1")[1].headers,
        }
        for mode, headers in answers.items():
            found = [one for one in headers if one[0] in ("content-range", "retry-after")]
            if found != wanted:
                wrong.append((mode, error, found))
    assert not wrong
