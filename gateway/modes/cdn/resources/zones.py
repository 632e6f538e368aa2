"""Zones: from members to documents, and from zones to what the interface shows of them."""

from __future__ import annotations

from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.problems import CdnProblem
from gateway.modes.zones import HELPERS, ZoneInfo
from gateway.storage import Conflict
from gateway.web.replies import Reply


def get_all(call: Call) -> Reply:
    if call.values["count"]:
        return wire.reply({"count": call.gateway.zones.count(call.identity)})
    found = call.gateway.zones.list(call.identity)
    return wire.reply([_listed(one) for one in found])


def get(call: Call) -> Reply:
    zone = call.gateway.zones.find(call.identity, _number(call))
    certified = call.gateway.zones.is_certified(zone)
    found: wire.Item = {}
    for name, value in _listed(zone).items():
        if name == "hash_secret":  # before it, as the interface has it
            found["ssl_type"] = "own" if certified else "shared"
        found[name] = value
    return wire.reply({**found, "error_pages": found["error_pages"] or {}})


def create(call: Call) -> Reply:
    zone = call.gateway.zones.make(call.identity, _document(call))
    return wire.reply({"zone_id": zone.number})


def replace(call: Call) -> Reply:
    call.gateway.zones.replace(call.identity, _number(call), _document(call))
    return wire.done("Zone replaced")


def patch(call: Call) -> Reply:
    helpers = [name for name in HELPERS if call.values[name]]
    call.gateway.zones.patch(call.identity, _number(call), _document(call), helpers)
    return wire.done("Zone patched")


def delete(call: Call) -> Reply:
    try:
        call.gateway.zones.drop(call.identity, _number(call))
    except Conflict as error:
        raise CdnProblem("StillUsed", error.message) from error
    return wire.done("Zone deleted")


def _number(call: Call) -> int:
    number: int = call.values["zone_id"]
    return number


def _document(call: Call) -> wire.Item:
    """What was given, null too."""
    beside = {"zone_id", *HELPERS}
    return {name: value for name, value in call.values.items() if name in call.given - beside}


def _listed(zone: ZoneInfo) -> wire.Item:
    document = zone.document
    countries = {"allow": document["geo_filter_allow"], "deny": document["geo_filter_deny"]}
    rates = {"global": document["limit_rate_global"], "security": document["limit_rate_security"]}
    pages = (one.partition(":") for one in document["error_pages"])
    return {
        "id": str(zone.number),
        "cdn_domain": zone.cdn_domain,
        "object_size": document["object_size"],
        "upstream": document["upstream"],
        "is_active": "1" if zone.active else "0",
        "create_ts": str(wire.seconds(zone.created)),
        "update_ts": str(wire.seconds(zone.changed)),
        "storage_id": zone.storage,
        "error_pages": {status: url for status, _, url in pages} or [],
        "referers": document["referers"],
        "geo_filter": {name: one for name, one in countries.items() if one} or [],
        "limit_rate": {name: one for name, one in rates.items() if one} or [],
        "custom_domains": document["custom_domains"],
        "cache_reuse_from": document["cache_reuse_from"],
        "expiration": document["expiration"],
        "hash_secret": document["hash_secret"],
        "hash_algorithm": document["hash_algorithm"],
        "hash_ttl": document["hash_ttl"],
        "reconfig_status": "ready" if zone.ready else "reconfiguring",
    }
