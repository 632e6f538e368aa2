"""The account that a key acts for, and those that there are besides."""

from __future__ import annotations

from gateway.access.identity import Account, NumberedAccount
from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.web.replies import Reply

UNKNOWN = (
    *("address", "billing_currency", "billing_methodology", "bonus_balance", "cache_objects"),
    *("cache_quota", "can_be_suspend", "check_origin", "city", "company_name", "company_type"),
    *("confirmed_mail", "country", "expiration_2fa", "first_name", "l2_cache_objects"),
    *("l2_cache_objects_small", "l2_cache_quota", "l2_cache_quota_small", "l3_cache_objects"),
    *("l3_cache_objects_small", "l3_cache_quota", "l3_cache_quota_small", "last_name"),
    *("last_updated", "manager_id", "notes", "origin_quota", "payment_method"),
    *("state", "storage_price", "tax_info", "traffic_bps", "type_2fa", "type_switch_ts"),
    "zip_code",
)
"""What the interface says of a customer, and a gateway does not know: null."""


def get(call: Call) -> Reply:
    account = call.gateway.account(call.account) or Account(id=call.account)
    return wire.reply(_shown(call.account_number, account))


def get_all(call: Call) -> Reply:
    found = call.gateway.account_numbers.seen_by(call.identity)
    return wire.reply([_listed(call, one) for one in found])


def _shown(number: int, account: Account) -> wire.Item:
    return {
        "id": str(number),
        "username": account.id,
        "email": account.email,
        "name": account.name or account.id,
        "timezone": "UTC",
        "trial": "0",
    }


def _listed(call: Call, one: NumberedAccount) -> wire.Item:
    created = str(wire.seconds(one.created))
    found = {
        **dict.fromkeys(UNKNOWN),
        **_shown(one.number, one.account),
        "parent_id": "0",
        "status": "active",
        "create_ts": created,
        "update_ts": created,
        "delete_ts": "0",
        "suspended": "0",
        "suspended_for_payment": "0",
        "domain_base": call.options.suffix,
        "max_zones": str(call.options.max_zones),
    }
    return dict(sorted(found.items()))
