"""What the documents say of the standard mode as a whole, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.modes import Page
from gateway.modes.standard.functions import TABLE, errors_of
from gateway.modes.standard.problems import PROBLEMS
from gateway.web.api import page
from gateway.web.api.table import Api

_NULLABLE = {"type": ["string", "null"]}

API = Api(
    title="Storage Gateway: standard mode",
    version="1.0.0",
    about="Files in and out of every service of a storage gateway."
    " Every request has a key's value in the header x-owncdn-key.",
    name="Standard mode",
    heading="Nine functions for your files",
    intro="""\
<p>Every request carries the <em>value</em> of a key, not its id, in the header \
<code>x-owncdn-key</code>. What a key
may read and write is decided for each service; a service that it may not read is not there \
for it. Use TLS
where others could listen.</p>
<p>Answers are JSON, but for the bytes of files. Lists come in pages: put <code>next</code> into \
<code>after</code> for the
following one. An error is an object with <code>error</code>, a code for programs, and \
<code>message</code>, a sentence for people.</p>
<p>The examples take the key from the environment variable <code>GATEWAY_KEY</code>, and the \
address from what you
fill in beside them.</p>""",
    header="x-owncdn-key",
    table=TABLE,
    problems=PROBLEMS,
    error={
        "error": {"type": "string", "enum": sorted(PROBLEMS)},
        "message": {"type": "string", "description": "One sentence."},
        "sid": _NULLABLE,
        "path": _NULLABLE,
        "requestId": {"type": "string", "description": "As in x-request-id, and in the log."},
    },
    errors_of=errors_of,
)


def _moved() -> Page:
    return Page("text/plain", b"", (("Location", "/-/docs/"),), "308 Permanent Redirect")


PAGES: Mapping[str, Callable[[], Page]] = {
    "/-/openapi.json": lambda: page.openapi_document(API, server="/"),
    "/-/docs": _moved,
    **{f"/-/docs/{name}": make for name, make in page.pages(API, root="../../").items()},
}
