"""How much is in services, and in all of them together."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping

from gateway.storage import Stats


class Measured(Mapping[str, Stats]):
    """By service. `found` has with each what keeps it: what stands in front of another has the
    same as that, and counts once in a sum."""

    def __init__(self, found: Mapping[str, tuple[Stats, Hashable]]) -> None:
        self._found = found

    def __getitem__(self, sid: str) -> Stats:
        return self._found[sid][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def total(self, services: Iterable[str] | None = None) -> Stats:
        """Of these, or of all; those that are not measured are nothing."""
        asked = self._found if services is None else services
        kept = {keeper: one for one, keeper in (self._found[sid] for sid in asked if sid in self)}
        return Stats(
            objects=sum(one.objects for one in kept.values()),
            bytes=sum(one.bytes for one in kept.values()),
            current=sum(one.current for one in kept.values()),
            uploads=sum(one.uploads for one in kept.values()),
            waiting=sum(one.waiting for one in kept.values()),
        )
