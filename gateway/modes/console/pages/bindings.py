"""Bindings: doors by host, port or path, to a mode; the file's, and those that were added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.pages.service_forms import errors_of, lines_of, typed_of
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import ModeInfo, NotAccepted
from gateway.storage import AlreadyExists, Conflict
from gateway.web.replies import Reply
from gateway.web.request_head import whole_number

_DOOR = ("host", "port", "prefix")
_FIELDS = {*_DOOR, "service"}
_OFFERED = 1000
"""Ids of services that are offered at most; any may be typed."""


def show(call: Call) -> Reply:
    operator = call.operator
    return call.show(
        "bindings.html",
        bindings=operator.bindings(),
        certificates=operator.certificates(),
        modes=[(one.name, one.name) for one in operator.modes()],
        now=call.gateway.clock(),
    )


def show_add(call: Call) -> Reply:
    return _adding(call, _mode(call, call.query.get("mode", "public")), {})


def add(call: Call) -> Reply:
    mode, operator = _mode(call, call.form.text("mode")), call.operator
    given = {name: text for name in sorted(_FIELDS) if (text := call.form.text(name))}
    table: dict[str, Any] = {**given, "mode": mode.name}
    if (port := whole_number(given.get("port", ""))) is not None:
        table["port"] = port
    try:
        own = operator.written_binding(mode.name, typed_of(call, mode.options))
        operator.add_binding({**own, **table})
    except (NotAccepted, AlreadyExists, Conflict) as error:
        return _adding(call, mode, call.form, error)
    return call.see("bindings", "added")


def _adding(
    call: Call, mode: ModeInfo, typed: Mapping[str, str], error: Exception | None = None
) -> Reply:
    options = {one.name for one in mode.options}
    errors, others = errors_of(error, {*options, *_FIELDS}, 1)
    return call.show(
        "binding-add.html",
        200 if error is None else 422,
        mode=mode,
        values={name: typed.get(name, "") for name in _FIELDS},
        lines=lines_of(call, mode.options, typed, errors),
        errors=errors,
        others=others,
        services=[one.sid for one in call.operator.services("", _OFFERED).items],
    )


def _mode(call: Call, name: str) -> ModeInfo:
    for one in call.operator.modes():
        if one.name == name:
            return one
    raise ConsoleProblem("NotFound", "There is no such mode here.")


def remove(call: Call) -> Reply:
    host, said, prefix = (call.form.get(name, "") for name in _DOOR)
    if (port := whole_number(said)) is None:
        raise ConsoleProblem("BadRequest")
    try:
        call.operator.remove_binding(host, port, prefix)
    except NotAccepted as error:
        raise ConsoleProblem("BadRequest", str(error)) from None
    return call.see("bindings", "removed")


PAGES = (
    Page(
        name="ConsoleBindings",
        path="bindings",
        get=show,
        title="Bindings",
        reach="everything",
        said={
            "added": "The binding is added. It counts from now on.",
            "removed": "The binding is removed. Nothing comes to it any more.",
        },
    ),
    Page(
        name="ConsoleBindingAdd",
        path="add-binding",
        get=show_add,
        post=add,
        section="bindings",
        reach="everything",
    ),
    Page(
        name="ConsoleBindingRemove",
        path="bindings/remove",
        post=remove,
        section="bindings",
        reach="everything",
    ),
)
