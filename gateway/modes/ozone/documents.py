"""What the documents say of the Ozone mode as a whole, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.modes import Page
from gateway.modes.ozone.functions import TABLE, errors_of
from gateway.modes.ozone.problems import PROBLEMS
from gateway.web.api import page
from gateway.web.api.table import Api

_TEXT = {"type": "string"}

API = Api(
    title="Storage Gateway: Ozone",
    version="1.0.0",
    about="Volumes, buckets and keys by the REST API that Apache Hadoop Ozone had. Every request"
    " says in Authorization who asks: OZONE, a blank, a key's id, a colon and its secret.",
    name="Ozone",
    heading="Volumes, buckets and keys",
    intro="""\
<p>Every request has <code>x-ozone-version: v1</code>, a date, and says who asks: \
<code>Authorization: OZONE</code> and a key’s id and secret, with a colon between. Where names are \
trusted, it is <code>OZONE</code> and a name. Use TLS where others could listen.</p>
<p>The date is <code>Date</code>; browsers keep that for themselves, so \
<code>x-ozone-date</code> counts where there is none. It may be any moment.</p>
<p>Lists come in pages: put the last name into <code>prev-key</code> for the following one. An \
error is an object with <code>shortMessage</code>, for programs, <code>message</code>, a sentence \
for people, and <code>requestID</code>.</p>
<p>The examples take the whole value of <code>Authorization</code> from the environment variable \
<code>GATEWAY_KEY</code> (<code>export GATEWAY_KEY="OZONE id:secret"</code>; in PowerShell \
<code>$env:GATEWAY_KEY = "OZONE id:secret"</code>), and the address from what you fill in beside \
them.</p>""",
    header="Authorization",
    table=TABLE,
    problems=PROBLEMS,
    error={
        "httpCode": {"type": "integer", "description": "The HTTP status."},
        "shortMessage": {"type": "string", "enum": sorted(PROBLEMS)},
        "resource": {"type": "string", "description": "The path."},
        "message": {"type": "string", "description": "One sentence."},
        "requestID": {"type": "string", "description": "As in x-ozone-request-id."},
        "hostName": {"type": "string", "description": "As in x-ozone-server-name."},
    },
    errors_of=errors_of,
    typed="OZONE id:secret",
    always={"x-ozone-version": "v1", "x-ozone-date": "Mon, 26 Jun 2017 04:23:30 GMT"},
)

AT = "/-/docs/ozone"


def _moved() -> Page:
    return Page("text/plain", b"", (("Location", f"{AT}/"),), "308 Permanent Redirect")


_MADE = page.pages(API, root="../../../", document="openapi.json")
PAGES: Mapping[str, Callable[[], Page]] = {
    f"{AT}/openapi.json": lambda: page.openapi_document(API, server="/"),
    AT: _moved,
    **{f"{AT}/{name}": make for name, make in _MADE.items()},
}
