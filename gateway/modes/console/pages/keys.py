"""Keys: who has one, and what each may do; made, switched off and on, rotated, removed.

A secret is in the answer to the POST that made it, and nowhere else: no address leads to it, and
no cache keeps it.
"""

from __future__ import annotations

from gateway.access.identity import SERVICE_LEVELS, KeyAccess
from gateway.access.new_keys import new_id
from gateway.modes.console import errors
from gateway.modes.console.call import Call
from gateway.modes.console.key_access import chosen, in_words, matrix
from gateway.modes.console.page import Page, Reach
from gateway.modes.console.paging import numbered, pager
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import CredentialInfo, MadeCredential, Operator
from gateway.storage import NOTHING, NotFound, StorageError
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_SHOWN = 50
_LONGEST = 256
"""Characters of a description."""
_MANAGER: Reach = "manager"


def listing(call: Call) -> Reply:
    text = call.query.get("text", "").strip()
    found = call.operator.credentials(numbered(call) or 0, _SHOWN + 1, text)
    rows = found[:_SHOWN]
    tables = [one for one in rows if not isinstance(one.access, str)]
    return call.show(
        "keys.html",
        text=text,
        rows=rows,
        words={one.number: in_words(one.access) for one in rows},
        tables=tables,
        services=sorted({sid for one in tables for sid in one.access}),
        pager=pager(call, rows[-1].number if len(found) > _SHOWN else None, text=text),
    )


# a new one


def new(call: Call) -> Reply:
    return _new(call)


def _new(call: Call, trouble: str = "", status: int = 200) -> Reply:
    operator, form = call.operator, call.form
    access: KeyAccess = "own" if operator.may_give("own") else NOTHING
    return call.show(
        "key_new.html",
        status,
        trouble=trouble,
        given={
            "user_name": form.text("user_name"),
            "access_key": form.text("access_key") or new_id(),
            "description": form.text("description"),
            "manages": form.get("manages", ""),
        },
        everything=call.identity.manages_everything,
        matrix=matrix(call, operator, access),
        levels=SERVICE_LEVELS,
    )


def make(call: Call) -> Reply:
    """The id is in the form: who sends it twice makes one key."""
    form = call.form
    try:
        made = call.operator.add_credential(
            user_name=form.text("user_name"),
            access_key=form.text("access_key"),
            access=chosen(call),
            manages=form.get("manages") == "1",
            description=form.text("description")[:_LONGEST],
        )
    except (StorageError, ConsoleProblem) as error:
        _, status, told = errors.told(error)
        return _new(call, told, status)
    return _shown_once(call, made, "The key is made")


def _shown_once(call: Call, made: MadeCredential, title: str) -> Reply:
    return call.show("key_secret.html", title=title, info=made.info, secret=made.secret.reveal())


# one


def show(call: Call) -> Reply:
    return _show(call)


def _show(call: Call, trouble: str = "", status: int = 200) -> Reply:
    operator = call.operator
    info = operator.credential(_numbered(call))
    return call.show(
        "key.html",
        status,
        trouble=trouble,
        info=info,
        words=in_words(info.access),
        changeable=_changeable(operator, info),
        everything=call.identity.manages_everything,
        own=info.id == call.identity.key,
        matrix=matrix(call, operator, info.access),
        levels=SERVICE_LEVELS,
    )


def _changeable(operator: Operator, info: CredentialInfo) -> bool:
    return not info.declared and operator.may_give(info.access)


def change(call: Call) -> Reply:
    operator, form, number = call.operator, call.form, _numbered(call)
    info = operator.credential(number)
    try:
        operator.change_credential(
            number,
            user_name=form.text("user_name") or None,
            access=chosen(call, info.access),
            manages=form.get("manages") == "1",
            description=form.text("description")[:_LONGEST],
        )
    except (StorageError, ConsoleProblem) as error:
        if isinstance(error, NotFound):
            raise
        _, status, told = errors.told(error)
        return _show(call, told, status)
    return call.see(f"keys/{number}", "changed")


def switch(call: Call) -> Reply:
    number, active = _numbered(call), call.form.get("active") == "1"
    call.operator.change_credential(number, active=active)
    return call.see(f"keys/{number}", "on" if active else "off")


def ask_rotate(call: Call) -> Reply:
    return _ask(call, "key_rotate.html")


def rotate(call: Call) -> Reply:
    made = call.operator.rotate_credential(_numbered(call))
    return _shown_once(call, made, "The key has another secret")


def ask_remove(call: Call) -> Reply:
    return _ask(call, "key_remove.html")


def remove(call: Call) -> Reply:
    operator, number = call.operator, _numbered(call)
    if call.form.text("sure") != operator.credential(number).id:
        return _ask(call, "key_remove.html", "That is not the key's id. Nothing was done.", 400)
    try:
        operator.remove_credential(number)
    except StorageError as error:
        if isinstance(error, NotFound):
            raise
        _, status, told = errors.told(error)
        return _ask(call, "key_remove.html", told, status)
    return call.see("keys", "removed")


def _ask(call: Call, template: str, trouble: str = "", status: int = 200) -> Reply:
    operator = call.operator
    info = operator.credential(_numbered(call))
    if not _changeable(operator, info):
        raise ConsoleProblem("Forbidden")
    own = info.id == call.identity.key
    return call.show(template, status, trouble=trouble, info=info, own=own)


def _numbered(call: Call) -> int:
    return _number(call.values["number"])


def _number(text: str) -> int:
    if (number := whole_number(text)) is None:
        raise ConsoleProblem("NotFound")
    return number


_SAID = {
    "changed": "The key is changed: that counts at once, in all workers.",
    "on": "The key is on.",
    "off": "The key is off, and its sessions are over.",
}
PAGES = (
    Page(
        name="ConsoleKeys",
        path="keys",
        get=listing,
        title="Keys",
        reach=_MANAGER,
        said={"removed": "The key is removed, for good."},
    ),
    Page(name="ConsoleNewKey", path="keys/new", get=new, post=make, section="keys", reach=_MANAGER),
    Page(
        name="ConsoleKey",
        path="keys/{number}",
        get=show,
        post=change,
        section="keys",
        reach=_MANAGER,
        said=_SAID,
    ),
    Page(
        name="ConsoleSwitchKey",
        path="keys/{number}/active",
        post=switch,
        section="keys",
        reach=_MANAGER,
    ),
    Page(
        name="ConsoleRotateKey",
        path="keys/{number}/rotate",
        get=ask_rotate,
        post=rotate,
        section="keys",
        reach=_MANAGER,
    ),
    Page(
        name="ConsoleRemoveKey",
        path="keys/{number}/remove",
        get=ask_remove,
        post=remove,
        section="keys",
        reach=_MANAGER,
    ),
)
