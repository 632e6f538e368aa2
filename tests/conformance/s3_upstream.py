"""This gateway as an upstream, in a process of its own: `python -m tests.conformance.s3_upstream`.

It prints its URL and serves until its input ends. The kit's parts are smaller
than S3 allows; this upstream allows them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.modes.s3.resources import multipart
from tests.modes.s3_gateway import serving

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def gateway_upstream() -> Iterator[str]:
    """Its URL. Its key is `main-key`, whose secret is `secret of main-key`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.s3_upstream"],
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
