"""What a version's retention becomes when somebody changes it, and what refuses that.

The rules are those of S3's object lock: "Retention modes", "Bypassing governance mode" and
"Troubleshooting variable retention" (Amazon S3 User Guide). An event hold comes and goes with
the permission to set a retention: neither makes it end sooner than it would have.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.storage import EventHold, InvalidRequest, Protected, Protection, RetentionMode

_LESS = "A retention may be made longer, not shorter or another."
_NO_MODE = "An event hold needs the mode of a retention."
_ENDLESS = (
    "Without an event hold there must be a retain until date in the future: in the request, or of"
    " the object version."
)
_SHADOWED = (
    "A retention with an event hold is made shorter together with the hold, which is to be set"
    " anew or ended."
)


def changed(
    before: Protection,
    mode: RetentionMode | None,
    until: int | None,
    event: EventHold | None,
    time: int,
    *,
    bypass: bool,
    key: str,
) -> Protection:
    """See `Protects.set_retention`."""
    retained = before.retains(time, bypass=bypass)
    if mode is None:
        if retained or event is not None:
            raise Protected(key=key) if retained else InvalidRequest(_NO_MODE, key=key)
        return replace(before, mode=None, until=None, event=None)
    if retained and mode != before.mode:
        raise Protected(_LESS, key=key)
    if event is None:
        return _dated(before, mode, until, time, retained=retained, key=key)
    awaited = None if event == "over" else event
    ends = before.ends(time)
    if until is not None:
        ends = max(until, ends or 0) if retained else until
    after = replace(before, mode=mode, until=ends, event=awaited)
    if not after.retains(time, bypass=False):
        raise InvalidRequest(_ENDLESS, key=key)
    return after


def _dated(
    before: Protection,
    mode: RetentionMode,
    until: int | None,
    time: int,
    *,
    retained: bool,
    key: str,
) -> Protection:
    """An event that is awaited still is: what ends sooner than it lets would change nothing."""
    if until is None:
        raise InvalidRequest(_ENDLESS, key=key)
    if (retained or before.event is not None) and until < (before.ends(time) or 0):
        raise Protected(_LESS, key=key) if retained else InvalidRequest(_SHADOWED, key=key)
    return replace(before, mode=mode, until=until)
