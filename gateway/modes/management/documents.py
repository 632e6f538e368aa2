"""What the documents say of the management mode as a whole, and where they are: beside the
functions, at whatever prefix these are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from gateway.modes import Page
from gateway.modes.management.auth import HEADER
from gateway.modes.management.functions import TABLE, errors_of
from gateway.modes.management.problems import PROBLEMS
from gateway.web.api import page as pages
from gateway.web.api.table import Api

API = Api(
    title="Storage Gateway: management",
    version="1.0.0",
    about="Buckets, volumes, objects, uploads, credentials and presigned URLs of a storage gateway."
    f" Every request has the value of a management key in the header {HEADER}.",
    name="Management",
    heading="Manage buckets, objects and keys",
    intro=f"""\
<p>Every request carries the <em>value</em> of a management key, not its id, in the header \
<code>{HEADER}</code>. Such a key reaches what its account owns; one with access \
<code>admin</code> reaches everything. What it does not reach is not there for it. Use TLS where \
others could listen.</p>
<p>Bodies and answers are JSON. Lists come in pages: where there are more, put <code>next</code> \
into <code>after</code> for the following one. An error is an object with <code>code</code>, for \
programs, <code>message</code>, a sentence for people, and <code>requestId</code>, as in the \
log.</p>
<p>The examples take the key from the environment variable <code>GATEWAY_KEY</code>, and the \
address from what you fill in beside them.</p>""",
    header=HEADER,
    table=TABLE,
    problems=PROBLEMS,
    error={
        "code": {"type": "string", "enum": sorted(PROBLEMS)},
        "message": {"type": "string", "description": "One sentence."},
        "requestId": {"type": "string", "description": "As in x-request-id, and in the log."},
    },
    errors_of=errors_of,
)


def page(environ: Mapping[str, Any]) -> Page | None:
    """The document that is asked for, if it is one."""
    if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
        return None
    make = _pages(environ.get("SCRIPT_NAME", "")).get(environ.get("PATH_INFO", ""))
    return None if make is None else make()


@lru_cache(maxsize=16)
def _pages(prefix: str) -> Mapping[str, Callable[[], Page]]:
    """By path below the prefix at which the mode is. Links are relative, for there may be more
    in front of it that only a proxy knows."""
    made = pages.pages(API, root="../", base=f"{pages.HERE}{prefix}")
    return {
        "/openapi.json": cache(lambda: pages.openapi_document(API, server=prefix or "/")),
        "/docs": lambda: _elsewhere("docs/"),
        "/": lambda: _elsewhere("docs/"),
        "": lambda: _elsewhere(f"{prefix.rpartition('/')[2]}/docs/"),
        **{f"/docs/{name}": cache(make) for name, make in made.items()},
    }


def _elsewhere(link: str) -> Page:
    return Page("text/plain", b"", (("Location", link),), "307 Temporary Redirect")
