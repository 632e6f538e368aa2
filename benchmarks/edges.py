"""Caches in front of one HTTP origin, each as a server: the gateway's public binding over a cache
over the fetcher, nginx with `proxy_cache`, and Varnish."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.servers import UNDER, Server, Site, nginx_arguments
from gateway.common.cpu_quota import usable_processors

SPACES = ("disk", "memory")
HEALTH = "/1/health"
"""Goes through to the origin."""


def edges(port: int, *, clients: int = 0) -> tuple[Server, ...]:
    """In front of the origin at that port; peers first. `clients`: so many large answers at once
    are what the gateway has threads for, however they are spread over its workers
    (docs/operations.md, *How many threads*)."""
    workers = {"granian": usable_processors(), "waitress": 1}
    threads = {name: f"threads = {round(2.5 * clients / count)}" for name, count in workers.items()}
    return (
        nginx(port),
        varnish(port),
        *(
            gateway(port, server, space, settings=threads[server] if clients else "")
            for server in UNDER
            for space in SPACES
        ),
    )


def gateway(port: int, server: str, space: str, *, settings: str = "") -> Server:
    """`settings`: more lines for the `[server]` table."""
    return Server(
        name=f"gateway-{space}-{server}",
        program=(sys.executable, "-m", "gateway"),
        arguments=lambda site: [
            *("serve", "--config", str(_gateway_file(site, port, server, space, settings)))
        ],
        version=("version",),
        health=HEALTH,
        kind="gateway",
        static=True,
    )


def _gateway_file(site: Site, port: int, server: str, space: str, settings: str) -> Path:
    return _written(
        site,
        "gateway.toml",
        f"""
        [server]
        listen = "{site.listen}"
        data = '{site.data}'
        server = "{server}"
        {settings}
        [services.origin]
        driver = "http"
        url = "http://127.0.0.1:{port}"
        allow = "127.0.0.0/8"
        [services.edge]
        driver = "cache"
        source = "origin"
        space = "{space}"
        [[bindings]]
        host = "{site.target.host}"
        mode = "public"
        service = "edge"
        """,
    )


_PROXY = """\
    tcp_nopush on;
    proxy_cache_path {data} levels=1:2 keys_zone=edge:16m max_size=10g use_temp_path=off;
    upstream origin {{ server 127.0.0.1:{port}; keepalive 16; }}
    server {{
        listen {listen};
        proxy_cache edge;
        proxy_cache_lock on;
        proxy_cache_lock_timeout 60s;
        proxy_cache_lock_age 60s;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        add_header X-Cache $upstream_cache_status;
        location / {{ proxy_pass http://origin; }}
    }}
"""


def nginx(port: int) -> Server:
    return Server(
        name="nginx",
        program=("nginx",),
        arguments=lambda site: nginx_arguments(
            site, _PROXY.format(data=site.data, listen=site.listen, port=port)
        ),
        version=("-v",),
        health=HEALTH,
        static=True,
    )


def varnish(port: int) -> Server:
    return Server(
        name="varnish",
        program=("varnishd",),
        arguments=lambda site: [
            *("-F", "-n", str(site.folder / "varnish"), "-a", site.listen),
            *("-b", f"127.0.0.1:{port}", "-s", "default,1g", "-T", "none"),
        ],
        version=("-V",),
        health=HEALTH,
        static=True,
    )


def _written(site: Site, name: str, text: str) -> Path:
    file = site.folder / name
    file.write_text(text, encoding="utf-8")
    return file
