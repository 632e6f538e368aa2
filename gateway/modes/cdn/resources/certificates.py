"""Certificates: brought, listed with the zones that use them, and removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.uploaded_certificates import UploadedCertificate
from gateway.modes.zones import ZoneInfo
from gateway.web.replies import Reply


def list_all(call: Call) -> Reply:
    found = call.gateway.uploaded_certificates.list(call.identity)
    zones = call.gateway.zones.list(call.identity) if found else ()
    return wire.reply([_shown(one, zones) for one in found])


def get(call: Call) -> Reply:
    found = call.gateway.uploaded_certificates.find(call.identity, call.values["id"])
    whose = replace(call.identity, account=found.account)  # who manages everything asks for others
    return wire.reply(_shown(found, call.gateway.zones.list(whose)))


def upload(call: Call) -> Reply:
    values = call.values
    made = call.gateway.uploaded_certificates.upload(
        call.identity, values["certificate"], values["key"], values["ca_bundle"] or ""
    )
    return wire.done("Certificate saved", id=made.number)


def delete(call: Call) -> Reply:
    number = call.values["id"]
    call.gateway.uploaded_certificates.remove(call.identity, number)
    return wire.done(f"Certificate {number} was deleted")


def _shown(one: UploadedCertificate, zones: Sequence[ZoneInfo]) -> wire.Item:
    return {
        "id": one.number,
        "hostname": one.hosts[0],
        "fingerprint": one.fingerprint,
        "used_in_zones": [*_used(one, zones)],
    }


def _used(one: UploadedCertificate, zones: Sequence[ZoneInfo]) -> Iterator[wire.Item]:
    for zone in zones:
        for domain in (*zone.custom_domains, zone.cdn_domain):
            if one.is_for(domain):
                yield {"zone_id": zone.number, "domain": domain, "cdn_domain": zone.cdn_domain}
