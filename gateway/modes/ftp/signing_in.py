"""USER and PASS: a key's id, and its secret. Attempts are bounded as by every other door."""

from __future__ import annotations

from gateway.access.identity import Credential, proved
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session
from gateway.storage import NoSuchStore, Unauthorized

FAILURES = 3
"""Of a connection, after which it is closed."""
_NO_KEY = "That is no key's id and its secret."


def user(session: Session, text: str) -> Reply:
    """The same for whoever says they are somebody, whether there is one of that name or not."""
    _require_tls(session)
    session.credential, session.user = None, text
    return Reply(331, "And the password?")


def password(session: Session, text: str) -> Reply:
    _require_tls(session)
    if not session.user:
        raise Refused(503, "USER comes first.")
    if session.credential is not None:
        raise Refused(503, "You are logged in.")
    gateway, address, user = session.gateway, session.control.address, session.user
    if wait := gateway.attempts.wait(address, user):
        text = f"Too many attempts. Try again in {wait} seconds."
        raise Refused(421, text, closes=True, status=429)
    found = proved(gateway.keys, user, text)
    if found is None:
        gateway.attempts.failed(address, user)
        raise _failed(session)
    gateway.attempts.proved(address, user)
    _begin(session, found)
    return Reply(230, "You are logged in.")


def _require_tls(session: Session) -> None:
    if session.terms.require_tls and not session.control.secure:
        raise Refused(530, "Nobody logs in without TLS: AUTH TLS comes first.")


def _failed(session: Session) -> Refused | Unauthorized:
    session.failures += 1
    session.record.code = "Unauthorized"
    if session.failures >= FAILURES:
        return Refused(421, f"{_NO_KEY} That was the last try.", closes=True, status=401)
    return Unauthorized(_NO_KEY)


def _begin(session: Session, found: Credential) -> None:
    """With the service that is `/`: the listener's, or the one that the key is for."""
    session.credential, session.identity, session.folder = found, found.identity, ()
    session.made.clear()
    record, access = session.record, found.identity.access
    record.key_id, record.account = found.id, found.identity.account
    alone = next(iter(access)) if not isinstance(access, str) and len(access) == 1 else ""
    session.root = session.terms.service or alone
    try:
        if session.root:
            session.access(session.root)
    except NoSuchStore:
        session.credential, session.user = None, ""
        raise Unauthorized("There is nothing here for that key.") from None
