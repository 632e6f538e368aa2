"""Reports, for whoever may read them: implements `gateway.modes.reports.Reports`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from gateway.access.access import Access
from gateway.access.actions import ServiceAction
from gateway.access.identity import Identity
from gateway.access.rules import UNKNOWN, Facts
from gateway.storage import Forbidden, InvalidRequest, NoSuchStore, Unavailable, Unsupported
from gateway.telemetry.report_file import ReportFile
from gateway.telemetry.reports import LENGTHS, Asked, Period, Report, Size, Sum, report

Find = Callable[[Identity, str, Facts], Access]


class KeptReports:
    """`find` is that of the gateway; `clock` in milliseconds. `file` None: none are kept."""

    def __init__(self, file: ReportFile | None, find: Find, clock: Callable[[], int]) -> None:
        self._file, self._find, self._clock = file, find, clock
        self.kept = file is not None

    def read(
        self, identity: Identity, asked: Asked, period: Period, facts: Facts = UNKNOWN
    ) -> Report:
        begun = self._begun(identity, asked.names, "read-requests", facts)
        with self._opened() as file:
            complete = file.complete(self._clock() / 1000, period.since, period.until)
            with closing(file.read(asked, period, begun)) as rows:
                try:
                    return report(asked, period, rows, complete)
                except ValueError as error:
                    raise InvalidRequest(f"{error}.") from None

    def total(
        self,
        identity: Identity,
        names: Collection[str],
        since: int,
        until: int,
        door: str | None = None,
        facts: Facts = UNKNOWN,
    ) -> Sum:
        begun = self._begun(identity, names, "read-requests", facts)
        with self._opened() as file:
            return file.total(names, since, until, door, begun)

    def sizes(
        self,
        identity: Identity,
        services: Collection[str],
        period: Period,
        facts: Facts = UNKNOWN,
    ) -> Sequence[Size]:
        begun = self._begun(identity, services, "read-stats", facts)
        if LENGTHS[period.by] < LENGTHS["hour"]:
            raise InvalidRequest("What is in services is measured each hour.")
        slots, found = period.slots, dict[tuple[str, int], Size]()
        with self._opened() as file:
            for sid, time, size in file.sizes(services, slots, begun):
                found[sid, (time - slots.start) // slots.step] = size
        sums = [Size(0, 0)] * len(slots)
        for (_, place), size in found.items():
            before = sums[place]
            sums[place] = Size(before.bytes + size.bytes, before.objects + size.objects)
        return sums

    def _begun(
        self, identity: Identity, names: Collection[str], action: ServiceAction, facts: Facts
    ) -> Mapping[str, int]:
        """Since when each is what it is, in seconds: what was asked of another service of that
        name, before this one was made, is not its reader's business. Raises `NoSuchStore`."""
        if identity.manages_everything:  # what is gone, too
            return {}
        begun = dict[str, int]()
        for name in names:
            try:
                access = self._find(identity, name, facts)
                access.require(action)
            except Forbidden:
                raise NoSuchStore(name=name) from None
            begun[name] = access.service.about.created // 1000
        return begun

    @contextmanager
    def _opened(self) -> Iterator[ReportFile]:
        if self._file is None:
            raise Unsupported("No reports are kept: a table [reports] in the configuration has it.")
        try:
            yield self._file
        except OSError as error:
            raise Unavailable(f"Reports cannot be read: {error}.") from error
