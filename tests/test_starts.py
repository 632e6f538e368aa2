"""What a start imports: people wait for it at each command, and each process of a gateway pays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.commands.main import COMMANDS

pytestmark = pytest.mark.usefixtures("processes")

IMPORTED = """
import sys
from gateway.commands.main import parser_for
parser_for(sys.argv[1:])
if sys.argv[1] == "serve":
    from gateway.plugins.finding import Plugins
    Plugins.load()
print(*sys.modules)
"""

LARGE = {"sqlalchemy", "cryptography", "gateway.config", "gateway.servers", "gateway.storage"}
"""A message about a version is there before these are."""

UNASKED = {
    # of others, until what needs them is configured or asked for
    *("awscrt", "boto3", "botocore", "fsspec", "s3fs", "urllib3", "PIL", "pyvips", "maxminddb"),
    *("jinja2", "psycopg", "falcon", "granian", "waitress", "prometheus_client"),
    *("sqlalchemy.orm", "sqlalchemy.dialects.postgresql", "unittest", "pytest"),
    # ours: what no gateway is asked for that nobody has asked yet
    *("gateway.testing", "gateway.modes.console.application", "gateway.modes.console.pages"),
    *("gateway.modes.management.application", "gateway.modes.ozone.application"),
    *("gateway.modes.cdn.application", "gateway.modes.cdn.functions"),
    *("gateway.modes.s3.operations", "gateway.modes.standard.functions", "gateway.web.api"),
}


def imported(command: str) -> set[str]:
    words = [sys.executable, "-c", IMPORTED, command]
    return set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())


def commands_in(modules: set[str]) -> set[str]:
    return {one for one in COMMANDS if f"gateway.commands.{one}" in modules}


def test_a_short_command_imports_what_is_its_own() -> None:
    found = imported("version")
    assert commands_in(found) == {"version"}
    assert not found & LARGE


def test_a_server_imports_what_serves_and_its_plugins() -> None:
    found = imported("serve")
    assert commands_in(found) == {"serve"}
    assert {"drivers.local", "gateway.modes.s3"} <= found
    assert not found & UNASKED
