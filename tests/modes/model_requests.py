"""Requests of the S3 model, as botocore writes them, to the mode in this process: what a member
changes in an answer, and in what is there afterwards."""

from __future__ import annotations

import hashlib
import io
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from xml.sax.saxutils import unescape

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import create_request_object, prepare_request_dict
from botocore.credentials import Credentials
from botocore.serialize import create_serializer

from gateway.modes.s3 import S3Mode
from gateway.services.runtime import Runtime
from gateway.storage import NOTHING
from tests.modes.s3_gateway import wrapped

Params = dict[str, Any]

_HOST = "gateway.example"
_UNTOLD = frozenset({"x-amz-request-id", "date", "content-length"})
_VOLATILE = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"), "TIME"),
    (re.compile(r"\b[0-9a-f]{43}\b"), "UPLOAD"),
)


@cache
def model() -> Any:
    return botocore.session.get_session().get_service_model("s3")


@cache
def members(operation: str) -> Mapping[str, Any]:
    shape = model().operation_model(operation).input_shape
    return dict(shape.members) if shape else {}


def of_object(operation: str) -> bool:
    return "{Key+}" in model().operation_model(operation).http["requestUri"]


def document(operation: str, params: Params) -> bytes:
    """The body that botocore makes of `params`."""
    one = model().operation_model(operation)
    address = {name: "none" for name in ("Bucket", "Key") if name in members(operation)}
    params = address | params
    body = create_serializer("rest-xml", False).serialize_to_request(params, one)["body"]
    return body.encode() if isinstance(body, str) else body or b""


@dataclass
class Heard:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def code(self) -> str:
        """Of a HEAD it is in a header."""
        return self.element("Code") or self.headers.get("x-amz-error-code", "")

    @property
    def message(self) -> str:
        return unescape(self.element("Message"), {"&quot;": '"'}) or self.headers.get(
            "x-amz-error-message", ""
        )

    def element(self, name: str) -> str:
        return self.body.partition(f"<{name}>")[2].partition(f"</{name}>")[0]

    def told(self, names: Mapping[str, str]) -> str:
        """All of it that would be the same again: the status, a line for each header, the body.
        `names`: what stands for which text."""
        headers = sorted((k, v) for k, v in self.headers.items() if k not in _UNTOLD)
        text = "\n".join(
            [str(self.status), *(f"{name}: {value}" for name, value in headers), self.body]
        )
        for given, name in names.items():
            text = text.replace(given, name)
        for pattern, name in _VOLATILE:
            text = pattern.sub(name, text)
        return text


@dataclass
class Mode:
    """The S3 mode of a gateway in memory."""

    gateway: Runtime
    app: Any = None
    once: dict[str, Any] = field(default_factory=dict)
    """What is made once, and only read."""
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def __post_init__(self) -> None:
        self.app = wrapped(S3Mode().app(self.gateway))

    def name(self, kind: str = "bucket") -> str:
        return f"{kind}-{self._numbers():05}-x"

    def bucket(self, **more: Any) -> str:
        name = self.name()
        assert self.call("CreateBucket", {"Bucket": name, **more}).status == 200
        return name

    def call(
        self,
        operation: str,
        params: Params,
        headers: Mapping[str, str] = NOTHING,
        query: Mapping[str, str] = NOTHING,
        key: str = "main-key",
        body: bytes | None = None,
        hoisted: bool = False,
    ) -> Heard:
        """`headers`, `query` and `body` replace what the model makes of `params`. `key` signs; "":
        none does. `hoisted`: what are `x-amz-*` headers stands in the query."""
        one = model().operation_model(operation)
        given = create_serializer("rest-xml", False).serialize_to_request(params, one)
        given.pop("host_prefix", None)  # other end points
        data = document(operation, params) if body is None else body
        given["body"] = data
        given["query_string"] = {**given["query_string"], **query}
        if hoisted:
            named = [name for name in given["headers"] if name.lower().startswith("x-amz-")]
            given["query_string"] |= {name: str(given["headers"].pop(name)) for name in named}
        prepare_request_dict(given, f"http://{_HOST}")
        request = create_request_object(given)
        for name, text in headers.items():
            del request.headers[name]
            request.headers[name] = text
        trait = one.http_checksum or {}
        bare = not any(name.lower().startswith("x-amz-checksum-") for name in request.headers)
        wants = trait.get("requestChecksumRequired") and "Content-MD5" not in request.headers
        if data and bare and wants:
            md5 = hashlib.md5(data, usedforsecurity=False).digest()
            request.headers["Content-MD5"] = b64encode(md5).decode()
        length = request.headers.get("Content-Length", str(len(data)))
        del request.headers["Content-Length"]
        if key:
            _Signer(data, self.gateway.options.region, key).add_auth(request)
        return self._run(request, data, length)

    def _run(self, request: Any, data: bytes, length: str) -> Heard:
        url = urlsplit(request.url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "SCRIPT_NAME": "",
            "CONTENT_LENGTH": length,
            "HTTP_HOST": _HOST,
            "SERVER_NAME": _HOST,
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(data),
            "gateway.admission": lambda **_: None,
        }
        for name, value in request.headers.items():
            text = value.decode() if isinstance(value, bytes) else str(value)
            key = name.upper().replace("-", "_")
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
        started: list[tuple[str, list[tuple[str, str]]]] = []
        answer = self.app(environ, lambda status, headers, *_: started.append((status, headers)))
        body = b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        (status, said), *_ = started
        named = {name.lower(): text for name, text in said}
        return Heard(int(status.split()[0]), named, body.decode("utf-8", "replace"))


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    def __init__(self, data: bytes, region: str, key: str) -> None:
        super().__init__(Credentials(key, f"secret of {key}"), "s3", region)
        self._hash = hashlib.sha256(data).hexdigest()

    def payload(self, request: Any) -> str:
        return self._hash
