"""A process that follows a store until it is killed: `python -m tests.background.following
FOLDER LOG NUMBER`. A line in the log for each delivery: [number, repeated, sync ids]."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from drivers.local import Local
from gateway.background import followers
from gateway.storage import Context, Delivery
from gateway.storage.objects import now

BATCH = 5
SID = "s"


def opened(folder: Path) -> Local:
    store = Local(durability="process")
    store.open(Context(sid=SID, folder=folder))
    return store


def main(folder: Path, log: Path, number: int) -> None:
    followers.LOOK = 0.02
    to = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0))

    def handle(delivery: Delivery) -> None:
        assert delivery.reset is None
        numbers = [one.sequence for one in delivery.changes]
        os.write(to, json.dumps([number, delivery.repeated, numbers]).encode() + b"\n")
        time.sleep(0.001)  # so that a kill finds it at all places

    following = followers.Following(folder, now)
    following.follow("f", opened(folder), handle, batch=BATCH)
    following.start()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
