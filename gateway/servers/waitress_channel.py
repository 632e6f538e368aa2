"""Two things in which waitress (3.0) differs from what S3 clients can bear.

- It capitalises header names; boto3 makes the names of metadata from them.
- A request with `Expect: 100-continue` and no bytes of body is never completed:
  an upload of an empty file hangs until the client gives up.
"""

from __future__ import annotations

import re

from waitress.channel import HTTPChannel
from waitress.task import WSGITask

_AMZ_NAMES = re.compile(rb"^X-Amz-[^:\r\n]+", re.MULTILINE)


class _Task(WSGITask):  # type: ignore[misc]  # waitress has no types
    def build_response_header(self) -> bytes:
        head: bytes = super().build_response_header()
        return _AMZ_NAMES.sub(lambda name: name[0].lower(), head)


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    task_class = _Task

    def send_continue(self) -> None:
        if self.request.body_rcv is None:
            self.request.expect_continue = False
        else:
            super().send_continue()
