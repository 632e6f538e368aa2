"""What `python -m benchmarks cdn` measures with: its origin, its marks, and one edge."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import cdn, edges, herd, origin
from benchmarks.cdn import Mark
from benchmarks.requests import GIB, MIB, payload
from benchmarks.servers import Server


def test_an_origin_has_the_same_bytes_wherever_one_begins() -> None:
    assert origin.content(1000, 990, 100) == payload(1000)[990:]
    assert origin.content(10 * GIB, 5 * GIB + 17, 100) == payload(MIB)[17:117]
    assert origin.content(10 * GIB, MIB - 10, 20) == payload(MIB)[-10:] + payload(MIB)[:10]


def test_a_mark_holds_at_its_bound_and_says_when_it_does_not() -> None:
    assert Mark("speed", 0.4, 0.4).holds
    assert not Mark("speed", 0.39, 0.4).holds
    assert Mark("blocks", 2, 2, at_least=False).holds
    assert Mark("blocks", 3, 2, at_least=False).row() == ("blocks", "3.00", "≤ 2", "NO")


@pytest.mark.usefixtures("sockets", "processes", "seconds")
def test_a_herd_at_an_edge_is_one_fetch_and_a_little_of_much_one_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def only(port: int, **_: Any) -> tuple[Server, ...]:
        return (edges.gateway(port, "waitress", "disk", settings="threads = 16"),)

    monkeypatch.setattr(cdn, "edges", only)
    monkeypatch.setattr(cdn, "SIZES", ((1, 10.0),))
    monkeypatch.setattr(herd, "SETTLED", 0.2)
    options = Namespace(parts=["cold"], clients=4, json=tmp_path / "marks.json")
    assert cdn.cdn(options, tmp_path / "place") == 0
    found = {one["what"]: one["figure"] for one in json.loads(options.json.read_text("utf-8"))}
    assert found["herd, gateway-disk-waitress, 1 MiB: not served"] == 0
    assert found["herd, gateway-disk-waitress, 1 MiB: fetches"] == 1
    assert found["100 bytes of a cold 10 GiB, gateway-disk-waitress: blocks"] <= 2
    assert "gateway-disk-waitress" in capsys.readouterr().out
