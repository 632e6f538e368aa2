"""Large pictures made small: the gateway's `image` layer, with each of its engines, beside thumbor.

One JPEG of 36 megapixels, read from a disk by both and made anew for each request (no cache), at
the same quality: to fit into 512 × 512, and to fill it. As many processes as there are processors.
"""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median

from benchmarks import starting
from benchmarks.connection import Connection
from benchmarks.herd import watched
from benchmarks.load import with_own
from benchmarks.processes import cpu_seconds, memory
from benchmarks.seeding import put_all
from benchmarks.servers import CREDENTIALS, Server, Site
from benchmarks.signing import Request
from benchmarks.speed import say, settle
from benchmarks.starting import Missing, Running
from benchmarks.workloads import Workload
from gateway.common.cpu_quota import usable_processors

WIDTH, HEIGHT, SIDE, QUALITY = 7360, 4912, 512, 82
CLIENTS = 4
ENGINES = {"pyvips": "pyvips", "pillow": "PIL"}
"""By name, the module that it needs."""
BUCKET, NAME = "originals", "picture.jpg"
PATHS = {
    "fit": (f"/unsafe/fit-in/{SIDE}x{SIDE}/{NAME}", f"/resized/{NAME}?w={SIDE}&h={SIDE}"),
    "fill": (f"/unsafe/{SIDE}x{SIDE}/{NAME}", f"/resized/{NAME}?w={SIDE}&h={SIDE}&c=1"),
}
"""What is asked of thumbor, and of the gateway."""


@dataclass(slots=True, kw_only=True)
class Maker:
    """One that makes pictures. `rates`: pictures per second, round by round; `peak`: bytes that all
    its processes have together; `cpu`: seconds that they took."""

    name: str
    running: Running
    path: str
    rates: list[float] = field(default_factory=list)
    peak: int = 0
    cpu: float = 0.0
    made: int = 0

    @property
    def rate(self) -> float:
        return median(self.rates)

    def beside(self, other: Maker) -> float:
        pairs = zip(self.rates, other.rates, strict=True)
        return median(one / two if two else 0.0 for one, two in pairs)


def pictures(options: Namespace, place: Path) -> dict[str, list[Maker]]:
    """By what is asked for (`PATHS`), thumbor first. Raises `Missing`."""
    if find_spec("PIL") is None:
        raise Missing("Pillow, which makes the picture, is not here")
    (place / NAME).write_bytes(_picture())
    with ExitStack() as stack:
        started = [_started(stack, one, place) for one in makers(place)]
        found = {}
        for what, (theirs, ours) in PATHS.items():
            found[what] = [
                Maker(
                    name=one.server.name,
                    running=one,
                    path=theirs if one.server.kind == "peer" else ours,
                )
                for one in started
            ]
            _rounds(what, found[what], options, place)
    return found


def _rounds(what: str, makers: list[Maker], options: Namespace, place: Path) -> None:
    for one in makers:
        _check(one, high=SIDE if what == "fill" else 0)
    for number in range(options.rounds):
        for one in makers:
            _slice(one, options, place)
        say(f"{what}  round {number + 1}  {[round(one.rates[-1], 1) for one in makers]}")


def _started(stack: ExitStack, server: Server, place: Path) -> Running:
    running = stack.enter_context(starting.running(server, place / server.name))
    if server.kind != "peer":
        put_all(running.target, [(f"/{BUCKET}/{NAME}", (place / NAME).read_bytes())])
    return running


def _slice(one: Maker, options: Namespace, place: Path) -> None:
    path, _, query = one.path.partition("?")
    said = dict(pair.split("=") for pair in query.split("&")) if query else {}

    def request(_: Workload, __: int) -> Request:
        return Request(method="GET", path=path, query=said, signed=False)

    load = Workload(name="picture", title="", request=request, distinct=CLIENTS,
                    connections=CLIENTS, huge=True)  # fmt: skip
    settle()
    before = cpu_seconds(one.running.usage())
    with watched(one.running, memory) as peak:
        sample = with_own(place, load, one.running.target, options.seconds)
    after = cpu_seconds(one.running.usage())
    if sample.errors:
        raise Missing(f"{one.name}: {dict(sample.errors)}")
    one.rates.append(sample.rate)
    one.peak = max(one.peak, *peak)
    one.cpu += (after or 0.0) - (before or 0.0)
    one.made += sample.requests


