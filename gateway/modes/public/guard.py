"""Whom a binding lets in: before anything is looked at, and by what its options say alone."""

from __future__ import annotations

from gateway.modes.public import signed_links, speeds
from gateway.modes.public.problems import PublicProblem
from gateway.modes.public.request import Asked
from gateway.modes.public.signed_links import Link, SignedLinks
from gateway.storage import NOTHING
from gateway.web.request_facts import RequestFacts


def let_in(asked: Asked) -> None:
    """Raises `PublicProblem`."""
    if asked.options.closed:
        raise PublicProblem("Forbidden")
    if asked.options.filter is not None:
        facts = RequestFacts(asked.environ, NOTHING, asked.gateway.clock, asked.gateway.country)
        if asked.options.filter.decide("read", None, facts).verdict != "allow":
            raise PublicProblem("Forbidden")
    if asked.options.signed_links is not None:
        _by_link(asked, asked.options.signed_links)


def _by_link(asked: Asked, links: SignedLinks) -> None:
    """What the link says of itself is taken out of the query: from here on there is none of it,
    neither for a cache nor for an origin."""
    environ = asked.environ
    path = environ.get("SCRIPT_NAME", "") + ("" if asked.bare else f"/{asked.key}")
    client, now = environ.get("gateway.client", ""), asked.gateway.clock() // 1000
    link = Link(path, environ.get("QUERY_STRING", ""), client, now)
    try:
        opened = signed_links.opened(links, link)
    except ValueError:
        raise PublicProblem("BadRequest") from None
    environ["QUERY_STRING"] = opened.query
    if asked.options.limit_rate == "link":
        try:
            asked.rate = speeds.of_link(opened.values)
        except ValueError:
            raise PublicProblem("Forbidden") from None
