"""Settings: what is configured, what is unsafe, and what runs here. It is changed in the file."""

from __future__ import annotations

from gateway.modes.console.call import Call
from gateway.modes.console.page import Page
from gateway.web.replies import Reply


def show(call: Call) -> Reply:
    return call.show("settings.html", about=call.operator.about())


PAGES = (
    Page(name="ConsoleSettings", path="settings", get=show, title="Settings", reach="everything"),
)
