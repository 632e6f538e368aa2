"""`gateway reload`: has the gateway that runs read its configuration again.

What is wrong with that is found, and said, by the gateway that is to serve it.
"""

from __future__ import annotations

import argparse
import sys

from gateway.commands import control
from gateway.commands.columns import say
from gateway.commands.command import Command
from gateway.commands.place import add_place, configuration_file, data_folder
from gateway.servers import CannotServe


def _run(typed: argparse.Namespace) -> int:
    folder, named = data_folder(typed), configuration_file(typed)
    if folder is None:
        raise CannotServe(
            "A gateway with [server] memory = true has no data folder, by which it could be"
            f" found: {control.OTHERWISE}."
        )
    try:
        said = control.reload(folder, named)
    except OSError as error:
        raise CannotServe(
            f"Who runs with the data folder {folder} cannot be told: {error.strerror}."
        ) from error
    if not said:
        raise CannotServe(
            f"No gateway runs with the data folder {folder}. Did you start it with --data or"
            " --config? Give the same here."
        )
    refused = [one.reason for one in said if one.reason]
    for reason in refused:
        say(f"gateway: {reason}", sys.stderr)
    if refused:
        print("The gateway goes on with the configuration that it had.", file=sys.stderr)
        return 1
    for one in said:
        say(f"The configuration {one.configuration} was read again, and is served now.")
    return 0


COMMAND = Command(
    name="reload",
    text="have the gateway that runs read its configuration again",
    arguments=add_place,
    run=_run,
)
