"""http-tests/cache-tests: what a cache in front of an HTTP origin does, through a public binding,
the `cache` layer and the `http` driver. The suite's server is the origin.

Its cases for browsers alone, and those that only look at what a cache does, are no part of it.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.yardsticks.lists import Outcome
from tests.yardsticks.serving import free_port, listens, serving

SPACES = ("disk", "memory")

LONGEST = 600
"""Seconds of the suite, which takes one or two minutes."""

_JUDGE = """
const [folder, file] = process.argv.slice(1)
const { determineTestResult, resultTypes } = await import(folder + '/test-engine/lib/results.mjs')
const suites = (await import(folder + '/tests/index.mjs')).default
const results = JSON.parse((await import('node:fs')).readFileSync(file))
const found = { passed: [], failed: {} }
for (const suite of suites) for (const test of suite.tests) {
  if (test.browser_only || test.kind === 'check') continue
  const name = (test.kind || 'required') + ':' + test.id
  const result = results[test.id]
  if (determineTestResult(suites, test.id, results) === resultTypes.pass) found.passed.push(name)
  else found.failed[name] = Array.isArray(result) ? result.join(': ') : 'what it depends on failed'
}
console.log(JSON.stringify(found))
"""
"""By the suite's own rules; its name for a result that counts is `pass`."""


def gateway_toml(space: str, port: int, api: int, origin: int) -> str:
    """The gateway's configuration. What comes of a redirect is the client's to see; a cache in
    memory is that of one worker."""
    return f"""\
[server]
listen = ["127.0.0.1:{api}", "127.0.0.1:{port}"]
workers = {1 if space == "memory" else 2}
threads = 64
[services.web]
driver = "http"
url = "http://127.0.0.1:{origin}"
allow = "127.0.0.0/8"
max_redirects = 0
[services.edge]
driver = "cache"
source = "web"
space = "{space}"
client_may_refresh = true
[[bindings]]
mode = "public"
service = "edge"
port = {port}
methods = "all"
"""


def run(clone: Path, space: str, folder: Path) -> Outcome:
    """All cases. `folder` keeps the logs. Raises `RuntimeError` when the gateway or the suite
    does not run."""
    port, api, origin = free_port(), free_port(), free_port()
    words = {"protocol": "http", "port": str(origin), "pidfile": str(folder / "origin.pid")}
    words |= {"base": f"http://127.0.0.1:{port}", "id": ""}
    environment = {**os.environ, **{f"npm_config_{name}": one for name, one in words.items()}}
    environment["npm_package_config_id"] = ""
    with (folder / "origin.log").open("wb") as log:
        server = subprocess.Popen(
            ["node", "test-engine/server/server.mjs"],
            cwd=clone,
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            listens(server, origin)
            with serving(folder, gateway_toml(space, port, api, origin), port):
                done = subprocess.run(
                    ["node", "--no-warnings", "test-engine/cli.mjs"],
                    cwd=clone,
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=LONGEST,
                )
        finally:
            server.kill()
            server.wait()
    results = folder / "results.json"
    results.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        raise RuntimeError(f"The suite did not come to its end: {done.stderr[-2000:]}")
    judge = ["node", "--input-type=module", "-e", _JUDGE, str(clone), str(results)]
    return outcome(subprocess.run(judge, check=True, capture_output=True, text=True).stdout)


def outcome(printed: str) -> Outcome:
    """Of what the judge printed: names with their kinds in front, `required` or `optimal`."""
    found = json.loads(printed)
    return Outcome(frozenset(found["passed"]), found["failed"])
