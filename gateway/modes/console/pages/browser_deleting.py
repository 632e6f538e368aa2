"""Objects that are deleted: what that means is said first, with a count; then it is done, in steps
that can be followed."""

from __future__ import annotations

from gateway.modes.console.browsing import removals
from gateway.modes.console.browsing.browsed import Browsed, keys_of
from gateway.modes.console.browsing.removals import MOST_KEYS, MOST_PREFIXES, Removal
from gateway.modes.console.call import Call
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import Delete, Versions
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

FORM_LIMIT = 32 << 20
"""Bytes of a form with `MOST_KEYS` keys; where they are longer than keys are, fewer."""

_NAMED = 10
"""Of what is to be deleted."""


def delete(call: Call) -> Reply:
    """A POST asks what would be deleted; the page that answers has the form that does it."""
    seen = Browsed(call)
    removal = _read(call)
    if removal.over:
        raise ConsoleProblem("BadRequest", "Nothing was selected.")
    if call.form.get("sure") != "yes":
        return _ask(call, seen, removal)
    removal.step(seen.access)
    if removal.over and not removal.failed and removal.removed == 1:
        return call.see(seen.place, "deleted", prefix=_back(call))
    return call.show(
        "browser_deleting.html", seen=seen, removal=removal, back=_back(call), total=_total(call)
    )


def _ask(call: Call, seen: Browsed, removal: Removal) -> Reply:
    found = removals.count(seen.access, removal.prefixes)
    every = None
    if removal.prefixes and seen.able.erases and seen.able.versions:
        every = removals.count(seen.access, removal.prefixes, versions=True)
    return call.show(
        "browser_delete.html",
        seen=seen,
        removal=removal,
        found=found,
        every=every,
        total=found.objects + len(removal.keys),
        named=[*removal.prefixes, *removal.keys][:_NAMED],
        keeps=seen.access.service.versioning == "on",
        back=_back(call),
    )


def _read(call: Call) -> Removal:
    form = call.form
    keys, prefixes = form.every("key"), form.every("below")
    if len(keys) > MOST_KEYS:
        raise ConsoleProblem(
            "TooLarge",
            f"{len(keys):,} objects are selected; {MOST_KEYS:,} can be deleted at once."
            " Delete a folder, or all that begins with a prefix, instead.",
        )
    if len(prefixes) > MOST_PREFIXES:
        raise ConsoleProblem(
            "TooLarge",
            f"{len(prefixes):,} folders are selected; {MOST_PREFIXES:,} can be deleted at once.",
        )
    key, version = keys_of([form.get("after", ""), form.get("after_version", "")])
    return Removal(
        keys=keys_of(keys),
        prefixes=keys_of(prefixes),
        versions=form.get("versions") == "yes",
        after=(key, version),
        removed=_number(form.get("removed", "")),
        failed=_number(form.get("failed", "")),
    )


def _number(text: str) -> int:
    """What the page before said; "" at the beginning."""
    return whole_number(text) or 0


def _total(call: Call) -> int:
    return _number(call.form.get("total", ""))


def _back(call: Call) -> str:
    """The folder to return to."""
    return keys_of([call.form.get("back", "")])[0]


def delete_version(call: Call) -> Reply:
    """One version, or one marker, for good."""
    seen = Browsed(call)
    version = seen.version
    if version is None:
        raise ConsoleProblem("BadRequest", "The address does not say which version is meant.")
    seen.access.service.need(Versions)
    seen.access.delete(seen.key, Delete(version=version))
    return call.see(f"{seen.place}/object", "version-deleted", key=seen.key)
