"""Commands about the connection: TLS, what there is, how things stand."""

from __future__ import annotations

from collections.abc import Callable

from gateway.modes.ftp.paths import shown
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session

_FEATURES = (
    "EPRT",
    "EPSV",
    "MDTM",
    "MLST type*;size*;modify*;",
    "PBSZ",
    "PROT",
    "REST STREAM",
    "SIZE",
    "TVFS",
    "UTF8",
)


def auth(session: Session, text: str) -> Reply:
    if text.upper() not in ("TLS", "TLS-C", "SSL"):
        raise Refused(504, "AUTH TLS is what there is.")
    if session.terms.tls is None:
        raise Refused(431, "There is no certificate here.")
    if session.control.secure:
        raise Refused(503, "TLS is there already.")
    session.say(Reply(234, "TLS begins."))
    session.credential, session.user = None, ""  # what was said in plain does not count
    session.control.begin_tls(session.terms.tls)
    return Reply(0, "")


def pbsz(session: Session, _text: str) -> Reply:
    if not session.control.secure:
        raise Refused(503, "AUTH TLS comes first.")
    return Reply(200, "PBSZ=0")


def prot(session: Session, text: str) -> Reply:
    if not session.control.secure:
        raise Refused(503, "AUTH TLS comes first.")
    if text.upper() not in ("C", "P"):
        raise Refused(536, "PROT P and PROT C are what there is.")
    private = text.upper() == "P"
    if session.terms.require_tls and not private:
        raise Refused(534, "Data goes by TLS alone.")
    session.private = private
    return Reply(200, "So be it.")


def quit(session: Session, _text: str) -> Reply:
    session.leaving = True
    return Reply(221, "Goodbye.")


def feat(session: Session, _text: str) -> Reply:
    tls = ("AUTH TLS",) if session.terms.tls is not None else ()
    return Reply(211, "Features:", (*tls, *_FEATURES))


def opts(_session: Session, text: str) -> Reply:
    what = text.upper()
    if what in ("UTF8", "UTF8 ON"):
        return Reply(200, "Names are in UTF-8, always.")
    if what.partition(" ")[0] == "MLST":
        return Reply(200, "MLST OPTS type;size;modify;")
    raise Refused(501, "That has no options.")


def always(code: int, text: str) -> Callable[[Session, str], Reply]:
    return lambda _session, _text: Reply(code, text)


def one_of(allowed: str, text: str) -> Callable[[Session, str], Reply]:
    """Ways to write a file that are all the same here: its bytes go as they are."""

    def run(_session: Session, said: str) -> Reply:
        if said[:1].upper() not in allowed.split():
            raise Refused(504, f"There is {allowed} alone.")
        return Reply(200, text)

    return run


def stat(session: Session, text: str) -> Reply:
    if text:
        raise Refused(504, "STAT has no path here: MLST has.")
    tls = session.control.tls_version
    return Reply(211, "Status:", (f"TLS {tls}" if tls else "no TLS", shown(session.folder)))