def _check(one: Maker, high: int) -> None:
    """One picture, which must be what was asked for. `high`: how high it must be; 0: as it is."""
    import io

    from PIL import Image

    head = f"GET {one.path} HTTP/1.1\r\nHost: {one.running.target.host}\r\n\r\n"
    connection = Connection(one.running.target.address, 60)
    try:
        answer = connection.exchange(head.encode(), keep=True)
    finally:
        connection.close()
    if answer.status != 200:
        raise Missing(f"{one.name}: answered {answer.status}")
    with Image.open(io.BytesIO(answer.body)) as made:
        if made.format != "JPEG" or made.width != SIDE or high not in (0, made.height):
            raise Missing(f"{one.name}: made {made.format} of {made.size}")


def _picture() -> bytes:
    """Something like a photograph: soft, with some noise."""
    import io

    from PIL import Image, ImageChops

    small = Image.effect_noise((WIDTH // 64, HEIGHT // 64), 90)
    planes = [
        small.transpose(turn).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        for turn in (
            Image.Transpose.FLIP_LEFT_RIGHT,
            Image.Transpose.FLIP_TOP_BOTTOM,
            Image.Transpose.ROTATE_180,
        )
    ]
    noise = Image.effect_noise((WIDTH, HEIGHT), 12)
    made = Image.merge("RGB", [ImageChops.add(one, noise, scale=2) for one in planes])
    out = io.BytesIO()
    made.save(out, "JPEG", quality=90)
    return out.getvalue()


# the servers


def makers(place: Path) -> Iterator[Server]:
    yield Server(
        name="thumbor",
        program=("thumbor",),
        arguments=lambda site: [
            *("--ip", site.target.host, "--port", str(site.target.port)),
            *("--processes", str(usable_processors())),
            *("--conf", str(_thumbor_file(site, place))),
        ],
        health="/healthcheck",
        static=True,
    )
    for engine, module in ENGINES.items():
        if find_spec(module) is not None:
            yield _gateway(engine)


def _thumbor_file(site: Site, place: Path) -> Path:
    file = site.folder / "thumbor.conf"
    text = f"""
LOADER = 'thumbor.loaders.file_loader'
FILE_LOADER_ROOT_PATH = {str(place)!r}
STORAGE = 'thumbor.storages.no_storage'
RESULT_STORAGE = None
QUALITY = {QUALITY}
ALLOW_UNSAFE_URL = True
"""
    file.write_text(text, encoding="utf-8")
    return file


def _gateway(engine: str) -> Server:
    return Server(
        name=f"gateway-{engine}",
        program=(sys.executable, "-m", "gateway"),
        arguments=lambda site: ["serve", "--config", str(_gateway_file(site, engine))],
        environment=lambda _: {
            "GATEWAY_ROOT_ACCESS_KEY": CREDENTIALS.access,
            "GATEWAY_ROOT_SECRET_KEY": CREDENTIALS.secret,
        },
        health="/-/health/ready",
        kind="gateway",
    )


def _gateway_file(site: Site, engine: str) -> Path:
    file = site.folder / "gateway.toml"
    text = f"""
        [server]
        listen = "{site.listen}"
        data = '{site.data}'
        [services.{BUCKET}]
        driver = "local"
        [services.resized]
        driver = "image"
        source = "{BUCKET}"
        engine = "{engine}"
        quality = {QUALITY}
        [[bindings]]
        host = "{site.target.host}"
        prefix = "/resized"
        mode = "public"
        service = "resized"
    """
    file.write_text(text, encoding="utf-8")
    return file
