"""How services stand to each other: in front of which they are, and in what order they are made;
whether all that they name is there, without loops; and whether each can be constructed.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from gateway.common.nearest_name import nearest
from gateway.config.configuration import Declared
from gateway.config.problems import Problems, join, names, shown
from gateway.config.services import EVENTS, SOURCE, construct
from gateway.config.tables import VolumeOptions, WebhookOptions
from gateway.config.volumes import check_counted
from gateway.storage import NOTHING, Buckets, Changes, Layer, Store


def in_order(services: Mapping[str, Declared]) -> list[Declared]:
    """Each service after those that it links to; services in a loop, or behind one,
    or behind something unknown, are left out."""
    ordered: dict[str, Declared] = {}
    waiting = dict(services)
    while waiting:
        ready = [one for one in waiting.values() if set(one.links.values()) <= ordered.keys()]
        if not ready:
            break
        for one in ready:
            ordered[one.sid] = waiting.pop(one.sid)
    return list(ordered.values())


def leave_out(services: dict[str, Declared], unknown: Mapping[str, str]) -> dict[str, str]:
    """Why services cannot run without the plugins that are left out: those of `unknown`
    drivers, and, taken out of `services`, all that stand in front of one."""
    left_out = {sid: f'no plugin brings the driver "{name}"' for sid, name in unknown.items()}
    while found := _in_front(services, left_out):
        for sid, to in found.items():
            del services[sid]
            left_out[sid] = f'it stands in front of "{to}"'
    return left_out


def _in_front(services: Mapping[str, Declared], of: Container[str]) -> dict[str, str]:
    """Services that link to one of those, and to which."""
    return {one.sid: to for one in services.values() for to in one.links.values() if to in of}


def check_links(
    problems: Problems, services: Mapping[str, Declared], written: Iterable[str]
) -> None:
    """Report links to services that are not there, and loops. `written` are the sids
    in the file, also of services that could not be decoded."""
    for declared in services.values():
        for field, sid in declared.links.items():
            if sid not in written:
                problems.add(
                    join(declared.place, field),
                    f"found {shown(sid)}; there is no such service."
                    f"{nearest(sid, written)} Known services: {names(written)}.",
                )
    told: set[str] = set()
    for sid in services:
        loop = _loop(services, sid)
        if loop and not told & set(loop):
            told.update(loop)
            field = next(field for field, to in services[loop[0]].links.items() if to == loop[1])
            place = join(services[loop[0]].place, field)
            problems.add(place, f"services stand in front of each other: {' → '.join(loop)}.")


def _loop(services: Mapping[str, Declared], start: str) -> list[str]:
    """The way from `start` back to itself, or nothing."""
    before: dict[str, str] = {}
    queue = [start]
    while queue:
        here = queue.pop()
        for to in services[here].links.values():
            if to == start:
                way = [here]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return [*reversed(way), start]
            if to in services and to not in before:
                before[to] = here
                queue.append(to)
    return []


def check_events(
    problems: Problems,
    telling: Iterable[Declared],
    services: Mapping[str, Declared],
    webhooks: Mapping[str, WebhookOptions],
) -> None:
    """Report of `telling`, which may be [buckets], who is to be told and is not there, or not
    for services of that account; and what has nothing to tell. Buckets have other accounts,
    too: of those that a webhook is not open to it is told nothing. `services` are all."""
    for declared in telling:
        place = join(declared.place, EVENTS)
        if declared.events and not can(declared, services, Changes):
            like = ", or what it stands in front of has none" if declared.links else ""
            driver = shown(declared.driver.driver)
            problems.add(place, f"the driver {driver} has no feed of its changes{like}.")
        for name in dict.fromkeys(one.webhook for one in declared.events):
            if name not in webhooks:
                problems.add(
                    place,
                    f"found {shown(name)}; there is no such webhook.{nearest(name, webhooks)}"
                    f" Known webhooks: {names(webhooks)}.",
                )
            elif declared.sid and not webhooks[name].is_open_to(declared.account):
                problems.add(
                    place,
                    f"the webhook {shown(name)} is not open to the account"
                    f" {shown(declared.account)}: name it in webhooks.{name}.accounts.",
                )


def can(declared: Declared, services: Mapping[str, Declared], capability: type) -> bool:
    """Whether a service may have it, by its store or by what that hands through; what is wrong
    with its links was reported."""
    seen = set[str]()
    while _is_as_source(declared.driver, capability):
        behind = services.get(declared.links.get(SOURCE, ""))
        if behind is None or behind.sid in seen:
            return True
        seen.add(behind.sid)
        declared = behind
    return issubclass(declared.driver, capability)


def _is_as_source(driver: type[Store], capability: type) -> bool:
    if not issubclass(driver, Layer):
        return False
    own = issubclass(driver, capability)
    return capability in (driver.as_source if own else driver.passes)


def check_construction(
    problems: Problems,
    services: Mapping[str, Declared],
    buckets: Declared | None,
    volumes: Mapping[str, VolumeOptions] = NOTHING,
) -> None:
    """Construct every driver, which validates and touches nothing, and forget it."""
    built: dict[str, Store] = {}
    for declared in in_order(services):
        if not set(declared.links.values()) <= built.keys():
            continue
        try:
            built[declared.sid] = construct(declared, declared.linked(built))
        except ValueError as error:
            problems.refused(declared.driver, declared.place, error)
    if buckets is not None:
        _check_buckets(problems, buckets, volumes)


def _check_buckets(
    problems: Problems, buckets: Declared, volumes: Mapping[str, VolumeOptions]
) -> None:
    try:
        store = construct(buckets, {})
    except ValueError as error:
        problems.refused(buckets.driver, buckets.place, error)
        return
    if store.find(Buckets) is None:
        problems.add(
            join(buckets.place, "driver"),
            f"the driver {shown(buckets.driver.driver)} cannot make buckets.",
        )
    check_counted(problems, volumes, store, buckets.place)
