"""ceph/s3-tests: `test_s3.py` and `test_headers.py`, against `gateway serve` in a process of
its own, on a folder or in memory."""

from __future__ import annotations

import configparser
import os
import re
import secrets
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.yardsticks.lists import Outcome
from tests.yardsticks.serving import free_port, serving

FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
STORES = ("local", "memory")

OURS = "not bucket_logging"
"""For `pytest -k`: what Ceph adds to the logs of buckets is not S3's, and passes by chance."""

DAY = 10
"""Seconds of a day of lifecycle rules."""

KMS_KEYS = ("testkey-1", "testkey-2")

_LINE = re.compile(r"(PASSED|FAILED|ERROR) \S*?::(\S+)(?: - (.*))?")


class Person(NamedTuple):
    """Whom the suite signs as."""

    section: str
    account: str
    email: str
    key: str
    secret: str


def people() -> tuple[Person, ...]:
    return tuple(
        Person(f"s3 {name}", account, f"{account}@example.com", account * 4, secrets.token_hex(20))
        for name, account in (("main", "main"), ("alt", "alter"), ("tenant", "tenant"))
    )


def gateway_toml(known: tuple[Person, ...], port: int) -> str:
    """The gateway's configuration."""
    tables = "".join(
        f'[[accounts]]\nid = "{one.account}"\nname = "{one.account}"\nemail = "{one.email}"\n'
        f'[[keys]]\nid = "{one.key}"\nsecret = "{one.secret}"\naccount = "{one.account}"\n'
        for one in known
    )
    server = f'[server]\nlisten = "127.0.0.1:{port}"\nlifecycle_day = "{DAY}s"\n'
    return f"{server}[kms]\nkeys = {list(KMS_KEYS)}\n{tables}"


def suite_conf(known: tuple[Person, ...], port: int) -> configparser.ConfigParser:
    """The suite's configuration. It wants an IAM's sections to be there, too."""
    conf = configparser.ConfigParser(interpolation=None)
    conf["DEFAULT"] = {"host": "127.0.0.1", "port": str(port), "is_secure": "False"}
    conf["fixtures"] = {
        "bucket prefix": "yardstick-{random}-",
        "iam name prefix": "yardstick-",
        "iam path prefix": "/yardstick/",
    }
    for one in known:
        conf[one.section] = _section(one) | {"api_name": "us-east-1"}
    conf["s3 tenant"]["tenant"] = known[-1].account
    kms = {"kms_keyid": KMS_KEYS[0], "kms_keyid2": KMS_KEYS[1]}
    conf["s3 main"].update(kms, lc_debug_interval=str(DAY))
    for name in ("iam", "iam root", "iam alt root"):
        conf[name] = _section(known[0])
    conf["webidentity"] = dict.fromkeys(
        ("token", "aud", "sub", "azp", "user_token", "thumbprint", "kc_realm"), "none"
    )
    return conf


def _section(one: Person) -> dict[str, str]:
    return {
        "display_name": one.account,
        "user_id": one.account,
        "email": one.email,
        "access_key": one.key,
        "secret_key": one.secret,
    }


def outcome(printed: str) -> Outcome:
    """Of what `pytest -rA` printed."""
    passed, failed = set(), dict[str, str]()
    for line in printed.splitlines():
        if found := _LINE.fullmatch(line):
            if found[1] == "PASSED":
                passed.add(found[2])
            else:  # a test that passes and cannot clean up is both
                failed[found[2]] = found[3] or found[1].lower()
    return Outcome(frozenset(passed) - failed.keys(), failed)


def run(clone: Path, python: str, store: str, folder: Path, chosen: str = "") -> Outcome:
    """All tests, or those that an expression for `pytest -k` names. `folder` keeps the logs.
    Raises `RuntimeError` when the gateway or the suite does not run."""
    known, port = people(), free_port()
    conf = folder / "s3tests.conf"
    with conf.open("w", encoding="utf-8") as file:
        suite_conf(known, port).write(file)
    command = [python, "-m", "pytest", "-q", "-rA", "--tb=no", "-p", "no:cacheprovider", *FILES]
    command += ["-k", f"({chosen}) and {OURS}" if chosen else OURS]
    environment = {**os.environ, "S3TEST_CONF": str(conf), "AWS_MAX_ATTEMPTS": "1"}
    options = ["--memory"] if store == "memory" else []
    with serving(folder, gateway_toml(known, port), port, options):
        done = subprocess.run(
            command, cwd=clone, env=environment, capture_output=True, text=True, check=False
        )
    (folder / "pytest.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode not in (0, 1):  # https://docs.pytest.org/en/stable/reference/exit-codes.html
        raise RuntimeError(f"pytest did not come to its end; see {folder / 'pytest.txt'}")
    return outcome(done.stdout)
