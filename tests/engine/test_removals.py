"""Files that nothing needs go behind the commits, whatever one of them is like."""

from __future__ import annotations

import threading

import pytest

from drivers.indexed.removals import Removals


def test_a_file_that_cannot_be_removed_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    gone: list[str] = []

    def remove(name: str) -> None:
        if name == "open":
            raise PermissionError(name)
        if name == "odd":
            raise ValueError("embedded null byte")
        gone.append(name)

    removals = Removals(remove)
    removals.add(["a", "open", "odd", "b"])
    removals.add(["odd", "c"])
    removals.close()
    assert gone == ["a", "b", "c"]
    assert caplog.text.count("Traceback") == 2


def test_without_a_thread_the_commit_holds_and_the_files_go_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone: list[str] = []
    removals = Removals(gone.append)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        removals.add(["a"])
    assert gone == []
    removals.add(["b"])
    removals.close()
    assert gone == ["a", "b"]
