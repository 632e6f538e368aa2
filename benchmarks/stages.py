"""`python -m benchmarks stages`: where the microseconds of one GET and one PUT (1 KiB) go.

Requests are signed as boto3 signs them and recorded as granian hands them over; then they
are given to the gateway's application in this process, one after the other, with the
functions in `STAGES` wrapped. Beside it stands what a worker of each server takes under load, and
what granian does without a gateway.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import seeding, speed, starting
from benchmarks.figures import Figure
from benchmarks.load import generator
from benchmarks.profiling import KINDS, Profile, profile
from benchmarks.recording import recorded
from benchmarks.report import load_average, markdown
from benchmarks.servers import UNDER, Server, bare, gateway
from benchmarks.workloads import WORKLOADS

STAGES: Mapping[str, tuple[str, ...]] = {
    "dispatch": ("gateway.web.app:App.__call__", "gateway.web.doors:Doors.choose"),
    "parse": (
        "gateway.modes.s3.request:S3Request.__init__",
        "gateway.modes.s3.application:find_operation",
        "gateway.modes.s3.resources.objects:reading",
        "gateway.modes.s3.headers:new_object",
        "gateway.web.http_fields:write_conditions",
        "gateway.modes.s3.bodies:receive",
    ),
    "signature": ("gateway.modes.s3.application:who",),
    "permission": (
        "gateway.modes.s3.request:S3Request.open",
        "gateway.access.access:Access.require",
        "gateway.access.access:Access.get",
        "gateway.access.access:Access.put",
    ),
    "body": ("gateway.storage.intake:Intake.read_all",),
    "store": (
        "drivers.indexed.reading:ReadingView.get",
        "drivers.indexed.writing:WritingView.put",
    ),
    "index": (
        "drivers.indexed.space:FileSpace.one",
        "drivers.indexed.space:MemorySpace.one",
        "drivers.indexed.commit:GroupCommit.write",
        "drivers.indexed.commit:Serial.write",
    ),
    "render": (
        "gateway.modes.s3.application:S3Application.__call__",
        "gateway.modes.s3.application:S3Application.answer",
        "gateway.web.replies:send",
        "gateway.modes.s3.replies:described",
        "gateway.modes.s3.replies:checksums",
        "gateway.modes.s3.replies:written",
    ),
    "log, metrics": ("gateway.web.app:App._over",),
}
"""The functions of each stage. Time counts for the stage that was entered last."""

MEANING = {
    "dispatch": "the application around the modes: request id, doors, admission",
    "parse": "path, query, headers, which operation",
    "signature": "canonical request, HMAC, the key's account",
    "permission": "which service, and may this key do that",
    "body": "read, MD5, SHA-256 and CRC-32 of what is put",
    "store": "from the service to the index, and back to an object",
    "index": "SQL, and its commit: of one writer alone, so the disk is waited for",
    "render": "the handler, the answer's headers and body",
    "log, metrics": "in the request's thread",
}


def served(server: Server, place: Path, options: Namespace) -> dict[str, Figure]:
    """What one worker does under load: rate, and CPU of all its threads for each request."""
    _, generate = generator(options.load)
    found = {}
    with starting.running(server, place) as one:
        for kind in KINDS:
            workload = WORKLOADS["get-1k" if kind == "GET" else "put-1k"]
            if server.static:
                workload = replace(workload, least=0)
            else:
                seeding.prepare(workload, one)
            samples = [
                speed.slice_of(workload, one, generate, place, options.seconds)
                for _ in range(options.rounds + 1)
            ]
            found[kind] = Figure.of(samples[1:])
    return found


def stages(options: Namespace, place: Path) -> int:
    """The command."""
    print(f"load average before: {load_average()}\n")
    given = recorded(place)
    speed.say("stages  granian without a gateway")
    nothing = served(bare(1), place / "bare", options)
    results: dict[str, Any] = {"bare": {kind: nothing[kind].cpu for kind in KINDS}}
    for store in ("local", "memory"):
        speed.say(f"stages  {store}")
        folder = place / store
        folder.mkdir()
        profiles = profile(store, folder, given, STAGES)
        workers = {
            server: served(gateway(store, server, settings="workers = 1\n"),
                           place / f"{store}-{server}", options)
            for server in UNDER
        }  # fmt: skip
        print(f"{table(store, profiles, nothing, workers)}\n")
        results[store] = {
            kind: _as_json(profiles[kind], {name: one[kind] for name, one in workers.items()})
            for kind in KINDS
        }
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0


def _as_json(one: Profile, workers: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        "wall": dict(one.wall),
        "cpu": dict(one.cpu),
        "whole": one.whole,
        "whole_cpu": one.whole_cpu,
        "behind": one.behind,
        "served": {name: {"cpu": one.cpu, "rate": one.rate} for name, one in workers.items()},
    }


def table(
    store: str,
    profiles: Mapping[str, Profile],
    bare: Mapping[str, Figure],
    workers: Mapping[str, Mapping[str, Figure]],
) -> str:
    """A line for each stage, then sums beside the wholes."""
    both = [profiles[kind] for kind in KINDS]

    def line(name: str, values: Iterable[float | None], meaning: str) -> list[str]:
        return [name, *("–" if one is None else f"{one:.1f}" for one in values), meaning]

    rows = [
        line(
            stage,
            [v for one in both for v in (one.wall.get(stage, 0.0), one.cpu.get(stage, 0.0))],
            MEANING[stage],
        )
        for stage in STAGES
    ]
    sums = [v for one in both for v in (sum(one.wall.values()), sum(one.cpu.values()))]
    rows += [
        line("sum of the stages", sums, ""),
        line("the same, nothing wrapped", [v for one in both for v in (one.whole, one.whole_cpu)],
             "the whole application, with the loop that calls it"),
        line("behind the request", [v for one in both for v in (None, one.behind)],
             "threads: the log's lines"),
        line("server", [v for kind in KINDS for v in (None, bare[kind].cpu)],
             "granian with a function that does nothing"),
        *(line(f"a worker of {name}", [v for kind in KINDS for v in (None, one[kind].cpu)],
               "under load; threads that wait for each other cost too: "
               + ", ".join(f"{one[kind].rate:,.0f} {kind}/s" for kind in KINDS))
          for name, one in workers.items()),
    ]  # fmt: skip
    head = [store, "GET µs", "CPU", "PUT µs", "CPU", "what"]
    return markdown(head, rows)
