"""FTP (RFC 959, with 2228, 2389, 2428, 2640, 3659 and 4217): services as folders, by explicit TLS.

A listener, not a mode: it gets connections. Who asks is a key of the catalog, and everything goes
through `Access`, so that what somebody may do, and what is kept of it, is as by every other door.

    listener.py           its options; how it begins and ends
    connections.py        who is connected: one thread waits for all, and gives work to
    pool.py bounds.py     threads, and how many of something there may be
    control.py            one connection: lines and replies, in plain or by TLS
    dialogue.py           a command → its row → a reply, and the record of it
    commands.py           THE table
    signing_in.py about_connections.py about_transfers.py about_files.py   its handlers,
    transfers.py          and those that move bytes or lists
    uploads.py            what becomes of what is sent
    data.py               the connections on which all that goes
    session.py            what is known of who is connected
    paths.py tree.py listing.py   what FTP sees of services: names, folders, lists
    replies.py            what is said, also of errors

Connections that wait for a command hold no thread. A command has one of the pool, and a transfer
holds its at its client's pace, within bounds.
"""

from __future__ import annotations

from gateway.hookspecs import hookimpl
from gateway.modes.ftp.listener import Ftp
from gateway.modes.protocols import ProtocolListener


@hookimpl
def gateway_listeners() -> list[type[ProtocolListener]]:
    return [Ftp]
