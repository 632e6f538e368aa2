"""Whom a statement is for.

Accounts are named by their id, by `arn:aws:iam::ID:root` or as a canonical user; a key of an
account as its user, `arn:aws:iam::ID:user/KEY`. Whether there is such an account is not asked:
it may come later. Roles and federated users do not exist here, so they are refused; services of
AWS may be named, and none of them asks this gateway for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.access.rules import EVERYONE, Who
from gateway.modes.s3.configuration.policy.problems import Place, malformed

_ID = re.compile(r"[A-Za-z0-9._@+-]{1,128}")
_ARN = re.compile(r"arn:aws[a-z-]*:iam::([^:]+):(root|user/(?:.*/)?([^/*?]+))")
_SERVICE = re.compile(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?")


def parsed(written: Any, place: Place, *, others: bool) -> Who:
    """`others`: all but those that are named (`NotPrincipal`). Raises MalformedPolicy."""
    if written in (EVERYONE, [EVERYONE]):
        return Who(accounts=frozenset((EVERYONE,)), others=others)
    if not isinstance(written, Mapping) or not written:
        raise _invalid(place, written)
    accounts, users = set[str](), set[tuple[str, str]]()
    for kind, name in _named(written, place):
        account, user = _principal(kind, name, f"{place}.{kind}")
        if user:
            users.add((account, user))
        else:
            accounts.add(account)
    return Who(accounts=frozenset(accounts), users=frozenset(users), others=others)


def _named(written: Mapping[str, Any], place: Place) -> Iterator[tuple[str, str]]:
    for kind, names in written.items():
        listed = names if isinstance(names, list) else [names]
        if not listed:
            raise _invalid(f"{place}.{kind}", names)
        for name in listed:
            if not isinstance(name, str):
                raise _invalid(f"{place}.{kind}", name)
            yield kind, name


def _principal(kind: str, name: str, place: Place) -> tuple[str, str]:
    """(account, key); the key is "" for all of the account."""
    if kind == "AWS" and name == EVERYONE:
        return EVERYONE, ""
    if kind in ("AWS", "CanonicalUser") and _ID.fullmatch(name):
        return name, ""
    if kind == "AWS" and (match := _ARN.fullmatch(name)) and _ID.fullmatch(match[1]):
        return match[1], match[3] or ""
    if kind == "Service" and _SERVICE.fullmatch(name):
        return f"service:{name}", ""
    raise _invalid(place, name)


def _invalid(place: Place, found: object) -> Exception:
    return malformed("Invalid principal in policy", place, found)
