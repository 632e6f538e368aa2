"""What goes wrong for a visitor, by code: status, and what the page says. Pages tell no more:
neither where an object is kept, nor why that failed."""

from __future__ import annotations

from collections.abc import Mapping

TABLE: Mapping[str, tuple[int, str]] = {
    "NotModified": (304, ""),
    "BadRequest": (400, "The request is not valid."),
    "Forbidden": (403, "This may not be read here."),
    "NotFound": (404, "There is nothing here."),
    "MethodNotAllowed": (405, "This can only be read here."),
    "Conflict": (409, "It was changed at the same time."),
    "Gone": (410, "This link is over."),
    "LengthRequired": (411, "The length of the body is needed."),
    "PreconditionFailed": (412, "It is not what it was."),
    "TooLarge": (413, "That is too much."),
    "UriTooLong": (414, "The address is too long."),
    "InvalidRange": (416, "It is not as long as that."),
    "Unprocessable": (422, "What is stored here is damaged, or too large to be changed."),
    "InternalError": (500, "Something went wrong here."),
    "Corrupt": (500, "What is stored here is damaged."),
    "NotImplemented": (501, "What is behind this server cannot do that."),
    "BadGateway": (502, "What is behind this server failed."),
    "Unavailable": (503, "This is not available now; try again shortly."),
    "TimedOut": (504, "What is behind this server did not answer in time."),
    "Full": (507, "There is no space left."),
    "LoopDetected": (508, "The address leads back here."),
}


class PublicProblem(Exception):
    """An error that this mode finds itself; `headers` are for its answer."""

    def __init__(self, code: str, *headers: tuple[str, str]) -> None:
        super().__init__(code)
        self.code, self.headers = code, headers
