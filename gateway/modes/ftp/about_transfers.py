"""Commands about the next transfer: where its data goes, and where it begins."""

from __future__ import annotations

import re

from gateway.common import addresses
from gateway.modes.ftp.data import Active, Passive
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session

_FAMILIES = {"1": "IPv4", "2": "IPv6"}
"""RFC 2428 §2."""


def rest(session: Session, text: str) -> Reply:
    session.offset = _number(text)
    return Reply(350, f"The next transfer begins at {session.offset}.")


def allo(session: Session, text: str) -> Reply:
    session.announced = _number(text.partition(" ")[0])
    return Reply(200, "As many are to come, at least.")


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Refused(501, "A number of bytes is missing.")
    return int(text)


def pasv(session: Session, _text: str) -> Reply:
    local = addresses.settled(session.control.socket.getsockname()[0])
    address = session.terms.passive_address or local
    if session.only_extended or ":" in local:
        raise Refused(425, "EPSV is what there is for this connection.")
    port = _listen(session)
    numbers = ",".join((*address.split("."), str(port >> 8), str(port & 255)))
    return Reply(227, f"Entering Passive Mode ({numbers}).")


def epsv(session: Session, text: str) -> Reply:
    if text.upper() == "ALL":
        session.only_extended = True
        return Reply(200, "EPSV alone, from now on.")
    own = _family(session)
    if text not in ("", own):
        raise Refused(522, f"This connection is of {_FAMILIES[own]}, use ({own})")
    return Reply(229, f"Entering Extended Passive Mode (|||{_listen(session)}|)")


def _family(session: Session) -> str:
    return "2" if ":" in addresses.settled(session.control.socket.getsockname()[0]) else "1"


def _listen(session: Session) -> int:
    session.replace_endpoint(None)
    endpoint = Passive(session.control, session.terms.ports)
    session.replace_endpoint(endpoint)
    return endpoint.port


def port(session: Session, text: str) -> Reply:
    numbers = text.split(",")
    if len(numbers) != 6 or not all(re.fullmatch(r"[0-9]{1,3}", one) for one in numbers):
        raise Refused(501, "Six numbers are to stand there.")
    return _active(session, ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5]))


def eprt(session: Session, text: str) -> Reply:
    parts = text.split(text[:1]) if text else []
    if len(parts) != 5 or parts[1] not in _FAMILIES or not re.fullmatch("[0-9]{1,5}", parts[3]):
        raise Refused(501, "A family, an address and a port are to stand there.")
    return _active(session, parts[2], int(parts[3]))


def _active(session: Session, host: str, port: int) -> Reply:
    if session.only_extended:
        raise Refused(425, "EPSV ALL was said.")
    session.replace_endpoint(Active(session.control, host, port))
    return Reply(200, "That is where data goes.")
