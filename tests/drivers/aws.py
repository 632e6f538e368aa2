"""What gives keys, and what judges them, on loopback: an S3 upstream that checks signatures by
itself, a token service, an instance's metadata, a container's.

`Authority` issues sessions; its `s3` lets in whoever signs with one that is valid.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import digest
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from gateway.testing.upstreams import Exchange, Seen, Upstream, answer, hang, refuse

HOUR = 3600.0
ROLE = "arn:aws:iam::123456789012:role/reader"


@dataclass(frozen=True)
class Session:
    """`token` "" for keys that are nobody's session."""

    id: str
    secret: str
    token: str
    ends: datetime

    def document(self) -> bytes:
        """As metadata services say it."""
        ends = self.ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        said = {"AccessKeyId": self.id, "SecretAccessKey": self.secret, "Token": self.token}
        return json.dumps({"Code": "Success", **said, "Expiration": ends}).encode()


class Authority:
    """`lifetime` in seconds of the sessions to come. `refuses`: the code of what is answered in
    their place; `hangs`: nothing is. `asked`: each question for one: (who was asked, what was
    said). `ahead`: how many seconds later it is here."""

    def __init__(self) -> None:
        self.lifetime, self.ahead = HOUR, 0.0
        self.valid: dict[str, Session] = {}
        self.issued: list[Session] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.refuses: str | None = None
        self.hangs = False
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def key(self, id: str, secret: str, token: str = "") -> Session:
        """One that the upstream knows until it is taken out of `valid`."""
        made = Session(id, secret, token, self.now() + timedelta(days=1))
        self.valid[id] = made
        return made

    def issue(self) -> Session:
        with self._lock:
            number = len(self.issued) + 1
            ends = self.now() + timedelta(seconds=self.lifetime)
            made = Session(f"ASIA{number:04}", f"secret/{number}", f"token/{number}+=", ends)
            self.issued.append(made)
            self.valid[made.id] = made
        return made

    # acts of upstreams

    def s3(self, exchange: Exchange) -> None:
        fault = self.fault(exchange.seen)
        if fault is None:
            exchange.upstream._keep(exchange)
        else:
            refuse(400 if fault == "ExpiredToken" else 403, fault)(exchange)

    def fault(self, seen: Seen) -> str | None:
        """What is wrong with a request's signature, by the rules of AWS's documentation."""
        said = seen.headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ")
        fields = dict(one.split("=", 1) for one in said.split(", ") if one)
        id, _, scope = fields.get("Credential", "").partition("/")
        session = self.valid.get(id)
        if session is None:
            return "InvalidAccessKeyId"
        if session.token != seen.headers.get("x-amz-security-token", ""):
            return "InvalidToken"
        if session.ends <= self.now():
            return "ExpiredToken"
        signed = fields["SignedHeaders"].split(";")
        if session.token and "x-amz-security-token" not in signed:
            return "AccessDenied"
        path, _, query = seen.target.partition("?")
        lines = [f"{name}:{seen.headers[name]}" for name in signed]
        payload = seen.headers["x-amz-content-sha256"]
        canonical = [seen.method, path, query, *lines, "", ";".join(signed), payload]
        hashed = sha256("\n".join(canonical).encode("latin-1")).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{seen.headers['x-amz-date']}\n{scope}\n{hashed}"
        key = f"AWS4{session.secret}".encode()
        for part in [*scope.split("/"), text]:
            key = digest(key, part.encode(), "sha256")
        return None if key.hex() == fields["Signature"] else "SignatureDoesNotMatch"

    def sts(self, exchange: Exchange) -> None:
        """AssumeRole, and AssumeRoleWithWebIdentity."""
        pairs = parse_qs(exchange.seen.body.decode())
        said = {name: values[0] for name, values in pairs.items()}
        said["by"] = exchange.seen.headers.get("authorization", "").partition("Credential=")[2]
        self.asked.append(("sts", said))
        if self._unwilling(exchange):
            return
        session, action = self.issue(), said["Action"]
        parts = {
            "AccessKeyId": session.id,
            "SecretAccessKey": session.secret,
            "SessionToken": session.token,
            "Expiration": session.ends.isoformat(),
        }
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in parts.items())
        found = f"<{action}Result><Credentials>{inner}</Credentials></{action}Result>"
        space = "https://sts.amazonaws.com/doc/2011-06-15/"
        whole = f'<{action}Response xmlns="{space}">{found}</{action}Response>'
        answer(200, whole.encode(), {"Content-Type": "text/xml"})(exchange)

    def instance(self, exchange: Exchange) -> None:
        """The metadata service of an instance (IMDSv2: nothing without a token)."""
        seen, base = exchange.seen, "/latest/meta-data/iam/security-credentials/"
        self.asked.append(("instance", {"path": seen.target}))
        if self._unwilling(exchange):
            return
        if (seen.method, seen.target) == ("PUT", "/latest/api/token"):
            answer(200, b"metadata-token")(exchange)
        elif seen.headers.get("x-aws-ec2-metadata-token") != "metadata-token":
            answer(401)(exchange)
        elif seen.target == base:
            answer(200, b"a-role")(exchange)
        elif seen.target == f"{base}a-role":
            answer(200, self.issue().document())(exchange)
        else:
            answer(404)(exchange)

    def container(self, exchange: Exchange) -> None:
        self.asked.append(("container", dict(exchange.seen.headers)))
        if not self._unwilling(exchange):
            answer(200, self.issue().document())(exchange)

    def _unwilling(self, exchange: Exchange) -> bool:
        if self.hangs:
            hang(exchange)
        elif self.refuses is not None:
            code = f"<Error><Type>Sender</Type><Code>{self.refuses}</Code></Error>"
            document = f"<ErrorResponse>{code}</ErrorResponse>".encode()
            answer(403, document, {"Content-Type": "text/xml"})(exchange)
        return self.hangs or self.refuses is not None


