"""Objects of an HTTP origin, or of several, as they answer them: the fetcher.

store.py        the options, and reading
forwarding.py   other methods, passed on
targets.py      keys → addresses, and where a redirect leads
asking.py       one question, to origins in turn, and on to where it is redirected
health.py       which of them is asked, and how each is
exchange.py     one request and its answer, over one connection
questions.py    what a request says
signing.py      requests to origins that speak S3, signed
meaning.py      what an answer means: an object, or an error
bodies.py       bodies that do not say how long they are, or come too slowly

Connections and the strict reading of HTTP/1.1 are `gateway.common.upstream`.
"""

from __future__ import annotations

from drivers.http.store import Http
from gateway.hookspecs import hookimpl
from gateway.storage import Store

__all__ = ["Http", "gateway_drivers"]


@hookimpl
def gateway_drivers() -> list[type[Store]]:
    return [Http]
