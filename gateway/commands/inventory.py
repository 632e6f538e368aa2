"""What `gateway drivers`, `gateway keys list` and `gateway services` print: text only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from gateway.access.access import Access
from gateway.access.identity import KeyAccess
from gateway.catalog import KeyInfo
from gateway.common.units import about_size
from gateway.plugins.finding import Driver
from gateway.plugins.options import describe, describe_default
from gateway.services.service import Service
from gateway.storage import CAPABILITIES, Layer, Measures


def show(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()


def drivers(known: Mapping[str, Driver]) -> Iterator[str]:
    for name in sorted(known):
        driver = known[name]
        what = "layer" if issubclass(driver.kind, Layer) else "store"
        yield f"{name} ({what}, of the plugin {driver.plugin}: {driver.kind.__module__})"
        if driver.origin:
            yield f"  from {driver.origin}"
        yield f"  can: get, {', '.join(driver.capabilities) or 'nothing else'}"
        if not driver.kind.shared:
            yield "  lives in one process: the server runs one worker"
        options = [
            (f"  {one.name}", _default(one.required, describe_default(one)), describe(one.kind))
            for one in driver.options.values()
        ]
        yield from table(options) if options else ["  no options"]
        yield ""


def _default(required: bool, default: str) -> str:
    return "(required)" if required else f"= {default}" if default else "(optional)"


def access_text(access: KeyAccess) -> str:
    if isinstance(access, str):
        return access
    return ",".join(f"{sid}={level}" for sid, level in access.items()) or "none"


def keys(found: Sequence[KeyInfo]) -> Iterator[str]:
    rows = [("ID", "ACCOUNT", "ACCESS", "STATE", "DESCRIPTION")]
    for key in found:
        state = f"declared ({key.declared})" if key.declared else _state(key)
        rows.append((key.id, key.account, access_text(key.access), state, key.description))
    yield from table(rows)


def _state(key: KeyInfo) -> str:
    if not key.active:
        return "revoked"
    return "set aside" if key.set_aside else "active"


class Tree:
    """Services that stand in front of each other as trees, and buckets below them. `links`
    are the ids of those that each stands in front of. `drivers` say what services can do
    that are not open; those that are say it themselves, and their size."""

    def __init__(
        self,
        links: Mapping[str, Sequence[str]],
        services: Mapping[str, Service],
        drivers: Mapping[str, Driver] | None = None,
    ) -> None:
        self._links, self._services, self._drivers = links, services, drivers

    def lines(self, made: Sequence[Access]) -> Iterator[str]:
        """What nothing stands in front of begins a tree; what has two in front of it is
        shown below both."""
        behind = {to for links in self._links.values() for to in links}
        for sid in sorted(self._services.keys() - behind):
            yield from self._below(sid, "", "")
        for access in made:
            if not access.service.about.fixed:
                yield from self._lines(access.service, "", "")

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
        if self._drivers is None:
            able = tuple(one.__name__ for one in CAPABILITIES if service.find(one) is not None)
            size = _size(service)
        else:
            able, size = self._drivers[about.driver].capabilities, ""
        yield f"{first}{about.sid} ({about.driver}), {origin}, owner {about.owner}{size}"
        yield f"{rest}    can: get, {', '.join(able) or 'nothing else'}"


def _size(service: Service) -> str:
    measures = service.find(Measures)
    if measures is None:
        return ""
    stats = measures.stats()
    return f", {stats.objects} objects, {about_size(stats.bytes)}"
