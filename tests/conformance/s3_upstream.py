"""This gateway as an upstream, in a process of its own: `python -m tests.conformance.s3_upstream`.

It prints its URL and serves until its input ends. The kit's parts are smaller
than S3 allows; this upstream allows them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from drivers.s3 import S3
from gateway.modes.s3.resources import multipart
from gateway.storage import AlreadyExists, Context, Secret
from tests.modes.s3_gateway import serving

URL = "upstream"
"""The file of a test's folder that says where its upstream is, also to its other processes."""

KEY, OTHER_KEY = "main-key", "other-key"
"""Of two accounts."""
ROOT = Path(__file__).resolve().parents[2]


MOTO = """
import sys
import moto.s3.models
from moto.server import ThreadedMotoServer
moto.s3.models.S3_UPLOAD_PART_MIN_SIZE = 0
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print("http://127.0.0.1:%d" % server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


def gateway_upstream() -> AbstractContextManager[str]:
    """Its URL. Its keys are `main-key`, whose secret is `secret of main-key`, and `other-key`."""
    return _serving([sys.executable, "-m", "tests.conformance.s3_upstream"])


def moto_upstream() -> AbstractContextManager[str]:
    """The URL of moto's server, which takes any key."""
    return _serving([sys.executable, "-c", MOTO])


def account(url: str, key: str = KEY, **options: Any) -> S3:
    """Not open yet; without a `bucket` the whole account."""
    secret = Secret(f"secret of {key}")
    return S3(endpoint_url=url, access_key=Secret(key), secret_key=secret, **options)


def opened_bucket(context: Context, *, locked: bool = False, **options: Any) -> S3:
    """A bucket of the upstream whose URL is in the folder: the same for all who open that
    folder and service, made when it is not there. `locked`: with object lock."""
    assert context.folder is not None
    url = (context.folder / URL).read_text("utf-8")
    name = "kit-" + sha256(f"{context.folder} {context.sid}".encode()).hexdigest()[:40]
    store = account(url, bucket=name, **options)
    store.open(context)
    headers = {"x-amz-bucket-object-lock-enabled": "true"} if locked else {}
    with suppress(AlreadyExists):  # `Buckets.create` would look through those of all tests, twice
        store.ask("PUT", None, headers=headers)
    return store


@contextmanager
def _serving(command: list[str]) -> Iterator[str]:
    """The URL that the command prints; it ends when its input does."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def main() -> None:
    multipart.SMALLEST_PART = 0
    with serving() as served:
        print(served.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
