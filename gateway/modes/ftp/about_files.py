"""Commands about folders and files that move no bytes to a client."""

from __future__ import annotations

from gateway.modes.ftp import listing, tree
from gateway.modes.ftp.paths import shown
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session
from gateway.modes.ftp.transfers import file
from gateway.modes.ftp.tree import Row, row_of
from gateway.storage import NoSuchKey


def pwd(session: Session, _text: str) -> Reply:
    path = shown(session.folder).replace('"', '""')
    return Reply(257, f'"{path}" is where you are.')


def cwd(session: Session, text: str) -> Reply:
    names = session.names(text)
    place = session.place(names)
    if place.sid and not tree.is_folder(session.access(place.sid), place):
        raise NoSuchKey("There is no such folder.")
    session.folder = names
    return Reply(250, "You are there.")


def cdup(session: Session, _text: str) -> Reply:
    return cwd(session, "..")


def size(session: Session, text: str) -> Reply:
    access, key = file(session, text)
    return Reply(213, str(access.stat(key).size))


def mdtm(session: Session, text: str) -> Reply:
    access, key = file(session, text)
    return Reply(213, listing.moment(access.stat(key).modified))


def mlst(session: Session, text: str) -> Reply:
    names = session.names(text)
    row = _row(session, text)
    facts = listing.facts(row._replace(name=shown(names)), session.gateway.clock())
    return Reply(250, "Facts:", (facts,))


def _row(session: Session, text: str) -> Row:
    place = session.place(session.names(text))
    if not place.key:
        if place.sid:
            session.access(place.sid)
        return Row("", True)
    access = session.access(place.sid)
    try:
        return row_of(access.stat(place.key))
    except NoSuchKey:
        if not tree.is_folder(access, place):
            raise
        return Row("", True)


def dele(session: Session, text: str) -> Reply:
    tree.remove(*file(session, text))
    return Reply(250, "It is removed.")


def mkd(session: Session, text: str) -> Reply:
    names = session.names(text)
    place = session.place(names)
    if not place.key:
        raise Refused(550, "Services are made elsewhere.")
    tree.make_folder(session.access(place.sid), place)
    path = shown(names).replace('"', '""')
    return Reply(257, f'"{path}" is made.')


def rmd(session: Session, text: str) -> Reply:
    place = session.place(session.names(text))
    if not place.key:
        raise Refused(550, "Services are removed elsewhere.")
    tree.remove_folder(session.access(place.sid), place)
    return Reply(250, "It is removed.")


def rnfr(session: Session, text: str) -> Reply:
    session.renamed = None
    access, key = file(session, text)
    try:
        access.stat(key)
    except NoSuchKey:
        if tree.is_folder(access, session.place(session.names(text))):
            raise Refused(550, "Files are renamed, and folders are not.") from None
        raise
    session.renamed = session.names(text)
    return Reply(350, "And what is it to be called?")


def rnto(session: Session, text: str) -> Reply:
    old, session.renamed = session.renamed, None
    if old is None:
        raise Refused(503, "RNFR comes first.")
    place = session.place(old)
    source = session.access(place.sid)
    target, key = file(session, text)
    if (place.sid, place.key) != (target.service.sid, key):
        tree.rename(source, place.key, target, key)
    return Reply(250, "It is renamed.")
