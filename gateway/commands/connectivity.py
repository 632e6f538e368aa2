"""`gateway check --connect`: each upstream is tried with a read, and what it can do is told.

Only stores that have something behind them are opened (those with a `probe` of
their own), so nothing is created. What fails is named by its place.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.config import SID, SID_RULE, Configuration
from gateway.services.chain import Chain
from gateway.storage import Buckets, Context, Probe, Shared, StorageError, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One upstream: `probe`, or `error` when it could not be read. `taken` are buckets of an
    account that stay hidden, and why."""

    place: str
    driver: str
    seconds: float
    probe: Probe | None = None
    error: str = ""
    taken: Mapping[str, str]


def connect(configuration: Configuration) -> Iterator[Tried]:
    """Each upstream of the configuration, in the order of the chain."""
    chain, shared = Chain(configuration), Shared()
    for place, sid, store in chain.upstreams():
        context = Context(sid=sid, folder=configuration.data, shared=shared)
        began = time.perf_counter()
        try:
            probe, taken = _tried(store, context, configuration)
        except (StorageError, OSError, ValueError) as error:
            seconds = time.perf_counter() - began
            yield Tried(
                place=place, driver=store.driver, seconds=seconds, error=str(error), taken={}
            )
            continue
        seconds = time.perf_counter() - began
        yield Tried(place=place, driver=store.driver, seconds=seconds, probe=probe, taken=taken)


def _tried(
    store: Store, context: Context, configuration: Configuration
) -> tuple[Probe | None, Mapping[str, str]]:
    store.open(context)
    try:
        probe = store.probe()
        account = store.find(Buckets)
        names = [] if account is None else [one.name for one in account.buckets()]
    finally:
        store.close()
    taken = {name: f"services.{name}" for name in names if name in configuration.services}
    taken.pop(context.sid, None)  # the account itself is no bucket
    taken |= {name: SID_RULE for name in names if not SID.fullmatch(name)}
    return probe, taken


def lines(tried: Tried) -> Iterator[str]:
    """As a person reads it."""
    took = f"{tried.seconds * 1000:.0f} ms"
    if tried.probe is None:
        yield f"ERROR: {tried.place} ({tried.driver}): {tried.error} (after {took})"
        return
    yield f"  upstream   {tried.place} ({tried.driver}): {tried.probe.target}: fine, {took}"
    for word, wanted in (("can", True), ("cannot", False), ("not known", None)):
        names = [name for name, can in tried.probe.can.items() if can is wanted]
        if names:
            yield f"             {word}: {', '.join(names)}"
    for note in tried.probe.notes:
        yield f"             {note}"
    for name, why in tried.taken.items():
        yield f"WARNING: {tried.place}: its bucket {name!r} stays hidden: {why}"
