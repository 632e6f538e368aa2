"""A service of any driver is added, and its options are changed: forms that are made of what the
driver says of itself.

What is typed is read as on a command line. A secret is never shown again, not even in a form that
is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.modes.console.problems import ConsoleProblem
from gateway.modes.operating import DriverInfo, Given, NotAccepted, OptionInfo, Trouble
from gateway.storage import NOTHING, AlreadyExists, Conflict
from gateway.web.replies import Reply

PREFIX = "option."
"""Begins the names of fields that are options of a driver."""
DEFAULT = "default."
"""Begins those of boxes: have its default again."""
_MOST = 1000
_BESIDE = ("name", "account", "sid", "driver")


@dataclass(frozen=True, slots=True)
class Line:
    """An option in a form. `given`: what it has; `value` what was typed; `choices` are (value,
    text), none where anything may be typed."""

    option: OptionInfo
    choices: Sequence[tuple[str, str]]
    value: str = ""
    error: str = ""
    given: Given | None = None


def drivers(call: Call) -> Sequence[DriverInfo]:
    return call.operator.drivers()


def driver_of(call: Call, name: str) -> DriverInfo:
    for one in drivers(call):
        if one.name == name:
            return one
    raise ConsoleProblem("NotFound", "There is no such driver here.")


# adding


def show_add(call: Call) -> Reply:
    name = call.query.get("driver", "")
    if not name:
        return call.show("service-drivers.html", drivers=drivers(call))
    return _adding(call, driver_of(call, name), {})


def add(call: Call) -> Reply:
    driver = driver_of(call, call.form.text("driver"))
    sid, operator = call.form.text("sid"), call.operator
    try:
        operator.add_service(
            sid,
            driver.name,
            operator.written(driver.name, typed_of(call, driver.options)),
            name=call.form.text("name"),
            account=call.form.text("account"),
        )
    except (NotAccepted, AlreadyExists, Conflict) as error:
        return _adding(call, driver, call.form, error)
    return call.see(f"services/{sid}", "added")


def _adding(
    call: Call, driver: DriverInfo, typed: Mapping[str, str], error: Exception | None = None
) -> Reply:
    errors, others = errors_of(error, {one.name for one in driver.options})
    values = {name: typed.get(name, "") for name in _BESIDE}
    values["account"] = values["account"] or call.identity.account
    return call.show(
        "service-add.html",
        200 if error is None else 422,
        driver=driver,
        lines=lines_of(call, driver.options, typed, errors),
        values=values,
        errors=errors,
        others=others,
    )


# changing


def show_change(call: Call) -> Reply:
    return _changing(call, call.values["sid"], {})


def change(call: Call) -> Reply:
    sid, operator = call.values["sid"], call.operator
    details = operator.service(sid)
    driver = driver_of(call, details.info.driver)
    unset = [one.name for one in driver.options if call.form.get(f"{DEFAULT}{one.name}") == "1"]
    found = typed_of(call, driver.options)
    typed = [(name, text) for name, text in found if name not in unset]
    try:
        operator.change_service(
            sid, operator.written(driver.name, typed), unset=unset, name=call.form.text("name")
        )
    except (NotAccepted, Conflict) as error:
        return _changing(call, sid, call.form, error)
    return call.see(f"services/{sid}", "changed")


def _changing(
    call: Call, sid: str, typed: Mapping[str, str], error: Exception | None = None
) -> Reply:
    details = call.operator.service(sid)
    if details.info.origin != "added":
        raise ConsoleProblem("Conflict", "Only a service that was added is changed here.")
    driver = driver_of(call, details.info.driver)
    errors, others = errors_of(error, {one.name for one in driver.options})
    given = {one.name: one for one in details.options}
    links, behind = [one.name for one in driver.options if one.link], details.info.links
    if len(links) == len(behind) == 1:
        given[links[0]] = Given(links[0], behind[0])
    return call.show(
        "service-change.html",
        200 if error is None else 422,
        info=details.info,
        name=typed.get("name", details.info.name),
        lines=lines_of(call, driver.options, typed, errors, given),
        others=others,
    )


# both


def typed_of(call: Call, options: Iterable[OptionInfo]) -> list[tuple[str, str]]:
    """What is empty was not given."""
    found = ((one.name, call.form.get(f"{PREFIX}{one.name}", "")) for one in options)
    return [(name, text) for name, text in found if text]


def lines_of(
    call: Call,
    options: Iterable[OptionInfo],
    typed: Mapping[str, str],
    errors: Mapping[str, str],
    given: Mapping[str, Given] = NOTHING,
) -> list[Line]:
    """Those that are needed come first."""
    lines = []
    for one in sorted(options, key=lambda one: not one.required):
        known = given.get(one.name)
        choices = _choices(call, one, "" if known is None else "as it is")
        value = "" if _is_hidden(one) else typed.get(f"{PREFIX}{one.name}", "")
        lines.append(Line(one, choices, value, errors.get(one.name, ""), known))
    return lines


def _is_hidden(option: OptionInfo) -> bool:
    """What may be a secret, or has one in it, is not put back into a form."""
    return option.secret or option.kind.startswith("a table")


def _choices(call: Call, option: OptionInfo, unsaid: str) -> list[tuple[str, str]]:
    words = list(option.choices)
    if option.link:
        words = _services(call)
        if not words:
            return [("", "none yet: a service is added first, and no bucket can be behind one")]
    if not words:
        return []
    unsaid = unsaid or ("choose one" if option.required else f"default{_default(option)}")
    return [("", unsaid), *((word, word) for word in words)]


def _default(option: OptionInfo) -> str:
    text = option.default.strip('"')
    return f": {text}" if text else ""


def _services(call: Call) -> list[str]:
    """Those that another may stand in front of, as many as a list can have. No bucket is one."""
    page = call.operator.services("", _MOST)
    itself = call.values.get("sid")
    return [one.sid for one in page.items if one.origin != "bucket" and one.sid != itself]


def errors_of(
    error: Exception | None, options: set[str], depth: int = 2
) -> tuple[dict[str, str], list[str]]:
    """By field, and those that are of none. `depth`: as many words of a place are the table's."""
    if error is None:
        return {}, []
    if not isinstance(error, NotAccepted):
        return {}, [str(error)]
    errors: dict[str, str] = {}
    others: list[str] = []
    for one in error.troubles:
        field = _field(one, options, depth)
        if field and field not in errors:
            errors[field] = one.message
        else:
            others.append(": ".join(filter(None, one)))
    return errors, others


def _field(trouble: Trouble, options: set[str], depth: int) -> str:
    """The one that a place means: `services.SID.OPTION…`, where the id may have dots."""
    words = [word.partition("[")[0] for word in trouble.place.split(".")]
    known = {*options, "name", "account"}
    return next((word for word in words[depth:] if word in known), "")


PAGES = (
    Page(
        name="ConsoleServiceAdd",
        path="add-service",
        get=show_add,
        post=add,
        section="services",
        reach="everything",
    ),
    Page(
        name="ConsoleServiceChange",
        path="services/{sid}/change",
        get=show_change,
        post=change,
        section="services",
        reach="everything",
    ),
)
