"""The page as HTML, from the tables: an article for each function.

What is read and what is filled in are one: each parameter is described where
it is typed. `docs.js` makes it work, and puts what was typed into the examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from string import Template
from typing import Any

from gateway.web.api.fields import Field
from gateway.web.api.page import examples
from gateway.web.api.page.languages import LANGUAGES, URL, Language
from gateway.web.api.parameters import Parameter
from gateway.web.api.table import Api, Function

BESIDE = "../openapi.json"
_CODE = re.compile("`([^`]*)`")


def page(api: Api, shell: str, base: str, document: str = BESIDE) -> str:
    """`shell` is a template with what `api` says of itself, `$links` and `$articles`; `base`:
    where the examples point until the page knows better; `document`: where the OpenAPI one is."""
    return Template(shell).substitute(
        name=api.name,
        heading=api.heading,
        intro=api.intro,
        called=escape(api.called),
        typed=escape(api.typed),
        document=document,
        links="\n".join(map(_link, api.table)),
        articles="\n".join(_article(api, one, base) for one in api.table),
    )


def prose(text: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(text, quote=False))


def _method(function: Function[Any]) -> str:
    method = function.methods[0]
    return f'<span class="method {method.lower()}">{method}</span>'


def _link(function: Function[Any]) -> str:
    return (
        f'<li><a href="#{function.name}"><span>{function.name}</span>{_method(function)}</a></li>'
    )


def _article(api: Api, function: Function[Any], base: str) -> str:
    name = function.name
    others = "".join(f" or <code>{one}</code>" for one in function.methods[1:])
    return f"""\
<article id="{name}" aria-labelledby="{name}-title" data-function="{function.path}" \
data-method="{function.methods[0]}"{" data-open" if function.open else ""}>
<div class="about">
<h2 id="{name}-title">{escape(function.title)}</h2>
<p class="call">{_method(function)} <code>/{function.path}</code></p>
<p>{prose(function.about)}{f" Also by{others[3:]}." if others else ""}</p>
<form autocomplete="off">
{_inputs("Parameters", "query", function, (*function.parts, *function.query))}
{_inputs("Headers", "header", function, function.headers)}
{_body(function)}
<p class="go"><button type="submit">Try it</button> {_warning(function)}</p>
</form>
{_answer(function)}
{_errors(api, function)}
</div>
<div class="side">
{_examples(api, function, base)}
<section class="reply" aria-live="polite" hidden>
<h3>Answer</h3>
<p class="status"></p>
<div class="shown"></div>
<details><summary>Headers</summary><pre class="headers"></pre></details>
</section>
</div>
</article>"""


def _inputs(title: str, place: str, function: Function[Any], found: Sequence[Parameter]) -> str:
    within = {one.name for one in function.parts}
    rows = [
        _input("path" if one.name in within else place, function, one)
        for one in found
        if not one.name.endswith("*")
    ]
    rows += [_any(one) for one in found if one.name.endswith("*")]
    if not rows:
        return ""
    rows_html = "\n".join(rows)
    if place == "header":
        opened = " open" if any(one.required for one in found) else ""
        return f"<details{opened}><summary>{title}</summary>\n{rows_html}\n</details>"
    return f"<fieldset><legend>{title}</legend>\n{rows_html}\n</fieldset>"


def _input(place: str, function: Function[Any], one: Parameter) -> str:
    id = f"{function.name}-{one.name}".lower()
    needed = ' <em class="needed">needed</em>' if one.required else ""
    return f"""\
