"""The same work in many threads, or in several processes, beginning at the same moment."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from gateway.storage import StorageError
from gateway.testing.conformance.bench import Bench
from gateway.testing.conformance.under_test import DriverUnderTest
from gateway.testing.faults import PATIENCE

T = TypeVar("T")


class _Barrier(Protocol):
    def wait(self, timeout: float | None = None) -> int: ...


def together(count: int, work: Callable[[int], T]) -> list[T | StorageError]:
    """`work(0)` … `work(count - 1)` in as many threads; what each gave, or its `StorageError`."""
    barrier = threading.Barrier(count)

    def one(number: int) -> T | StorageError:
        barrier.wait(PATIENCE)
        try:
            return work(number)
        except StorageError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def in_processes(bench: Bench, count: int, work: Callable[[Bench, int], T]) -> list[T]:
    """`work` of a module, on the same store opened in as many other processes."""
    if not bench.driver.processes:
        pytest.skip("the store lives in one process")
    driver, alone = type(bench.driver), count == 1
    pool = _processes(max(count, 2))
    try:
        futures = [
            pool.submit(_run, driver, bench.folder, bench.sid, work, number, alone)
            for number in range(count)
        ]
        return [future.result() for future in futures]
    except BaseException:
        _processes.cache_clear()  # one may have ended, or stand at the barrier still
        pool.shutdown(wait=False, cancel_futures=True)
        raise


@cache
def _processes(count: int) -> ProcessPoolExecutor:
    """They stay until this one ends: each takes a second to begin, of which a test needs none."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(
        count, context, initializer=_arrive, initargs=(context.Barrier(count),)
    )


_barriers: list[_Barrier] = []


def _arrive(barrier: _Barrier) -> None:
    _barriers.append(barrier)


def _run(
    driver: type[DriverUnderTest],
    folder: Path,
    sid: str,
    work: Callable[[Bench, int], T],
    number: int,
    alone: bool,
) -> T:
    bench = Bench(driver(), folder, sid)
    try:
        if not alone:
            _barriers[-1].wait(PATIENCE)  # also keeps one process from doing the work of two
        return work(bench, number)
    finally:
        bench.close()
