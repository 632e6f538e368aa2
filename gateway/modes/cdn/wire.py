"""What is answered, in JSON. Pure functions.

Times are Unix timestamps, in whole seconds. Ids and flags of zones and accounts are texts, all
others are numbers, as the interface's samples have them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.web.replies import Reply

Item = dict[str, Any]


def reply(content: Mapping[str, Any] | Sequence[Any], status: int = 200) -> Reply:
    """It is never cached: what it says is of who asks."""
    headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("cache-control", "no-store"),
    ]
    return Reply(status, headers, json.dumps(content).encode())


def done(message: str, status: int = 200, **more: Any) -> Reply:
    return reply({"message": message, **more}, status)


def seconds(milliseconds: int) -> int:
    return milliseconds // 1000
