"""Every error code of the standard mode: its status, and what it says by itself."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.web.http_fields import Headers

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "not_modified": (304, "The file has not changed."),
    "bad_digest": (400, "The bytes that came do not have the digest that was declared."),
    "encrypted": (400, "The file is encrypted with a customer's key: use the S3 API."),
    "incomplete_body": (400, "Fewer bytes came than were announced; nothing was stored."),
    "invalid_parameter": (400, "A parameter cannot be understood."),
    "invalid_path": (400, "A file cannot have that path here."),
    "invalid_request": (400, "The request is not valid."),
    "missing_parameter": (400, "A parameter is missing."),
    "unauthorized": (401, "The header x-owncdn-key is missing, or no key has that value."),
    "forbidden": (403, "The key may not do that."),
    "archived": (403, "The file is archived: it must be restored before it can be read."),
    "protected": (403, "The file is protected by a retention period or a legal hold."),
    "read_only": (403, "The service is a replica: what is in it is written at its source."),
    "file_not_found": (404, "There is no such file."),
    "function_not_found": (404, "There is no such function."),
    "service_not_found": (404, "There is no such service, or the key may not read it."),
    "version_deleted": (404, "The version is a delete marker: it has no bytes."),
    "version_gone": (404, "That version is not there, or no more."),
    "method_not_allowed": (405, "The function is called by another method."),
    "already_exists": (409, "That name is taken."),
    "conflict": (409, "It was changed at the same time; try again."),
    "not_empty": (409, "It is not empty."),
    "length_required": (411, "A body needs a Content-Length."),
    "precondition_failed": (412, "A condition of the request does not hold."),
    "too_large": (413, "The body is larger than is allowed."),
    "invalid_range": (416, "The range begins beyond the end of the file."),
    "unprocessable": (422, "What is stored cannot be changed as was asked."),
    "internal_error": (500, "Something went wrong here."),
    "corrupt": (500, "Stored bytes do not fit their checksum."),
    "unsupported": (501, "The service cannot do that."),
    "origin_denied": (502, "The origin refuses the keys that this service has there."),
    "origin_failed": (502, "The origin behind this service failed."),
    "busy": (503, "Too many requests at once; try again shortly."),
    "unavailable": (503, "The storage is not available now."),
    "timed_out": (504, "The storage did not answer in time."),
    "insufficient_storage": (507, "There is no space left."),
    "quota_exceeded": (507, "The quota of the service is reached."),
}


class StandardProblem(Exception):
    """What is wrong with a request, that no store was asked about."""

    def __init__(self, code: str, message: str = "", headers: Headers | None = None) -> None:
        self.code, self.message = code, message or PROBLEMS[code][1]
        self.headers = headers or []
        super().__init__(f"{code}: {self.message}")