<div class="field">
<label for="{id}"><code>{one.name}</code>{needed}</label>
{_control(place, id, one)}
<p id="{id}-about">{prose(one.about)}</p>
</div>"""


def _control(place: str, id: str, one: Parameter) -> str:
    hint = one.example or ("" if one.default is None else str(one.default))
    common = f'id="{id}" name="{one.name}" data-place="{place}"'
    common += f' data-kind="{one.kind}"' if place == "member" else ""
    rest = f'placeholder="{escape(hint)}"{" required" if one.required else ""}'
    rest += f' aria-describedby="{id}-about"'
    if one.kind in ("texts", "object"):
        return f'<textarea {common} rows="3" spellcheck="false" {rest}></textarea>'
    kind = 'type="text" spellcheck="false"'
    if one.kind == "integer":
        kind = f'type="number" min="{one.least}" max="{min(one.most, (1 << 53) - 1)}"'
    return f"<input {common} {kind} {rest}>"


def _any(one: Parameter) -> str:
    return f'<div class="field"><p><code>{escape(one.name)}</code> {prose(one.about)}</p></div>'


def _body(function: Function[Any]) -> str:
    if function.members:
        return _inputs("Body", "member", function, function.members)
    return _file(function) if function.body else ""


def _file(function: Function[Any]) -> str:
    id = f"{function.name}-body"
    return f"""\
<fieldset><legend>Body</legend>
<div class="field">
<label for="{id}"><code>file</code> <em class="needed">needed</em></label>
<input id="{id}" type="file" required>
</div>
</fieldset>"""


def _warning(function: Function[Any]) -> str:
    if function.methods[0] == "GET":
        return ""
    return "<small>This is done for real.</small>"


def _answer(function: Function[Any]) -> str:
    statuses = "".join(
        f"<dt><code>{status}</code></dt><dd>{prose(text)}</dd>"
        for status, text in function.statuses.items()
    )
    headers = "".join(
        f"<dt><code>{escape(one.name)}</code></dt><dd>{prose(one.about)}</dd>"
        for one in function.answer_headers
    )
    return (
        f"<details><summary>What it answers</summary>\n<dl>{statuses}</dl>"
        f"{f'<dl>{headers}</dl>' if headers else ''}{_fields(function.answer)}</details>"
    )


def _fields(fields: Iterable[Field]) -> str:
    rows = "".join(
        f"<dt><code>{one.name}</code></dt><dd>{prose(one.about)}{_fields(one.of)}</dd>"
        for one in fields
    )
    return f"<dl>{rows}</dl>" if rows else ""


def _errors(api: Api, function: Function[Any]) -> str:
    found = ((code, *api.problems[code]) for code in api.errors_of(function))
    rows = "".join(
        f"<dt><code>{status} {code}</code></dt><dd>{escape(text)}</dd>"
        for code, status, text in found
    )
    return f"<details><summary>What can go wrong</summary>\n<dl>{rows}</dl></details>"


def _examples(api: Api, function: Function[Any], base: str) -> str:
    name = function.name
    tabs = "".join(
        f'<button type="button" role="tab" id="{name}-tab-{one.kind}" data-language="{one.kind}"'
        f' aria-controls="{name}-{one.kind}" aria-selected="{str(first).lower()}"'
        f' tabindex="{0 if first else -1}">{escape(one.name)}</button>'
        for one, first in _marked(LANGUAGES)
    )
    panels = "\n".join(
        f'<pre role="tabpanel" id="{name}-{one.kind}" data-language="{one.kind}" tabindex="0"'
        f' aria-labelledby="{name}-tab-{one.kind}"{"" if first else " hidden"}>'
        f"<code>{_program(api, one, function, base)}</code></pre>"
        for one, first in _marked(LANGUAGES)
    )
    return f"""\
<section class="example" aria-label="Examples">
<div class="tabs" role="tablist" aria-label="Language">{tabs}</div>
<button type="button" class="copy" aria-label="Copy the example">Copy</button>
{panels}
</section>"""


def _marked(
    found: Sequence[Language],
) -> Iterable[tuple[Language, bool]]:
    return ((one, one is found[0]) for one in found)


def _program(api: Api, language: Language, function: Function[Any], base: str) -> str:
    """The address is marked, so that the page can put another in its place."""
    address = escape(examples.url(function, base), quote=False)
    text = escape(examples.shown_program(api, language, function), quote=False)
    return text.replace(URL, f'<span class="url">{address}</span>')
