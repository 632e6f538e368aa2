"""What the documents say of the CDN control mode as a whole, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.modes import Page
from gateway.modes.cdn.auth import HEADER
from gateway.modes.cdn.functions import TABLE, errors_of
from gateway.modes.cdn.problems import PROBLEMS
from gateway.web.api import page
from gateway.web.api.table import Api

API = Api(
    title="Storage Gateway: CDN control",
    version="3.0.0",
    about="Zones, storages, certificates, purges and reports by the API of a CDN. Every request"
    f" but that which signs in has a token in the header {HEADER}.",
    name="CDN control",
    heading="Zones, storages, purges and reports",
    intro="""\
<p>Sign in with <code>check/login</code>: its answer has a token, which every other request has in \
the header <code>X-UCDN-Token</code>, or in the parameter <code>token</code>. Addresses end up in \
histories and logs of others: the header is better. Use TLS where others could listen.</p>
<p>Bodies are JSON or forms, and say so in <code>Content-Type</code>; answers are JSON. A slash at \
the end of a path changes nothing. An error is an object with <code>message</code>, a sentence. \
What belongs to another account is 404, as if it were not there; 532 is a failure of ours.</p>
<p>The examples take the token from the environment variable <code>GATEWAY_TOKEN</code>, and the \
address from what you fill in beside them.</p>""",
    header=HEADER,
    table=TABLE,
    problems=PROBLEMS,
    error={"message": {"type": "string", "description": "One sentence."}},
    errors_of=errors_of,
    called="token",
    typed="what check/login answered",
    forms=True,
)

AT = "/-/docs/cdn"


def _moved() -> Page:
    return Page("text/plain", b"", (("Location", f"{AT}/"),), "308 Permanent Redirect")


_MADE = page.pages(API, root="../../../v3/", base=f"{page.HERE}/v3", document="openapi.json")
PAGES: Mapping[str, Callable[[], Page]] = {
    f"{AT}/openapi.json": lambda: page.openapi_document(API, server="/v3"),
    AT: _moved,
    **{f"{AT}/{name}": make for name, make in _MADE.items()},
}
