"""A function of an API, and an API: what routing, documents and tests read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.access.actions import Action
from gateway.storage import NOTHING
from gateway.web.api.fields import Field
from gateway.web.api.parameters import Parameter
from gateway.web.replies import Reply

C = TypeVar("C")
"""What handlers get: a mode's own view of a request."""


class Function(NamedTuple, Generic[C]):
    """`methods`: the first is the one that documents show. `action`: what it does to the
    service, or to the file, by which rules decide (of a version that is named:
    `actions.OF_VERSION`); None: it is done to neither. `answer` is what it answers in
    JSON; () means that it answers the bytes of a file, or, where it is `bare`, none. `statuses`
    of success. `body`: it has one, a file; `members` are those of one in JSON. `place` is its
    path, with `{parts}`, where that is not its name ("" is the root). `errors`: codes, besides
    those that all functions have. `many`: it answers a list of what `answer` describes. `open`:
    it asks nobody who they are."""

    name: str
    methods: tuple[str, ...]
    action: Action | None
    handler: Callable[[C], Reply]
    title: str
    about: str
    query: tuple[Parameter, ...] = ()
    headers: tuple[Parameter, ...] = ()
    body: bool = False
    answer: tuple[Field, ...] = ()
    statuses: Mapping[int, str] = {200: "Done."}
    answer_headers: tuple[Parameter, ...] = ()
    errors: tuple[str, ...] = ()
    place: str | None = None
    parts: tuple[Parameter, ...] = ()
    members: tuple[Parameter, ...] = ()
    bare: bool = False
    many: bool = False
    open: bool = False

    @property
    def downloads(self) -> bool:
        """Whether it answers the bytes of a file."""
        return not (self.answer or self.bare)

    @property
    def path(self) -> str:
        """Without a slash in front."""
        return self.name if self.place is None else self.place


class Api(NamedTuple):
    """What documents say of an API as a whole. `name` and `heading` are the page's, `intro`
    its first paragraphs in HTML; `header` has the key's value, and `always`
    are others that each request has; `called` is what people call the
    former, and `typed` what they type for it; `problems` are
    its error codes (status, sentence), and `error` the members of its errors, as JSON Schema has
    them. `errors_of` gives the codes that a function is documented to answer. `forms`: bodies may
    be forms as well."""

    title: str
    version: str
    about: str
    name: str
    heading: str
    intro: str
    header: str
    table: tuple[Function[Any], ...]
    problems: Mapping[str, tuple[int, str]]
    error: Mapping[str, Any]
    errors_of: Callable[[Function[Any]], tuple[str, ...]]
    always: Mapping[str, str] = NOTHING
    called: str = "key"
    typed: str = "value of a key"
    forms: bool = False
