"""Certificates of an authority for the domains of a zone."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.problems import CdnProblem
from gateway.modes.certifying import CertificateState
from gateway.web.replies import Reply

_THEIRS = frozenset({"away", "serverInternal"})
"""Why a certificate cannot be had, and whoever asks for it can do nothing about it."""


def order(call: Call) -> Reply:
    """May surprise: what failed before is said, and tried again all the same, so who has set it
    right asks once, and sees what comes of it when they ask again."""
    zone = call.gateway.zones.find(call.identity, call.values["zone_id"])
    if not zone.custom_domains:
        raise CdnProblem("InvalidRequest", "The zone has no custom domains.")
    states = call.gateway.certificates.order(zone.custom_domains, again=True)
    failed = [one for one in states if one.state == "failed"]
    if failed:
        raise CdnProblem(_code(failed), " ".join(map(_said, failed)))
    begun = [one.name for one in states if one.state != "issued"]
    if begun:
        names = ", ".join(begun)
        return wire.done(f"Certificates are ordered for {names}.", 202)
    return wire.done("Nothing changed: all custom domains have certificates.")


def _code(failed: Sequence[CertificateState]) -> str:
    theirs = all(one.code in _THEIRS for one in failed)
    return "NotAvailable" if theirs else "InvalidRequest"


def _said(one: CertificateState) -> str:
    return f"No certificate for {one.name} yet, which is tried again: {one.problem}"
