"""What tests of the commands about one service share: a clock, and a way to run them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.access.identity import Identity
from gateway.commands.main import main

ADMIN = Identity(key="k", account="root", access="admin")
NOON = 1_772_366_400_000
"""2026-03-01T12:00:00Z"""

Run = Callable[..., tuple[int, list[str], str]]
"""(exit code, lines, what went to stderr)."""


class Clock:
    time = NOON

    def __call__(self) -> int:
        return self.time


def runner(
    command: str,
    configuration: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """The command, in a folder with that configuration, and nothing of the environment's."""
    for name in [one for one in os.environ if one.startswith("GATEWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    (folder / "gateway.toml").write_text(configuration)

    def run(*arguments: str) -> tuple[int, list[str], str]:
        try:
            code = main([command, *arguments])
        except SystemExit as leaving:  # argparse's way to end
            code = int(leaving.code or 0)
        said = capsys.readouterr()
        return code, said.out.splitlines(), said.err

    return run
