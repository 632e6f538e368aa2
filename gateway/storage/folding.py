"""Keys of which several name one object: how a store that is not case sensitive calls it.

Lower case is taken character by character, so that what begins alike still does: Python's own
`lower` looks at the whole word (a sigma at its end is another). Two characters that Unicode has
as a pair stay one in every release of it, so no key gets another name by a newer Python.
"""

from __future__ import annotations


def lower(text: str) -> str:
    return text.lower() if text.isascii() else "".join(map(str.lower, text))


def folded(key: str) -> str:
    """In lower case up to the first `?`; what is behind it is a query, which stays as it is. Of
    a key's beginning (a prefix) it is the beginning of the key's."""
    path, mark, query = key.partition("?")
    return lower(path) + mark + query
