"""A console's events: which end a server, in which time, and which are none of its business.

That Ctrl-C ends one well is in `e2e/test_stopping.py`, where a real one is sent on Windows.
"""

from __future__ import annotations

import threading
from collections import Counter
from functools import partial

from gateway.servers import console
from gateway.servers.waitress import WaitressServer

C, BREAK, CLOSE, LOGOFF, SHUTDOWN = 0, 1, 2, 5, 6


def test_events_end_a_server_in_the_time_that_there_is() -> None:
    table = [
        # event, a service?, what it is told, whether the handler stays
        (C, False, [None], 0),
        (BREAK, True, [None], 0),
        (CLOSE, False, [console.IN_TIME], 1),
        (LOGOFF, False, [console.IN_TIME], 1),
        (LOGOFF, True, [], 0),
        (SHUTDOWN, True, [console.IN_TIME], 1),
    ]
    for row in table:
        number, service, expected, stays = row
        said: list[float | None] = []
        waited = Counter[str]()
        wait = partial(waited.update, ["the end"])
        handler = console.Handler(said.append, service=service, wait=wait)
        assert handler.hear(number), row
        assert (said, waited.total(), handler.told) == (expected, stays, bool(expected)), row
    unknown = console.Handler(said.append, service=False)
    assert not unknown.hear(3)
    assert not unknown.told


def test_the_last_of_a_process_is_not_over_before_it() -> None:
    """Windows would end it."""
    handler = console.Handler(lambda _: None, service=False)
    thread = threading.Thread(target=handler.hear, args=(CLOSE,), daemon=True)
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()


def test_less_time_than_is_configured_may_be_given_to_what_is_under_way() -> None:
    server = WaitressServer()
    server.stop()
    assert server.patience(30.0) == 30.0
    server.stop(3.0)
    server.stop()
    assert (server.patience(30.0), server.patience(1.0)) == (3.0, 1.0)
