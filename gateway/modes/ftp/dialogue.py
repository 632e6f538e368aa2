"""Commands of one connection, as they come: found in THE table, answered, noted."""

from __future__ import annotations

import logging
import secrets
import time

from gateway.common import actor
from gateway.modes.ftp.commands import COMMANDS, Command
from gateway.modes.ftp.control import Control
from gateway.modes.ftp.data import Aborted, BrokenOff
from gateway.modes.ftp.paths import shown
from gateway.modes.ftp.replies import Meant, Refused, Reply, meant
from gateway.modes.ftp.session import Session, Terms
from gateway.storage import Corrupt, StorageError
from gateway.telemetry.record import Record

log = logging.getLogger("gateway.ftp")

MODE = "ftp"


class Dialogue:
    """One thread has it at a time. `over`: it is to be closed."""

    def __init__(self, terms: Terms, control: Control) -> None:
        self.control = control
        self._session = Session(terms, control, _record("", control.address))
        self.began = self.heard = time.monotonic()

    @property
    def over(self) -> bool:
        return self._session.leaving or self.control.ended

    @property
    def known(self) -> bool:
        """Whether the client has logged in."""
        return self._session.credential is not None

    def greet(self) -> None:
        self._session.say(Reply(220, "This is a storage gateway."))

    def turn(self) -> None:
        """Answer what has come."""
        self.control.fill()
        try:
            while not self._session.leaving and (line := self.control.line()) is not None:
                self._answer(line)
        except ValueError:
            self.dismiss("The line is too long.", 500)
        self.heard = time.monotonic()

    def dismiss(self, why: str, code: int = 421) -> None:
        self._session.say(Reply(code, why))
        self._session.leaving = True

    def close(self) -> None:
        self._session.close()

    def _answer(self, line: str) -> None:
        verb, _, text = line.partition(" ")
        verb = verb.strip().upper()
        command = COMMANDS.get(verb)
        session = self._session
        if command is None:
            session.say(Reply(502, "There is no such command here: HELP lists them."))
            return
        if not _is_text(text):
            session.say(Reply(501, "What is no UTF-8 is understood by nobody."))
            return
        record = session.record = _record(verb, self.control.address)
        record.tls = self.control.secure
        if session.credential is not None:
            record.key_id = session.credential.id
            record.account = session.identity.account
        actor.current.set(record)
        if command.path:
            record.path = shown(session.names(text)).encode().decode("latin-1")
        began = time.perf_counter()
        reply = self._replied(command, text)
        record.duration = time.perf_counter() - began
        if command.moves:
            session.replace_endpoint(None)
            session.offset, session.announced = 0, None
        if command.noted:  # before its client knows: who looks then finds it
            session.gateway.note(record)
        if reply.code:
            session.say(reply)

    def _replied(self, command: Command, text: str) -> Reply:
        session = self._session
        record = session.record
        try:
            if command.known:
                session.require_known()
            reply = command.run(session, text)
            record.status = 200
            return reply
        except Refused as error:
            session.leaving = session.leaving or error.closes
            record.status, record.code = error.status, record.code or str(error.reply.code)
            return error.reply
        except BrokenOff as error:
            record.status, record.code, record.aborted = 400, type(error).__name__, True
            session.say(Reply(426, error.message))
            return Reply(226, "It is aborted.") if isinstance(error, Aborted) else Reply(0, "")
        except StorageError as error:
            return self._refused(meant(error), error)
        except Exception:
            # The last boundary: the client gets an answer, the operator a traceback.
            log.exception("%s: %s failed", record.request_id, record.method)
            record.status, record.code = 500, "InternalError"
            return Reply(451, f"Something went wrong here. Request: {record.request_id}")

    def _refused(self, what: Meant, error: StorageError) -> Reply:
        record = self._session.record
        record.status, record.code = what.status, type(error).__name__
        record.corrupt = isinstance(error, Corrupt)
        if what.status >= 500 and what.status != 501:
            log.warning("%s: %r: %s: %s", record.request_id, record.path, record.code, error)
        return Reply(what.code, error.message)


def _record(verb: str, address: str) -> Record:
    return Record(
        request_id=secrets.token_hex(8).upper(),
        method=verb,
        path="",
        client=address,
        mode=MODE,
        operation=verb,
        started=time.time(),
    )


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
