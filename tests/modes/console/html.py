"""A page as a tree: what tests look for in what the console answers.

It is strict where browsers are not: an element that is not closed, or closed where it was not
open, an attribute twice, and an id twice are errors.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = frozenset(("meta", "link", "input", "br", "img", "hr", "source", "path", "rect", "circle"))
_VOID |= {"line", "polyline"}


class Element:
    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Element | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes[name]

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    @property
    def text(self) -> str:
        """All of it, with blanks as a browser shows them."""
        return " ".join(self._text().split())

    def _text(self) -> str:
        return "".join(one if isinstance(one, str) else one._text() for one in self.children)

    def walk(self) -> Iterator[Element]:
        for one in self.children:
            if isinstance(one, Element):
                yield one
                yield from one.walk()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Those of that tag with these attributes (`class_`: one of its classes)."""
        return [one for one in self.walk() if tag in ("", one.tag) and one.has(attributes)]

    def has(self, attributes: dict[str, str]) -> bool:
        return all(
            value in (self.get("class") or "").split()
            if name == "class_"
            else self.get(name.rstrip("_").replace("_", "-")) == value
            for name, value in attributes.items()
        )

    def one(self, tag: str = "", **attributes: str) -> Element:
        (found,) = self.all(tag, **attributes)
        return found

    def table(self, caption: str) -> list[list[str]]:
        """The texts of a table's body."""
        (found,) = [one for one in self.all("table") if one.one("caption").text == caption]
        rows = found.one("tbody").all("tr")
        return [[one.text for one in row.walk() if one.tag in ("td", "th")] for row in rows]

    def form(self, action: str) -> Element:
        """The form of which the address ends so."""
        (found,) = [one for one in self.all("form") if (one.get("action") or "").endswith(action)]
        return found

    def fields(self) -> dict[str, str]:
        """What a form's controls have, as they would be sent."""
        found: dict[str, str] = {}
        for one in self.walk():
            name = one.get("name")
            if name is None or one.tag == "button":
                continue
            if one.tag == "select":
                chosen = [option for option in one.all("option") if "selected" in option.attributes]
                found[name] = (chosen or one.all("option"))[0]["value"]
            elif one.tag == "textarea":
                found[name] = one._text().removeprefix("\n")
            elif one.get("type") not in ("checkbox", "radio") or "checked" in one.attributes:
                found[name] = one.get("value") or ""
        return found


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        assert len(attributes) == len(attrs), f"an attribute twice: {tag} {attrs}"
        element = Element(tag, attributes)
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open[-1].tag == tag, f"</{tag}> in <{self.open[-1].tag}>"
            self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(text: str) -> Element:
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.open) == 1, f"<{parser.open[-1].tag}> is not closed"
    ids = [one["id"] for one in parser.root.walk() if "id" in one.attributes]
    assert len(ids) == len(set(ids)), f"an id twice: {ids}"
    return parser.root
