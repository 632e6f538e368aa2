"""Fronting another S3 server: the gateway's `s3` driver beside others' proxies, in turns.

All stand in front of the same versitygw, on the same two ends: same objects, same
requests. The upstream itself is measured too, as a reference.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report, speed, starting
from benchmarks.load import generator
from benchmarks.requests import Target
from benchmarks.seeding import create_bucket
from benchmarks.servers import CREDENTIALS, SERVERS, UNDER, Server, Site
from benchmarks.workloads import BUCKET, WORKLOADS

UPSTREAM = "versitygw"
ROWS = ("get-1k", "put-1k", "get-8m", "put-8m", "list-1000")


def fronts(upstream: Target) -> tuple[Server, ...]:
    """What stands in front of the upstream."""
    url = f"http://{upstream.host}:{upstream.port}"
    root = {
        "ROOT_ACCESS_KEY": CREDENTIALS.access,
        "ROOT_SECRET_KEY": CREDENTIALS.secret,
        "AWS_CA_BUNDLE": "",  # a client of its own, to which Go's SDK adds no certificates
    }
    rclone = {
        "RCLONE_AUTH_KEY": f'"{CREDENTIALS.access},{CREDENTIALS.secret}"',
        "RCLONE_CONFIG_UP_TYPE": "s3",
        "RCLONE_CONFIG_UP_PROVIDER": "Other",
        "RCLONE_CONFIG_UP_ENDPOINT": url,
        "RCLONE_CONFIG_UP_ACCESS_KEY_ID": CREDENTIALS.access,
        "RCLONE_CONFIG_UP_SECRET_ACCESS_KEY": CREDENTIALS.secret,
        "RCLONE_CONFIG_UP_REGION": "us-east-1",
    }
    return (
        *(_gateway(server, url) for server in UNDER),
        Server(
            name="versitygw-s3",
            program=("versitygw",),
            arguments=lambda site: [
                *("--port", site.listen, "--health", "/health", "--quiet", "--keep-alive"),
                *("s3", "--endpoint", url, "--use-path-style"),
                *("--access", CREDENTIALS.access, "--secret", CREDENTIALS.secret),
            ],
            environment=lambda _: root,
            health="/health",
        ),
        Server(
            name="rclone-s3",
            program=("rclone",),
            arguments=lambda site: [
                *("serve", "s3", "up:", "--addr", site.listen, "--vfs-cache-mode", "off"),
                *("--cache-dir", str(site.folder / "cache")),
            ],
            environment=lambda site: {**rclone, "RCLONE_CONFIG": str(site.folder / "rclone.conf")},
        ),
    )


def _gateway(server: str, url: str) -> Server:
    return Server(
        name=f"gateway-s3-{server}",
        program=(sys.executable, "-m", "gateway"),
        arguments=lambda site: ["serve", "--config", str(_file(site, server, url))],
        environment=lambda _: {
            "GATEWAY_ROOT_ACCESS_KEY": CREDENTIALS.access,
            "GATEWAY_ROOT_SECRET_KEY": CREDENTIALS.secret,
        },
        version=("version",),
        health="/-/health/ready",
        kind="gateway",
    )


def _file(site: Site, server: str, url: str) -> Path:
    """Defaults, but for the address and the upstream's."""
    file = site.folder / "gateway.toml"
    text = f"""
        [server]
        listen = "{site.listen}"
        data = '{site.data}'
        server = "{server}"
    """
    for bucket in sorted({WORKLOADS[name].bucket for name in ROWS} | {BUCKET}):
        text += f"""
        [services.{bucket}]
        driver = "s3"
        bucket = "{bucket}"
        endpoint_url = "{url}"
        access_key = "{CREDENTIALS.access}"
        secret_key = "{CREDENTIALS.secret}"
        """
    file.write_text(text, encoding="utf-8")
    return file


def fronting(options: Namespace, place: Path) -> int:
    """One upstream, and in turns what stands in front of it."""
    load, generate = generator(options.load)
    about = report.machine()
    rows = [WORKLOADS[name] for name in options.only or ROWS]
    with ExitStack() as stack:
        outcome, upstream = speed.start(stack, SERVERS[UPSTREAM], place / UPSTREAM)
        if upstream is None:
            raise starting.Missing(f"the upstream {UPSTREAM}: {outcome.missing}")
        outcome.kind = "reference"
        for bucket in {one.bucket for one in rows}:
            create_bucket(upstream, bucket)
        found = [(outcome, upstream)]
        outcomes = [outcome]
        for server in fronts(upstream.target):
            made, running = speed.start(stack, server, place / server.name)
            outcomes.append(made)
            if running is not None:
                found.append((made, running))
        for row in rows:
            speed.run_workload(row, found, generate, place, options)
        for made, running in found:
            made.usage = running.usage()
    speed.show(outcomes, rows, {**about, "load": load}, options)
    return 0 if any(one.samples for one in outcomes) else 1
