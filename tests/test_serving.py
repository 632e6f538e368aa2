"""Which changes of services and bindings every worker serves by now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.catalog import BindingRow, open_catalog
from gateway.config import Binding, load
from gateway.services.keeping_up import KeepingUp
from gateway.services.runtime import open_runtime
from gateway.services.serving import FOLDER, Serving


def test_the_slowest_of_the_workers_that_live_counts(tmp_path: Path) -> None:
    one, two, beside = Serving(tmp_path), Serving(tmp_path), Serving(tmp_path)
    assert beside.everywhere() == 0
    assert one.note(3) and beside.everywhere() == 3
    assert two.note(12) and one.note(11) and one.everywhere() == beside.everywhere() == 11
    one.close()
    one.close()
    assert beside.everywhere() == 12
    two.close()
    assert beside.everywhere() == 0


def test_one_that_died_keeps_nobody_waiting(tmp_path: Path) -> None:
    died, lives = Serving(tmp_path), Serving(tmp_path)
    died.note(1)
    lives.note(5)
    assert died._lock is not None
    died._lock.close()  # as its end does, however it ends
    assert lives.everywhere() == 5
    later = Serving(tmp_path)
    later.note(6)
    assert len(list((tmp_path / FOLDER).glob("*.worker"))) == 2
    for one in (lives, later):
        one.close()


def test_without_a_folder_it_is_one_process() -> None:
    alone = Serving(None)
    assert alone.everywhere() == 0
    assert alone.note(4) and alone.everywhere() == 4


def test_what_cannot_be_written_down_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("no folder", encoding="utf-8")
    worker = Serving(tmp_path)
    assert not worker.note(4)
    (tmp_path / FOLDER).unlink()
    assert worker.note(4) and worker.everywhere() == 4
    worker.close()


@pytest.fixture
def text(tmp_path: Path) -> Path:
    file = tmp_path / "gateway.toml"
    file.write_text(
        '[server]\ndata = "data"\n[services.base]\ndriver = "local"\n', encoding="utf-8"
    )
    return file


def test_a_worker_says_what_it_serves_when_it_has_bound_it(text: Path) -> None:
    configuration = load(text, environ={})
    catalog = open_catalog(configuration, {})
    worker, beside = open_runtime(configuration, environ={}), Serving(configuration.data)
    seen: list[tuple[int, int]] = []

    def bind(bindings: Sequence[Binding]) -> None:
        seen.append((len(bindings), beside.everywhere()))

    decoded: list[str] = []
    of = worker.added.binding

    def counted(row: BindingRow) -> Binding:
        decoded.append(row.host)
        return of(row)

    worker.added.binding = counted  # type: ignore[method-assign]
    keeping_up = KeepingUp(worker.catalog.version, worker.added, bind, (), worker.serving.note)
    try:
        keeping_up.notice()
        for number, host in enumerate(("a.test", "b.test")):
            row = BindingRow(host, 0, "", "public", "base", {"listing": True})
            catalog.add_binding(row, since=number)
            assert beside.everywhere() == number
            keeping_up.notice()
            assert beside.everywhere() == number + 1
        assert seen == [(0, 0), (1, 0), (2, 1)]
        assert decoded == ["a.test", "b.test"]  # what has not changed is not read again
    finally:
        worker.close()
        worker.serving.close()
        catalog.close()
