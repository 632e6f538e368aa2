"""What goes wrong for somebody at the console, by code: status, and the page's sentence."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[int, str]] = {
    "NotModified": (304, ""),
    "BadRequest": (400, "The request is not valid."),
    "Unauthorized": (401, "Sign in to see this page."),
    "WrongKey": (401, "There is no active key with that id and secret."),
    "Forbidden": (403, "Your key may not do that."),
    "NotFromHere": (
        403,
        "The request does not come from a page of this console. Nothing was done.",
    ),
    "Expired": (403, "The form is of another session. Nothing was done: go back and try again."),
    "NotFound": (404, "There is nothing here, or your key may not see it."),
    "MethodNotAllowed": (405, "This page cannot be asked in that way."),
    "Conflict": (409, "It was changed at the same time, or there is one already."),
    "LengthRequired": (411, "The request does not say how long it is."),
    "PreconditionFailed": (412, "It is not what it was: look again."),
    "TooLarge": (413, "That is too much for one request."),
    "UnsupportedMediaType": (415, "The request is not what a form of this page sends."),
    "InvalidRange": (416, "It is not as long as that."),
    "Unprocessable": (422, "What is stored here is damaged, or cannot be used for that."),
    "TooManyAttempts": (429, "There were too many attempts to sign in."),
    "InternalError": (500, "Something went wrong here. The log of the gateway says more."),
    "Corrupt": (500, "What is stored here is damaged."),
    "Unsupported": (501, "What keeps this cannot do that."),
    "BadGateway": (502, "What is behind this service failed."),
    "Unavailable": (503, "This is not available now: try again shortly."),
    "TimedOut": (504, "What is behind this service did not answer in time."),
    "Full": (507, "There is no space left."),
}


class ConsoleProblem(Exception):
    """An error that the console finds itself. `message` says more than the table; `headers` are
    for the answer."""

    def __init__(self, code: str, message: str = "", *headers: tuple[str, str]) -> None:
        super().__init__(message or TABLE[code][1])
        self.code, self.headers = code, headers
