"""Commands about folders and files that move no bytes to a client."""

from __future__ import annotations

from gateway.modes.ftp import listing, tree
from gateway.modes.ftp.paths import shown
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session
from gateway.modes.ftp.transfers import file
from gateway.modes.ftp.tree import Row, row_of
from gateway.storage import AlreadyExists, NoSuchKey


def pwd(session: Session, _text: str) -> Reply:
    path = shown(session.folder).replace('"', '""')
    return Reply(257, f'"{path}" is where you are.')


def cwd(session: Session, text: str) -> Reply:
    names = session.names(text)
    place = session.place(names)
    known = not place.sid or names in session.made
    if not known and not tree.is_folder(session.access(place.sid), place):
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
    if names in session.made:
        raise AlreadyExists("The folder is there already.")
    if not tree.make_folder(session.access(place.sid), place):
        session.made.add(names)
    path = shown(names).replace('"', '""')
    return Reply(257, f'"{path}" is made.')


def rmd(session: Session, text: str) -> Reply:
    names = session.names(text)
    place = session.place(names)
    if not place.key:
        raise Refused(550, "Services are removed elsewhere.")
    try:
        tree.remove_folder(session.access(place.sid), place)
    except NoSuchKey:
        if names not in session.made:
            raise
    session.made.discard(names)
    return Reply(250, "It is removed.")


def rnfr(session: Session, text: str) -> Reply:
    session.renamed = None
    names = session.names(text)
    if not session.place(names).key:
        raise Refused(550, "Services have their names from elsewhere.")
    _row(session, text)
    session.renamed = names
    return Reply(350, "And what is it to be called?")


def rnto(session: Session, text: str) -> Reply:
    renamed, session.renamed = session.renamed, None
    if renamed is None:
        raise Refused(503, "RNFR comes first.")
    old, new = session.place(renamed), session.place(session.names(text))
    if not text or not new.key:
        raise NoSuchKey("That can be no name.")
    source, target = session.access(old.sid), session.access(new.sid)
    if old == new:
        return Reply(250, "That is its name.")
    try:
        tree.rename(source, old.key, target, new.key)
    except NoSuchKey:
        if not tree.is_folder(source, old):
            raise
        tree.rename_folder(source, old, target, new)
    return Reply(250, "It is renamed.")
