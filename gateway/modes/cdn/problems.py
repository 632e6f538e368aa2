"""Every error of the CDN control mode: its status, and what it says by itself.

Clients see the status and the sentence; the code is for logs and documents. 532 is the
interface's own status for what failed here, whoever asked right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.storage import NOTHING
from gateway.web.http_fields import Headers

FAILED = 532

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "InvalidParameter": (400, "A parameter is missing, or not what it may be."),
    "InvalidRequest": (400, "The request is not valid."),
    "MalformedBody": (400, "The body is not what its Content-Type says."),
    "NotOffered": (400, "This gateway was not set up for that."),
    "Unauthorized": (401, "The token is missing, or no good one: sign in."),
    "InvalidCredentials": (401, "The login credentials are not valid."),
    "AccessDenied": (403, "That is not allowed."),
    "NotFound": (404, "There is no such thing in this account."),
    "NoSuchCall": (404, "There is no such call: /-/docs/cdn/ has all that there are."),
    "MethodNotAllowed": (405, "That is called by another method."),
    "StillUsed": (406, "Something else still needs it."),
    "Conflict": (409, "That cannot be done as things are now."),
    "EntityTooLarge": (413, "The body is larger than is allowed."),
    "TooManyAttempts": (429, "Too many attempts failed: wait a little."),
    "Failed": (FAILED, "Something went wrong here."),
    "NotAvailable": (FAILED, "What is behind this does not answer now."),
    "Busy": (FAILED, "Too many requests at once: try again shortly."),
    "NoSpace": (FAILED, "There is no space left."),
}


class CdnProblem(Exception):
    """What is wrong with a request, that nothing behind the mode was asked about. `said`: members
    that the answer has besides its message."""

    def __init__(
        self,
        code: str,
        message: str = "",
        headers: Headers | None = None,
        said: Mapping[str, Any] = NOTHING,
    ) -> None:
        self.code, self.message = code, message or PROBLEMS[code][1]
        self.headers, self.said = headers or [], said
        super().__init__(f"{code}: {self.message}")