class Aws:
    """An authority with its upstreams, and AWS's files and environment for it."""

    def __init__(self, folder: Path, environ: pytest.MonkeyPatch) -> None:
        self.authority, self._folder, self._environ = Authority(), folder, environ
        self._stack = ExitStack()
        environ.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "credentials"))
        environ.setenv("AWS_CONFIG_FILE", str(folder / "config"))
        environ.setenv("AWS_EC2_METADATA_DISABLED", "true")
        self.s3 = self._serve(self.authority.s3)

    def _serve(self, act: object) -> Upstream:
        upstream = self._stack.enter_context(Upstream())
        upstream.always(act)  # type: ignore[arg-type]  # a bound method is an act
        return upstream

    def environment(self, **values: str) -> None:
        for name, value in values.items():
            self._environ.setenv(name, value)

    def file(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text, "utf-8")
        return path

    def credentials(self, profile: str, session: Session) -> None:
        token = f"aws_session_token = {session.token}\n" if session.token else ""
        self.file(
            "credentials",
            f"[{profile}]\naws_access_key_id = {session.id}\n"
            f"aws_secret_access_key = {session.secret}\n{token}",
        )

    def sts(self) -> Upstream:
        served = self._serve(self.authority.sts)
        self.environment(AWS_ENDPOINT_URL_STS=served.url)
        return served

    def instance(self) -> Upstream:
        served = self._serve(self.authority.instance)
        self.environment(
            AWS_EC2_METADATA_SERVICE_ENDPOINT=served.url, AWS_EC2_METADATA_DISABLED="false"
        )
        return served

    def container(self) -> Upstream:
        served = self._serve(self.authority.container)
        self.environment(
            AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{served.url}/keys",
            AWS_CONTAINER_AUTHORIZATION_TOKEN="Bearer of-the-container",
        )
        return served

    def close(self) -> None:
        self._stack.close()


@contextmanager
def aws(folder: Path) -> Iterator[Aws]:
    """Nothing of the machine's own set-up is seen."""
    with pytest.MonkeyPatch.context() as environ:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environ.delenv(name)
        made = Aws(folder, environ)
        try:
            yield made
        finally:
            made.close()
