"""RETR, STOR, APPE and lists: what goes by a data connection, and holds a thread while it does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from gateway.access.access import Access
from gateway.modes.ftp import listing, tree, uploads
from gateway.modes.ftp.data import Channel, Hearing
from gateway.modes.ftp.paths import Names
from gateway.modes.ftp.replies import Refused, Reply
from gateway.modes.ftp.session import Session
from gateway.modes.ftp.tree import Row, row_of
from gateway.storage import (
    PIECE,
    Busy,
    BytesBody,
    Get,
    InvalidRange,
    NoSuchKey,
    Opened,
    Range,
)


def file(session: Session, text: str) -> tuple[Access, str]:
    """Where the path leads, and the key there. Raises `NoSuchKey` for what can be no file."""
    place = session.place(session.names(text))
    if not text or not place.key:
        raise NoSuchKey("That is no file.")
    return session.access(place.sid), place.key


def retrieve(session: Session, text: str) -> Reply:
    access, key = file(session, text)
    with _opened(access, key, session.offset) as opened:
        session.record.cache = ", ".join(opened.trace)
        with _channel(session) as data:
            while piece := opened.body.read(PIECE):
                data.write(piece)
    return Reply(226, "That was all of it.")


def _opened(access: Access, key: str, offset: int) -> Opened:
    if not offset:
        return access.get(key)
    try:
        return access.get(key, Get(range=Range(offset, None)))
    except InvalidRange as error:
        if error.size != offset:
            raise
        return Opened(info=access.stat(key), body=BytesBody(b""))  # its client has it all


def store(session: Session, text: str) -> Reply:
    return _stored(session, text, appends=False)


def append(session: Session, text: str) -> Reply:
    return _stored(session, text, appends=True)


def _stored(session: Session, text: str, *, appends: bool) -> Reply:
    access, key = file(session, text)
    upload = uploads.begun(access, key, session.offset, appends=appends)
    with _channel(session) as data:
        upload.put(uploads.Incoming(data, session.announced))
    return Reply(226, "It is stored.")


def long_list(session: Session, text: str) -> Reply:
    return _listed(session, _without_options(text), listing.long)


def name_list(session: Session, text: str) -> Reply:
    return _listed(session, _without_options(text), listing.name)


def machine_list(session: Session, text: str) -> Reply:
    return _sent(session, _folder(session, session.names(text)), listing.facts)


def _without_options(text: str) -> str:
    """Clients write `LIST -la`, as if it were typed."""
    while text.startswith("-"):
        text = text.partition(" ")[2].lstrip()
    return text


def _listed(session: Session, text: str, form: listing.Form) -> Reply:
    names = session.names(text)
    rows: Iterable[Row]
    try:
        rows = _folder(session, names)
    except NoSuchKey:
        place = session.place(names)
        rows = [row_of(session.access(place.sid).stat(place.key))]
    return _sent(session, rows, form)


def _folder(session: Session, names: Names) -> Iterable[Row]:
    place = session.place(names)
    if not place.sid:
        return [Row(one.service.sid, True) for one in session.services()]
    try:
        return tree.rows(session.access(place.sid), place)
    except NoSuchKey:
        if names not in session.made:
            raise
        return ()


def _sent(session: Session, rows: Iterable[Row], form: listing.Form) -> Reply:
    with _channel(session) as data:
        for piece in listing.lines(rows, form, session.gateway.clock()):
            data.write(piece)
    return Reply(226, "That was the list.")


@contextmanager
def _channel(session: Session) -> Iterator[Channel]:
    """A data connection, for who may have one now. Raises `Refused`, `Busy`, `BrokenOff`."""
    terms, address = session.terms, session.control.address
    if session.endpoint is None:
        raise Refused(425, "PASV, EPSV, PORT or EPRT comes first.")
    if terms.require_tls and not session.private:
        raise Refused(521, "Data goes by TLS alone: PROT P comes first.")
    if not terms.transfers.take(address):
        raise Busy
    try:
        with _hearing(session) as hearing:
            session.say(Reply(150, "Here is the data connection."))
            connection = session.endpoint.connect(hearing)
            channel = Channel(connection, hearing, terms.tls if session.private else None)
            with _closing(session, channel):
                yield channel
    finally:
        terms.transfers.release(address)


@contextmanager
def _hearing(session: Session) -> Iterator[Hearing]:
    hearing = Hearing(session.control, session.terms.patience)
    try:
        yield hearing
    finally:
        hearing.close()


@contextmanager
def _closing(session: Session, channel: Channel) -> Iterator[None]:
    try:
        yield
        channel.end()
    except BaseException:
        channel.cut()
        raise
    finally:
        channel.close()
        session.record.received, session.record.sent = channel.received, channel.sent
