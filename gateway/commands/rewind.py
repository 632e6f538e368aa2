"""`gateway rewind`: a service as it was at a time or behind a change, by new versions.

What cannot be brought back is said before anything is changed, a line each, and then how much
there is to do. Ended at any point it can be run again, and does what is left. Exit code 1: not
all is as it was then.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping

from gateway.commands.columns import in_line, say
from gateway.commands.command import Command
from gateway.commands.moments import METAVAR, Moment, milliseconds, moment, shown
from gateway.commands.one_service import opened_service
from gateway.commands.place import add_place, configured
from gateway.commands.progress import ProgressLine
from gateway.commands.shell import HERE
from gateway.services.history import check_point, check_time, point_at
from gateway.services.rewind.carrying_out import Outcome, Rewind, Step, check_rewinds
from gateway.services.service import Service
from gateway.storage import Changes, StorageError
from gateway.storage.objects import now

_WHY: Mapping[str, str] = {
    "gone": "the version that it had is gone for good",
    "unknown": "the feed of changes no longer tells which version it had",
    "changed": "somebody has written it meanwhile, and it stays so",
}
_PLANNED: Mapping[str, str] = {
    "restore": "to restore",
    "remove": "to remove",
    "": "as they were",
    "gone": "gone for good",
    "unknown": "no longer known",
}
_DONE: Mapping[str, str] = {
    "restore": "restored",
    "remove": "removed",
    "": "as they were",
    "gone": "gone for good",
    "unknown": "no longer known",
    "refused": "refused",
    "changed": "changed meanwhile",
}
_WELL = frozenset({"restore", "remove", ""})


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sid", metavar="SID", help="a service or bucket that keeps versions")
    parser.add_argument(
        "--to",
        metavar=METAVAR,
        type=moment,
        required=True,
        help="as it was at that time, or behind that change (`gateway log`)",
    )
    parser.add_argument("--prefix", default="", help="only keys that begin so")
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done to each key, and do nothing"
    )
    add_place(parser)


def _run(typed: argparse.Namespace) -> int:
    try:
        with opened_service(configured(typed), typed.sid) as service:
            check_rewinds(service)
            point = _point(service.need(Changes), typed.to)
            say(f"{service.sid}, as it was behind {_named(service.need(Changes), point)}:")
            rewind = Rewind(service, point, typed.prefix)
            well = _plan(rewind, each=typed.dry_run)
            if typed.dry_run:
                return 0 if well else 1
            return 0 if _carry_out(rewind, service, typed.prefix) else 1
    except KeyboardInterrupt:
        print("\ngateway: stopped; run it again to go on", file=sys.stderr)
        return 1


def _point(feed: Changes, to: Moment) -> int:
    """Raises `InvalidRequest` for what is not known."""
    if isinstance(to, int):
        point = to
    else:
        check_time(feed, milliseconds(to), now())
        point = point_at(feed, milliseconds(to))
    check_point(feed, point)
    return point


def _named(feed: Changes, point: int) -> str:
    found = feed.changes(point - 1, 1).changes if point else ()
    return f"the change {point} of {shown(found[0].time)}" if found else f"the change {point}"


def _plan(rewind: Rewind, *, each: bool) -> bool:
    """Say what is to be done; whether all can be as it was. `each`: a line for every key."""
    counts, line, relabelled = Counter[str](), ProgressLine(), 0
    read = 0
    for number in rewind.look():
        read += number
        if line.due:
            line.show(f"{read} changes read")
    for step in rewind.steps():
        counts[step.act] += 1
        relabelled += step.relabelled and step.act in _WELL
        told = _told(step) if each or step.act not in _WELL else ""
        if told:
            line.clear()
            say(told)
        elif line.due:
            line.show(f"{counts.total()} keys looked at")
    line.clear()
    say(f"{counts.total()} keys were changed since: {_counted(counts, _PLANNED)}")
    if relabelled:
        say(
            f"NOTE: {relabelled} of them have tags, annotations or the like that were changed"
            " since; these are not as they were then"
        )
    return counts.keys() <= _WELL


def _told(step: Step) -> str:
    """ "" where there is nothing to say."""
    key = in_line(step.key)
    if step.act == "restore" and step.wanted is not None:
        return f"restore: {key}: version {step.wanted.version} of {shown(step.wanted.modified)}"
    if step.act == "remove":
        return f"remove: {key}"
    return f"{_DONE[step.act]}: {key}: {_WHY[step.act]}" if step.act else ""


def _counted(counts: Counter[str], words: Mapping[str, str]) -> str:
    return ", ".join(f"{counts[one]} {text}" for one, text in words.items() if counts[one]) or "-"


def _carry_out(rewind: Rewind, service: Service, prefix: str) -> bool:
    """Whether all is as it was."""
    undo = f"--to {rewind.begun}" + (f" --prefix {HERE.word(prefix)}" if prefix else "")
    counts, keys, line = Counter[str](), len(rewind.keys), ProgressLine()
    try:
        for outcome in rewind.carry_out():
            counts[outcome.done] += 1
            if outcome.done in ("refused", "changed"):
                line.clear()
                say(_wrong(outcome))
            elif line.due:
                line.show(f"{counts.total()} of {keys} keys")
    except StorageError:
        line.clear()
        say(f"not ended: {_counted(counts, _DONE)}; run it again to go on")
        raise
    line.clear()
    say(f"done: {_counted(counts, _DONE)}")
    if counts["restore"] or counts["remove"]:
        say(f"To have it as it was before this: gateway rewind {service.sid} {undo}")
    return counts.keys() <= _WELL


def _wrong(outcome: Outcome) -> str:
    return f"{_DONE[outcome.done]}: {in_line(outcome.key)}: {outcome.why or _WHY[outcome.done]}"


COMMAND = Command(
    name="rewind",
    text="have a service as it was at a time, by new versions, also while serving",
    arguments=_arguments,
    run=_run,
)
