"""A service whose objects somebody looks at: what the pages of the Browser have in common."""

from __future__ import annotations

from gateway.modes import KEY_LIMIT
from gateway.modes.console import object_names
from gateway.modes.console.browsing.abilities import Abilities
from gateway.modes.console.call import Call
from gateway.modes.console.problems import ConsoleProblem
from gateway.storage import BadKey

PLACE = "browser"


class Browsed:
    """`place` is the path of the service's own page, with those of its objects below it."""

    def __init__(self, call: Call) -> None:
        """Raises `NoSuchStore` also when the key may not know of it."""
        self.call, self.sid = call, call.values["sid"]
        self.access = call.access(self.sid)
        self.able = Abilities.of(self.access)
        self.place = f"{PLACE}/{self.sid}"

    @property
    def key(self) -> str:
        """The object that the query names. Raises `ConsoleProblem`."""
        key = self.call.query.get("key", "")
        if not key:
            raise ConsoleProblem("BadRequest", "The address does not say which object is meant.")
        self.call.environ["gateway.record"].key = key
        return key

    @property
    def new_key(self) -> str:
        """The same, of an object that is to be made. Raises `BadKey` for one that is too long."""
        return checked(self.key)

    @property
    def version(self) -> str | None:
        return self.call.query.get("version") or None


def checked(key: str) -> str:
    """The key of an object that is to be made. Raises `BadKey`."""
    size = len(key.encode())
    if size > KEY_LIMIT:
        raise BadKey(
            f"The name has {size} bytes with its folders; {KEY_LIMIT} are allowed.", key=key
        )
    return key


def keys_of(fields: list[str]) -> list[str]:
    """The keys in a form's fields. Raises `ConsoleProblem`."""
    try:
        return [object_names.decoded(one) for one in fields]
    except ValueError:
        raise ConsoleProblem("BadRequest", "The form names no objects.") from None
