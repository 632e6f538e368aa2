"""A folder as a page: what is right below it, a page of a list at a time, in plain HTML.

Names are as visitors made them, perhaps; so each is escaped twice, as a part of an address and
as text, and addresses are relative to the folder.
"""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from gateway.common.moments import http_date
from gateway.modes.public import replies
from gateway.modes.public.problems import PublicProblem
from gateway.modes.public.request import Asked
from gateway.storage import Listable, ListPage, ListQuery, NoSuchKey
from gateway.web import request_head
from gateway.web.replies import Reply

AFTER = "after"
"""The parameter of the query that goes on with a list; all others are for others."""


def page(asked: Asked) -> Reply:
    """Of the folder that is asked for. Raises `NoSuchKey` where nothing is below it."""
    folder, after = asked.key, _after(asked)
    found = asked.access.list(ListQuery(prefix=folder, delimiter="/", after=after))
    if folder and not after and not found.entries and not found.prefixes:
        raise NoSuchKey(key=folder)
    headers = [("content-type", "text/html; charset=utf-8"), replies.STRICT]
    if asked.options.client_cache_time is not None:
        headers.append(("cache-control", f"max-age={int(asked.options.client_cache_time)}"))
    return Reply(200, headers, _rendered(folder, found))


def lists(asked: Asked) -> bool:
    """Whether folders are shown."""
    return asked.options.listing and asked.access.service.find(Listable) is not None


def is_there(asked: Asked, folder: str) -> bool:
    """Whether something is below it."""
    found = asked.access.list(ListQuery(prefix=folder, limit=1, brief=True))
    return bool(found.entries)


def _after(asked: Asked) -> str:
    """Raises `PublicProblem`."""
    try:
        after = request_head.parse_query(asked.environ.get("QUERY_STRING", "")).get(AFTER, "")
    except ValueError:
        raise PublicProblem("BadRequest") from None
    if after and not after.startswith(asked.key):
        raise PublicProblem("BadRequest")
    return after


def _rendered(folder: str, found: ListPage) -> bytes:
    title = escape(f"/{folder}")
    rows = [_row("..", "../", "", "")] if folder else []
    start = len(folder)
    rows += [_row(one[start:], _address(one[start:]), "", "") for one in found.prefixes]
    rows += [
        _row(one.key[start:], _address(one.key[start:]), str(one.size), _time(one.modified))
        for one in found.entries
        if one.key != folder
    ]
    more = ""
    if found.next is not None:
        more = f'<p><a href="?{AFTER}={_quoted(found.next)}">more</a></p>\n'
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"</head>\n<body>\n<h1>{title}</h1>\n<table>\n{''.join(rows)}</table>\n{more}"
        "</body>\n</html>\n"
    ).encode("utf-8", "replace")


def _row(name: str, to: str, size: str, modified: str) -> str:
    link = f'<a href="{escape(to)}">{escape(name)}</a>'
    return f"<tr><td>{link}</td><td>{size}</td><td>{modified}</td></tr>\n"


def _address(name: str) -> str:
    """Relative to its folder: "./", or what has a colon is a scheme, and what begins with a
    slash somewhere else."""
    return f"./{_quoted(name, '/~')}"


def _quoted(text: str, safe: str = "") -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe=safe)


def _time(modified: int) -> str:
    return http_date(modified) if modified > 0 else ""
