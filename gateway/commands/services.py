"""`gateway services`: the chain as a tree, with sizes; below it what is in `added_services`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.access.access import Access
from gateway.access.identity import ROOT_ACCOUNT, Identity
from gateway.background.followers import FollowerState, states
from gateway.commands import added_services
from gateway.commands.columns import show
from gateway.commands.command import Command
from gateway.commands.place import add_place, configured, has_run, not_run
from gateway.common.units import about_size
from gateway.config import Configuration
from gateway.modes.volumes import VolumeInfo
from gateway.plugins.finding import Driver
from gateway.services.chain import Chain
from gateway.services.events import NAME as EVENTS
from gateway.services.runtime import Runtime, open_runtime
from gateway.services.service import Service
from gateway.services.telling import follower_of, target_of
from gateway.storage import NOTHING, Measures, Replicates, Stats, StorageError, VolumeStats

_OPERATOR = Identity(key="cli", account=ROOT_ACCOUNT, access="admin")


class Volume(NamedTuple):
    """`stats`: None where nobody counts, or nobody was asked."""

    info: VolumeInfo
    stats: VolumeStats | None


class Tree:
    """Services that stand in front of each other as trees, and buckets below them: first those
    that are in no volume, then each volume with its own. `links`
    are the ids of those that each stands in front of, `told` whom each tells of its changes, a
    line each. `drivers` say what services can do
    that are not open; those that are say it themselves, and their size."""

    def __init__(
        self,
        links: Mapping[str, Sequence[str]],
        services: Mapping[str, Service],
        drivers: Mapping[str, Driver] | None = None,
        told: Mapping[str, Sequence[str]] = NOTHING,
    ) -> None:
        self._links, self._services, self._drivers = links, services, drivers
        self._told = told

    def lines(self, made: Sequence[Access], volumes: Sequence[Volume] = ()) -> Iterator[str]:
        """What nothing stands in front of begins a tree; what has two in front of it is
        shown below both."""
        behind = {to for links in self._links.values() for to in links}
        for sid in sorted(self._services.keys() - behind):
            yield from self._below(sid, "", "")
        within: dict[str, list[Service]] = {"": []}
        for access in made:
            if not access.service.about.fixed:
                within.setdefault(access.service.about.volume, []).append(access.service)
        for service in within[""]:
            yield from self._lines(service, "", "")
        for volume in volumes:
            yield from self._volume(volume, within.get(volume.info.name, []))

    def _volume(self, volume: Volume, buckets: Sequence[Service]) -> Iterator[str]:
        info, stats = volume
        origin = "declared" if info.declared else "made"
        used = "" if stats is None else f", {_buckets(stats)}, {about_size(stats.used)}"
        quota = "" if info.quota is None else _share(stats and stats.used, info.quota)
        yield f"{info.name} (volume), {origin}, owner {info.owner}{used}{quota}"
        for number, service in enumerate(buckets, 1):
            last = number == len(buckets)
            more = "   " if last else "│  "
            yield from self._lines(service, "└─ " if last else "├─ ", more)

    def _below(self, sid: str, first: str, rest: str) -> Iterator[str]:
        links = self._links[sid]
        yield from self._lines(self._services[sid], first, rest + ("│" if links else " "))
        for to in links:
            last = to is links[-1]
            more = rest + ("   " if last else "│  ")
            yield from self._below(to, rest + ("└─ " if last else "├─ "), more)

    def _lines(self, service: Service, first: str, rest: str) -> Iterator[str]:
        about = service.about
        made = "added" if about.added else "made by API"
        origin = "declared" if about.declared else made
        if about.part_of:
            origin = f"of the {about.part_of}"
        if self._drivers is None:
            able, unknown = service.capabilities()
            size = _size(service)
        else:
            able, unknown = [*self._drivers[about.driver].capabilities], None
            size = ""
        place = f", in the volume {about.volume}" if about.fixed and about.volume else ""
        yield f"{first}{about.sid} ({about.driver}), {origin}, owner {about.owner}{place}{size}"
        yield f"{rest}    can: get, {', '.join(able) or 'nothing else'}"
        if unknown is not None:
            yield f"{rest}    what else it can do is not known: {unknown}"
        yield from (f"{rest}    {line}" for line in self._told.get(about.sid, ()))


def _size(service: Service) -> str:
    try:
        measures = service.find(Measures)
        if measures is None:
            return ""
        stats = measures.stats()
    except StorageError as error:
        return f", its size is not known: {error}"
    return f", {stats.objects} objects, {about_size(stats.bytes)}{_of_quota(stats)}"


def _of_quota(stats: Stats) -> str:
    return "" if stats.quota is None else _share(stats.bytes + stats.waiting, stats.quota)


def _share(used: int | None, quota: int) -> str:
    if used is None:
        return f"; a quota of {about_size(quota)}"
    share = 100 * used // quota if quota else 100
    return f"; {about_size(used)} of the quota of {about_size(quota)} used ({share} %)"


def _buckets(stats: VolumeStats) -> str:
    return f"{stats.buckets} bucket{'' if stats.buckets == 1 else 's'}"


def _volumes(runtime: Runtime) -> Iterator[Volume]:
    """All of them, with what is known of how much is in them."""
    after: str | None = ""
    while after is not None:
        page = runtime.volumes.list(_OPERATOR, every=True, after=after)
        used = runtime.volumes.used([one.name for one in page.items])
        yield from (Volume(one, used.get(one.name)) for one in page.items)
        after = page.next


def _planned(configuration: Configuration) -> list[Volume]:
    return [
        Volume(VolumeInfo(name=name, owner=one.account, quota=one.quota, declared=name), None)
        for name, one in sorted(configuration.volumes.items())
    ]


def _told(
    runtime: Runtime, folder: Path | None, opened: Mapping[str, Service]
) -> dict[str, list[str]]:
    """What services follow, whom they tell of their changes, and how far that is."""
    known = {} if folder is None else states(folder)
    followed = dict(_followed(known, opened, runtime.clock()))
    told = _events(known, runtime)
    return {sid: followed.get(sid, []) + told.get(sid, []) for sid in followed | told}


def _followed(
    known: Mapping[str, FollowerState], opened: Mapping[str, Service], now: int
) -> Iterator[tuple[str, list[str]]]:
    for sid, service in opened.items():
        replica = service.store.find(Replicates)
        if replica is not None and replica.followed:
            progress = _progress(known.get(f"replica {sid}"), now)
            yield sid, [f"follows {replica.followed}: {progress}"]


def _events(known: Mapping[str, FollowerState], runtime: Runtime) -> dict[str, list[str]]:
    """Events are those of now; of others it is known what is followed."""
    events = {
        follower_of(EVENTS, sid, one)
        for sid, _, webhooks in runtime.events.telling()
        for one in webhooks or ()
    }
    found: dict[str, list[str]] = {}
    for name in sorted(events | known.keys()):
        document, target = target_of(name) or ("", None)
        if target is not None and (name in events or document != EVENTS):
            progress = _progress(known.get(name), runtime.clock())
            line = f"tells {target.webhook} ({document}): {progress}"
            found.setdefault(target.sid, []).append(line)
    return found


def _progress(state: FollowerState | None, now: int) -> str:
    if state is None:
        return "not yet"
    error = f"; failed {state.failures} times in a row: {state.error}" if state.failures else ""
    if not state.lag:
        return f"all up to sync id {state.done}{error}"
    age = "" if state.since is None else f", the oldest {(now - state.since) / 1000:.0f} s old"
    return f"{state.lag} changes behind{age}{error}"


def _run(typed: argparse.Namespace) -> int:
    """Opens the stores for their sizes when the gateway has run here; else shows the plan."""
    configuration = configured(typed)
    if not has_run(configuration):
        chain = Chain(configuration)
        tree = Tree(_links(configuration), chain.services, configuration.plugins.drivers)
        show(tree.lines([], _planned(configuration)))
        print(f"No sizes: {not_run(configuration)}")
        return 0
    runtime = open_runtime(configuration)
    try:
        runtime.added.sync()
        runtime.added.open_all()
        made = runtime.services(_OPERATOR)
        added = runtime.added.all_shown
        links = {sid: one.behind for sid, one in added.items()} | _links(configuration)
        opened = {sid: one.service for sid, one in added.items()} | dict(runtime.chain.services)
        told = _told(runtime, configuration.data, opened)
        show(Tree(links, opened, told=told).lines(made, [*_volumes(runtime)]))
    finally:
        runtime.close()
    return 0


def _links(configuration: Configuration) -> dict[str, tuple[str, ...]]:
    return {sid: tuple(one.links.values()) for sid, one in configuration.services.items()}


COMMAND = Command(
    name="services",
    text="the chain as a tree, with sizes; or add, set, remove and show one, also while serving",
    arguments=add_place,
    run=_run,
    commands=added_services.COMMANDS,
)
