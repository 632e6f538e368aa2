"""Signing in with an account's email or name, or with a key's id, and a key's secret.

Ten failures in five minutes from an address or for a name, and nothing is compared any more; but
an address from which the key was proved lately is not kept from it by what others try.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from gateway.access.identity import Account, Credential, acting_for
from gateway.access.sessions import CALLS
from gateway.modes.cdn import wire
from gateway.modes.cdn.call import Call
from gateway.modes.cdn.problems import CdnProblem
from gateway.storage import NotFound
from gateway.web.replies import Reply

FOR_NAME = 10


def check(call: Call) -> Reply:
    name, address = _name(call), call.environ["gateway.client"]
    attempts = call.gateway.attempts
    if wait := attempts.wait(address, name, most=FOR_NAME):
        raise _waiting(wait)
    found = _proved(call, name, call.values["password"])
    if found is None:
        attempts.failed(address, name)
        call.gateway.sessions.refuse_session(name)
        raise _wrong("Invalid login credentials")
    attempts.proved(address, name)
    if wait := attempts.begun(address, found.id):
        raise _waiting(wait)
    return _begun(call, found)


def _name(call: Call) -> str:
    email, username = call.values["email"], call.values["username"]
    if not (email or username):
        raise CdnProblem("InvalidParameter", 'The member "email" is missing.')
    if email and username and email != username:
        raise CdnProblem("InvalidParameter", "Give an email or a username, and not two names.")
    return str(email or username)


def _waiting(seconds: int) -> CdnProblem:
    told = f"Too many attempts failed: try again in {seconds} seconds."
    return CdnProblem("TooManyAttempts", told, [("retry-after", str(seconds))])


def _wrong(reason: str) -> CdnProblem:
    said = {"authenticated": False, "reason": reason}
    return CdnProblem("InvalidCredentials", reason, said=said)


def _proved(call: Call, name: str, secret: str) -> Credential | None:
    """The key, when that is its secret, and the name is one of its account's or its own. It is
    found by the secret: so the time that this takes says nothing of which names there are."""
    found = call.gateway.keys.credential_by_secret(secret)
    if found is None:
        return None
    known = [found.id, *_names(call.gateway.account(found.identity.account))]
    same = [hmac.compare_digest(one.encode(), name.strip().lower().encode()) for one in known]
    same += [hmac.compare_digest(found.id.encode(), name.encode())]
    return found if any(same) else None


def _names(account: Account | None) -> Iterator[str]:
    if account is not None:
        yield from (one.lower() for one in (account.id, account.name, account.email) if one)


def _begun(call: Call, found: Credential) -> Reply:
    identity, record = found.identity, call.environ["gateway.record"]
    record.key_id, record.account = found.id, identity.account
    if not acting_for(identity):
        raise _wrong("The key acts for no account: its access is to some services alone.")
    address = call.environ["gateway.client"]
    agent = call.environ.get("HTTP_USER_AGENT", "")
    try:
        token = call.gateway.sessions.begin_session(
            found.id, address=address, agent=agent, purpose=CALLS
        )
    except NotFound:  # it was switched off a moment ago
        raise _wrong("Invalid login credentials") from None
    return wire.reply(
        {
            "authenticated": True,
            "user_id": call.gateway.account_numbers.number(identity.account),
            "reason": "Login credentials are valid",
            "token": token,
        }
    )
